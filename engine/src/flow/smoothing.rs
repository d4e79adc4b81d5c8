//! Means over windows, and sums over channels.

use tch::{Device, Kind, Tensor};

use super::cache::cached;
use crate::Result;
use crate::size::size_of;

/// Up to this length, one product with a matrix is faster than many sums of shifted values.
const MAX_LENGTH_FOR_MATRIX: i64 = 80;

/// The means over tent-shaped windows, whose weights fall linearly to 0 at a distance of `2^octaves` pixels.
pub(super) fn smooth(values: &Tensor, octaves: u32) -> Result<Tensor> {
    let mut mean = values.shallow_clone();
    let [height, width] = size_of(values)?;
    for (dimension, length) in [(3, width), (2, height)] {
        if length <= MAX_LENGTH_FOR_MATRIX {
            let matrix = tent(length, octaves, values.kind(), values.device())?;
            mean = if dimension == 3 { mean.f_matmul(&matrix.f_transpose(0, 1)?)? } else { matrix.f_matmul(&mean)? };
        } else {
            let factor = tent_factor(length, octaves, dimension, values.device())?;
            mean = window_sum(&mean, dimension, octaves)?.f_mul(&factor)?;
        }
    }
    Ok(mean)
}

/// The matrix of means over tent-shaped windows, `(length, length)`.
fn tent(length: i64, octaves: u32, kind: Kind, device: Device) -> Result<Tensor> {
    cached(("tent", [length, octaves.into(), 0], kind, device), || {
        let positions = Tensor::f_arange(length, (Kind::Float, device))?;
        let distances = positions.f_unsqueeze(1)?.f_sub(&positions)?.f_abs()?;
        let weights = distances.f_rsub_scalar(f64::from(1 << octaves))?.f_clamp_min(0.0)?;
        Ok(weights.f_div(&weights.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)?.f_to_kind(kind)?)
    })
}

/// The factor of each position that turns a [`window_sum`] into a mean.
fn tent_factor(length: i64, octaves: u32, dimension: i64, device: Device) -> Result<Tensor> {
    cached(("tent factor", [length, octaves.into(), dimension], Kind::Float, device), || {
        let shape = if dimension == 3 { [1, 1, 1, length] } else { [1, 1, length, 1] };
        Ok(window_sum(&Tensor::f_ones(shape, (Kind::Float, device))?, dimension, octaves)?.f_reciprocal()?)
    })
}

/// The sums over tent-shaped windows along a dimension. A tent is the convolution of two boxes; each box sum of length
/// `2^octaves` takes `octaves` additions of shifted sums.
fn window_sum(values: &Tensor, dimension: i64, octaves: u32) -> Result<Tensor> {
    let reach = (1 << octaves) - 1;
    let sides = if dimension == 3 { [reach, reach, 0, 0] } else { [0, 0, reach, reach] };
    let mut sums = values.f_constant_pad_nd(sides)?;
    for octave in (0..octaves).chain(0..octaves) {
        let shift = 1 << octave;
        sums = sums.f_slice(dimension, 0, -shift, 1)?.f_add(&sums.f_slice(dimension, shift, None, 1)?)?;
    }
    Ok(sums)
}

/// The sums over the channels, `(N, 1, H, W)`.
pub(super) fn sum_of_channels(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)
}
