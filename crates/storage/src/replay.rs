//! Replaying the log over the pages: one reader, several workers, one reading.
//!
//! ```text
//!   reader: file -> chunk -> analysis -> which worker needs which record, which pages will be needed
//!     |                         bounded queues of chunks
//!     +-> worker 0 .. n   apply what belongs to their pages (page number modulo n), in log order
//!     +-> prefetcher 0 .. m   read the pages into the pool meanwhile
//! ```
//! A record may touch several pages, and workers apply its parts at different times. That is sound: whether a page
//! needs a part is decided by that page's LSN alone, an operation looks at no other page, and nobody reads pages
//! but through this until all workers are done. Each page has one worker, so its changes stay in order.
//!
//! With one worker everything happens in the caller's thread, which simulations need to be the same every time.
//!
//! Memory: [`QUEUE`] chunks a worker, each a megabyte or one frame. Prefetchers stay within an eighth of the pool a
//! chunk, or what they read would push out what is still to be used.
//!
//! A worker that fails stops taking chunks; the reader notices at its next one, and the first failure is reported.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Scope;

use hashbrown::HashSet;
use smallvec::SmallVec;

use crate::buffer::Pool;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo};
use crate::page;
use crate::recovery::{Analysis, Recovered};
use crate::superblock::Superblock;
use crate::wal::record::{self, Operation, Record};
use crate::wal::{Chunk, LogEnd, read_chunks};

/// Chunks that may wait for a worker.
const QUEUE: usize = 4;
/// Threads that read pages ahead.
const PREFETCHERS: usize = 4;

/// A chunk with what is to be done with it.
struct Piece {
    chunk: Chunk,
    /// The records that each worker has to look at.
    work: Vec<Vec<u32>>,
    /// The pages that will be needed, each once.
    pages: Vec<PageNo>,
}

/// Reads the log once: finds out about transactions, and brings the pages up to its end.
///
/// # Errors
/// When the log or a page is damaged or cannot be read.
pub(crate) fn replay(
    pool: &Pool,
    disk: &Arc<dyn Disk>,
    head: &Superblock,
    segment_bytes: u64,
    workers: usize,
) -> Result<(Recovered, LogEnd)> {
    let mut analysis = Analysis::new(head);
    let end = if workers <= 1 {
        read_chunks(disk, head.database, segment_bytes, head.read_from, &mut |chunk| {
            for (lsn, bytes) in (0..chunk.len()).filter_map(|index| chunk.record(index)) {
                let record = Record::decode(lsn, bytes)?;
                analysis.see(lsn, &record)?;
                if lsn >= head.redo_from {
                    redo(pool, lsn, &record, |_| true)?;
                }
            }
            Ok(())
        })?
    } else {
        in_parallel(pool, disk, head, segment_bytes, workers, &mut analysis)?
    };
    if end.end < head.durable {
        return Err(Error::log(end.end, format!("the log ends before {}, which was durable", head.durable)));
    }
    let mut found = analysis.finish();
    found.replayed = end.end.0.saturating_sub(head.redo_from.0);
    Ok((found, end))
}

