//! Motion on the CPU, in few passes over the pixels; see [`crate::planes`].
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes the callers check")]

mod bicubic;
mod dense;
mod enlarging;
mod frame;
mod parametric;

use std::mem::swap;
use std::ops::{Add, Mul};

pub(super) use self::bicubic::warp_bicubic;
pub(super) use self::dense::refine;
pub(super) use self::enlarging::enlarge;
pub(super) use self::frame::frame;
pub(super) use self::parametric::simplify;
use super::dense::NOISE;
use crate::planes::{Size, square};

/// As [`misfit`](super::dense::misfit).
#[inline(always)]
fn misfit(change: f32) -> f32 {
    change * change / (change * change + square(NOISE))
}

/// f32 or f64.
trait Value: Copy + Default + From<f32> + Add<Output = Self> + Mul<Output = Self> {}
impl Value for f32 {}
impl Value for f64 {}

/// As [`smooth`](super::smoothing::smooth): a tent is the convolution of two boxes, and each box sum of length `2^octaves` takes
/// `octaves` additions of shifted sums.
#[inline(always)]
fn smooth<T: Value>(size: Size, values: &[T], octaves: u32) -> Vec<T> {
    let reach = (1 << octaves) - 1;
    let (across, down) = (factors(size.width, octaves), factors(size.height, octaves));
    let mut result = Vec::with_capacity(values.len());
    let (mut rows, mut columns, mut spare) = (Vec::new(), Vec::new(), Vec::new());
    for plane in values.chunks_exact(size.pixels()) {
        // Zeros around each row, and above and below all.
        rows.clear();
        for row in plane.chunks_exact(size.width) {
            padded_into(&mut rows, row, reach);
        }
        window_sums(&mut rows, &mut spare, 1, octaves);
        columns.clear();
        columns.resize(reach * size.width, T::default());
        for sums in rows.chunks(size.width + 2 * reach) {
            columns.extend(sums.iter().zip(&across).map(|(sum, factor)| *sum * *factor));
        }
        columns.resize((size.height + 2 * reach) * size.width, T::default());
        window_sums(&mut columns, &mut spare, size.width, octaves);
        for (row, factor) in columns.chunks_exact(size.width).zip(&down) {
            result.extend(row.iter().map(|sum| *sum * *factor));
        }
    }
    result
}

/// The factors that turn sums along a side into means.
#[inline(always)]
fn factors<T: Value>(length: usize, octaves: u32) -> Vec<T> {
    let mut sums = Vec::new();
    padded_into(&mut sums, &vec![1.0f32; length], (1 << octaves) - 1);
    window_sums(&mut sums, &mut Vec::new(), 1, octaves);
    sums.iter().map(|sum| (1.0 / sum).into()).collect()
}

/// Appends `row`, with `reach` zeros on both sides.
#[inline(always)]
fn padded_into<T: Value>(padded: &mut Vec<T>, row: &[T], reach: usize) {
    padded.resize(padded.len() + reach, T::default());
    padded.extend_from_slice(row);
    padded.resize(padded.len() + reach, T::default());
}

/// Replaces values by the sums over tents of those that lie `step` apart: a sum takes the place of its first value.
#[inline(always)]
fn window_sums<T: Value>(values: &mut Vec<T>, spare: &mut Vec<T>, step: usize, octaves: u32) {
    for octave in (0..octaves).chain(0..octaves) {
        spare.clear();
        spare.extend(values.iter().zip(&values[step << octave..]).map(|(first, second)| *first + *second));
        swap(values, spare);
    }
}
