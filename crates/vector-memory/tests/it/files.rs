//! The memory in a file: there again, alone, and only its own.

use rustydb_vector_memory::{Durability, Filter, MemoryError, Metadata, Settings, VectorMemory};

fn of(kind: &str) -> Metadata {
    Metadata::from([("kind".to_owned(), kind.to_owned())])
}

#[test]
fn what_was_stored_is_there_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shapes.vectors");
    let settings = Settings { durability: Durability::Buffered, ..Settings::new(2) };
    let memory = VectorMemory::open(&path, settings).expect("opened");
    for n in 0..1_200u16 {
        let angle = f32::from(n) / 1_000.0;
        memory.store_embedding(&n.to_string(), vec![angle.cos(), angle.sin()], of("a")).expect("stored");
    }
    memory.store_embedding("7", vec![-1.0, 0.0], of("b")).expect("stored");
    memory.remove("8").expect("removed");
    memory.sync().expect("synced");
    let before = memory.search_similar(&[1.0, 0.5], 20).expect("found");
    drop(memory);
    let memory = VectorMemory::open(&path, settings).expect("opened again");
    assert_eq!(memory.len(), 1_199);
    assert_eq!(memory.search_similar(&[1.0, 0.5], 20).expect("found"), before);
    let found = memory.search_filtered(&[1.0, 0.0], 5, &Filter::equals("kind", "b")).expect("found");
    assert_eq!((found.len(), found[0].key.as_str()), (1, "7"));
    assert_eq!((memory.metadata("7"), memory.metadata("8")), (Some(of("b")), None));
}

#[test]
fn a_file_of_others_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m");
    let memory = VectorMemory::open(&path, Settings::new(2)).expect("opened");
    assert!(matches!(VectorMemory::open(&path, Settings::new(2)), Err(MemoryError::Locked { .. })));
    memory.store_embedding("a", vec![1.0, 0.0], Metadata::new()).expect("stored");
    drop(memory);
    let wrong = VectorMemory::open(&path, Settings::new(3)).expect_err("another number of dimensions");
    assert!(wrong.to_string().contains("it has 2 dimensions, 3 were asked for"), "{wrong}");
    let mut newer = std::fs::read(&path).expect("read");
    newer[7] = b'2';
    std::fs::write(&path, &newer).expect("written");
    let refused = VectorMemory::open(&path, Settings::new(2)).expect_err("another version");
    assert!(refused.to_string().contains("written by another version"), "{refused}");
    assert_eq!(std::fs::read(&path).expect("read"), newer);
    std::fs::write(&path, b"somebody's notes, which are longer than a header").expect("written");
    assert!(matches!(VectorMemory::open(&path, Settings::new(2)), Err(MemoryError::Foreign { .. })));
}
