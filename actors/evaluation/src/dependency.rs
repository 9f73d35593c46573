//! What refers to what: stages, cycles, missing references and closures, for flags (section 7) and cohorts (section 6.5) alike.
//!
//! Nodes are positions in the caller's list. It must not know what a node is, and nothing here recurses: a chain may be
//! as long as the list.

/// A graph of references between the entries of a list.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// For each node the nodes it refers to, ascending, each once.
    references: Vec<Box<[usize]>>,
}

/// The nodes in an order in which references come first, and those for which there is none.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// For each node the stage it becomes ready in, or `None` in a cycle or behind one.
    pub(crate) stages: Vec<Option<usize>>,
    /// The nodes that become ready, by stage and then by position.
    pub(crate) ready: Vec<usize>,
}

impl Graph {
    /// Builds a graph from each node's references. References outside the list are ignored; the caller marks them as missing.
    pub(crate) fn new(references: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let mut lists: Vec<Vec<usize>> = references.into_iter().collect();
        let nodes = lists.len();
        for list in &mut lists {
            list.retain(|&node| node < nodes);
            list.sort_unstable();
            list.dedup();
        }
        Self {
            references: lists.into_iter().map(Vec::into_boxed_slice).collect(),
        }
    }

    /// Returns what a node refers to directly.
    pub(crate) fn references(&self, node: usize) -> &[usize] {
        self.references.get(node).map_or(&[], |list| list)
    }

    /// Takes away stages of nodes whose references are all done, until none is left or only cycles are (Kahn).
    pub(crate) fn order(&self) -> Order {
        let referrers = self.referrers();
        let mut open: Vec<usize> = self.references.iter().map(|list| list.len()).collect();
        let mut stages = vec![None; open.len()];
        let mut ready = Vec::with_capacity(open.len());
        let mut stage: Vec<usize> = positions(open.iter().map(|&count| count == 0));
        let mut number = 0;
        while !stage.is_empty() {
            stage.sort_unstable();
            let mut next = Vec::new();
            for &node in &stage {
                set(&mut stages, node, Some(number));
                for &referrer in referrers.get(node).map_or(&[][..], Vec::as_slice) {
                    if let Some(count) = open.get_mut(referrer) {
                        *count -= 1;
                        if *count == 0 {
                            next.push(referrer);
                        }
                    }
                }
            }
            ready.append(&mut stage);
            stage = next;
            number += 1;
        }
        Order { stages, ready }
    }

    /// Marks everything that refers to a marked node, directly or not.
    pub(crate) fn spread_to_referrers(&self, mut marked: Vec<bool>) -> Vec<bool> {
        let referrers = self.referrers();
        let mut open = positions(marked.iter().copied());
        while let Some(node) = open.pop() {
            for &referrer in referrers.get(node).map_or(&[][..], Vec::as_slice) {
                if let Some(mark) = marked.get_mut(referrer)
                    && !*mark
                {
                    *mark = true;
                    open.push(referrer);
                }
            }
        }
        marked
    }

    /// Returns the nodes that can be reached from some, these included, ascending.
    pub(crate) fn closure(&self, from: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut open: Vec<usize> = from.into_iter().collect();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(node) = open.pop() {
            if seen.insert(node) {
                open.extend_from_slice(self.references(node));
            }
        }
        seen.into_iter().collect()
    }

    /// Returns one circle through each knot of nodes that refer to each other, for messages to people.
    pub(crate) fn circles(&self, order: &Order) -> Vec<Vec<usize>> {
        let mut done: Vec<bool> = order.stages.iter().map(Option::is_some).collect();
        let mut circles = Vec::new();
        for start in 0..done.len() {
            let mut trail = Vec::new();
            let mut node = start;
            // every node that is left over refers to another one that is, so the walk ends on its own trail or on a walked node
            while done.get(node) == Some(&false) {
                set(&mut done, node, true);
                trail.push(node);
                let left_over = |next: &&usize| order.stages.get(**next) == Some(&None);
                match self.references(node).iter().find(left_over) {
                    Some(&next) => node = next,
                    None => break,
                }
            }
            if let Some(begin) = trail.iter().position(|&step| step == node) {
                circles.push(trail.split_off(begin));
            }
        }
        circles
    }

    fn referrers(&self) -> Vec<Vec<usize>> {
        let mut referrers = vec![Vec::new(); self.references.len()];
        for (node, list) in self.references.iter().enumerate() {
            for &reference in list {
                if let Some(entry) = referrers.get_mut(reference) {
                    entry.push(node);
                }
            }
        }
        referrers
    }
}

fn positions(marks: impl Iterator<Item = bool>) -> Vec<usize> {
    marks
        .enumerate()
        .filter_map(|(node, mark)| mark.then_some(node))
        .collect()
}

fn set<T>(list: &mut [T], node: usize, value: T) {
    if let Some(entry) = list.get_mut(node) {
        *entry = value;
    }
}

#[cfg(test)]
mod tests;
