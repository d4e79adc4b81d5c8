//! The most frequent value of each window, the smallest of several; the sample itself where none comes three times.

use std::ops::Range;

use multiversion::multiversion;

use super::band::{BLOCK, Band, RowsMut, Size};
use super::histogram::{Histogram, Windows};
use super::sample::Sample;
use crate::filters::Outside;
use crate::layout::Depth;

/// Up to this radius each sample of a window is compared with each, for many windows at a time.
const COMPARED_RADIUS: u32 = 2;

pub(super) fn mode<T: Sample>(radius: u32, depth: Depth, src: &Band<T>, dst: &mut RowsMut<T>) {
    let Size { width, height, channels } = src.form().size;
    let (reach, pixels) = (radius as usize, width / channels);
    let whole = src.outside() != Outside::Nothing;
    // The pixels whose windows do not leave the row, and the samples of rows that begin where the first window does.
    let inside = if whole { 0..pixels } else { reach.min(pixels)..pixels.saturating_sub(reach).max(reach.min(pixels)) };
    let counted = if whole { 0..usize::MAX } else { reach * channels..reach * channels + width };
    let mut histogram = Histogram::new(depth);
    for y in dst.form().rows.clone() {
        let seen = (y as isize - reach as isize..=y as isize + reach as isize)
            .filter(|y| whole || (0..height as isize).contains(y));
        let rows: Vec<_> = seen.map(|y| src.wide_row(y, radius)).collect();
        let compared = if radius <= COMPARED_RADIUS && rows.len() == 2 * reach + 1 { inside.clone() } else { 0..0 };
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

/// The windows of some columns, none of which leaves the rows: each sample's count by comparing it with every other.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn compare<T: Sample>(rows: &[&[T]], channels: usize, columns: Range<usize>, result: &mut [T]) {
    let size = rows.len();
    for begin in columns.clone().step_by(BLOCK) {
        let end = columns.end.min(begin + BLOCK);
        let window = |index: usize| &rows[index / size][begin + index % size * channels..][..BLOCK];
        let mut winner = [T::default(); BLOCK];
        winner.copy_from_slice(window(size * size / 2));
        let mut most = [T::new(2); BLOCK];
        for own in 0..size * size {
            let mut counts = [T::default(); BLOCK];
            for other in 0..size * size {
                for ((count, a), b) in counts.iter_mut().zip(window(own)).zip(window(other)) {
                    *count = T::new(count.value() + u32::from(a == b));
                }
            }
            for (((&count, &value), most), winner) in counts.iter().zip(window(own)).zip(&mut most).zip(&mut winner) {
                let wins = count > *most || (count == *most && count > T::new(2) && value < *winner);
                *winner = if wins { value } else { *winner };
                *most = if wins { count } else { *most };
            }
        }
        result[begin..end].copy_from_slice(&winner[..end - begin]);
    }
}
