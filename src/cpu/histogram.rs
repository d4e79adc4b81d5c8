//! A histogram of a window that moves along a row.

use std::ops::Range;

use super::sample::Sample;
use crate::layout::Depth;

/// The windows of a row of pixels.
pub(super) struct Windows<'a, T> {
    /// The rows of the windows, starting at the first window's first column.
    pub(super) rows: &'a [&'a [T]],
    /// The columns of a window.
    pub(super) cols: usize,
    /// The number of interleaved channels.
    pub(super) channels: usize,
    /// The samples of each row that are counted; others are outside the plane.
    pub(super) counted: Range<usize>,
}

/// Counts in two tiers: each coarse count is the sum of `2^fine_bits` fine ones. The histogram moves along a row (T.
/// Huang, G. Yang, G. Tang, "A Fast Two-Dimensional Median Filtering Algorithm", IEEE TASSP 27, 1979).
pub(super) struct Histogram {
    /// The lower bits of a value, which the coarse counts ignore.
    fine_bits: u32,
    fine: Vec<u32>,
    coarse: Vec<u32>,
}

impl Histogram {
    pub(super) fn new(depth: Depth) -> Self {
        let fine_bits = depth.bits / 2;
        Self { fine_bits, fine: vec![0; 1 << depth.bits], coarse: vec![0; 1 << (depth.bits - fine_bits)] }
    }

    /// Moves the window along `pixels` and writes the value that `evaluate` computes at each, unless it is `None`. All
    /// counts must be 0 before, and are 0 afterwards.
    pub(super) fn move_along<T: Sample>(
        &mut self,
        windows: &Windows<T>,
        pixels: Range<usize>,
        result: &mut [T],
        evaluate: impl Fn(&Self) -> Option<u32>,
    ) {
        let Windows { cols, channels, .. } = *windows;
        for channel in 0..channels {
            for column in pixels.start..pixels.start + cols - 1 {
                self.count(windows, column * channels + channel, |n| *n += 1);
            }
            for x in pixels.clone() {
                self.count(windows, (x + cols - 1) * channels + channel, |n| *n += 1);
                if let Some(value) = evaluate(self) {
                    result[x * channels + channel] = T::new(value);
                }
                self.count(windows, x * channels + channel, |n| *n -= 1);
            }
            // Cheaper than clearing all counts, up to 65536.
            for column in pixels.end..pixels.end + cols - 1 {
                self.count(windows, column * channels + channel, |n| *n -= 1);
            }
        }
    }

    fn count<T: Sample>(&mut self, windows: &Windows<T>, at: usize, change: fn(&mut u32)) {
        if windows.counted.contains(&at) {
            for row in windows.rows {
                let value = row[at].value() as usize;
                change(&mut self.fine[value]);
                change(&mut self.coarse[value >> self.fine_bits]);
            }
        }
    }

    /// The `rank`-th smallest value.
    pub(super) fn select(&self, rank: u32) -> u32 {
        let (coarse, below) = find(&self.coarse, rank);
        let (fine, _) = find(&self.fine[coarse << self.fine_bits..][..1 << self.fine_bits], rank - below);
        ((coarse << self.fine_bits) + fine) as u32
    }

    /// The most frequent value, the smallest of several; `None` if no value occurs three times.
    pub(super) fn mode(&self) -> Option<u32> {
        let (mut max_count, mut winner) = (2, None);
        for (coarse, (&sum, fine)) in self.coarse.iter().zip(self.fine.chunks(1 << self.fine_bits)).enumerate() {
            if sum > max_count {
                let largest = fine.iter().copied().max().unwrap_or(0);
                if largest > max_count {
                    max_count = largest;
                    let index = fine.iter().position(|&count| count == largest);
                    winner = index.map(|index| ((coarse << self.fine_bits) + index) as u32);
                }
            }
        }
        winner
    }
}

/// The index that holds the `rank`-th smallest value, and the sum of the counts before that index.
fn find(counts: &[u32], rank: u32) -> (usize, u32) {
    let mut below = 0;
    for (index, &count) in counts.iter().enumerate() {
        if below + count > rank {
            return (index, below);
        }
        below += count;
    }
    (counts.len() - 1, below)
}
