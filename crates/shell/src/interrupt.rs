//! Ctrl-C while a statement runs: ends the statement, not the shell.
//!
//! A thread waits for SIGINT. While a statement runs it asks the server, over a connection of its own, to end
//! it (KILL QUERY); the statement then fails with 1317 on the shell's connection. Between statements it does
//! nothing: the line editor sees Ctrl-C itself.

use crate::connection::Connection;
use crate::target::Target;
use crate::{Error, Result};
use parking_lot::Mutex;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use std::sync::Arc;

/// What the thread knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    running: Arc<Mutex<Option<(Target, u32)>>>,
}

impl Interrupt {
    /// Starts to wait for SIGINT.
    pub(crate) fn watch() -> Result<Interrupt> {
        let mut signals = Signals::new([SIGINT]).map_err(Error::io("wait for Ctrl-C"))?;
        let interrupt = Interrupt::default();
        let seen = interrupt.clone();
        std::thread::Builder::new()
            .name("interrupt".into())
            .spawn(move || {
                for _ in signals.forever() {
                    let running = seen.running.lock().clone();
                    if let Some((target, id)) = running {
                        // A failure shows itself: the statement goes on, and Ctrl-C can be pressed again.
                        let _ = Connection::open(&target).and_then(|mut connection| {
                            let killed = connection.rows(&format!("KILL QUERY {id}"));
                            connection.close();
                            killed
                        });
                    }
                }
            })
            .map_err(Error::io("start a thread"))?;
        Ok(interrupt)
    }

    /// Runs `work` with Ctrl-C ending the statement of the connection `id`.
    pub(crate) fn during<T>(&self, target: &Target, id: u32, work: impl FnOnce() -> T) -> T {
        *self.running.lock() = Some((target.clone(), id));
        let done = work();
        *self.running.lock() = None;
        done
    }
}
