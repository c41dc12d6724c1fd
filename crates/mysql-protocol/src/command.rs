//! Every command number of the protocol.
//!
//! The first byte of a request says what the client asks. What a server does not serve it still knows by
//! name here, so that refusing is a decision and not an accident.

use crate::{Error, Result};

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What a client asks, by the first byte of its request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Command {
            $($(#[$doc])* $name = $number,)*
        }

        impl Command {
            /// Every command, by number.
            pub const ALL: &'static [Command] = &[$(Command::$name,)*];

            /// The command of a request's first byte.
            pub fn from_byte(byte: u8) -> Result<Command> {
                match byte {
                    $($number => Ok(Command::$name),)*
                    _ => Err(Error::UnknownCommand(byte)),
                }
            }

            /// The name that the process list and the general log show.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Command::$name => $text,)*
                }
            }
        }
    };
}

commands! {
    /// Internal to a server; a client may not send it.
    Sleep = 0x00, "Sleep";
    /// The client closes the connection.
    Quit = 0x01, "Quit";
    /// Changes the default database.
    InitDb = 0x02, "Init DB";
    /// A statement, or several, as text.
    Query = 0x03, "Query";
    /// Column definitions of a table.
    FieldList = 0x04, "Field List";
    /// Creates a database (removed by MySQL).
    CreateDb = 0x05, "Create DB";
    /// Drops a database (removed by MySQL).
    DropDb = 0x06, "Drop DB";
    /// FLUSH by bits.
    Refresh = 0x07, "Refresh";
    /// Stops the server.
    Shutdown = 0x08, "Shutdown";
    /// A line of server statistics.
    Statistics = 0x09, "Statistics";
    /// The process list.
    ProcessInfo = 0x0a, "Processlist";
    /// Internal to a server.
    Connect = 0x0b, "Connect";
    /// Ends another connection.
    ProcessKill = 0x0c, "Kill";
    /// Writes debug information to the server's log.
    Debug = 0x0d, "Debug";
    /// Asks whether the server is alive.
    Ping = 0x0e, "Ping";
    /// Internal to a server.
    Time = 0x0f, "Time";
    /// Internal to a server.
    DelayedInsert = 0x10, "Delayed insert";
    /// Authenticates again, as another user, on the same connection.
    ChangeUser = 0x11, "Change user";
    /// Asks for the binary log.
    BinlogDump = 0x12, "Binlog Dump";
    /// Asks for a table (removed by MySQL).
    TableDump = 0x13, "Table Dump";
    /// Internal to a server.
    ConnectOut = 0x14, "Connect Out";
    /// A replica names itself.
    RegisterSlave = 0x15, "Register Slave";
    /// Prepares a statement.
    StmtPrepare = 0x16, "Prepare";
    /// Executes a prepared statement.
    StmtExecute = 0x17, "Execute";
    /// A piece of one parameter of a prepared statement.
    StmtSendLongData = 0x18, "Long Data";
    /// Forgets a prepared statement.
    StmtClose = 0x19, "Close stmt";
    /// Forgets long data and the cursor of a prepared statement.
    StmtReset = 0x1a, "Reset stmt";
    /// Switches multi-statements on or off.
    SetOption = 0x1b, "Set option";
    /// Fetches rows from the cursor of a prepared statement.
    StmtFetch = 0x1c, "Fetch";
    /// Internal to a server.
    Daemon = 0x1d, "Daemon";
    /// Asks for the binary log by GTIDs.
    BinlogDumpGtid = 0x1e, "Binlog Dump GTID";
    /// Resets the session to its first state without authenticating again.
    ResetConnection = 0x1f, "Reset Connection";
    /// Clones the server's data.
    Clone = 0x20, "Clone";
    /// Subscribes to group replication messages.
    SubscribeGroupReplicationStream = 0x21, "Group Replication Data Stream subscription";
}

/// The operations of [`Command::SetOption`].
pub mod set_option {
    /// Switches multi-statements on.
    pub const MULTI_STATEMENTS_ON: u16 = 0;
    /// Switches multi-statements off.
    pub const MULTI_STATEMENTS_OFF: u16 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_command_or_an_error() {
        let mut known = 0;
        for byte in 0..=255u8 {
            match Command::from_byte(byte) {
                Ok(command) => {
                    assert_eq!(command as u8, byte);
                    known += 1;
                }
                Err(error) => assert_eq!(error, Error::UnknownCommand(byte)),
            }
        }
        assert_eq!(known, Command::ALL.len());
        assert_eq!(known, 34);
    }
}
