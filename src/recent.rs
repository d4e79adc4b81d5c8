//! What was made of the last few things, so that it need not be made again.

use std::collections::VecDeque;

/// The latest results, with what they were made of.
pub struct Recent<K, V> {
    results: VecDeque<(K, V)>,
    /// How many are kept.
    most: usize,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps up to `most` results.
    pub const fn new(most: usize) -> Self {
        Self { results: VecDeque::new(), most }
    }

    /// The result for `key`: one that was kept, or a new one.
    pub fn get_or_make(&mut self, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some((_, result)) = self.results.iter().find(|(of, _)| *of == key) {
            return result.clone();
        }
        let result = make(&key);
        self.results.truncate(self.most.saturating_sub(1));
        self.results.push_front((key, result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_kept_is_made_again() {
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
