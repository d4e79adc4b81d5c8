//! The most frequent value of each window, the smallest of several; the sample itself if no value occurs three times.

use std::ops::Range;

use multiversion::multiversion;

use super::histogram::{Histogram, Windows};
use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Size, Strip};
use crate::filters::BorderMode;
use crate::layout::Depth;

/// Up to this radius, each sample of a window is compared with every other, for many windows at a time; larger windows
/// need a histogram.
const MAX_RADIUS_TO_COMPARE: u32 = 2;

pub(super) fn mode<T: Sample>(radius: u32, depth: Depth, src: &Strip<T>, dst: &mut RowsMut<T>) {
    let Size { width, height, channels } = src.layout().size;
    let (reach, pixels) = (radius as usize, width / channels);
    let has_halo = src.border_mode() != BorderMode::Truncate;
    // The pixels whose windows are not truncated in their row.
    let inside =
        if has_halo { 0..pixels } else { reach.min(pixels)..pixels.saturating_sub(reach).max(reach.min(pixels)) };
    // The samples that count, in rows that start at the first window's first column.
    let counted = if has_halo { 0..usize::MAX } else { reach * channels..reach * channels + width };
    let mut histogram = Histogram::new(depth);
    for y in dst.layout().rows.clone() {
        let read = (y as isize - reach as isize..=y as isize + reach as isize)
            .filter(|y| has_halo || (0..height as isize).contains(y));
        let rows: Vec<_> = read.map(|y| src.wide_row(y, radius)).collect();
        let is_complete = rows.len() == 2 * reach + 1;
        let compared = if radius <= MAX_RADIUS_TO_COMPARE && is_complete { inside.clone() } else { 0..0 };
        let windows = Windows { rows: &rows, cols: 2 * reach + 1, channels, counted: counted.clone() };
        dst.write(y, |result| {
            result[..width].copy_from_slice(src.row(y));
            compare(&rows, channels, compared.start * channels..compared.end * channels, result);
            for pixels in [0..compared.start, compared.end..pixels] {
                histogram.move_along(&windows, pixels, result, Histogram::mode);
            }
        });
    }
}

/// Finds the modes of windows that are not truncated, at the samples `columns`: counts each sample of a window by
/// comparing it with every other.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn compare<T: Sample>(rows: &[&[T]], channels: usize, columns: Range<usize>, result: &mut [T]) {
    let size = rows.len();
    for begin in columns.clone().step_by(BLOCK) {
        let end = columns.end.min(begin + BLOCK);
        let window = |index: usize| &rows[index / size][begin + index % size * channels..][..BLOCK];
        let mut winner = [T::default(); BLOCK];
        winner.copy_from_slice(window(size * size / 2));
        let mut max_count = [T::new(2); BLOCK];
        for own in 0..size * size {
            let mut counts = [T::default(); BLOCK];
            for other in 0..size * size {
                for ((count, a), b) in counts.iter_mut().zip(window(own)).zip(window(other)) {
                    *count = T::new(count.value() + u32::from(a == b));
                }
            }
            let candidates = counts.iter().zip(window(own));
            for (((&count, &value), max_count), winner) in candidates.zip(&mut max_count).zip(&mut winner) {
                let wins = count > *max_count || (count == *max_count && count > T::new(2) && value < *winner);
                *winner = if wins { value } else { *winner };
                *max_count = if wins { count } else { *max_count };
            }
        }
        result[begin..end].copy_from_slice(&winner[..end - begin]);
    }
}
