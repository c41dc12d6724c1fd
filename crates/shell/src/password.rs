//! Asks for a password at the terminal, without showing it.

use crate::{Error, Result};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

/// Asks. Without a terminal there is nobody to ask.
pub(crate) fn ask(who: &str) -> Result<String> {
    let terminal = || Error::io("ask for the password at the terminal");
    let mut tty = File::options().read(true).write(true).open("/dev/tty").map_err(terminal())?;
    write!(tty, "Password of {who}: ").map_err(terminal())?;
    let before = tcgetattr(&tty).map_err(|error| terminal()(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&tty, OptionalActions::Now, &silent).map_err(|error| terminal()(error.into()))?;
    let mut line = String::new();
    let read = BufReader::new(&tty).read_line(&mut line);
    // Whatever happened, the terminal shows again what is typed.
    let restored = tcsetattr(&tty, OptionalActions::Now, &before);
    let _ = writeln!(tty);
    read.map_err(terminal())?;
    restored.map_err(|error| terminal()(error.into()))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
