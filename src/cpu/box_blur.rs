//! The mean over a box of fractional radius, with the integer weights of Pillow's `BoxBlur.c`.

use multiversion::multiversion;

use super::band::{BLOCK, Band, blocks};
use super::sample::Sample;
use crate::filters::{Axis, BoxWeights};
use crate::frame::Depth;

/// Up to this radius adding up each box is faster than putting it together.
const ADDED_RADIUS: u32 = 12;

/// Columns whose running sums move down together: few enough to stay in the nearest cache.
const COLUMNS: usize = 32 * BLOCK;

pub(super) fn box_blur<T: Sample>(axis: Axis, weights: BoxWeights, depth: Depth, src: &Band<T>, dst: &mut Band<T>) {
    let largest_sum = (2 * weights.radius + 1) * depth.max();
    match (axis, largest_sum <= u32::from(u16::MAX)) {
        (Axis::Horizontal, true) => horizontal::<T, u16>(weights, src, dst),
        (Axis::Horizontal, false) => horizontal::<T, u32>(weights, src, dst),
        (Axis::Vertical, true) => vertical::<T, u16>(weights, src, dst),
        (Axis::Vertical, false) => vertical::<T, u32>(weights, src, dst),
    }
}

fn horizontal<T: Sample, S: Sample>(weights: BoxWeights, src: &Band<T>, dst: &mut Band<T>) {
    let channels = src.size.channels;
    let mut scratch = [vec![], vec![], vec![]];
    for y in dst.rows.clone() {
        let row = src.wide_row(y as isize, weights.radius + 1);
        dst.write_row(y, |result| match weights.radius {
            0..=ADDED_RADIUS => added::<T, S>(weights, channels, row, result),
            _ => doubled::<T, S>(weights, channels, row, &mut scratch, result),
        });
    }
}

/// A row of means, each box added up anew.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn added<T: Sample, S: Sample>(weights: BoxWeights, channels: usize, row: &[T], result: &mut [T]) {
    let length = 2 * weights.radius as usize + 1;
    let result = result.as_chunks_mut::<BLOCK>().0;
    let taps: Vec<_> = (0..length + 2).map(|index| blocks(row, index * channels, result.len())).collect();
    let [before, inside @ .., after] = taps.as_slice() else { return };
    for (block, result) in result.iter_mut().enumerate() {
        let mut sums = [S::default(); BLOCK];
        for tap in inside {
            for (sum, sample) in sums.iter_mut().zip(&tap[block]) {
                *sum = S::new(sum.value() + sample.value());
            }
        }
        let (before, after) = (&before[block], &after[block]);
        *result = std::array::from_fn(|x| weights.mean(sums[x].value(), before[x].value() + after[x].value()));
    }
}

/// A row of means over boxes of any length, put together from sums of 1, 2, 4, ... samples.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn doubled<T: Sample, S: Sample>(
    weights: BoxWeights,
    channels: usize,
    row: &[T],
    [runs, longer, sums]: &mut [Vec<S>; 3],
    result: &mut [T],
) {
    let (length, width) = (2 * weights.radius as usize + 1, result.len());
    let inside = &row[channels..][..width + (length - 1) * channels];
    runs.clear();
    runs.extend(inside.iter().map(|sample| S::new(sample.value())));
    longer.resize(runs.len(), S::default());
    sums.clear();
    sums.resize(width, S::default());

    let (mut run, mut covered) = (1, 0);
    while covered < length {
        if length & run != 0 {
            add(&runs[covered * channels..], sums);
            covered += run;
        }
        for ((longer, &first), &second) in longer.iter_mut().zip(&*runs).zip(&runs[(run * channels).min(runs.len())..])
        {
            *longer = S::new(first.value() + second.value());
        }
        std::mem::swap(runs, longer);
        run *= 2;
    }
    let ends = row.iter().zip(&row[(length + 1) * channels..]);
    for ((result, sum), (before, after)) in result.iter_mut().zip(&*sums).zip(ends) {
        *result = weights.mean(sum.value(), before.value() + after.value());
    }
}

fn vertical<T: Sample, S: Sample>(weights: BoxWeights, src: &Band<T>, dst: &mut Band<T>) {
    let radius = weights.radius as isize;
    let width = dst.size.width.next_multiple_of(BLOCK);
    for begin in (0..width).step_by(COLUMNS) {
        let columns = begin..width.min(begin + COLUMNS);
        let row_at = |y: isize| &src.wide_row(y, 0)[columns.clone()];
        let first = dst.rows.start as isize;
        let mut sums = vec![S::default(); columns.len()];
        for y in first - radius..=first + radius {
            add(row_at(y), &mut sums);
        }
        for y in dst.rows.clone() {
            let centre = y as isize;
            let rows = [centre - radius - 1, centre + radius + 1, centre - radius].map(row_at);
            move_down(weights, rows, &mut sums, &mut dst.row_mut(y)[columns.clone()]);
        }
    }
    dst.write_sides();
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add<T: Sample, S: Sample>(samples: &[T], sums: &mut [S]) {
    for (sum, sample) in sums.iter_mut().zip(samples) {
        *sum = S::new(sum.value() + sample.value());
    }
}

/// One row of means; the sums move on by a row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn move_down<T: Sample, S: Sample>(
    weights: BoxWeights,
    [before, after, leaving]: [&[T]; 3],
    sums: &mut [S],
    result: &mut [T],
) {
    for ((((result, sum), before), after), leaving) in result.iter_mut().zip(sums).zip(before).zip(after).zip(leaving) {
        *result = weights.mean(sum.value(), before.value() + after.value());
        *sum = S::new(sum.value() + after.value() - leaving.value());
    }
}

impl BoxWeights {
    /// In two halves, as sums of 16-bit samples would not fit.
    #[inline(always)]
    fn mean<T: Sample>(self, inside: u32, ends: u32) -> T {
        let weigh = |inside, ends| inside * self.inner + ends * self.edge;
        if size_of::<T>() == 1 {
            return T::new((weigh(inside, ends) + (1 << 23)) >> 24);
        }
        let low = weigh(inside & 255, ends & 255) + (1 << 23);
        T::new((weigh(inside >> 8, ends >> 8) + (low >> 8)) >> 16)
    }
}
