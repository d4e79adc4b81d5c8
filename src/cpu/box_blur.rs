//! The mean over a box of fractional radius, with the integer weights of Pillow's `BoxBlur.c`.

use multiversion::multiversion;

use super::box_mean::BoxMean;
use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Strip, blocks};
use crate::filters::{Axis, BoxWeights};
use crate::layout::Depth;

/// Up to this radius, adding up each box is faster than combining partial sums.
const MAX_RADIUS_TO_ADD: u32 = 12;

/// The samples of a row that are blurred at a time, so that their sums stay in the L1 cache.
const CHUNK: usize = 16 * BLOCK;

/// The columns whose running sums move down together: few enough to stay in the L1 cache.
const COLUMNS: usize = 32 * BLOCK;

/// A box blur prepared for samples of one depth.
pub(super) struct BoxBlur {
    axis: Axis,
    radius: u32,
    /// Whether the sum of a box fits in 16 bits.
    fits_16_bits: bool,
    mean: BoxMean,
}

impl BoxBlur {
    pub(super) fn new(axis: Axis, weights: BoxWeights, depth: Depth) -> Self {
        let radius = weights.radius;
        let fits_16_bits = (2 * radius + 1) * depth.max() <= u32::from(u16::MAX);
        Self { axis, radius, fits_16_bits, mean: BoxMean::new(weights, depth) }
    }

    pub(super) fn run<T: Sample>(&self, src: &Strip<T>, dst: &mut RowsMut<T>) {
        match (self.axis, self.fits_16_bits) {
            (Axis::Horizontal, true) => self.horizontal::<T, u16>(src, dst),
            (Axis::Horizontal, false) => self.horizontal::<T, u32>(src, dst),
            (Axis::Vertical, true) => self.vertical::<T, u16>(src, dst),
            (Axis::Vertical, false) => self.vertical::<T, u32>(src, dst),
        }
    }

    fn horizontal<T: Sample, S: Sample>(&self, src: &Strip<T>, dst: &mut RowsMut<T>) {
        let channels = src.layout().size.channels;
        let mut scratch = [vec![], vec![], vec![]];
        for y in dst.layout().rows.clone() {
            let row = src.wide_row(y as isize, self.radius + 1);
            dst.write(y, |result| match self.radius {
                0..=MAX_RADIUS_TO_ADD => blur_row_by_adding::<T, S>(self, channels, row, result),
                _ => blur_row_by_doubling::<T, S>(self, channels, row, &mut scratch, result),
            });
        }
    }

    fn vertical<T: Sample, S: Sample>(&self, src: &Strip<T>, dst: &mut RowsMut<T>) {
        let radius = self.radius as isize;
        let (width, rows) = (dst.layout().size.width.next_multiple_of(BLOCK), dst.layout().rows.clone());
        for begin in (0..width).step_by(COLUMNS) {
            let columns = begin..width.min(begin + COLUMNS);
            let row_at = |y: isize| &src.wide_row(y, 0)[columns.clone()];
            let first = rows.start as isize;
            let mut sums = vec![S::default(); columns.len()];
            for y in first - radius..=first + radius {
                add(row_at(y), &mut sums);
            }
            for y in rows.clone() {
                let center = y as isize;
                let rows = [center - radius - 1, center + radius + 1, center - radius].map(row_at);
                move_down(self, rows, &mut sums, &mut dst.row_mut(y)[columns.clone()]);
            }
        }
        dst.write_halo();
    }
}

