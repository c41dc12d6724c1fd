//! What the programs for Rust's clients share: the surroundings, and a line for each step.

use std::fmt::{Debug, Display};

/// Why a step failed.
pub type Failure = Box<dyn std::error::Error>;
/// What a step returns.
pub type Outcome = Result<(), Failure>;

/// A variable of the surroundings.
pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// `mysql://` to the server over TCP.
pub fn url(password: &str) -> String {
    format!("mysql://{}:{password}@127.0.0.1:{}/{}", env("DB_USER"), env("DB_PORT"), env("DB_NAME"))
}

/// Column types and values.
pub fn values() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(env("DB_VALUES")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('\t')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Fails where two things differ.
pub fn same<T: PartialEq + Debug>(found: T, wanted: T) -> Outcome {
    let cut = |value: &T| format!("{value:?}").chars().take(200).collect::<String>();
    if found == wanted { Ok(()) } else { Err(format!("{} is not {}", cut(&found), cut(&wanted)).into()) }
}

/// Tells how a step went.
pub fn tell(step: &str, outcome: Result<(), impl Display>) {
    match outcome {
        Ok(()) => println!("{step} ok"),
        Err(why) => {
            let words = why.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            println!("{step} failed {}", words.chars().take(300).collect::<String>());
        }
    }
}

/// Tells that the client has no such thing.
pub fn none(step: &str, why: &str) {
    println!("{step} none {why}");
}
