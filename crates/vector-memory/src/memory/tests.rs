//! Crashes, failing disks and damage, on a medium that tears and refuses.

use super::*;
use std::io;
use std::sync::Arc;

/// What is on the disk, and when it fails.
#[derive(Default)]
struct Disk {
    log: Vec<u8>,
    side: Option<Vec<u8>>,
    /// Bytes that may still be written before everything fails
    room: Option<usize>,
    syncs: usize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Disk>>);

impl Shared {
    fn write(&self, bytes: &[u8], put: impl FnOnce(&mut Disk, &[u8])) -> io::Result<()> {
        let mut disk = self.0.lock();
        match disk.room {
            Some(room) if room < bytes.len() => {
                disk.room = Some(0);
                put(&mut disk, &bytes[..room]);
                Err(io::ErrorKind::StorageFull.into())
            }
            room => {
                disk.room = room.map(|room| room - bytes.len());
                put(&mut disk, bytes);
                Ok(())
            }
        }
    }
}

impl Medium for Shared {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.0.lock().log.clone())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, |disk, bytes| disk.log.extend(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().syncs += 1;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lock().log.truncate(length as usize);
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A file beside it is what is cut off; the log stays whole.
        self.write(bytes, |disk, written| {
            if written.len() == bytes.len() {
                disk.log = written.to_vec();
            }
        })
    }

    fn read_side(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().side.clone())
    }

    fn replace_side(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, |disk, written| {
            if written.len() == bytes.len() {
                disk.side = Some(written.to_vec());
            }
        })
    }
}

fn open(disk: &Shared) -> Result<VectorMemory, MemoryError> {
    VectorMemory::on(Box::new(disk.clone()), Path::new("m"), Settings::new(3))
}

fn on(log: &[u8], side: Option<Vec<u8>>) -> Shared {
    Shared(Arc::new(Mutex::new(Disk { log: log.to_vec(), side, ..Disk::default() })))
}

fn vector(n: usize) -> Vec<f32> {
    vec![(n as f32).cos(), (n as f32).sin(), (n % 7) as f32 / 7.0]
}

fn keys(memory: &VectorMemory) -> Vec<String> {
    let found = memory.search_exactly(&[1.0, 0.0, 0.0], 1_000, &Filter::Any).expect("a search");
    let mut keys: Vec<_> = found.into_iter().map(|found| found.key).collect();
    keys.sort();
    keys
}

#[test]
fn a_log_cut_off_anywhere_keeps_every_whole_record() {
    let disk = Shared::default();
    let memory = open(&disk).expect("opened");
    let mut ends = vec![disk.0.lock().log.len()];
    for n in 0..6 {
        memory.store_embedding(&format!("k{n}"), vector(n), Metadata::new()).expect("stored");
        ends.push(disk.0.lock().log.len());
    }
    let log = disk.0.lock().log.clone();
    for cut in 0..=log.len() {
        let torn = on(&log[..cut], None);
        let memory = open(&torn).expect("opened");
        let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        let expected: Vec<_> = (0..whole).map(|n| format!("k{n}")).collect();
        assert_eq!(keys(&memory), expected, "cut at {cut}");
        memory.store_embedding("later", vector(9), Metadata::new()).expect("stored behind the cut");
        drop(memory);
        assert_eq!(keys(&open(&torn).expect("opened again")).len(), whole + 1);
    }
}

