//! How a connection starts: greeting, the client's answer, and what authentication exchanges after it.
//!
//! ```text
//! server                                   client
//! Greeting (scramble, capabilities)   ->
//!                                     <-   SslRequest, then TLS          (if both want it)
//!                                     <-   HandshakeResponse (user, answer to the scramble)
//! AuthSwitchRequest (other method)    ->                                 (if the account needs another)
//!                                     <-   answer
//! AuthMoreData / answers, as the method wants
//! OK or ERR                           ->
//! ```
//!
//! COM_CHANGE_USER enters the same exchange at the client's answer.

mod change_user;
mod exchange;
mod greeting;
mod mariadb;
mod response;

pub use change_user::ChangeUser;
pub use exchange::{AuthReply, write_auth_more_data, write_auth_switch};
pub use greeting::Greeting;
pub use mariadb::MariaDbCapabilities;
pub use response::{ClientHello, ConnectAttributes, HandshakeResponse, SslRequest};
