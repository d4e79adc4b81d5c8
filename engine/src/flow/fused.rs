//! Dense motion on the CPU: what [`super::dense`] computes, in few passes over the pixels. On a small frame, libtorch's
//! hundreds of operations take several times as long as their arithmetic.
//!
//! Values are planes of f32, one after the other, each row by row.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes `refine` checks")]

use tch::{TchError, Tensor};

use super::dense::{FIT_WINDOW, MIN_GAIN, NEIGHBOR, NOISE, NOISE_GRADIENT, SMOOTHNESS, SMOOTHNESS_WINDOW, WINDOWS};
use crate::Result;
use crate::frame::floats;
use crate::size::size_of;

/// As [`super::dense::refine`], for one pair of frames.
pub(super) fn refine(from: &Tensor, to: &Tensor, motion: &Tensor) -> Result<Tensor> {
    let [height, width] = size_of(from)?;
    let size = Size { height: height as usize, width: width as usize };
    let [from, to, start] = [from, to, motion].map(|tensor| tensor.f_contiguous());
    let (from, to, start) = (from?, to?, start?);
    let (from, to) = (floats(&from), floats(&to));
    let mut motion = floats(&start).to_vec();
    let pixels = size.pixels();
    if pixels == 0 || [from.len(), to.len(), motion.len()] != [3 * pixels, 3 * pixels, 2 * pixels] {
        return Err(TchError::Shape("the levels of two frames have different sizes".into()).into());
    }
    for window in WINDOWS {
        motion = median(size, solve(size, from, to, &motion, window));
    }
    let motion = median(size, propagate(size, &from[..pixels], &to[..pixels], motion));
    Ok(Tensor::f_from_slice(&motion)?.f_view([1, 2, height, width])?)
}

/// The size of a plane.
#[derive(Clone, Copy)]
struct Size {
    height: usize,
    width: usize,
}

impl Size {
    fn pixels(self) -> usize {
        self.height * self.width
    }

    /// `planes` at the position `x`, `y`, bilinearly interpolated and mirrored at the edges.
    #[inline]
    fn sample<const PLANES: usize>(self, planes: &[f32], x: f32, y: f32) -> [f32; PLANES] {
        let ([left, right], along) = neighbors(x, self.width);
        let ([top, bottom], down) = neighbors(y, self.height);
        let (top, bottom) = (top * self.width, bottom * self.width);
        std::array::from_fn(|index| {
            let plane = &planes[index * self.pixels()..];
            let above = plane[top + left] * (1.0 - along) + plane[top + right] * along;
            let below = plane[bottom + left] * (1.0 - along) + plane[bottom + right] * along;
            above * (1.0 - down) + below * down
        })
    }
}

/// The pixels before and behind a position along a side of this length, and the second one's weight.
#[inline]
fn neighbors(position: f32, length: usize) -> ([usize; 2], f32) {
    let last = (length - 1) as f32;
    let inside = if (0.0..=last).contains(&position) { position } else { mirrored(position, length as f32) };
    let first = (inside as usize).min(length - 1);
    ([first, (first + 1).min(length - 1)], inside - first as f32)
}

/// A position, mirrored at the outer edges of the first and the last pixel.
fn mirrored(position: f32, length: f32) -> f32 {
    let distance = (position + 0.5).rem_euclid(2.0 * length);
    (distance.min(2.0 * length - distance) - 0.5).clamp(0.0, length - 1.0)
}

