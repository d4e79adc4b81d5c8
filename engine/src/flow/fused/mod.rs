//! Motion on the CPU, in few passes over the pixels. On a small frame, libtorch's hundreds of operations take several times
//! as long as their arithmetic.
//!
//! Values are planes of f32, one after the other, each row by row. Functions are inlined into those that have a version for
//! each instruction set.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes the callers check")]

mod dense;
mod parametric;

use std::mem::swap;
use std::ops::{Add, Mul};

use tch::Tensor;

pub(super) use self::dense::refine;
pub(super) use self::parametric::simplify;
use super::dense::NOISE;
use crate::Result;
use crate::size::size_of;

/// The size of a plane.
#[derive(Clone, Copy)]
struct Size {
    height: usize,
    width: usize,
}

impl Size {
    /// A picture's, `(N, C, H, W)`.
    fn of(picture: &Tensor) -> Result<Self> {
        let [height, width] = size_of(picture)?;
        Ok(Self { height: height as usize, width: width as usize })
    }

    fn pixels(self) -> usize {
        self.height * self.width
    }

    /// `planes` at the position `x`, `y`, bilinearly interpolated and mirrored at the edges.
    #[inline(always)]
    fn sample<const PLANES: usize>(self, planes: &[f32], x: f32, y: f32) -> [f32; PLANES] {
        let ([left, right], along) = neighbors(x, self.width);
        let ([top, bottom], down) = neighbors(y, self.height);
        let (top, bottom) = (top * self.width, bottom * self.width);
        let mut sample = [0.0; PLANES];
        for (value, plane) in sample.iter_mut().zip(planes.chunks_exact(self.pixels())) {
            let above = plane[top + left] * (1.0 - along) + plane[top + right] * along;
            let below = plane[bottom + left] * (1.0 - along) + plane[bottom + right] * along;
            *value = above * (1.0 - down) + below * down;
        }
        sample
    }
}

/// The pixels before and behind a position along a side of this length, and the second one's weight.
#[inline(always)]
fn neighbors(position: f32, length: usize) -> ([usize; 2], f32) {
    let last = (length - 1) as f32;
    let inside = if (0.0..=last).contains(&position) { position } else { mirrored(position, length as f32) };
    // Not `as usize`, which takes more instructions.
    let first = (inside as i32 as usize).min(length - 1);
    ([first, (first + 1).min(length - 1)], inside - first as f32)
}

/// A position, mirrored at the outer edges of the first and the last pixel.
fn mirrored(position: f32, length: f32) -> f32 {
    let distance = (position + 0.5).rem_euclid(2.0 * length);
    (distance.min(2.0 * length - distance) - 0.5).clamp(0.0, length - 1.0)
}

/// As [`misfit`](super::dense::misfit).
#[inline(always)]
fn misfit(change: f32) -> f32 {
    change * change / (change * change + square(NOISE))
}

/// The planes of `pixels` values each.
#[inline(always)]
fn planes_of<const PLANES: usize>(values: &[f32], pixels: usize) -> [&[f32]; PLANES] {
    std::array::from_fn(|plane| &values[plane * pixels..][..pixels])
}

/// As [`planes_of`], to write to.
#[inline(always)]
fn planes<const PLANES: usize>(values: &mut [f32], pixels: usize) -> [&mut [f32]; PLANES] {
    let mut planes = values.chunks_exact_mut(pixels);
    std::array::from_fn(|_| planes.next().unwrap_or_default())
}

#[inline(always)]
fn square(value: f64) -> f32 {
    (value * value) as f32
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