fn in_parallel(
    pool: &Pool,
    disk: &Arc<dyn Disk>,
    head: &Superblock,
    segment_bytes: u64,
    workers: usize,
    analysis: &mut Analysis,
) -> Result<LogEnd> {
    let failed: OnceLock<Error> = OnceLock::new();
    let read = std::thread::scope(|scope| {
        let failed = &failed;
        let mut queues = Vec::new();
        for worker in 0..workers {
            let work = move |pieces: Receiver<Arc<Piece>>| {
                for piece in pieces {
                    if let Err(error) = apply(pool, &piece, worker, workers) {
                        let _ = failed.set(error);
                        return;
                    }
                }
            };
            queues.push(start(scope, format!("redo-{worker}"), work)?);
        }
        let most = (pool.frame_count() / 8 / PREFETCHERS).max(1);
        for prefetcher in 0..PREFETCHERS {
            let work = move |pieces: Receiver<Arc<Piece>>| {
                for piece in pieces {
                    let own = piece.pages.iter().skip(prefetcher).step_by(PREFETCHERS);
                    own.take(most).for_each(|&page| pool.prefetch(page));
                }
            };
            queues.push(start(scope, format!("prefetch-{prefetcher}"), work)?);
        }
        read_chunks(disk, head.database, segment_bytes, head.read_from, &mut |chunk| {
            let piece = Arc::new(prepare(chunk, head.redo_from, workers, analysis)?);
            // Whose receiver is gone has failed, and said why.
            let all_take_it = queues.iter().all(|queue| queue.send(piece.clone()).is_ok());
            if all_take_it { Ok(()) } else { Err(Error::Invalid("a replaying thread has ended".to_owned())) }
        })
        // Here the senders go, and with them the threads.
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => read,
    }
}

/// Starts a thread that takes pieces; gives the end where they go in.
fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    work: impl FnOnce(Receiver<Arc<Piece>>) + Send + 'scope,
) -> Result<SyncSender<Arc<Piece>>> {
    let (sender, receiver) = sync_channel(QUEUE);
    let failed = |error| Error::io(format!("starting the thread {name}"), error);
    std::thread::Builder::new()
        .name(name.clone())
        .spawn_scoped(scope, move || work(receiver))
        .map_err(failed)?;
    Ok(sender)
}

/// Looks through a chunk for the workers.
fn prepare(chunk: Chunk, redo_from: Lsn, workers: usize, analysis: &mut Analysis) -> Result<Piece> {
    let mut work = vec![Vec::new(); workers];
    let mut pages = HashSet::new();
    for index in 0..chunk.len() {
        let Some((lsn, bytes)) = chunk.record(index) else { continue };
        let record = Record::decode(lsn, bytes)?;
        analysis.see(lsn, &record)?;
        if lsn < redo_from {
            continue;
        }
        record::operations(lsn, &record, |number, _| {
            if let Some(records) = work.get_mut(owner(number, workers))
                && records.last() != Some(&(index as u32))
            {
                records.push(index as u32);
            }
            pages.insert(number);
            Ok(())
        })?;
    }
    Ok(Piece { chunk, work, pages: pages.into_iter().collect() })
}

fn owner(page: PageNo, workers: usize) -> usize {
    (page.0 % workers as u64) as usize
}

fn apply(pool: &Pool, piece: &Piece, worker: usize, workers: usize) -> Result<()> {
    for &index in piece.work.get(worker).into_iter().flatten() {
        if let Some((lsn, bytes)) = piece.chunk.record(index as usize) {
            redo(pool, lsn, &Record::decode(lsn, bytes)?, |page| owner(page, workers) == worker)?;
        }
    }
    Ok(())
}

/// Applies a record's operations on the pages that are `mine`.
fn redo(pool: &Pool, lsn: Lsn, record: &Record<'_>, mine: impl Fn(PageNo) -> bool) -> Result<()> {
    // Whether the record is newer than each page it touches, decided at the first touch.
    let mut verdicts: SmallVec<[(PageNo, bool); 8]> = SmallVec::new();
    record::operations(lsn, record, |number, operation| {
        if mine(number) { redo_operation(pool, lsn, number, &operation, &mut verdicts) } else { Ok(()) }
    })
}

fn redo_operation(
    pool: &Pool,
    lsn: Lsn,
    number: PageNo,
    operation: &Operation<'_>,
    verdicts: &mut SmallVec<[(PageNo, bool); 8]>,
) -> Result<()> {
    let mut held = match pool.write(number) {
        Ok(held) => held,
        // What a whole new content replaces need not read well.
        Err(Error::CorruptPage { .. }) if operation.replaces_page() => {
            // The frame's bytes are no page's, and neither is their LSN.
            verdicts.push((number, true));
            pool.create(number)?
        }
        Err(error) => return Err(error),
    };
    let known = verdicts.iter().find(|(page, _)| *page == number).map(|(_, newer)| *newer);
    let is_newer = known.unwrap_or_else(|| {
        let newer = page::lsn(&held) < lsn;
        verdicts.push((number, newer));
        newer
    });
    if is_newer {
        let bytes = held.bytes_mut(lsn);
        operation.apply(number, bytes)?;
        page::set_lsn(bytes, lsn);
    }
    Ok(())
}
