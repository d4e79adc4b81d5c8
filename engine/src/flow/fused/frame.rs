//! Frames, prepared as [`super::super::Frame::new`] does.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes `Planes` checks")]

use multiversion::multiversion;
use tch::Tensor;

use super::super::{Frame, MIN_SIDE};
use super::smooth;
use crate::Result;
use crate::color::luma;
use crate::planes::{Planes, Size, block_means, half, planes, planes_of};
use crate::size::size_of;

/// As [`Frame::new`], of a picture of 32-bit floats on the CPU.
pub(in super::super) fn frame(picture: &Tensor) -> Result<Frame> {
    let colors = Planes::of(picture, 3)?;
    let prepared = prepared(colors.size, colors.values());
    let tensor = |values: &[f32], size: Size| -> Result<Tensor> {
        Ok(Tensor::f_from_slice(values)?.f_view([1, -1, size.height as i64, size.width as i64])?)
    };
    Ok(Frame {
        size: size_of(picture)?,
        levels: prepared.levels.iter().map(|(size, level)| tensor(level, *size)).collect::<Result<_>>()?,
        brightness: tensor(&prepared.brightness, colors.size)?,
        smooth: tensor(&prepared.smooth, colors.size)?,
        samples: tensor(&prepared.samples, half(colors.size))?,
    })
}

/// The parts of a [`Frame`].
struct Prepared {
    levels: Vec<(Size, Vec<f32>)>,
    brightness: Vec<f32>,
    smooth: Vec<f32>,
    samples: Vec<f32>,
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn prepared(size: Size, colors: &[f32]) -> Prepared {
    let [r, g, b] = planes_of(colors, size.pixels());
    let brightness: Vec<f32> = r.iter().zip(g).zip(b).map(|((r, g), b)| luma([*r, *g, *b])).collect();
    let (mut level_size, mut level) = (half(size), block_means(size, &brightness, half(size)));
    let mut levels = vec![(level_size, with_gradient(level_size, &level))];
    while level_size.height.min(level_size.width) >= 2 * MIN_SIDE as usize {
        level = block_means(level_size, &level, half(level_size));
        level_size = half(level_size);
        levels.push((level_size, with_gradient(level_size, &level)));
    }
    let (smooth, samples) = (smooth(size, &brightness, 1), every_second(size, &brightness));
    Prepared { levels, brightness, smooth, samples }
}

/// A plane, and its central differences in x and in y.
#[inline(always)]
fn with_gradient(size: Size, plane: &[f32]) -> Vec<f32> {
    let mut result = plane.to_vec();
    for row in plane.chunks_exact(size.width) {
        let last = size.width - 1;
        result.extend((0..size.width).map(|x| 0.5 * (row[(x + 1).min(last)] - row[x.saturating_sub(1)])));
    }
    for y in 0..size.height {
        let [above, below] = rows_around(size, plane, y);
        result.extend(above.iter().zip(below).map(|(above, below)| 0.5 * (below - above)));
    }
    result
}

/// Every second pixel of a plane, and its change over two pixels in x and in y.
#[inline(always)]
fn every_second(size: Size, plane: &[f32]) -> Vec<f32> {
    let half = half(size);
    let mut result = vec![0.0; 3 * half.pixels()];
    let [own, across, down] = planes(&mut result, half.pixels());
    let last = size.width - 1;
    for y in 0..half.height {
        let row = &plane[2 * y * size.width..][..size.width];
        let [above, below] = rows_around(size, plane, 2 * y);
        for x in 0..half.width {
            let (at, from) = (y * half.width + x, 2 * x);
            own[at] = row[from];
            across[at] = row[(from + 1).min(last)] - row[from.saturating_sub(1)];
            down[at] = below[from] - above[from];
        }
    }
    result
}

/// The rows above and below row `y`; at the edges, that row itself.
#[inline(always)]
fn rows_around(size: Size, plane: &[f32], y: usize) -> [&[f32]; 2] {
    [y.saturating_sub(1), (y + 1).min(size.height - 1)].map(|y| &plane[y * size.width..][..size.width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_parts_are_those_of_libtorchs_operations() {
        for [height, width] in [[16, 16], [37, 51], [90, 121], [3, 1]] {
            let picture = Random(1).uniform(3 * height * width).unwrap().view([1, 3, height, width]);
            let (own, expected) = (frame(&picture).unwrap(), Frame::of_tensor(&picture).unwrap());
            assert_eq!(own.levels.len(), expected.levels.len());
            let parts = |frame: &Frame| {
                let others = [&frame.brightness, &frame.smooth, &frame.samples].map(Tensor::shallow_clone);
                frame.levels.iter().map(Tensor::shallow_clone).chain(others).collect::<Vec<_>>()
            };
            for (own, expected) in parts(&own).iter().zip(parts(&expected)) {
                assert_eq!(own.size(), expected.size());
                assert!(own.allclose(&expected, 1e-5, 1e-5, false), "{height} x {width}");
            }
        }
    }
}
