//! The approximate index: a hierarchical navigable small world.
//!
//! After Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
//! Navigable Small World graphs" (2016): every node is on the lowest layer, each layer above has a sixteenth of the
//! nodes below it; a search walks greedily down from the top and widens to a beam on the lowest. Links of a
//! new node are chosen by the paper's heuristic (algorithm 4): a candidate that is nearer to one already chosen
//! than to the node itself is left for later, so that links point in different directions.
//!
//! Invariants: a node has at most [`LINKS`] links on a layer, twice as many on the lowest; links point to nodes of
//! at least that layer; `entry` is a node of the highest layer. The layer of a node follows from its number, so the
//! same embeddings in the same order make the same graph.

use crate::vector::{Vectors, cosine};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Links of a node on the layers above the lowest.
pub(crate) const LINKS: usize = 16;
/// Candidates that are kept while links for a new node are looked for.
const BUILD_BEAM: usize = 128;
/// No layer above this is used: a sixteenth of a sixteenth ... of four thousand million is none.
pub(crate) const HIGHEST: usize = 8;

/// A node and how near it is; the nearer is the greater, ties by number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    pub(crate) similarity: f32,
    pub(crate) node: u32,
}

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Near) -> std::cmp::Ordering {
        self.similarity.total_cmp(&other.similarity).then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Near) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Links of each node, by layer from the lowest.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) links: Vec<Vec<Vec<u32>>>,
    pub(crate) entry: Option<u32>,
}

/// The highest layer of node `n`.
pub(crate) fn layer_of(n: u32) -> usize {
    // SplitMix64's mixing of the number; each four zero bits are one layer more.
    let mut z = (u64::from(n) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)).trailing_zeros() as usize / 4).min(HIGHEST)
}

/// Which nodes a search has seen.
struct Seen(Vec<u64>);

impl Seen {
    fn new(nodes: usize) -> Seen {
        Seen(vec![0; nodes.div_ceil(64)])
    }

    /// True at the first call for a node.
    fn mark(&mut self, node: u32) -> bool {
        let Some(word) = self.0.get_mut(node as usize / 64) else { return false };
        let bit = 1u64 << (node % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    fn links(&self, node: u32, layer: usize) -> &[u32] {
        self.links.get(node as usize).and_then(|layers| layers.get(layer)).map_or(&[], Vec::as_slice)
    }

    /// Adds the next node: the vector of its number has been pushed.
    pub(crate) fn insert(&mut self, vectors: &Vectors) {
        let node = self.links.len() as u32;
        let top = layer_of(node);
        let vector = vectors.get(node);
        self.links.push(vec![Vec::new(); top + 1]);
        let Some(entry) = self.entry else {
            self.entry = Some(node);
            return;
        };
        let highest = self.links[entry as usize].len() - 1;
        let mut from = Near { similarity: cosine(vector, vectors.get(entry)), node: entry };
        for layer in (top + 1..=highest).rev() {
            from = self.walk(vectors, vector, from, layer);
        }
        let mut starts = vec![from];
        for layer in (0..=top.min(highest)).rev() {
            let found = self.beam(vectors, vector, &starts, layer, BUILD_BEAM);
            let chosen = choose(vectors, &found, LINKS);
            for near in &chosen {
                self.link_back(vectors, near.node, node, layer);
            }
            self.links[node as usize][layer] = chosen.iter().map(|near| near.node).collect();
            starts = found;
        }
        if top > highest {
            self.entry = Some(node);
        }
    }

    /// Links `from` to the new node, and gives up the link worth least where there are too many.
    fn link_back(&mut self, vectors: &Vectors, from: u32, node: u32, layer: usize) {
        let most = if layer == 0 { 2 * LINKS } else { LINKS };
        let links = &mut self.links[from as usize][layer];
        links.push(node);
        if links.len() <= most {
            return;
        }
        let here = vectors.get(from);
        let mut near: Vec<_> =
            links.iter().map(|n| Near { similarity: cosine(here, vectors.get(*n)), node: *n }).collect();
        near.sort_unstable_by(|a, b| b.cmp(a));
        *links = choose(vectors, &near, most).iter().map(|near| near.node).collect();
    }

    /// The nearest node that greedy steps on one layer lead to.
    fn walk(&self, vectors: &Vectors, query: &[f32], mut from: Near, layer: usize) -> Near {
        loop {
            let links = self.links(from.node, layer).iter();
            let near = links.map(|n| Near { similarity: cosine(query, vectors.get(*n)), node: *n });
            match near.max() {
                Some(better) if better > from => from = better,
                _ => return from,
            }
        }
    }

    /// The nearest `width` nodes that a beam on one layer finds, nearest first.
    fn beam(
        &self,
        vectors: &Vectors,
        query: &[f32],
        starts: &[Near],
        layer: usize,
        width: usize,
    ) -> Vec<Near> {
        let mut seen = Seen::new(self.links.len());
        let mut to_visit: BinaryHeap<Near> = BinaryHeap::new();
        let mut found: BinaryHeap<Reverse<Near>> = BinaryHeap::new();
        for start in starts.iter().filter(|start| seen.mark(start.node)) {
            to_visit.push(*start);
            found.push(Reverse(*start));
        }
        while let Some(next) = to_visit.pop() {
            if found.len() >= width && found.peek().is_some_and(|worst| next < worst.0) {
                break;
            }
            for node in self.links(next.node, layer) {
                if !seen.mark(*node) {
                    continue;
                }
                let near = Near { similarity: cosine(query, vectors.get(*node)), node: *node };
                if found.len() < width || found.peek().is_some_and(|worst| near > worst.0) {
                    to_visit.push(near);
                    found.push(Reverse(near));
                    if found.len() > width {
                        found.pop();
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().map(|near| near.0).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }

    /// The nearest `width` nodes to `query`, nearest first.
    pub(crate) fn search(&self, vectors: &Vectors, query: &[f32], width: usize) -> Vec<Near> {
        let Some(entry) = self.entry else { return Vec::new() };
        let mut from = Near { similarity: cosine(query, vectors.get(entry)), node: entry };
        for layer in (1..self.links[entry as usize].len()).rev() {
            from = self.walk(vectors, query, from, layer);
        }
        self.beam(vectors, query, &[from], 0, width)
    }
}

/// At most `most` of `candidates` (nearest first) that point in different directions, filled up with the
/// nearest of those left.
fn choose(vectors: &Vectors, candidates: &[Near], most: usize) -> Vec<Near> {
    let mut chosen: Vec<Near> = Vec::with_capacity(most);
    let mut left = Vec::new();
    for candidate in candidates {
        if chosen.len() == most {
            break;
        }
        let here = vectors.get(candidate.node);
        let is_behind_another =
            chosen.iter().any(|other| cosine(here, vectors.get(other.node)) > candidate.similarity);
        if is_behind_another { left.push(*candidate) } else { chosen.push(*candidate) }
    }
    let room = most - chosen.len();
    chosen.extend(left.into_iter().take(room));
    chosen
}
