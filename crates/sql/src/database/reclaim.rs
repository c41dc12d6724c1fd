//! Giving the space of temporary files back, on a thread of its own.
//!
//! A file system may take seconds to free what a large intermediate result has taken: it frees piece by piece, and may
//! tell the device about each. No statement waits for that, least of all one that was cancelled. Holes that lie side by
//! side are made at once: the parts of a join lie woven into each other, and go together. Of a file that nobody holds any
//! more no holes are made, its space goes with it.
//!
//! The thread is started when it is first needed and ends with the files; without one, space is given back where it is
//! let go.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use rustydb_storage::disk::File;

/// The longest wait for space that is on its way back.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the thread looks whether it holds a file alone.
const TURNS: usize = 1000;

/// Ranges of a file: their places and lengths.
type Holes = Vec<(u64, u64)>;

/// A file of which parts may be given back before it goes.
pub(super) struct Held {
    pub(super) file: Arc<dyn File>,
    is_let_go: AtomicBool,
}

impl Held {
    pub(super) fn new(file: Arc<dyn File>) -> Arc<Held> {
        Arc::new(Held { file, is_let_go: AtomicBool::new(false) })
    }

    /// Says that nobody will use it any more.
    pub(super) fn let_go(&self) {
        self.is_let_go.store(true, Ordering::Relaxed);
    }

    /// Gives some ranges back, where anybody still holds the file.
    fn discard(&self, mut holes: Holes) {
        holes.sort_unstable();
        holes.dedup_by(|next, before| {
            let adjacent = before.0 + before.1 == next.0;
            if adjacent {
                before.1 += next.1;
            }
            adjacent
        });
        for (offset, length) in holes {
            if self.is_let_go.load(Ordering::Relaxed) {
                return;
            }
            // The space is only lost until the file goes if the file system cannot.
            let _ = self.file.discard(offset, length);
        }
    }
}

enum Task {
    /// Ranges of a file.
    Discard(Arc<Held>, Holes),
    /// A file that nobody holds any more.
    Close(Arc<Held>),
    /// Tells when all before it is done.
    Settle(SyncSender<()>),
}

/// The thread, once there is one.
pub(super) struct Reclaimer {
    background: bool,
    tasks: Mutex<Option<Sender<Task>>>,
}

impl Reclaimer {
    /// Without `background` there is never a thread: on a simulated disk everything has its turn.
    pub(super) fn new(background: bool) -> Reclaimer {
        Reclaimer { background, tasks: Mutex::default() }
    }

    /// Gives ranges of a file back, soon.
    pub(super) fn discard(&self, file: &Arc<Held>, holes: Holes) {
        if let Some(Task::Discard(file, holes)) = self.send(Task::Discard(Arc::clone(file), holes)) {
            file.discard(holes);
        }
    }

    /// Closes a file that was let go, soon.
    pub(super) fn close(&self, file: &Arc<Held>) {
        drop(self.send(Task::Close(Arc::clone(file))));
    }

    /// Waits a little for the space that is on its way back; whether any was.
    pub(super) fn settle(&self) -> bool {
        if self.tasks.lock().is_none() {
            return false;
        }
        let (done, settled) = sync_channel(1);
        self.send(Task::Settle(done)).is_none() && settled.recv_timeout(PATIENCE).is_ok()
    }

    /// Hands a task to the thread; gives it back where there is none.
    fn send(&self, task: Task) -> Option<Task> {
        let mut tasks = self.tasks.lock();
        if tasks.is_none() && self.background {
            let (sender, receiver) = channel();
            let thread = std::thread::Builder::new().name("reclaim".into()).spawn(move || work(&receiver));
            match thread {
                Ok(_) => *tasks = Some(sender),
                Err(error) => tracing::warn!(%error, "no thread to give temporary space back"),
            }
        }
        match &*tasks {
            Some(sender) => sender.send(task).err().map(|refused| refused.0),
            None => Some(task),
        }
    }
}

/// Does what comes, together what came together, until nobody can send any more.
fn work(tasks: &Receiver<Task>) {
    while let Ok(first) = tasks.recv() {
        let mut holes: HashMap<*const Held, (Arc<Held>, Holes)> = HashMap::new();
        let (mut closed, mut settled) = (Vec::new(), Vec::new());
        for task in std::iter::once(first).chain(tasks.try_iter()) {
            match task {
                Task::Discard(file, some) => {
                    holes.entry(Arc::as_ptr(&file)).or_insert_with(|| (file, Vec::new())).1.extend(some);
                }
                Task::Close(file) => closed.push(file),
                Task::Settle(done) => settled.push(done),
            }
        }
        for (file, holes) in holes.into_values() {
            file.discard(holes);
        }
        for file in closed {
            // Whoever sent it is about to let go; closing it is for this thread.
            for _ in 0..TURNS {
                if Arc::strong_count(&file) == 1 {
                    break;
                }
                std::thread::yield_now();
            }
        }
        for done in settled {
            // Whoever asked may have lost patience.
            let _ = done.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_file::TestFile;
    use super::*;

    /// A loaded machine needs more than the little that a statement waits.
    fn settled(reclaimer: &Reclaimer) {
        assert!((0..60).any(|_| reclaimer.settle()));
    }

    #[test]
    fn holes_are_joined_and_a_file_that_is_let_go_gets_no_more() {
        // The file remembers its holes; one takes until the gate opens.
        let (gate, holes) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(Vec::new())));
        let discard = {
            let (gate, holes) = (Arc::clone(&gate), Arc::clone(&holes));
            move |offset, length| {
                holes.lock().push((offset, length));
                drop(gate.lock());
            }
        };
        let held = Held::new(Arc::new(TestFile { write: || Ok(()), discard }));
        let reclaimer = Reclaimer::new(true);
        assert!(!reclaimer.settle());
        let closed = gate.lock();
        reclaimer.discard(&held, vec![(90, 1)]);
        while holes.lock().is_empty() {
            std::thread::yield_now();
        }
        // These wait together behind the slow one.
        reclaimer.discard(&held, vec![(0, 10), (20, 10)]);
        reclaimer.discard(&held, vec![(10, 10), (40, 2)]);
        drop(closed);
        settled(&reclaimer);
        assert_eq!(*holes.lock(), [(90, 1), (0, 30), (40, 2)]);
        let closed = gate.lock();
        reclaimer.discard(&held, vec![(50, 1), (60, 1)]);
        while holes.lock().len() == 3 {
            std::thread::yield_now();
        }
        reclaimer.discard(&held, vec![(70, 1)]);
        held.let_go();
        reclaimer.close(&held);
        drop(closed);
        settled(&reclaimer);
        assert_eq!(*holes.lock(), [(90, 1), (0, 30), (40, 2), (50, 1)]);
    }
}
