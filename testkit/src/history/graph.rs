//! A directed graph with labelled edges: components that hold cycles, and short cycles to show.
//!
//! Everything is linear in nodes and edges and recursion-free, as a history has hundreds of thousands of nodes.

use std::collections::VecDeque;

/// A graph over nodes `0..count`.
#[derive(Debug)]
pub(super) struct Graph<L> {
    edges: Vec<Vec<(u32, L)>>,
}

impl<L: Copy> Graph<L> {
    pub(super) fn new(count: usize) -> Graph<L> {
        Graph { edges: vec![Vec::new(); count] }
    }

    pub(super) fn len(&self) -> usize {
        self.edges.len()
    }

    /// Adds a node.
    pub(super) fn grow(&mut self) -> u32 {
        self.edges.push(Vec::new());
        (self.edges.len() - 1) as u32
    }

    pub(super) fn add(&mut self, from: u32, to: u32, label: L) {
        if from != to {
            self.edges[from as usize].push((to, label));
        }
    }

    pub(super) fn from(&self, node: u32) -> &[(u32, L)] {
        &self.edges[node as usize]
    }

    /// The strongly connected components (Tarjan 1972, with a stack of its own): each node's number of its
    /// component, and the components' sizes. Only edges that `keep` lets through count.
    pub(super) fn components(&self, keep: impl Fn(&L) -> bool) -> (Vec<u32>, Vec<u32>) {
        const NONE: u32 = u32::MAX;
        let count = self.len();
        let (mut order, mut low) = (vec![NONE; count], vec![0u32; count]);
        let (mut component, mut sizes) = (vec![NONE; count], Vec::new());
        let (mut stack, mut calls, mut next) = (Vec::new(), Vec::new(), 0u32);
        for root in 0..count as u32 {
            if order[root as usize] != NONE {
                continue;
            }
            calls.push((root, 0usize));
            while let Some((node, at)) = calls.last_mut() {
                let here = *node as usize;
                if *at == 0 && order[here] == NONE {
                    (order[here], low[here]) = (next, next);
                    next += 1;
                    stack.push(*node);
                }
                let Some((to, label)) = self.edges[here].get(*at) else {
                    calls.pop();
                    if low[here] == order[here] {
                        let mut size = 0;
                        while let Some(member) = stack.pop() {
                            component[member as usize] = sizes.len() as u32;
                            size += 1;
                            if member as usize == here {
                                break;
                            }
                        }
                        sizes.push(size);
                    }
                    if let Some((parent, _)) = calls.last() {
                        low[*parent as usize] = low[*parent as usize].min(low[here]);
                    }
                    continue;
                };
                *at += 1;
                if !keep(label) {
                    continue;
                }
                let to = *to;
                if order[to as usize] == NONE {
                    calls.push((to, 0));
                } else if component[to as usize] == NONE {
                    low[here] = low[here].min(order[to as usize]);
                }
            }
        }
        (component, sizes)
    }

    /// A shortest path between two nodes, as the steps taken; looks at `most` nodes at the most.
    pub(super) fn path(
        &self,
        from: u32,
        to: u32,
        most: usize,
        keep: impl Fn(u32, u32, &L) -> bool,
    ) -> Option<Vec<(u32, L, u32)>> {
        let mut came: std::collections::HashMap<u32, (u32, L)> = std::collections::HashMap::new();
        let mut ahead = VecDeque::from([from]);
        while let Some(node) = ahead.pop_front() {
            for &(next, label) in self.from(node) {
                if !keep(node, next, &label) || came.contains_key(&next) {
                    continue;
                }
                came.insert(next, (node, label));
                if next == to {
                    let mut steps = Vec::new();
                    let mut at = to;
                    loop {
                        let (before, label) = *came.get(&at)?;
                        steps.push((before, label, at));
                        at = before;
                        if at == from {
                            break;
                        }
                    }
                    steps.reverse();
                    return Some(steps);
                }
                if came.len() > most {
                    return None;
                }
                ahead.push_back(next);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(u32, u32)]) -> Graph<char> {
        let mut graph = Graph::new(6);
        for (from, to) in edges {
            graph.add(*from, *to, 'x');
        }
        graph
    }

    #[test]
    fn components_are_the_cycles_that_hang_together() {
        let graph = graph(&[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (4, 5)]);
        let (component, sizes) = graph.components(|_| true);
        assert_eq!(component[0], component[1]);
        assert_eq!(component[1], component[2]);
        assert_eq!(component[3], component[4]);
        assert_ne!(component[2], component[3]);
        assert_eq!(sizes[component[0] as usize], 3);
        assert_eq!(sizes[component[5] as usize], 1);
        let (_, sizes) = graph.components(|_| false);
        assert!(sizes.iter().all(|size| *size == 1));
    }

    #[test]
    fn the_shortest_path_is_found_and_none_where_there_is_none() {
        let graph = graph(&[(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)]);
        let steps = graph.path(0, 3, 100, |_, _, _| true).unwrap();
        assert_eq!(steps, [(0, 'x', 4), (4, 'x', 3)]);
        assert!(graph.path(3, 0, 100, |_, _, _| true).is_none());
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let mut graph = Graph::new(200_000);
        for node in 0..200_000u32 {
            graph.add(node, (node + 1) % 200_000, ());
        }
        assert_eq!(graph.components(|()| true).1, [200_000]);
    }
}
