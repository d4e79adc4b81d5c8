//! Dense motion: the work on a level of the pyramid, by libtorch's operations.

use tch::{Kind, Tensor};

use super::sampling::{Filter, inside, sample, targets, warp};
use super::smoothing::{smooth, sum_of_channels};
use crate::Result;
use crate::size::size_of;

/// The brightness gradient, per pixel, that noise causes. Equations with larger gradients have full weight.
pub(super) const NOISE_GRADIENT: f64 = 0.02;

/// The brightness difference that correct matches have. Equations with larger differences have little weight.
pub(super) const NOISE: f64 = 0.08;

/// The windows of a level's iterations; see [`smooth`].
pub(super) const WINDOWS: [u32; 2] = [3, 2];

/// The weight of the smoothness term, relative to an equation's maximum of 1, and its window.
pub(super) const SMOOTHNESS: f64 = 0.03;
pub(super) const SMOOTHNESS_WINDOW: u32 = 4;

/// The distance, in pixels, of the neighbors whose motion a pixel may take.
pub(super) const NEIGHBOR: i64 = 4;

/// The minimum decrease of the misfit, 0 to 1, for a neighbor's motion to be taken; and the window over which misfits
/// are averaged.
pub(super) const MIN_GAIN: f64 = 0.002;
pub(super) const FIT_WINDOW: u32 = 1;

/// Improves `motion`, `(N, 2, H, W)`, between two frames' levels, `(N, 3, H, W)`.
pub(super) fn refine(from: &Tensor, to: &Tensor, motion: &Tensor) -> Result<Tensor> {
    let mut motion = motion.shallow_clone();
    for window in WINDOWS {
        motion = median(&solve(from, to, &motion, window)?)?;
    }
    median(&propagate(from, to, &motion)?)
}

/// Improves `motion` by a least-squares solution of the equations in a window around each pixel.
fn solve(from: &Tensor, to: &Tensor, motion: &Tensor, window: u32) -> Result<Tensor> {
    let targets = targets(motion)?;
    let matched = sample(to, &targets, Filter::Bilinear)?;
    let change = matched.f_narrow(1, 0, 1)?.f_sub(&from.f_narrow(1, 0, 1)?)?;
    let gradient = matched.f_narrow(1, 1, 2)?.f_add(&from.f_narrow(1, 1, 2)?)?.f_mul_scalar(0.5)?;

    // The equation: gradient . new motion = gradient . motion - change.
    let steepness = sum_of_channels(&gradient.f_square()?)?.f_add_scalar(NOISE_GRADIENT.powi(2))?;
    let penalty = change.f_square()?.f_div_scalar(NOISE.powi(2))?.f_add_scalar(1)?;
    let weighted = gradient.f_mul(&inside(&targets)?)?.f_div(&steepness.f_mul(&penalty)?)?;
    let distance = sum_of_channels(&gradient.f_mul(motion)?)?.f_sub(&change)?;
    let mixed = weighted.f_narrow(1, 0, 1)?.f_mul(&gradient.f_narrow(1, 1, 1)?)?;
    let normal = smooth(&Tensor::f_cat(&[weighted.f_mul(&gradient)?, mixed, weighted.f_mul(&distance)?], 1)?, window)?;

    // The normal equations: [a b; b c] new motion = right.
    let diagonal = normal.f_narrow(1, 0, 2)?.f_add_scalar(SMOOTHNESS)?;
    let b = normal.f_narrow(1, 2, 1)?;
    let mean = smooth(motion, SMOOTHNESS_WINDOW)?;
    let right = normal.f_narrow(1, 3, 2)?.f_add(&mean.f_mul_scalar(SMOOTHNESS)?)?;
    let determinant = diagonal.f_prod_dim_int(1, true, Kind::Float)?.f_sub(&b.f_square()?)?;
    let solution = diagonal.f_flip([1])?.f_mul(&right)?.f_sub(&b.f_mul(&right.f_flip([1])?)?)?;
    Ok(solution.f_div(&determinant)?)
}

/// Replaces a pixel's motion by that of a neighbor if it fits better.
fn propagate(from: &Tensor, to: &Tensor, motion: &Tensor) -> Result<Tensor> {
    let (from, to) = (from.f_narrow(1, 0, 1)?, to.f_narrow(1, 0, 1)?);
    let misfit = |motion: &Tensor| smooth(&misfit(&warp(&to, motion, Filter::Bilinear)?.f_sub(&from)?)?, FIT_WINDOW);
    let [height, width] = size_of(motion)?;
    let around = pad(motion, [NEIGHBOR; 4])?;
    let mut best = motion.shallow_clone();
    let mut min = misfit(motion)?.f_sub_scalar(MIN_GAIN)?;
    for [y, x] in [[1, 0], [1, 2], [0, 1], [2, 1]] {
        let other = around.f_narrow(2, y * NEIGHBOR, height)?.f_narrow(3, x * NEIGHBOR, width)?;
        let others = misfit(&other)?;
        best = other.f_where_self(&others.f_lt_tensor(&min)?, &best)?;
        min = min.f_minimum(&others)?;
    }
    Ok(best)
}

/// The misfit, 0 to 1, of a match with these differences in brightness.
pub(super) fn misfit(change: &Tensor) -> Result<Tensor> {
    let square = change.f_square()?;
    Ok(square.f_div(&square.f_add_scalar(NOISE.powi(2))?)?)
}

/// Medians of 3 pixels along rows, then along columns.
fn median(values: &Tensor) -> Result<Tensor> {
    let mut values = values.shallow_clone();
    for (dimension, sides) in [(3, [1, 1, 0, 0]), (2, [0, 0, 1, 1])] {
        let padded = pad(&values, sides)?;
        let between = |from: i64, to: Option<i64>| padded.f_slice(dimension, from, to, 1);
        let (a, b, c) = (between(0, Some(-2))?, between(1, Some(-1))?, between(2, None)?);
        values = a.f_minimum(&b)?.f_maximum(&a.f_maximum(&b)?.f_minimum(&c)?)?;
    }
    Ok(values)
}

/// Pads with the edge values; `sides` are left, right, top, bottom.
pub(super) fn pad(values: &Tensor, sides: [i64; 4]) -> Result<Tensor> {
    Ok(values.f_replication_pad2d(sides)?)
}