/// Computes a row of means by adding up each box from scratch.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blur_row_by_adding<T: Sample, S: Sample>(blur: &BoxBlur, channels: usize, row: &[T], result: &mut [T]) {
    let length = 2 * blur.radius as usize + 1;
    let result = result.as_chunks_mut::<BLOCK>().0;
    let taps: Vec<_> = (0..length + 2).map(|index| blocks(row, index * channels, result.len())).collect();
    let [before, inside @ .., after] = taps.as_slice() else { return };
    for (block, result) in result.iter_mut().enumerate() {
        let mut sums = Sums([S::default(); BLOCK]);
        // Several at a time, so that sums are loaded and stored less often.
        let (groups, rest) = inside.as_chunks::<5>();
        if let [a, b, c] = rest {
            let [a, b, c] = [a, b, c].map(|tap| &tap[block]);
            for (x, sum) in sums.0.iter_mut().enumerate() {
                *sum = S::new(a[x].value() + b[x].value() + c[x].value());
            }
        } else {
            for tap in rest {
                for (sum, sample) in sums.0.iter_mut().zip(&tap[block]) {
                    *sum = S::new(sum.value() + sample.value());
                }
            }
        }
        for taps in groups {
            let [a, b, c, d, e] = taps.map(|tap| &tap[block]);
            for (x, sum) in sums.0.iter_mut().enumerate() {
                *sum = S::new(sum.value() + a[x].value() + b[x].value() + c[x].value() + d[x].value() + e[x].value());
            }
        }
        blur.mean.of_block(&sums.0, &before[block], &after[block], result);
    }
}

/// The sums of a block, aligned so that no register is stored across two cache lines.
#[repr(align(64))]
struct Sums<S>([S; BLOCK]);

/// Computes a row of means over boxes of any length by combining sums of 1, 2, 4, ... samples.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blur_row_by_doubling<T: Sample, S: Sample>(
    blur: &BoxBlur,
    channels: usize,
    row: &[T],
    [runs, longer, sums]: &mut [Vec<S>; 3],
    result: &mut [T],
) {
    let length = 2 * blur.radius as usize + 1;
    let chunk_length = (2 * length * channels).next_multiple_of(CHUNK);
    for (chunk, result) in result.chunks_mut(chunk_length).enumerate() {
        let row = &row[chunk * chunk_length..];
        let inside = &row[channels..][..result.len() + (length - 1) * channels];
        runs.clear();
        runs.extend(inside.iter().map(|sample| S::new(sample.value())));
        longer.resize(runs.len(), S::default());
        sums.clear();
        sums.resize(result.len(), S::default());

        let (mut run, mut covered) = (1, 0);
        while covered < length {
            if length & run != 0 {
                add(&runs[covered * channels..], sums);
                covered += run;
            }
            let shifted = &runs[(run * channels).min(runs.len())..];
            for ((longer, &first), &second) in longer.iter_mut().zip(&*runs).zip(shifted) {
                *longer = S::new(first.value() + second.value());
            }
            std::mem::swap(runs, longer);
            run *= 2;
        }
        let result = result.as_chunks_mut::<BLOCK>().0;
        let [before, after] = [0, (length + 1) * channels].map(|at| blocks(row, at, result.len()));
        let sums = blocks(sums, 0, result.len());
        for (((result, sums), before), after) in result.iter_mut().zip(sums).zip(before).zip(after) {
            blur.mean.of_block(sums, before, after, result);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add<T: Sample, S: Sample>(samples: &[T], sums: &mut [S]) {
    for (sum, sample) in sums.iter_mut().zip(samples) {
        *sum = S::new(sum.value() + sample.value());
    }
}

/// Computes one row of means and moves the sums down by a row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn move_down<T: Sample, S: Sample>(
    blur: &BoxBlur,
    [before, after, leaving]: [&[T]; 3],
    sums: &mut [S],
    result: &mut [T],
) {
    let [before, after, leaving] = [before, after, leaving].map(|row| row.as_chunks::<BLOCK>().0);
    let (sums, result) = (sums.as_chunks_mut::<BLOCK>().0, result.as_chunks_mut::<BLOCK>().0);
    for ((((result, sums), before), after), leaving) in result.iter_mut().zip(sums).zip(before).zip(after).zip(leaving)
    {
        blur.mean.of_block(sums, before, after, result);
        for ((sum, after), leaving) in sums.iter_mut().zip(after).zip(leaving) {
            *sum = S::new(sum.value() + after.value() - leaving.value());
        }
    }
}
