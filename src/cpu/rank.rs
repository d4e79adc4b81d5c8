//! The `rank`-th smallest value of each window.

use super::column_histograms::{MAX_SIZE, rank_by_columns};
use super::histogram::{Histogram, Windows};
use super::median::{Columns, median_of_9, median_of_25};
use super::min_max::min_max;
use super::network::Network;
use super::sample::Sample;
use super::strip::{RowsMut, Strip};
use crate::filters::last_rank;
use crate::layout::Depth;

/// Up to this side, a selection network is faster than a histogram (measured with AVX-512 on 8-bit samples).
const MAX_NETWORK_SIZE: usize = 13;

/// From this side on, histograms of columns are faster than a selection network for 8-bit samples.
const MIN_COLUMNS_SIZE: usize = 9;

/// A rank filter prepared for samples of one depth.
pub(super) struct RankFilter {
    size: u32,
    rank: u32,
    depth: Depth,
    method: Method,
}

/// The way to find the value.
enum Method {
    Min,
    Max,
    MedianOf9,
    MedianOf25,
    Network(Network),
    /// Histograms of columns.
    Columns,
    /// A histogram of the window.
    Histogram,
}

impl RankFilter {
    pub(super) fn new(size: u32, rank: u32, depth: Depth) -> Self {
        let method = match (size as usize, rank as usize) {
            (_, 0) => Method::Min,
            _ if rank == last_rank(size) => Method::Max,
            (3, 4) => Method::MedianOf9,
            (5, 12) => Method::MedianOf25,
            (MIN_COLUMNS_SIZE.., _) if depth.bits == 8 && size <= MAX_SIZE => Method::Columns,
            (size, rank) if size <= MAX_NETWORK_SIZE => Method::Network(Network::new(size, rank)),
            _ => Method::Histogram,
        };
        Self { size, rank, depth, method }
    }

    pub(super) fn run<T: Sample>(&self, src: &Strip<T>, dst: &mut RowsMut<T>) {
        if matches!(self.method, Method::Columns) {
            return rank_by_columns(self.size, self.rank, src, dst);
        }
        let radius = self.size / 2;
        let channels = src.layout().size.channels;
        let width = dst.layout().size.width;
        let (mut slots, mut columns, mut histogram) = (Vec::new(), None, None);
        for y in dst.layout().rows.clone() {
            let first = y as isize - radius as isize;
            let rows: Vec<_> = (first..first + self.size as isize).map(|y| src.wide_row(y, radius)).collect();
            dst.write(y, |result| match &self.method {
                Method::Min => min_max::<T, false>(&rows, channels, &mut slots, result),
                Method::Max => min_max::<T, true>(&rows, channels, &mut slots, result),
                Method::MedianOf9 => median_of_9(&rows, channels, result),
                Method::MedianOf25 => {
                    median_of_25(&rows, channels, columns.get_or_insert_with(Columns::default), result)
                }
                Method::Network(network) => network.run(&rows, channels, &mut slots, result),
                Method::Columns | Method::Histogram => {
                    let histogram = histogram.get_or_insert_with(|| Histogram::new(self.depth));
                    let windows = Windows { rows: &rows, cols: self.size as usize, channels, counted: 0..usize::MAX };
                    let pixels = 0..width / channels;
                    histogram.move_along(&windows, pixels, result, |histogram| Some(histogram.select(self.rank)));
                }
            });
        }
    }
}
