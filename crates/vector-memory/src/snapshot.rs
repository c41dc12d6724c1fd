//! The graph as bytes, so that opening need not build it.
//!
//! ```text
//! "RDBVECG1" | generation u64 | nodes u32 | entry u32 | per node: layers u8, per layer: count u8, u32 ... | crc32c u32
//! ```
//!
//! It holds the first `nodes` records that store, of the log of its generation; later ones are inserted after it is
//! read. Anything that does not fit (checksum, generation, a link to a node that is not there, a layer that is not
//! the node's) makes it worthless, never wrong: the graph is then built from the log.

use crate::graph::{Graph, HIGHEST, LINKS, layer_of};
use crate::record::Bytes;

const MAGIC: &[u8; 8] = b"RDBVECG1";

pub(crate) fn encode(graph: &Graph, generation: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(generation.to_le_bytes());
    bytes.extend((graph.len() as u32).to_le_bytes());
    bytes.extend(graph.entry.unwrap_or(u32::MAX).to_le_bytes());
    for layers in &graph.links {
        bytes.push(layers.len() as u8);
        for links in layers {
            bytes.push(links.len() as u8);
            bytes.extend(links.iter().flat_map(|link| link.to_le_bytes()));
        }
    }
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// The graph of the first of `stored` nodes, if that is what the bytes hold.
pub(crate) fn decode(bytes: &[u8], generation: u64, stored: usize) -> Option<Graph> {
    let (content, checksum) = bytes.split_last_chunk::<4>()?;
    let mut rest = Bytes(content);
    let is_ours = crc32c::crc32c(content) == u32::from_le_bytes(*checksum)
        && rest.take(8)? == MAGIC
        && rest.u64()? == generation;
    let (nodes, entry) = (rest.u32()? as usize, rest.u32()?);
    if !is_ours || nodes > stored {
        return None;
    }
    let mut links = Vec::with_capacity(nodes);
    for node in 0..nodes {
        let layers = usize::from(rest.take(1)?[0]);
        if layers != layer_of(node as u32) + 1 || layers > HIGHEST + 1 {
            return None;
        }
        let mut of_node = Vec::with_capacity(layers);
        for layer in 0..layers {
            let count = usize::from(rest.take(1)?[0]);
            let to = (0..count).map(|_| rest.u32()).collect::<Option<Vec<u32>>>()?;
            let fits = |link: &u32| (*link as usize) < nodes && layer_of(*link) >= layer;
            if count > 2 * LINKS || !to.iter().all(fits) {
                return None;
            }
            of_node.push(to);
        }
        links.push(of_node);
    }
    let entry = (entry != u32::MAX).then_some(entry);
    let has_entry = entry.is_some_and(|entry| (entry as usize) < nodes);
    (rest.0.is_empty() && has_entry == (nodes > 0)).then_some(Graph { links, entry })
}
