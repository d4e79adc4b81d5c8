//! The `rank`-th smallest value of each window.

use multiversion::multiversion;

use super::band::{Band, Size};
use super::histogram::{Histogram, Windows};
use super::median::{median_of_9, median_of_25};
use super::network::Network;
use super::sample::Sample;
use crate::frame::Depth;

/// Up to this side a network is faster than a histogram, as measured with AVX-512 on samples of 8 bits.
const NETWORK_SIZE: usize = 13;

/// How to find the value.
pub(super) enum Selector {
    /// The smallest.
    Smallest,
    /// The largest.
    Largest,
    /// The median of 3 x 3.
    MedianOf9,
    /// The median of 5 x 5.
    MedianOf25,
    /// A network of exchanges.
    Network(Network),
    /// A histogram that moves along.
    Histogram,
}

impl Selector {
    pub(super) fn new(size: u32, rank: u32) -> Self {
        match (size as usize, rank as usize) {
            (_, 0) => Self::Smallest,
            (size, rank) if rank == size * size - 1 => Self::Largest,
            (3, 4) => Self::MedianOf9,
            (5, 12) => Self::MedianOf25,
            (size, rank) if size <= NETWORK_SIZE => Self::Network(Network::new(size, rank)),
            _ => Self::Histogram,
        }
    }
}

pub(super) fn rank<T: Sample>(
    size: u32,
    rank: u32,
    selector: &Selector,
    depth: Depth,
    src: &Band<T>,
    dst: &mut Band<T>,
) {
    let radius = size / 2;
    let Size { width, channels, .. } = src.size;
    let (mut column, mut slots) = (Vec::new(), Vec::new());
    let mut histogram = None;
    for y in dst.rows.clone() {
        let first = y as isize - radius as isize;
        let rows: Vec<_> = (first..first + size as isize).map(|y| src.wide_row(y, radius)).collect();
        dst.write_row(y, |result| match selector {
            Selector::Smallest => fold::<T, false>(&rows, channels, &mut column, result),
            Selector::Largest => fold::<T, true>(&rows, channels, &mut column, result),
            Selector::MedianOf9 => median_of_9(&rows, channels, result),
            Selector::MedianOf25 => median_of_25(&rows, channels, &mut slots, result),
            Selector::Network(network) => network.run(&rows, channels, &mut slots, result),
            Selector::Histogram => {
                let histogram = histogram.get_or_insert_with(|| Histogram::new(depth));
                let windows = Windows { rows: &rows, cols: size as usize, channels, counted: 0..usize::MAX };
                let pixels = 0..width / channels;
                histogram.move_along(&windows, pixels, result, |histogram| Some(histogram.select(rank)));
            }
        });
    }
}

/// The smallest or the largest, first down the columns, then along the row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fold<T: Sample, const LARGEST: bool>(rows: &[&[T]], channels: usize, column: &mut Vec<T>, result: &mut [T]) {
    /// Few enough for the nearest cache.
    const CHUNK: usize = 2048;
    let pick = |best: &mut [T], others: &[T]| {
        for (best, &other) in best.iter_mut().zip(others) {
            *best = if LARGEST { other.max(*best) } else { other.min(*best) };
        }
    };
    let reach = (rows.len() - 1) * channels;
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        column.clear();
        column.extend_from_slice(&rows[0][chunk * CHUNK..][..result.len() + reach]);
        for row in &rows[1..] {
            pick(column, &row[chunk * CHUNK..]);
        }
        result.copy_from_slice(&column[..result.len()]);
        for shift in (channels..=reach).step_by(channels) {
            pick(result, &column[shift..]);
        }
    }
}
