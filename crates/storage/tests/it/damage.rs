//! Damage is reported, never used; a full disk refuses writes and loses nothing.

use rustydb_storage::check::check;
use rustydb_storage::disk::{Disk, Fault, SimulatedDisk};
use rustydb_storage::{Error, Expect, State};

use crate::model::{Model, contents};
use crate::random::{Random, horizon, open};

fn filled(disk: &SimulatedDisk, seed: u64, rows: u32) -> (rustydb_storage::TreeId, Model) {
    let (store, _) = open(disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let (mut random, mut model) = (Random(seed), Model::new());
    for _ in 0..rows {
        let (key, value) = (random.key(1000), random.value());
        tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ()).unwrap();
        model.insert(key, value);
    }
    store.close(horizon(&store)).unwrap();
    (tree.id(), model)
}

#[test]
fn a_flipped_bit_is_never_used_in_silence() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let (id, model) = filled(&disk, seed, 60);
        disk.flip_bit("pages", None).unwrap();
        let Ok((store, _)) = open(&disk) else { continue };
        let report = check(&store).unwrap();
        if report.problems.is_empty() {
            assert_eq!(contents(&store.tree(id).unwrap()), model, "seed {seed}");
        }
    }
}

#[test]
fn damage_inside_the_log_is_not_taken_for_its_end() {
    let (mut refused, rounds) = (0, 60);
    for seed in 0..rounds {
        let disk = SimulatedDisk::new(seed);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        for number in 0..50u32 {
            tree.write(&number.to_be_bytes(), State::Value(b"v"), Expect::Any, None, |_, _| ()).unwrap();
            store.log().flush(store.log().end()).unwrap();
        }
        drop((tree, store));
        disk.crash();
        let segment = disk.list().unwrap().into_iter().find(|name| name.len() == 20).unwrap();
        // 51 frames of one sector each; the last one's damage cannot be told from a torn write.
        disk.flip_bit(&segment, Some(4096..4096 + 40 * 512)).unwrap();
        match open(&disk) {
            Err(Error::CorruptLog { .. }) => refused += 1,
            Err(other) => panic!("seed {seed}: {other}"),
            // The flip hit the padding of a frame.
            Ok((store, _)) => {
                assert_eq!(contents(&store.tree(rustydb_storage::TreeId::FIRST).unwrap()).len(), 50)
            }
        }
    }
    assert!(refused > rounds / 8, "{refused} of {rounds}");
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let (id, mut model) = filled(&disk, seed, 600);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(id).unwrap();
        disk.inject(Fault::Full { capacity: disk.used() + 100_000 });
        let mut random = Random(seed);
        let refused = loop {
            let (key, mut value) = (random.key(5000), random.value());
            // A segment of this small store must hold what is on its way when the disk fills.
            value.truncate(8000);
            match tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ()) {
                Ok(_) => {
                    model.insert(key, value);
                    store.log().flush(store.log().end()).unwrap();
                    let _ = store.log().prepare_next();
                }
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, Error::DiskFull { .. }), "seed {seed}: {refused}");
        assert_eq!(contents(&tree), model);
        disk.heal();
        tree.write(b"after", State::Value(b"room"), Expect::Any, None, |_, _| ()).unwrap();
        model.insert(b"after".to_vec(), b"room".to_vec());
        store.log().flush(store.log().end()).unwrap();
        drop((tree, store));
        disk.crash();
        let (store, _) = open(&disk).unwrap();
        assert_eq!(contents(&store.tree(id).unwrap()), model, "seed {seed}");
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn a_second_opener_is_told_who_holds_the_directory() {
    let disk = SimulatedDisk::new(1);
    let (_store, _) = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(Error::InUse { .. })));
}

#[test]
fn a_lost_page_file_is_not_made_anew_over_its_log() {
    let disk = SimulatedDisk::new(1);
    filled(&disk, 1, 60);
    disk.remove("pages").unwrap();
    assert!(matches!(open(&disk), Err(Error::Format { .. })));
}

/// Who follows the log while the store is open is told of damage, and not that it came too late.
#[test]
fn a_follower_of_the_log_never_gives_damaged_records() {
    let mut refused = 0;
    for seed in 0..40 {
        let disk = SimulatedDisk::new(seed);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        for number in 0..50u32 {
            tree.write(&number.to_be_bytes(), State::Value(b"v"), Expect::Any, None, |_, _| ()).unwrap();
            store.log().flush(store.log().end()).unwrap();
        }
        let records = |store: &rustydb_storage::Store| {
            let mut follower = store.follow_log(store.log().retained_from());
            let mut found = Vec::new();
            loop {
                match follower.next_record() {
                    Ok(Some((lsn, bytes))) => found.push((lsn, bytes.to_vec())),
                    Ok(None) => return Ok(found),
                    Err(error) => return Err((found, error)),
                }
            }
        };
        let all = records(&store).unwrap();
        assert!(all.len() > 50);
        let segment = disk.list().unwrap().into_iter().find(|name| name.len() == 20).unwrap();
        disk.flip_bit(&segment, Some(4096..4096 + 40 * 512)).unwrap();
        match records(&store) {
            Err((found, Error::CorruptLog { .. })) => {
                assert_eq!(found, all[..found.len()]);
                refused += 1;
            }
            Err((_, other)) => panic!("seed {seed}: {other}"),
            // The flip hit the padding of a frame.
            Ok(found) => assert_eq!(found, all),
        }
    }
    assert!(refused > 5, "only {refused} were noticed");
}
