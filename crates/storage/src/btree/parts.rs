//! Keys that divide a tree into parts of about as many leaves each: for readers that share a scan.
//!
//! Descents are spread evenly over the tree's entries, as far as the inner pages on the way tell; where each arrives, the
//! leaf's low fence divides. Nothing is latched between two descents: keys that others insert meanwhile lie in one part
//! or the other, and every key in exactly one.

use super::Tree;
use crate::error::Result;
use crate::page::{self, node};

impl Tree {
    /// Up to `parts - 1` keys in ascending order that divide the tree; none if it has few leaves.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn split_keys(&self, parts: usize) -> Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        {
            let root = self.core.pool.read(self.root)?;
            self.check_node(&root, self.root)?;
            let level = page::level(&root);
            if level == 0 || (level == 1 && node::count(&root) < parts) {
                return Ok(keys);
            }
        }
        for part in 1..parts {
            let mut place = part as f64 / parts as f64;
            let leaf = self.descend(|page| {
                let count = node::count(page);
                let along = place * count as f64;
                let index = (along as usize).min(count.saturating_sub(1));
                place = (along - index as f64).clamp(0.0, 1.0);
                Ok(index)
            })?;
            if let Some(fence) = self.whole_fence(&leaf, false)?
                && keys.last().is_none_or(|last| *last < fence)
            {
                keys.push(fence);
            }
        }
        Ok(keys)
    }
}