/// As [`super::dense`]'s.
fn solve(size: Size, from: &[f32], to: &[f32], motion: &[f32], window: u32) -> Vec<f32> {
    let pixels = size.pixels();
    let (edge, last) = (-0.5, [size.width as f32 - 0.5, size.height as f32 - 0.5]);
    let mut normal = vec![0.0; 5 * pixels];
    for y in 0..size.height {
        for x in 0..size.width {
            let at = y * size.width + x;
            let [u, v] = [motion[at], motion[pixels + at]];
            let target = [x as f32 + u, y as f32 + v];
            if !(edge..=last[0]).contains(&target[0]) || !(edge..=last[1]).contains(&target[1]) {
                continue;
            }
            let matched: [f32; 3] = size.sample(to, target[0], target[1]);
            let change = matched[0] - from[at];
            let gx = 0.5 * (matched[1] + from[pixels + at]);
            let gy = 0.5 * (matched[2] + from[2 * pixels + at]);
            let steepness = gx * gx + gy * gy + square(NOISE_GRADIENT);
            let penalty = change * change / square(NOISE) + 1.0;
            let weight = 1.0 / (steepness * penalty);
            let distance = gx * u + gy * v - change;
            for (plane, value) in [gx * gx, gy * gy, gx * gy, gx * distance, gy * distance].into_iter().enumerate() {
                normal[plane * pixels + at] = weight * value;
            }
        }
    }
    let normal = smooth(size, &normal, window);
    let mut mean = smooth(size, motion, SMOOTHNESS_WINDOW);
    let smoothness = SMOOTHNESS as f32;
    let (mean_x, mean_y) = mean.split_at_mut(pixels);
    for (at, (u, v)) in mean_x.iter_mut().zip(mean_y).enumerate() {
        let (a, c, b) = (normal[at] + smoothness, normal[pixels + at] + smoothness, normal[2 * pixels + at]);
        let right = [normal[3 * pixels + at] + smoothness * *u, normal[4 * pixels + at] + smoothness * *v];
        let determinant = a * c - b * b;
        (*u, *v) = ((c * right[0] - b * right[1]) / determinant, (a * right[1] - b * right[0]) / determinant);
    }
    mean
}

/// As [`super::dense`]'s; `from` and `to` are brightness alone.
fn propagate(size: Size, from: &[f32], to: &[f32], motion: Vec<f32>) -> Vec<f32> {
    let pixels = size.pixels();
    // The pixel whose motion is tried at x, y.
    let near = |x: usize, y: usize, [right, down]: [isize; 2]| {
        let x = x.saturating_add_signed(right).min(size.width - 1);
        let y = y.saturating_add_signed(down).min(size.height - 1);
        y * size.width + x
    };
    let misfits = |shift: [isize; 2]| {
        let mut misfits = Vec::with_capacity(pixels);
        for y in 0..size.height {
            for x in 0..size.width {
                let other = near(x, y, shift);
                let [matched] = size.sample(to, x as f32 + motion[other], y as f32 + motion[pixels + other]);
                let change = square(f64::from(matched - from[y * size.width + x]));
                misfits.push(change / (change + square(NOISE)));
            }
        }
        smooth(size, &misfits, FIT_WINDOW)
    };
    let mut best: Vec<usize> = (0..pixels).collect();
    let mut min = misfits([0, 0]);
    min.iter_mut().for_each(|misfit| *misfit -= MIN_GAIN as f32);
    let distance = NEIGHBOR as isize;
    for shift in [[-distance, 0], [distance, 0], [0, -distance], [0, distance]] {
        for (at, misfit) in misfits(shift).into_iter().enumerate() {
            if misfit < min[at] {
                (min[at], best[at]) = (misfit, near(at % size.width, at / size.width, shift));
            }
        }
    }
    let [x, y] = [0, pixels].map(|plane| best.iter().map(move |at| plane + at));
    x.chain(y).map(|at| motion[at]).collect()
}

fn square(value: f64) -> f32 {
    (value * value) as f32
}

/// As [`super::dense`]'s.
fn median(size: Size, values: Vec<f32>) -> Vec<f32> {
    let median = |a: f32, b: f32, c: f32| a.min(b).max(a.max(b).min(c));
    let along = |row: &[f32], medians: &mut [f32]| {
        for (x, result) in medians.iter_mut().enumerate() {
            *result = median(row[x.saturating_sub(1)], row[x], row[(x + 1).min(row.len() - 1)]);
        }
    };
    let mut of_rows = vec![0.0; values.len()];
    for (row, medians) in values.chunks_exact(size.width).zip(of_rows.chunks_exact_mut(size.width)) {
        along(row, medians);
    }
    let mut result = values;
    for (plane, result) in of_rows.chunks_exact(size.pixels()).zip(result.chunks_exact_mut(size.pixels())) {
        for (y, result) in result.chunks_exact_mut(size.width).enumerate() {
            let row = |y: usize| &plane[y * size.width..][..size.width];
            let rows = row(y.saturating_sub(1)).iter().zip(row(y)).zip(row((y + 1).min(size.height - 1)));
            for (result, ((&above, &own), &below)) in result.iter_mut().zip(rows) {
                *result = median(above, own, below);
            }
        }
    }
    result
}

