//! Means over windows.

use tch::Tensor;

use super::cache::{Cached, cached};
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
            let matrix = cached(Cached::Tent { length, octaves, kind: values.kind() }, values.device())?;
            mean = if dimension == 3 { mean.f_matmul(&matrix.f_transpose(0, 1)?)? } else { matrix.f_matmul(&mean)? };
        } else {
            let factor = cached(Cached::TentFactor { length, octaves, dimension }, values.device())?;
            mean = window_sum(&mean, dimension, octaves)?.f_mul(&factor)?;
        }
    }
    Ok(mean)
}

/// The sums over tent-shaped windows along a dimension. A tent is the convolution of two boxes; each box sum of length
/// `2^octaves` takes `octaves` additions of shifted sums.
pub(super) fn window_sum(values: &Tensor, dimension: i64, octaves: u32) -> Result<Tensor> {
    let reach = (1 << octaves) - 1;
    let sides = if dimension == 3 { [reach, reach, 0, 0] } else { [0, 0, reach, reach] };
    let mut sums = values.f_constant_pad_nd(sides)?;
    for octave in (0..octaves).chain(0..octaves) {
        let shift = 1 << octave;
        sums = sums.f_slice(dimension, 0, -shift, 1)?.f_add(&sums.f_slice(dimension, shift, None, 1)?)?;
    }
    Ok(sums)
}
