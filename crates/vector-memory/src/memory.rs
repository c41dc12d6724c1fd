//! Keys, vectors, graph and log together.
//!
//! A key that is stored again gets a new node; the old one stays in the graph as a way for searches and is never
//! an answer. When more than half of the nodes are such leftovers, log and graph are made anew without them.
//!
//! Locks, in this order: `log` for the whole of a change, then `index` for writing while the change is entered.
//! Searches take `index` for reading only, so they never wait for the disk; they see a change when it is stored.

use crate::error::MemoryError;
use crate::filter::{Filter, Metadata};
use crate::graph::{Graph, Near};
use crate::log::Log;
use crate::medium::{Files, Medium, Nowhere, OpenError};
use crate::record::{Change, LONGEST_KEY, LONGEST_METADATA};
use crate::snapshot;
use crate::vector::{MOST_DIMENSIONS, Vectors, cosine, normalized};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use std::path::Path;

/// When a stored embedding is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk when `store_embedding` returns
    Sync,
    /// It survives the end of this process at once, and that of the machine after [`VectorMemory::sync`]
    Buffered,
}

/// What a memory is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Numbers in each vector, 1 to [`MOST_DIMENSIONS`]
    pub dimensions: usize,
    /// Embeddings at most
    pub most: usize,
    /// When a stored embedding is safe
    pub durability: Durability,
}

impl Settings {
    /// Up to 100,000 embeddings of this many dimensions, each on disk when it is stored.
    pub fn new(dimensions: usize) -> Settings {
        Settings { dimensions, most: 100_000, durability: Durability::Sync }
    }
}

/// An embedding near to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Its key
    pub key: String,
    /// Cosine of the angle to the query: 1 the same direction, 0 nothing in common, -1 the opposite
    pub similarity: f32,
    /// Its metadata
    pub metadata: Metadata,
}

/// Embeddings by key. Shared between threads by reference.
pub struct VectorMemory {
    settings: Settings,
    log: Mutex<Log>,
    index: RwLock<Index>,
}

/// Candidates that a search keeps at least.
const SEARCH_BEAM: usize = 96;
/// A graph is saved when it has grown by this many nodes, and by a quarter.
const SAVE_AFTER: usize = 1_000;

struct Index {
    vectors: Vectors,
    graph: Graph,
    /// By node; None: a leftover
    entries: Vec<Option<Entry>>,
    nodes: HashMap<String, u32>,
    /// Nodes in the graph that is saved
    saved: usize,
}

struct Entry {
    key: String,
    metadata: Metadata,
}

impl VectorMemory {
    /// Opens the memory in the file at `path`, or begins it.
    ///
    /// # Errors
    /// Files of another kind, damaged ones, ones that another process has open.
    pub fn open(path: impl AsRef<Path>, settings: Settings) -> Result<VectorMemory, MemoryError> {
        let path = path.as_ref();
        let files = Files::open(path).map_err(|error| match error {
            OpenError::Locked => MemoryError::Locked { path: path.to_owned() },
            OpenError::Io(source) => MemoryError::Io { path: path.to_owned(), source },
        })?;
        VectorMemory::on(Box::new(files), path, settings)
    }

    /// A memory that ends with its process.
    ///
    /// # Errors
    /// [`MemoryError::Dimensions`] for settings of none or too many.
    pub fn in_memory(settings: Settings) -> Result<VectorMemory, MemoryError> {
        VectorMemory::on(Box::new(Nowhere), Path::new("memory"), settings)
    }

