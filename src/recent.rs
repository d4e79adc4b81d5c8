//! A small cache of the latest results.

use std::collections::VecDeque;

/// The latest results, each with its key.
pub struct Recent<K, V> {
    results: VecDeque<(K, V)>,
    capacity: usize,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps up to `capacity` results.
    pub const fn new(capacity: usize) -> Self {
        Self { results: VecDeque::new(), capacity }
    }

    /// The result for `key`: the one kept, or a new one.
    pub fn get_or_make(&mut self, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some((_, result)) = self.results.iter().find(|(of, _)| *of == key) {
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
    fn results_are_reused_while_they_are_kept() {
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
