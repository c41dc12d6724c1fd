//! How many of the true neighbours are found, with filters and after changes; what is refused.

use proptest::prelude::*;
use rustydb_vector_memory::{Filter, MemoryError, Metadata, Settings, VectorMemory};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    }

    /// A vector of no particular direction: the hardest kind to find a way to.
    fn scattered(&mut self, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| self.next()).collect()
    }

    /// A vector near one of twenty centres: embeddings come in clusters.
    fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        let centre = (self.0 >> 33) % 20;
        let mut of_centre = Numbers(centre + 1);
        (0..dimensions).map(|_| of_centre.next() + 0.4 * self.next()).collect()
    }
}

fn kind(n: usize) -> Metadata {
    Metadata::from([("kind".to_owned(), (n % 10).to_string())])
}

fn filled(n: usize, dimensions: usize) -> (VectorMemory, Numbers) {
    let memory = VectorMemory::in_memory(Settings::new(dimensions)).expect("a memory");
    let mut numbers = Numbers(7);
    for n in 0..n {
        let vector = if n % 2 == 0 { numbers.vector(dimensions) } else { numbers.scattered(dimensions) };
        memory.store_embedding(&n.to_string(), vector, kind(n)).expect("stored");
    }
    (memory, numbers)
}

/// The part of the true `limit` neighbours that a search finds, over fifty queries.
fn recall(memory: &VectorMemory, numbers: &mut Numbers, dimensions: usize, filter: &Filter) -> f64 {
    let (limit, mut found, mut all) = (10, 0, 0);
    for n in 0..50 {
        let query = if n % 2 == 0 { numbers.vector(dimensions) } else { numbers.scattered(dimensions) };
        let keys = |found: Vec<rustydb_vector_memory::Match>| -> BTreeSet<String> {
            found.into_iter().map(|found| found.key).collect()
        };
        let exact = keys(memory.search_exactly(&query, limit, filter).expect("exact"));
        let near = memory.search_filtered(&query, limit, filter).expect("near");
        assert!(near.is_sorted_by(|a, b| a.similarity >= b.similarity));
        assert_eq!(near.len(), exact.len(), "never fewer than there are");
        let near = keys(near);
        (found, all) = (found + near.intersection(&exact).count(), all + exact.len());
    }
    found as f64 / all as f64
}

#[test]
fn at_least_95_of_100_true_neighbours_are_found() {
    let (memory, mut numbers) = filled(4_000, 32);
    let plain = recall(&memory, &mut numbers, 32, &Filter::Any);
    let filtered = recall(&memory, &mut numbers, 32, &Filter::equals("kind", "3"));
    let wide = recall(&memory, &mut numbers, 32, &Filter::Not(Box::new(Filter::equals("kind", "3"))));
    println!("recall: {plain:.3}, one in ten: {filtered:.3}, nine in ten: {wide:.3}");
    assert!(plain >= 0.95 && filtered >= 0.95 && wide >= 0.95);
}

#[test]
fn most_of_a_memory_may_be_replaced_and_neighbours_are_still_found() {
    let (memory, mut numbers) = filled(1_500, 16);
    for n in 0..1_500 {
        memory.store_embedding(&n.to_string(), numbers.vector(16), kind(n)).expect("stored");
    }
    for n in (0..1_500).step_by(3) {
        memory.remove(&n.to_string()).expect("removed");
    }
    assert_eq!(memory.len(), 1_000);
    assert!(recall(&memory, &mut numbers, 16, &Filter::Any) >= 0.95);
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let memory = VectorMemory::in_memory(Settings { most: 2, ..Settings::new(2) }).expect("a memory");
    let store = |key: &str, vector: &[f32], metadata| memory.store_embedding(key, vector.to_vec(), metadata);
    assert!(matches!(store("a", &[1.0], Metadata::new()), Err(MemoryError::Dimensions { .. })));
    assert!(matches!(store("a", &[0.0, 0.0], Metadata::new()), Err(MemoryError::NoDirection)));
    assert!(matches!(
        store(&"k".repeat(1_025), &[1.0, 0.0], Metadata::new()),
        Err(MemoryError::TooLong { .. })
    ));
    let long = Metadata::from([("x".to_owned(), "y".repeat(16 * 1_024))]);
    assert!(matches!(store("a", &[1.0, 0.0], long), Err(MemoryError::TooLong { .. })));
    store("a", &[1.0, 0.0], Metadata::new()).expect("room");
    store("b", &[1.0, 1.0], Metadata::new()).expect("room");
    assert!(matches!(store("c", &[1.0, 1.0], Metadata::new()), Err(MemoryError::Full { most: 2 })));
    store("a", &[0.0, 1.0], Metadata::new()).expect("in its own place");
    assert!(memory.remove("b").expect("removed"));
    store("c", &[1.0, 1.0], Metadata::new()).expect("room again");
    assert!(matches!(memory.search_similar(&[1.0], 1), Err(MemoryError::Dimensions { .. })));
    assert!(memory.search_similar(&[1.0, 1.0], 0).expect("nothing asked").is_empty());
    assert!(VectorMemory::in_memory(Settings::new(0)).is_err());
    assert!(VectorMemory::in_memory(Settings::new(4_097)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_the_keys_are_those_of_a_map(
        changes in proptest::collection::vec((0u8..12, any::<bool>(), -1.0f32..1.0, 0.1f32..1.0), 0..300),
    ) {
        let memory = VectorMemory::in_memory(Settings::new(2)).expect("a memory");
        let mut model = BTreeMap::new();
        for (key, is_store, x, y) in changes {
            let key = format!("k{key}");
            if is_store {
                memory.store_embedding(&key, vec![x, y], Metadata::new()).expect("stored");
                model.insert(key, (x, y));
            } else {
                prop_assert_eq!(memory.remove(&key).expect("removed"), model.remove(&key).is_some());
            }
        }
        let all = memory.search_similar(&[1.0, 0.0], 100).expect("found");
        let keys: BTreeSet<_> = all.iter().map(|found| &found.key).collect();
        prop_assert_eq!(keys, model.keys().collect::<BTreeSet<_>>());
        for found in &all {
            let (x, y) = model[&found.key];
            prop_assert!((found.similarity - x / x.hypot(y)).abs() < 1e-4);
        }
    }
}