#[test]
fn damage_before_the_end_is_refused_and_at_the_end_cut_off() {
    let disk = Shared::default();
    let memory = open(&disk).expect("opened");
    for n in 0..4 {
        memory.store_embedding(&format!("k{n}"), vector(n), Metadata::new()).expect("stored");
    }
    let log = disk.0.lock().log.clone();
    let record = (log.len() - 24) / 4;
    for at in 0..log.len() {
        let mut damaged = log.clone();
        damaged[at] ^= 0x40;
        let opened = open(&on(&damaged, None));
        match at {
            0..24 => assert!(opened.is_err(), "header byte {at}"),
            // The length of a record in the middle: what follows cannot be found any more.
            _ if at < 24 + 3 * record && (at - 24) % record >= 4 => {
                assert!(matches!(opened, Err(MemoryError::Damaged { .. })), "byte {at}: {opened:?}");
            }
            _ => {
                if let Ok(memory) = opened {
                    assert!(keys(&memory).len() < 4, "byte {at} changed and nobody saw it");
                }
            }
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    for room in 0..260 {
        let disk = Shared::default();
        let memory = open(&disk).expect("opened");
        disk.0.lock().room = Some(room);
        let mut stored = Vec::new();
        for n in 0..10 {
            match memory.store_embedding(&format!("k{n}"), vector(n), Metadata::new()) {
                Ok(()) => stored.push(format!("k{n}")),
                Err(MemoryError::Io { .. }) => break,
                Err(other) => panic!("{other}"),
            }
        }
        let after = memory.store_embedding("after", vector(1), Metadata::new());
        assert!(matches!(after, Err(MemoryError::Poisoned)), "{after:?}");
        assert_eq!(keys(&memory), stored, "searches go on");
        disk.0.lock().room = None;
        assert_eq!(keys(&open(&disk).expect("opened")), stored);
    }
}

#[test]
fn a_saved_graph_is_used_and_a_foreign_one_is_not() {
    let disk = Shared::default();
    let memory = open(&disk).expect("opened");
    for n in 0..300 {
        memory.store_embedding(&format!("k{n}"), vector(n), Metadata::new()).expect("stored");
    }
    memory.sync().expect("saved");
    let log = disk.0.lock().log.clone();
    let side = disk.0.lock().side.clone().expect("a graph");
    memory.store_embedding("later", vector(1_000), Metadata::new()).expect("stored");
    let longer = disk.0.lock().log.clone();
    let expected = memory.index.read().graph.links.clone();
    let read = open(&on(&longer, Some(side.clone()))).expect("opened");
    let index = read.index.read();
    assert_eq!((index.saved, &index.graph.links), (300, &expected));
    let built = open(&on(&longer, None)).expect("opened");
    let index = built.index.read();
    assert_eq!((index.saved, &index.graph.links), (0, &expected));
    for at in (0..side.len()).step_by(side.len() / 40) {
        let mut damaged = side.clone();
        damaged[at] ^= 1;
        let memory = open(&on(&log, Some(damaged))).expect("opened");
        assert_eq!(memory.index.read().saved, 0, "byte {at}");
    }
    let shorter = &log[..log.len() - 1];
    assert_eq!(open(&on(shorter, Some(side))).expect("opened").index.read().saved, 0);
}

#[test]
fn what_is_replaced_and_removed_does_not_pile_up() {
    let disk = Shared::default();
    let memory = open(&disk).expect("opened");
    for n in 0..2_000 {
        memory.store_embedding(&format!("k{}", n % 10), vector(n), Metadata::new()).expect("stored");
    }
    assert_eq!(memory.len(), 10);
    assert!(memory.index.read().entries.len() < 70, "leftovers go");
    assert!(memory.log_bytes() < 70 * 40, "{} bytes", memory.log_bytes());
    for n in 0..9 {
        assert!(memory.remove(&format!("k{n}")).expect("removed"));
    }
    assert!(!memory.remove("k0").expect("asked"));
    assert_eq!(keys(&memory), ["k9"]);
    let generation = memory.log.lock().generation();
    drop(memory);
    let memory = open(&disk).expect("opened");
    assert_eq!((keys(&memory), memory.log.lock().generation()), (vec!["k9".to_owned()], generation));
}

#[test]
fn each_store_is_synced_unless_told_otherwise() {
    let disk = Shared::default();
    let memory = open(&disk).expect("opened");
    let before = disk.0.lock().syncs;
    (0..5).for_each(|n| memory.store_embedding("k", vector(n), Metadata::new()).expect("stored"));
    assert_eq!(disk.0.lock().syncs, before + 5);
    let settings = Settings { durability: Durability::Buffered, ..Settings::new(3) };
    let memory = VectorMemory::on(Box::new(disk.clone()), Path::new("m"), settings).expect("opened");
    let before = disk.0.lock().syncs;
    (0..5).for_each(|n| memory.store_embedding("k", vector(n), Metadata::new()).expect("stored"));
    assert_eq!(disk.0.lock().syncs, before);
}
