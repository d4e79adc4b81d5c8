//! Dense motion: what [`super::super::dense`] computes.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes `refine` checks")]

use multiversion::multiversion;
use tch::{TchError, Tensor};

use super::super::dense::{
    FIT_WINDOW, MIN_GAIN, NEIGHBOR, NOISE, NOISE_GRADIENT, SMOOTHNESS, SMOOTHNESS_WINDOW, WINDOWS,
};
use super::{misfit, smooth};
use crate::Result;
use crate::frame::floats;
use crate::planes::{Size, planes, planes_of, square};

/// As [`refine`](super::super::dense::refine), for one pair of frames.
pub(in super::super) fn refine(from: &Tensor, to: &Tensor, motion: &Tensor) -> Result<Tensor> {
    let size = Size::of(from)?;
    let [from, to, start] = [from, to, motion].map(|tensor| tensor.f_contiguous());
    let (from, to, start) = (from?, to?, start?);
    let (from, to) = (floats(&from), floats(&to));
    let start = floats(&start);
    let pixels = size.pixels();
    if pixels == 0 || [from.len(), to.len(), start.len()] != [3 * pixels, 3 * pixels, 2 * pixels] {
        return Err(TchError::Shape("the levels of two frames have different sizes".into()).into());
    }
    Ok(Tensor::f_from_slice(&refined(size, from, to, start))?.f_view_as(motion)?)
}

/// Improves the motion `start`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn refined(size: Size, from: &[f32], to: &[f32], start: &[f32]) -> Vec<f32> {
    let mut motion = start.to_vec();
    for window in WINDOWS {
        motion = median(size, solve(size, from, to, &motion, window));
    }
    median(size, propagate(size, &from[..size.pixels()], &to[..size.pixels()], motion))
}

/// As [`super::super::dense`]'s.
#[inline(always)]
fn solve(size: Size, from: &[f32], to: &[f32], motion: &[f32], window: u32) -> Vec<f32> {
    let pixels = size.pixels();
    let (edge, last) = (-0.5, [size.width as f32 - 0.5, size.height as f32 - 0.5]);
    // Sampled first: the rest is computed for several pixels at once.
    let mut matched = vec![0.0; 3 * pixels];
    let mut inside = vec![0.0; pixels];
    for y in 0..size.height {
        for x in 0..size.width {
            let at = y * size.width + x;
            let target = [x as f32 + motion[at], y as f32 + motion[pixels + at]];
            if (edge..=last[0]).contains(&target[0]) && (edge..=last[1]).contains(&target[1]) {
                [matched[at], matched[pixels + at], matched[2 * pixels + at]] = size.sample(to, target[0], target[1]);
                inside[at] = 1.0;
            }
        }
    }
    let mut normal = vec![0.0; 5 * pixels];
    let [a, c, b, right_x, right_y] = planes(&mut normal, pixels);
    let ([brightness, x, y], [other, other_x, other_y]) = (planes_of(from, pixels), planes_of(&matched, pixels));
    let [u, v] = planes_of(motion, pixels);
    for at in 0..pixels {
        let change = other[at] - brightness[at];
        let (gx, gy) = (0.5 * (other_x[at] + x[at]), 0.5 * (other_y[at] + y[at]));
        let steepness = gx * gx + gy * gy + square(NOISE_GRADIENT);
        let penalty = change * change / square(NOISE) + 1.0;
        let weight = inside[at] / (steepness * penalty);
        let distance = gx * u[at] + gy * v[at] - change;
        (a[at], c[at], b[at]) = (weight * gx * gx, weight * gy * gy, weight * gx * gy);
        (right_x[at], right_y[at]) = (weight * gx * distance, weight * gy * distance);
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

/// As [`super::super::dense`]'s; `from` and `to` are brightness alone.
#[inline(always)]
fn propagate(size: Size, from: &[f32], to: &[f32], motion: Vec<f32>) -> Vec<f32> {
    let pixels = size.pixels();
    let mut best: Vec<usize> = (0..pixels).collect();
    let mut min = misfits(size, from, to, &motion, [0, 0]);
    min.iter_mut().for_each(|misfit| *misfit -= MIN_GAIN as f32);
    let distance = NEIGHBOR as isize;
    for shift in [[-distance, 0], [distance, 0], [0, -distance], [0, distance]] {
        for (at, misfit) in misfits(size, from, to, &motion, shift).into_iter().enumerate() {
            if misfit < min[at] {
                (min[at], best[at]) = (misfit, near(size, at % size.width, at / size.width, shift));
            }
        }
    }
    let [x, y] = [0, pixels].map(|plane| best.iter().map(move |at| plane + at));
    x.chain(y).map(|at| motion[at]).collect()
}

/// The misfits, averaged, of the motion of those pixels that lie further by `shift`.
#[inline(always)]
fn misfits(size: Size, from: &[f32], to: &[f32], motion: &[f32], shift: [isize; 2]) -> Vec<f32> {
    let mut misfits = Vec::with_capacity(size.pixels());
    for y in 0..size.height {
        for x in 0..size.width {
            let other = near(size, x, y, shift);
            let [matched] = size.sample(to, x as f32 + motion[other], y as f32 + motion[size.pixels() + other]);
            misfits.push(matched - from[y * size.width + x]);
        }
    }
    misfits.iter_mut().for_each(|value| *value = misfit(*value));
    smooth(size, &misfits, FIT_WINDOW)
}

/// The pixel that lies further than this one by `right` and `down`, within the frame.
#[inline(always)]
fn near(size: Size, x: usize, y: usize, [right, down]: [isize; 2]) -> usize {
    let x = x.saturating_add_signed(right).min(size.width - 1);
    let y = y.saturating_add_signed(down).min(size.height - 1);
    y * size.width + x
}

/// As [`super::super::dense`]'s.
#[inline(always)]
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
