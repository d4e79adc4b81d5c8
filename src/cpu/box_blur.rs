//! The mean over a box of fractional radius, with the integer weights of Pillow's `BoxBlur.c`.

use multiversion::multiversion;

use super::division::Division;
use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Strip, blocks};
use crate::filters::{Axis, BoxWeights};
use crate::layout::Depth;

/// Up to this radius, adding up each box is faster than combining partial sums.
const MAX_RADIUS_TO_ADD: u32 = 12;

/// The columns whose running sums move down together: few enough to stay in the L1 cache.
const COLUMNS: usize = 32 * BLOCK;

/// A box blur prepared for samples of one depth.
pub(super) struct BoxBlur {
    axis: Axis,
    weights: BoxWeights,
    /// Whether the sum of a box fits in 16 bits.
    fits_16_bits: bool,
    /// The division of sums by the box's length, if the radius is an integer: the samples beyond the box then only have
    /// the tiny weight that rounding took from the others.
    division: Option<Division>,
}

impl BoxBlur {
    pub(super) fn new(axis: Axis, weights: BoxWeights, depth: Depth) -> Self {
        let (length, max) = (2 * weights.radius + 1, depth.max());
        let fits_16_bits = length * max <= u32::from(u16::MAX);
        // A quotient by an odd length is at least 1 / (2 * length) away from the next half, where rounding would
        // change. If the error of the rounded weights, in units of 2^-24, is smaller than that, a division gives the
        // same mean.
        let max_error = u64::from(max) * (2 * u64::from(weights.edge) + 1);
        let is_exact = depth == Depth::default() && max_error * 2 * u64::from(length) < 1 << 24;
        let division = if is_exact { Division::by(length) } else { None };
        Self { axis, weights, fits_16_bits, division }
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
            let row = src.wide_row(y as isize, self.weights.radius + 1);
            dst.write(y, |result| match self.weights.radius {
                0..=MAX_RADIUS_TO_ADD => blur_row_by_adding::<T, S>(self, channels, row, result),
                _ => blur_row_by_doubling::<T, S>(self, channels, row, &mut scratch, result),
            });
        }
    }

    fn vertical<T: Sample, S: Sample>(&self, src: &Strip<T>, dst: &mut RowsMut<T>) {
        let radius = self.weights.radius as isize;
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

    /// The means of a block, from the sums of the boxes and the samples before and after each box.
    #[inline(always)]
    fn means<T: Sample, S: Sample>(
        &self,
        sums: &[S; BLOCK],
        before: &[T; BLOCK],
        after: &[T; BLOCK],
        means: &mut [T; BLOCK],
    ) {
        if let Some(division) = self.division {
            let mut rounded = [0; BLOCK];
            for (rounded, sum) in rounded.iter_mut().zip(sums) {
                *rounded = (sum.value() + self.weights.radius) as u16;
            }
            division.divide(&mut rounded);
            for (mean, quotient) in means.iter_mut().zip(rounded) {
                *mean = T::new(quotient.into());
            }
        } else {
            for (((mean, sum), before), after) in means.iter_mut().zip(sums).zip(before).zip(after) {
                *mean = self.weights.mean(sum.value(), before.value() + after.value());
            }
        }
    }
}

/// Computes a row of means by adding up each box from scratch.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blur_row_by_adding<T: Sample, S: Sample>(blur: &BoxBlur, channels: usize, row: &[T], result: &mut [T]) {
    let length = 2 * blur.weights.radius as usize + 1;
    let result = result.as_chunks_mut::<BLOCK>().0;
    let taps: Vec<_> = (0..length + 2).map(|index| blocks(row, index * channels, result.len())).collect();
    let [before, inside @ .., after] = taps.as_slice() else { return };
    for (block, result) in result.iter_mut().enumerate() {
        blur.means(&sum_up::<T, S>(inside, block), &before[block], &after[block], result);
    }
}

/// The sums of a block.
#[inline(always)]
fn sum_up<T: Sample, S: Sample>(taps: &[&[[T; BLOCK]]], block: usize) -> [S; BLOCK] {
    let mut sums = [S::default(); BLOCK];
    // Five at a time, so that the sums stay in registers.
    let (groups, rest) = taps.as_chunks::<5>();
    for taps in groups {
        let [a, b, c, d, e] = taps.map(|tap| &tap[block]);
        for (x, sum) in sums.iter_mut().enumerate() {
            *sum = S::new(sum.value() + a[x].value() + b[x].value() + c[x].value() + d[x].value() + e[x].value());
        }
    }
    for tap in rest {
        for (sum, sample) in sums.iter_mut().zip(&tap[block]) {
            *sum = S::new(sum.value() + sample.value());
        }
    }
    sums
}

/// Computes a row of means over boxes of any length by combining sums of 1, 2, 4, ... samples.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blur_row_by_doubling<T: Sample, S: Sample>(
    blur: &BoxBlur,
    channels: usize,
    row: &[T],
    [runs, longer, sums]: &mut [Vec<S>; 3],
    result: &mut [T],
) {
    let (length, width) = (2 * blur.weights.radius as usize + 1, result.len());
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
    let result = result.as_chunks_mut::<BLOCK>().0;
    let [before, after] = [0, (length + 1) * channels].map(|at| blocks(row, at, result.len()));
    let sums = blocks(sums, 0, result.len());
    for (((result, sums), before), after) in result.iter_mut().zip(sums).zip(before).zip(after) {
        blur.means(sums, before, after, result);
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
        blur.means(sums, before, after, result);
        for ((sum, after), leaving) in sums.iter_mut().zip(after).zip(leaving) {
            *sum = S::new(sum.value() + after.value() - leaving.value());
        }
    }
}

impl BoxWeights {
    /// The weighted mean, rounded. For 16-bit samples it is computed in two halves, since products would overflow 32
    /// bits.
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