    pub(crate) fn on(
        medium: Box<dyn Medium>,
        path: &Path,
        settings: Settings,
    ) -> Result<VectorMemory, MemoryError> {
        let dimensions = settings.dimensions;
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(MemoryError::Dimensions { expected: MOST_DIMENSIONS, given: dimensions });
        }
        let mut index = Index::new(dimensions);
        let mut log = Log::open(medium, path, dimensions, |change| match change {
            Change::Store { key, metadata, vector } => index.enter(key, metadata, &vector),
            Change::Remove { key } => index.leave(&key),
        })?;
        let saved = log.read_graph();
        let saved = saved.and_then(|bytes| snapshot::decode(&bytes, log.generation(), index.entries.len()));
        if let Some(graph) = saved {
            (index.saved, index.graph) = (graph.len(), graph);
        }
        index.link();
        Ok(VectorMemory { settings, log: Mutex::new(log), index: RwLock::new(index) })
    }

    /// Keeps an embedding under `key`, in place of the one that was there.
    pub fn store_embedding(
        &self,
        key: &str,
        vector: Vec<f32>,
        metadata: Metadata,
    ) -> Result<(), MemoryError> {
        let vector = normalized(&vector, self.settings.dimensions)?;
        check_length("a key", key.len(), LONGEST_KEY)?;
        let size = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        check_length("metadata", size, LONGEST_METADATA)?;
        let mut log = self.log.lock();
        {
            let index = self.index.read();
            if index.nodes.len() >= self.settings.most && !index.nodes.contains_key(key) {
                return Err(MemoryError::Full { most: self.settings.most });
            }
        }
        let change = Change::Store { key: key.to_owned(), metadata, vector };
        log.append(&change, self.settings.durability == Durability::Sync)?;
        let Change::Store { key, metadata, vector } = change else { return Ok(()) };
        let mut index = self.index.write();
        index.enter(key, metadata, &vector);
        index.link();
        drop(index);
        self.tidy_up(&mut log)
    }

    /// Forgets the embedding of `key`. False: there was none.
    pub fn remove(&self, key: &str) -> Result<bool, MemoryError> {
        let mut log = self.log.lock();
        if !self.index.read().nodes.contains_key(key) {
            return Ok(false);
        }
        log.append(&Change::Remove { key: key.to_owned() }, self.settings.durability == Durability::Sync)?;
        self.index.write().leave(key);
        self.tidy_up(&mut log)?;
        Ok(true)
    }

    /// The metadata of `key`.
    pub fn metadata(&self, key: &str) -> Option<Metadata> {
        let index = self.index.read();
        let node = *index.nodes.get(key)?;
        Some(index.entries.get(node as usize)?.as_ref()?.metadata.clone())
    }

    /// Every key, the one stored last at the end.
    pub fn keys(&self) -> Vec<String> {
        let index = self.index.read();
        index.entries.iter().flatten().map(|entry| entry.key.clone()).collect()
    }

    /// How many embeddings there are.
    pub fn len(&self) -> usize {
        self.index.read().nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `limit` embeddings nearest to `query`, nearest first.
    pub fn search_similar(&self, query: &[f32], limit: usize) -> Result<Vec<Match>, MemoryError> {
        self.search_filtered(query, limit, &Filter::Any)
    }

    /// The `limit` embeddings nearest to `query` for which `filter` holds, nearest first.
    pub fn search_filtered(
        &self,
        query: &[f32],
        limit: usize,
        filter: &Filter,
    ) -> Result<Vec<Match>, MemoryError> {
        let query = normalized(query, self.settings.dimensions)?;
        let index = self.index.read();
        let limit = limit.min(index.nodes.len());
        if limit == 0 {
            return Ok(Vec::new());
        }
        let beam = limit.saturating_mul(2).max(SEARCH_BEAM);
        let mut nearest = index.graph.search(&index.vectors, &query, beam);
        nearest.retain(|near| index.admits(near.node, filter));
        if nearest.len() < limit {
            nearest = index.look_at_all(&query, filter);
        }
        nearest.truncate(limit);
        Ok(nearest.into_iter().filter_map(|near| index.show(near)).collect())
    }

    /// As [`search_filtered`](VectorMemory::search_filtered), by looking at every embedding: exact, and slow.
    pub fn search_exactly(
        &self,
        query: &[f32],
        limit: usize,
        filter: &Filter,
    ) -> Result<Vec<Match>, MemoryError> {
        let query = normalized(query, self.settings.dimensions)?;
        let index = self.index.read();
        let mut nearest = index.look_at_all(&query, filter);
        nearest.truncate(limit);
        Ok(nearest.into_iter().filter_map(|near| index.show(near)).collect())
    }

    /// Returns when everything stored is on disk; saves the graph too if it has grown.
    pub fn sync(&self) -> Result<(), MemoryError> {
        let mut log = self.log.lock();
        log.sync()?;
        let has_grown = {
            let index = self.index.read();
            index.saved < index.graph.len()
        };
        if has_grown { self.save_graph(&mut log) } else { Ok(()) }
    }

    /// Bytes of the log.
    pub fn log_bytes(&self) -> u64 {
        self.log.lock().length()
    }

    /// Makes log and graph anew where most of them is dead, saves the graph where it has grown much.
    fn tidy_up(&self, log: &mut Log) -> Result<(), MemoryError> {
        let index = self.index.read();
        let (nodes, alive, saved) = (index.entries.len(), index.nodes.len(), index.saved);
        drop(index);
        if nodes >= 64 && alive < nodes / 2 {
            return self.rewrite(log);
        }
        if nodes - saved >= SAVE_AFTER.max(nodes / 4) {
            return self.save_graph(log);
        }
        Ok(())
    }

    fn rewrite(&self, log: &mut Log) -> Result<(), MemoryError> {
        let index = self.index.read();
        let mut fresh = Index::new(self.settings.dimensions);
        for (node, entry) in index.entries.iter().enumerate() {
            let Some(entry) = entry else { continue };
            fresh.enter(entry.key.clone(), entry.metadata.clone(), index.vectors.get(node as u32));
        }
        drop(index);
        fresh.link();
        log.rewrite(fresh.entries.iter().enumerate().filter_map(|(node, entry)| {
            let Entry { key, metadata } = entry.as_ref()?;
            let vector = fresh.vectors.get(node as u32).to_vec();
            Some(Change::Store { key: key.clone(), metadata: metadata.clone(), vector })
        }))?;
        *self.index.write() = fresh;
        self.save_graph(log)
    }

    fn save_graph(&self, log: &mut Log) -> Result<(), MemoryError> {
        let (bytes, nodes) = {
            let index = self.index.read();
            (snapshot::encode(&index.graph, log.generation()), index.graph.len())
        };
        // The log first: a graph must never know of records that a crash takes away, and others replace.
        log.sync()?;
        log.write_graph(&bytes)?;
        self.index.write().saved = nodes;
        Ok(())
    }
}

