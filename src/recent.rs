//! A small cache of the latest results.

use std::collections::VecDeque;

/// A cache of the latest results, each with its key.
pub struct Recent<K, V> {
    results: VecDeque<(K, V)>,
    capacity: usize,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// An empty cache for up to `capacity` results.
    pub const fn new(capacity: usize) -> Self {
        Self { results: VecDeque::new(), capacity }
    }

    /// The cached result for `key`; if there is none, the result of `make`, which is then cached.
    pub fn get_or_make(&mut self, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some((_, result)) = self.results.iter().find(|(cached, _)| *cached == key) {
            return result.clone();
        }
        let result = make(&key);
        self.results.truncate(self.capacity.saturating_sub(1));
        self.results.push_front((key, result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_reused_while_they_are_cached() {
        let mut made = Vec::new();
        let mut recent = Recent::new(2);
        for key in ["a", "b", "a", "b", "c", "b", "a"] {
            let length = recent.get_or_make(key, |key| {
                made.push(*key);
                key.len()
            });
            assert_eq!(length, 1);
        }
        assert_eq!(made, ["a", "b", "c", "a"]);
    }
}