/// As [`super::smoothing::smooth`]: a tent is the convolution of two boxes, and each box sum of length `2^octaves` takes
/// `octaves` additions of shifted sums.
fn smooth(size: Size, values: &[f32], octaves: u32) -> Vec<f32> {
    let reach = (1 << octaves) - 1;
    let (across, down) = (factors(size.width, octaves), factors(size.height, octaves));
    let mut result = Vec::with_capacity(values.len());
    let mut row_sums = Vec::new();
    // A plane's rows, with `reach` rows of zeros above and below.
    let mut sums = Vec::new();
    for plane in values.chunks_exact(size.pixels()) {
        sums.clear();
        sums.resize(reach * size.width, 0.0);
        for row in plane.chunks_exact(size.width) {
            padded_into(&mut row_sums, row, reach);
            window_sums(&mut row_sums, 1, octaves);
            sums.extend(row_sums.iter().zip(&across).map(|(sum, factor)| sum * factor));
        }
        sums.resize((size.height + 2 * reach) * size.width, 0.0);
        window_sums(&mut sums, size.width, octaves);
        for (row, factor) in sums.chunks_exact(size.width).zip(&down) {
            result.extend(row.iter().map(|sum| sum * factor));
        }
    }
    result
}

/// The factors that turn sums along a side into means.
fn factors(length: usize, octaves: u32) -> Vec<f32> {
    let mut sums = Vec::new();
    padded_into(&mut sums, &vec![1.0; length], (1 << octaves) - 1);
    window_sums(&mut sums, 1, octaves);
    sums[..length].iter().map(|sum| 1.0 / sum).collect()
}

/// `row`, with `reach` zeros on both sides.
fn padded_into(padded: &mut Vec<f32>, row: &[f32], reach: usize) {
    padded.clear();
    padded.resize(reach, 0.0);
    padded.extend_from_slice(row);
    padded.resize(row.len() + 2 * reach, 0.0);
}

/// The sums over tents of values that lie `step` apart, which begin `2^octaves - 1` of them further to the front.
fn window_sums(values: &mut [f32], step: usize, octaves: u32) {
    let mut length = values.len();
    for octave in (0..octaves).chain(0..octaves) {
        let shift = step << octave;
        length -= shift;
        for at in 0..length {
            values[at] += values[at + shift];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::dense;
    use crate::random::Random;
    use tch::Kind;

    #[test]
    fn the_motion_is_that_of_libtorchs_operations() {
        for [height, width] in [[8, 8], [9, 31], [67, 120]] {
            let smooth = |seed, channels: i64| {
                let noise = Random(seed).uniform(channels * 20).unwrap().view([1, channels, 4, 5]);
                noise.f_upsample_bilinear2d([height, width], false, None, None).unwrap()
            };
            let level = |seed| Tensor::cat(&[smooth(seed, 1), smooth(seed + 1, 2) * 0.1 - 0.05], 1);
            let (from, to, start) = (level(1), level(3), smooth(5, 2) * 20 - 10);
            let expected = dense::refine(&from, &to, &start).unwrap();
            let error = (refine(&from, &to, &start).unwrap() - &expected).abs();
            assert!(expected.abs().max().double_value(&[]) > 1.0);
            // A pixel's best neighbor may be another one where two fit equally well.
            let differing = error.gt(1e-3).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
            assert!(differing < 1e-3, "{height} x {width}: {differing} of the pixels, {}", error.max());
        }
    }
}