fn check_length(what: &'static str, size: usize, most: usize) -> Result<(), MemoryError> {
    if size > most { Err(MemoryError::TooLong { what, size, most }) } else { Ok(()) }
}

impl std::fmt::Debug for VectorMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VectorMemory").field("settings", &self.settings).field("len", &self.len()).finish()
    }
}

impl Index {
    fn new(dimensions: usize) -> Index {
        Index {
            vectors: Vectors::new(dimensions),
            graph: Graph::default(),
            entries: Vec::new(),
            nodes: HashMap::new(),
            saved: 0,
        }
    }

    /// Enters an embedding, not yet linked. `vector` has length 1.
    fn enter(&mut self, key: String, metadata: Metadata, vector: &[f32]) {
        self.leave(&key);
        let node = self.entries.len() as u32;
        self.vectors.push(vector);
        self.nodes.insert(key.clone(), node);
        self.entries.push(Some(Entry { key, metadata }));
    }

    fn leave(&mut self, key: &str) {
        if let Some(node) = self.nodes.remove(key)
            && let Some(entry) = self.entries.get_mut(node as usize)
        {
            *entry = None;
        }
    }

    /// Links what was entered.
    fn link(&mut self) {
        while self.graph.len() < self.vectors.len() {
            self.graph.insert(&self.vectors);
        }
    }

    fn admits(&self, node: u32, filter: &Filter) -> bool {
        let entry = self.entries.get(node as usize).and_then(Option::as_ref);
        entry.is_some_and(|entry| filter.holds(&entry.metadata))
    }

    fn look_at_all(&self, query: &[f32], filter: &Filter) -> Vec<Near> {
        let admitted = (0..self.entries.len() as u32).filter(|node| self.admits(*node, filter));
        let mut nearest: Vec<_> =
            admitted.map(|node| Near { similarity: cosine(query, self.vectors.get(node)), node }).collect();
        nearest.sort_unstable_by(|a, b| b.cmp(a));
        nearest
    }

    fn show(&self, near: Near) -> Option<Match> {
        let entry = self.entries.get(near.node as usize)?.as_ref()?;
        let (key, metadata) = (entry.key.clone(), entry.metadata.clone());
        Some(Match { key, similarity: near.similarity, metadata })
    }
}

#[cfg(test)]
mod tests;
