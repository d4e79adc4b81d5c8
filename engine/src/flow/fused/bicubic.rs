//! Bicubic warping.
#![expect(clippy::indexing_slicing, reason = "positions are within planes, whose sizes `warp_bicubic` checks")]

use multiversion::multiversion;
use tch::Tensor;

use crate::Result;
use crate::frame::floats_mut;
use crate::parallel;
use crate::planes::{Planes, Size, bands, planes_of};

const TAPS: usize = 4;

/// The parameter of the cubic kernel, as libtorch has it (R. Keys, IEEE ASSP 1981).
const SHARPNESS: f32 = -0.75;

/// The taps' weights: a polynomial in the distance from the second tap, from the power of 0 on.
const WEIGHTS: [[f32; TAPS]; 4] = [
    [0.0, 1.0, 0.0, 0.0],
    [SHARPNESS, 0.0, -SHARPNESS, 0.0],
    [-2.0 * SHARPNESS, -SHARPNESS - 3.0, 2.0 * SHARPNESS + 3.0, SHARPNESS],
    [SHARPNESS, SHARPNESS + 2.0, -SHARPNESS - 2.0, -SHARPNESS],
];

/// As [`super::super::warp`] with [`super::super::Filter::Bicubic`], of a picture of 32-bit floats on the CPU: values,
/// `(1, C, H, W)`, and a flow, `(1, 2, H, W)`, which leads beyond the edges by less than a frame.
pub(in super::super) fn warp_bicubic(values: &Tensor, flow: &Tensor) -> Result<Tensor> {
    let (_, channels, ..) = values.size4()?;
    let values = Planes::of(values, channels)?;
    let size = values.size;
    let flow = Planes::sized(flow, 2, size)?;
    let flow = planes_of(flow.values(), size.pixels());
    let mut warped = values.empty_like()?;
    let rows = parallel::band(size.height, 1);
    // Three at a time: their weights are the same.
    let (from, to) = (values.values().chunks(3 * size.pixels()), floats_mut(&mut warped).chunks_mut(3 * size.pixels()));
    for (from, to) in from.zip(to) {
        if let [r, g, b] = from.chunks(size.pixels()).collect::<Vec<_>>()[..] {
            let bands = bands::<_, 3>(to, size, rows).enumerate();
            parallel::each(bands.collect(), &|(band, to)| warp_colors(size, [r, g, b], flow, band * rows, to));
        } else {
            for (from, to) in from.chunks(size.pixels()).zip(to.chunks_mut(size.pixels())) {
                let bands = bands::<_, 1>(to, size, rows).enumerate();
                parallel::each(bands.collect(), &|(band, to)| warp_plane(size, [from], flow, band * rows, to));
            }
        }
    }
    Ok(warped)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn warp_colors(size: Size, from: [&[f32]; 3], flow: [&[f32]; 2], row: usize, to: [&mut [f32]; 3]) {
    warp_rows(size, from, flow, row, to);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn warp_plane(size: Size, from: [&[f32]; 1], flow: [&[f32]; 2], row: usize, to: [&mut [f32]; 1]) {
    warp_rows(size, from, flow, row, to);
}

/// Warps planes into a band of rows, whose first is `row`.
#[inline(always)]
fn warp_rows<const PLANES: usize>(
    size: Size,
    from: [&[f32]; PLANES],
    [flow_x, flow_y]: [&[f32]; 2],
    row: usize,
    mut to: [&mut [f32]; PLANES],
) {
    for to_row in 0..to[0].len() / size.width {
        for x in 0..size.width {
            let y = row + to_row;
            let (at, to_at) = (y * size.width + x, to_row * size.width + x);
            let (across, left) = taps(x as f32 + flow_x[at], size.width);
            let (down, top) = taps(y as f32 + flow_y[at], size.height);
            let (right, bottom) = (left + TAPS as i32, top + TAPS as i32);
            if left >= 0 && top >= 0 && right <= size.width as i32 && bottom <= size.height as i32 {
                let begin = top as usize * size.width + left as usize;
                for (from, to) in from.iter().zip(&mut to) {
                    let around = &from[begin..][..(TAPS - 1) * size.width + TAPS];
                    let rows = std::array::from_fn(|tap| around[tap * size.width..].first_chunk().copied());
                    to[to_at] = weighted(rows.map(Option::unwrap_or_default), down, across);
                }
            } else {
                let columns: [usize; TAPS] = std::array::from_fn(|tap| mirrored(left + tap as i32, size.width));
                let rows: [usize; TAPS] = std::array::from_fn(|tap| mirrored(top + tap as i32, size.height));
                for (from, to) in from.iter().zip(&mut to) {
                    let rows = rows.map(|row| columns.map(|column| from[row * size.width + column]));
                    to[to_at] = weighted(rows, down, across);
                }
            }
        }
    }
}

/// The weighted sum of rows.
#[inline(always)]
fn weighted(rows: [[f32; TAPS]; TAPS], down: [f32; TAPS], across: [f32; TAPS]) -> f32 {
    let mut sums = [0.0; TAPS];
    for (row, weight) in rows.iter().zip(down) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
    }
    let [a, b, c, d] = std::array::from_fn(|tap| sums[tap] * across[tap]);
    (a + b) + (c + d)
}

/// The weights of the taps around a position, and the first tap's, which may lie beyond the ends of the side.
#[inline(always)]
fn taps(position: f32, length: usize) -> ([f32; TAPS], i32) {
    let last = (length - 1) as f32;
    // In this order, a position that is not a number becomes one within the plane.
    let position = position.max(-last).min(2.0 * last);
    let floor = position.floor();
    let distance = position - floor;
    let weights = std::array::from_fn(|tap| {
        let [constant, linear, square, cube] = WEIGHTS.map(|weights| weights[tap]);
        constant + distance * (linear + distance * (square + distance * cube))
    });
    (weights, floor as i32 - 1)
}

/// The position of a tap along a side, mirrored once at the ends.
#[inline(always)]
fn mirrored(tap: i32, length: usize) -> usize {
    let length = length as i32;
    let inside = if tap < 0 { -1 - tap } else { tap };
    let inside = if inside >= length { 2 * length - 1 - inside } else { inside };
    inside.clamp(0, length - 1) as usize
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::flow::Filter;
    use crate::flow::sampling::{sample, targets};
    use crate::random::Random;

    #[test]
    fn the_result_is_libtorchs() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size);
        for (channels, size) in [(5, [31, 40]), (3, [40, 50]), (1, [9, 4])] {
            let [height, width] = size;
            let values = noise(1, &[1, channels, height, width]);
            // Some pixels stand still, and some come from beyond the edges.
            let smooth = noise(2, &[1, 2, 3, 3]).upsample_bicubic2d(size, false, None, None) * 8 - 4;
            let still = noise(3, &[1, 1, height, width]).lt(0.2);
            let far = noise(4, &[1, 1, height, width]).gt(0.9).to_kind(Kind::Float) * 4 + 1;
            let flow = smooth.masked_fill(&still, 0.0) * if width > 4 { far } else { far.ones_like() };
            let expected = sample(&values, &targets(&flow).unwrap(), Filter::Bicubic).unwrap();
            let error = (warp_bicubic(&values, &flow).unwrap() - expected).abs().max().double_value(&[]);
            assert!(error < 1e-4, "{size:?}: {error}");
        }
    }

    #[test]
    fn no_flow_leads_out_of_memory() {
        let values = Tensor::ones([1, 2, 3, 1], (Kind::Float, Device::Cpu));
        for motion in [f64::NAN, f64::INFINITY, -1e30, 1e30, -7.5] {
            let flow = Tensor::full([1, 2, 3, 1], motion, (Kind::Float, Device::Cpu));
            assert!(warp_bicubic(&values, &flow).unwrap().allclose(&values, 1e-5, 0.0, true), "{motion}");
        }
        assert!(warp_bicubic(&values, &Tensor::zeros([1, 2, 1, 3], (Kind::Float, Device::Cpu))).is_err());
    }
}
