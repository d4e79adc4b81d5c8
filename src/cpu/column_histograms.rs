//! The `rank`-th smallest value of large windows of 8-bit samples, with a histogram of each column.
//!
//! A histogram moves down by counting one sample more and one less (S. Perreault, P. Hébert, "Median Filtering in
//! Constant Time", IEEE TIP 16, 2007). A window's counts are sums over its columns, which are added up for a whole block
//! of windows at a time: first those of 16 ranges of values, then those of the values in the ranges that the block's
//! results are in, which are few in most pictures.

use multiversion::multiversion;

use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Strip};

/// The windows whose columns move down together: few enough for their histograms to stay in the L2 cache.
const CHUNK: usize = 8 * BLOCK;

/// The number of ranges of values, and of the values in each.
const RANGES: usize = 16;

/// The maximum side of a window, so that 8 bits hold the counts of a column and 16 those of a window.
pub(super) const MAX_SIZE: u32 = 255;

/// The histograms of neighboring columns: for each value and for each range of values, a row of counts.
struct Histograms {
    columns: usize,
    values: Vec<u8>,
    ranges: Vec<u8>,
}

/// The windows of a filter.
struct Windows {
    size: usize,
    channels: usize,
    rank: u16,
}

/// The counts of a block of windows, aligned so that no register is stored across two cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Counts([u16; BLOCK]);

/// Finds the value of each window. `size` is at most [`MAX_SIZE`], and samples have 8 bits.
pub(super) fn rank_by_columns<T: Sample>(size: u32, rank: u32, src: &Strip<T>, dst: &mut RowsMut<T>) {
    let (radius, channels) = (size as isize / 2, src.layout().size.channels);
    let windows = Windows { size: size as usize, channels, rank: rank as u16 };
    let (width, rows) = (dst.layout().size.width.next_multiple_of(BLOCK), dst.layout().rows.clone());
    for begin in (0..width).step_by(CHUNK) {
        let results = begin..width.min(begin + CHUNK);
        let mut histograms = Histograms::new(results.len() + (windows.size - 1) * channels);
        let row_at = |y: isize| &src.wide_row(y, size / 2)[begin..];
        let first = rows.start as isize;
        (first - radius..first + radius).for_each(|y| histograms.count(row_at(y), 1));
        for y in rows.clone() {
            histograms.count(row_at(y as isize + radius), 1);
            let result = &mut dst.row_mut(y)[results.clone()];
            for (block, result) in result.as_chunks_mut().0.iter_mut().enumerate() {
                select(&windows, &histograms, block * BLOCK, result);
            }
            histograms.count(row_at(y as isize - radius), -1);
        }
    }
    dst.write_halo();
}

impl Histograms {
    fn new(columns: usize) -> Self {
        Self { columns, values: vec![0; 256 * columns], ranges: vec![0; RANGES * columns] }
    }

    /// Adds `change` to the counts of a row's samples.
    fn count<T: Sample>(&mut self, row: &[T], change: i8) {
        for (column, sample) in row[..self.columns].iter().enumerate() {
            let value = sample.value() as usize;
            for (counts, index) in [(&mut self.values, value), (&mut self.ranges, value / RANGES)] {
                let count = &mut counts[index * self.columns + column];
                *count = count.wrapping_add_signed(change);
            }
        }
    }
}

/// Finds the values of a block of windows; `column` is the first window's first.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn select<T: Sample>(windows: &Windows, histograms: &Histograms, column: usize, result: &mut [T; BLOCK]) {
    let Histograms { columns, values, ranges } = histograms;
    // The range that each result is in, and the number of samples in the ranges below.
    let (mut range_of, mut below) = ([0; BLOCK], [0; BLOCK]);
    let mut total = [0; BLOCK];
    for range in 0..RANGES {
        let Counts(counts) = windows.sum(&ranges[range * columns + column..]);
        for x in 0..BLOCK {
            total[x] += counts[x];
            // As a number, since a branch would not compile to vector instructions.
            let is_below = u16::from(total[x] <= windows.rank);
            range_of[x] += is_below;
            below[x] = below[x].max(total[x] * is_below);
        }
    }
    for range in 0..RANGES {
        if !range_of.contains(&(range as u16)) {
            continue;
        }
        let first = range * RANGES;
        let (mut value_of, mut total) = ([first as u16; BLOCK], below);
        for value in first..first + RANGES - 1 {
            let Counts(counts) = windows.sum(&values[value * columns + column..]);
            for x in 0..BLOCK {
                total[x] += counts[x];
                value_of[x] += u16::from(total[x] <= windows.rank);
            }
        }
        for x in 0..BLOCK {
            result[x] = if range_of[x] == range as u16 { T::new(value_of[x].into()) } else { result[x] };
        }
    }
}

impl Windows {
    /// Adds up the counts of each window's columns.
    #[inline(always)]
    fn sum(&self, counts: &[u8]) -> Counts {
        let mut sums = Counts([0; BLOCK]);
        let column = |index: usize| &counts[index * self.channels..].as_chunks::<BLOCK>().0[0];
        let mut next = 0;
        // Five at a time, so that sums are loaded and stored less often.
        while next + 5 <= self.size {
            let columns: [_; 5] = std::array::from_fn(|index| column(next + index));
            for (x, sum) in sums.0.iter_mut().enumerate() {
                *sum += columns.iter().map(|column| u16::from(column[x])).sum::<u16>();
            }
            next += 5;
        }
        for index in next..self.size {
            for (sum, count) in sums.0.iter_mut().zip(column(index)) {
                *sum += u16::from(*count);
            }
        }
        sums
    }
}
