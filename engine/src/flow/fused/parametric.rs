//! Parametric motion: what [`super::super::parametric`] computes.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes `simplify` checks")]

use multiversion::multiversion;
use tch::{TchError, Tensor};

use super::super::dense::NOISE;
use super::super::parametric::{
    AFFINE_ROUNDS, AFFINE_WINDOW, BLOCK, BLOCK_PRIOR, CAMERA_ROUNDS, DENSE_FIT_WINDOW, LOCAL_FIT_WINDOW,
    MIN_CAMERA_FRACTION, MIN_CAMERA_GAIN, MIN_DENSE_GAIN, MIN_LOCAL_GAIN, SAME_AS_CAMERA, SAME_OBJECT,
    SAMPLE_NOISE_GRADIENT, Samples, TRANSLATION_PRIOR,
};
use super::{misfit, smooth};
use crate::Result;
use crate::frame::floats;
use crate::planes::{Size, block_means, planes, planes_of, square};

/// As [`Samples::simplify`], for one pair of frames.
pub(in super::super) fn simplify(samples: &Samples, dense: &Tensor) -> Result<Tensor> {
    let tensors = [&samples.from, &samples.smooth_from, &samples.to, &samples.smooth_to, dense];
    let [from, smooth_from, to, smooth_to, motion] = tensors.map(|tensor| tensor.f_contiguous());
    let (from, smooth_from, to, smooth_to, motion) = (from?, smooth_from?, to?, smooth_to?, motion?);
    let pair = Pair {
        size: Size::of(dense)?,
        from: floats(&from),
        smooth_from: floats(&smooth_from),
        full: Size::of(&to)?,
        to: floats(&to),
        smooth_to: floats(&smooth_to),
    };
    let (half, full) = (pair.size.pixels(), pair.full.pixels());
    let sizes = [pair.from.len(), pair.smooth_from.len(), pair.to.len(), pair.smooth_to.len(), dense.numel()];
    if half == 0 || sizes != [3 * half, half, full, full, 2 * half] {
        return Err(TchError::Shape("the samples of two frames have different sizes".into()).into());
    }
    Ok(Tensor::f_from_slice(&simplified(&pair, floats(&motion)))?.f_view_as(dense)?)
}

/// Two frames, as in [`Samples`].
struct Pair<'a> {
    /// The size of `from`, `smooth_from` and motion.
    size: Size,
    from: &'a [f32],
    smooth_from: &'a [f32],
    /// The size of `to` and `smooth_to`.
    full: Size,
    to: &'a [f32],
    smooth_to: &'a [f32],
}

/// The motion of each block by the equations [a b; b c] * motion = right.
#[derive(Clone, Copy)]
struct Equations {
    /// a, b and c.
    matrix: [f64; 3],
    right: [f64; 2],
    /// The mean of the motion at which the equations are linearized.
    mean: [f64; 2],
}

/// The number of values that are pooled for [`Equations`].
const POOLED: usize = 7;

/// The parameters of affine motion; see [`super::super::parametric::affine`].
type Affine = [f32; 6];

/// The parts of the normal equations of affine motion that differ: the matrix consists of a, b and c, each times a
/// symmetric product of the basis functions 1, x and y; then the right side.
const PARTS: usize = 3 * PRODUCTS.len() + 6;

/// The products of two basis functions.
const PRODUCTS: [[usize; 2]; 6] = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn simplified(pair: &Pair<'_>, dense: &[f32]) -> Vec<f32> {
    let size = pair.size;
    let block = BLOCK as usize;
    let blocks = Size { height: size.height.div_ceil(block), width: size.width.div_ceil(block) };
    let mut equations = pair.equations(dense, dense, blocks);
    for _ in 1..AFFINE_ROUNDS {
        equations = pair.equations(&affine(&fit_windows(&equations, blocks), blocks, size), dense, blocks);
    }
    let mut local = affine(&fit_windows(&equations, blocks), blocks, size);
    let mut camera = affine(&[fit_camera(&equations, blocks)], Size { height: 1, width: 1 }, size);

    let (mut of_local, mut of_camera) = (pair.misfits(&local), pair.misfits(&camera));
    let of_none = pair.misfits(&vec![0.0; camera.len()]);
    let gain = |worse: &[f32], better: &[f32], window: u32| {
        let gain: Vec<f32> = worse.iter().zip(better).map(|(worse, better)| worse - better).collect();
        smooth(size, &gain, window)
    };
    let gains = gain(&of_none, &of_camera, LOCAL_FIT_WINDOW);
    let moving = gains.iter().filter(|gain| **gain > MIN_CAMERA_GAIN as f32).count();
    // If the camera stands still, moving objects must not be mistaken for its motion.
    if moving as f64 <= MIN_CAMERA_FRACTION * size.pixels() as f64 {
        camera.fill(0.0);
        of_camera = of_none;
    }

    let is_local = gain(&of_camera, &of_local, LOCAL_FIT_WINDOW);
    replace(&mut of_local, &of_camera, &is_local, MIN_LOCAL_GAIN);
    replace(&mut local, &camera, &is_local, MIN_LOCAL_GAIN);
    let (simple, of_simple) = (local, of_local);
    let mut motion = dense.to_vec();
    let is_dense = gain(&of_simple, &pair.misfits(dense), DENSE_FIT_WINDOW);
    replace(&mut motion, &simple, &is_dense, MIN_DENSE_GAIN);
    motion
}

/// Replaces values, one or more planes, by others where the gain, one plane, is not above `min`.
#[inline(always)]
fn replace(values: &mut [f32], others: &[f32], gain: &[f32], min: f64) {
    let min = min as f32;
    for (values, others) in values.chunks_mut(gain.len()).zip(others.chunks(gain.len())) {
        for ((value, other), gain) in values.iter_mut().zip(others).zip(gain) {
            *value = if *gain > min { *value } else { *other };
        }
    }
}

impl Pair<'_> {
    /// The position in the other frame, at full resolution, of a pixel that moves by `u`, `v`.
    #[inline(always)]
    fn target(&self, [x, y]: [usize; 2], [u, v]: [f32; 2]) -> [f32; 2] {
        let scale = |full: usize, half: usize| full as f32 / half as f32;
        [
            (2 * x) as f32 + u * scale(self.full.width, self.size.width),
            (2 * y) as f32 + v * scale(self.full.height, self.size.height),
        ]
    }

    #[inline(always)]
    fn misfits(&self, motion: &[f32]) -> Vec<f32> {
        let mut misfits = Vec::with_capacity(self.size.pixels());
        for y in 0..self.size.height {
            for x in 0..self.size.width {
                let at = y * self.size.width + x;
                let [right, down] = self.target([x, y], [motion[at], motion[self.size.pixels() + at]]);
                let [matched] = self.full.sample(self.smooth_to, right, down);
                misfits.push(matched - self.smooth_from[at]);
            }
        }
        misfits.iter_mut().for_each(|value| *value = misfit(*value));
        misfits
    }

    /// The blocks' equations, linearized at `motion`. Pixels at which it differs from `reference` have less weight.
    #[inline(always)]
    fn equations(&self, motion: &[f32], reference: &[f32], blocks: Size) -> Vec<Equations> {
        let pixels = self.size.pixels();
        let end = [self.full.width as f32 - 0.5, self.full.height as f32 - 0.5];
        // Sampled first: the rest is computed for several pixels at once.
        let (mut changes, mut inside) = (vec![0.0; pixels], vec![0.0; pixels]);
        for y in 0..self.size.height {
            for x in 0..self.size.width {
                let at = y * self.size.width + x;
                let [right, down] = self.target([x, y], [motion[at], motion[pixels + at]]);
                if (-0.5..=end[0]).contains(&right) && (-0.5..=end[1]).contains(&down) {
                    let [matched] = self.full.sample(self.to, right, down);
                    (changes[at], inside[at]) = (matched - self.from[at], 1.0);
                }
            }
        }
        let mut values = vec![0.0; POOLED * pixels];
        let [a, b, c, right_x, right_y, mean_x, mean_y] = planes(&mut values, pixels);
        let ([_, x, y], [u, v]) = (planes_of(self.from, pixels), planes_of(motion, pixels));
        let [reference_u, reference_v] = planes_of(reference, pixels);
        for at in 0..pixels {
            let (change, gx, gy) = (changes[at], x[at], y[at]);
            let steepness = gx * gx + gy * gy + square(SAMPLE_NOISE_GRADIENT);
            let penalty = change * change / square(NOISE) + 1.0;
            let [apart_x, apart_y] = [u[at] - reference_u[at], v[at] - reference_v[at]];
            let agreement = (apart_x * apart_x + apart_y * apart_y) / square(SAME_OBJECT) + 1.0;
            let weight = inside[at] / (steepness * penalty * agreement);
            (a[at], b[at], c[at]) = (weight * gx * gx, weight * gx * gy, weight * gy * gy);
            (right_x[at], right_y[at]) = (weight * gx * change, weight * gy * change);
            (mean_x[at], mean_y[at]) = (u[at], v[at]);
        }
        let of_block = |[a, b, c, x, y, mean_x, mean_y]: [f64; POOLED]| {
            let (a, c) = (a + BLOCK_PRIOR, c + BLOCK_PRIOR);
            let right = [a * mean_x + b * mean_y - x, c * mean_y + b * mean_x - y];
            Equations { matrix: [a, b, c], right, mean: [mean_x, mean_y] }
        };
        let means: [_; POOLED] = planes_of(&values, pixels).map(|plane| block_means(self.size, plane, blocks));
        let block = |at: usize| of_block(std::array::from_fn(|plane| f64::from(means[plane][at])));
        (0..blocks.pixels()).map(block).collect()
    }
}

/// The parameters of affine motion in a window around each block.
#[inline(always)]
fn fit_windows(equations: &[Equations], blocks: Size) -> Vec<Affine> {
    let mut planes = vec![0.0; PARTS * equations.len()];
    for (at, parts) in normal_equations(equations, blocks).enumerate() {
        for (index, part) in parts.into_iter().enumerate() {
            planes[index * equations.len() + at] = part;
        }
    }
    let planes = smooth(blocks, &planes, AFFINE_WINDOW);
    let at = |at: usize| std::array::from_fn(|index| planes[index * equations.len() + at]);
    (0..equations.len()).map(|block| solve_affine(at(block))).collect()
}

/// The parameters of the affine motion that most blocks follow.
#[inline(always)]
fn fit_camera(equations: &[Equations], blocks: Size) -> Affine {
    let parts: Vec<_> = normal_equations(equations, blocks).collect();
    let mut weights = vec![1.0; equations.len()];
    let fit = |weights: &[f64]| {
        let mut sums = [0.0; PARTS];
        for (parts, weight) in parts.iter().zip(weights) {
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part * weight);
        }
        solve_affine(sums.map(|sum| sum / equations.len() as f64))
    };
    let mut camera = fit(&weights);
    for _ in 0..CAMERA_ROUNDS {
        let motion = affine(&[camera], Size { height: 1, width: 1 }, blocks);
        for (at, (weight, block)) in weights.iter_mut().zip(equations).enumerate() {
            let apart = [0, 1].map(|axis| f64::from(motion[axis * equations.len() + at]) - block.mean[axis]);
            *weight = 1.0 / ((apart[0].powi(2) + apart[1].powi(2)) / SAME_AS_CAMERA.powi(2) + 1.0);
        }
        camera = fit(&weights);
    }
    camera
}

/// Each block's contribution to the normal equations.
#[inline(always)]
fn normal_equations(equations: &[Equations], blocks: Size) -> impl Iterator<Item = [f64; PARTS]> {
    equations.iter().enumerate().map(move |(at, block)| {
        let center = |position: usize, length: usize| (2 * position + 1) as f64 / length as f64 - 1.0;
        let basis = [1.0, center(at % blocks.width, blocks.width), center(at / blocks.width, blocks.height)];
        let matrix = block.matrix.iter().flat_map(|value| PRODUCTS.map(|[p, q]| value * basis[p] * basis[q]));
        let right = block.right.iter().flat_map(|value| basis.map(|function| value * function));
        let mut parts = [0.0; PARTS];
        parts.iter_mut().zip(matrix.chain(right)).for_each(|(part, value)| *part = value);
        parts
    })
}

/// Solves sums of [`normal_equations`], by a Cholesky decomposition.
fn solve_affine(parts: [f64; PARTS]) -> Affine {
    let prior = [0.0, TRANSLATION_PRIOR, TRANSLATION_PRIOR];
    let product = |p: usize, q: usize| PRODUCTS.iter().position(|pair| *pair == [p.min(q), p.max(q)]).unwrap_or(0);
    // Rows and columns 0 to 2 belong to the x component, 3 to 5 to the y component.
    let element = |row: usize, column: usize| {
        let value = parts[(row / 3 + column / 3) * PRODUCTS.len() + product(row % 3, column % 3)];
        if row == column { value + prior[row % 3] } else { value }
    };
    let mut factor = [[0.0; 6]; 6];
    for row in 0..6 {
        for column in 0..=row {
            let known: f64 = (0..column).map(|at| factor[row][at] * factor[column][at]).sum();
            let left = element(row, column) - known;
            // The prior makes the matrix positive definite, but for rounding.
            factor[row][column] =
                if row == column { left.max(f64::MIN_POSITIVE).sqrt() } else { left / factor[column][column] };
        }
    }
    let mut solution: [f64; 6] = std::array::from_fn(|row| parts[3 * PRODUCTS.len() + row]);
    for row in 0..6 {
        let known: f64 = (0..row).map(|at| factor[row][at] * solution[at]).sum();
        solution[row] = (solution[row] - known) / factor[row][row];
    }
    for row in (0..6).rev() {
        let known: f64 = (row + 1..6).map(|at| factor[at][row] * solution[at]).sum();
        solution[row] = (solution[row] - known) / factor[row][row];
    }
    solution.map(|value| value as f32)
}

/// The affine motion of a plane with these parameters, which are interpolated between the blocks.
#[inline(always)]
fn affine(parameters: &[Affine], blocks: Size, size: Size) -> Vec<f32> {
    let center = |position: usize, length: usize| (2 * position + 1) as f32 / length as f32 - 1.0;
    // Between which blocks a pixel lies, and the second one's weight.
    let between = |position: usize, length: usize, blocks: usize| {
        let at = ((position as f32 + 0.5) * blocks as f32 / length as f32 - 0.5).max(0.0);
        let first = (at as usize).min(blocks - 1);
        (first, (first + 1).min(blocks - 1), at - first as f32)
    };
    let mix = |first: &Affine, second: &Affine, weight: f32| -> Affine {
        let mut mixed = *first;
        mixed.iter_mut().zip(second).for_each(|(value, other)| *value += (other - *value) * weight);
        mixed
    };
    let mut motion = vec![0.0; 2 * size.pixels()];
    let (motion_x, motion_y) = motion.split_at_mut(size.pixels());
    let rows = motion_x.chunks_exact_mut(size.width).zip(motion_y.chunks_exact_mut(size.width));
    for (y, (row_x, row_y)) in rows.enumerate() {
        let (above, below, down) = between(y, size.height, blocks.height);
        let [above, below] = [above, below].map(|row| &parameters[row * blocks.width..][..blocks.width]);
        let row: Vec<Affine> = above.iter().zip(below).map(|(above, below)| mix(above, below, down)).collect();
        let vertical = center(y, size.height);
        for (x, (u, v)) in row_x.iter_mut().zip(row_y).enumerate() {
            let (left, right, along) = between(x, size.width, blocks.width);
            let [x0, xx, xy, y0, yx, yy] = mix(&row[left], &row[right], along);
            let horizontal = center(x, size.width);
            (*u, *v) = (x0 + xx * horizontal + xy * vertical, y0 + yx * horizontal + yy * vertical);
        }
    }
    motion
}

#[cfg(test)]
mod tests {
    use super::super::super::Frame;
    use super::*;
    use crate::random::Random;
    use tch::Kind;

    #[test]
    fn the_motion_is_that_of_libtorchs_operations() {
        for [height, width] in [[16, 16], [50, 71], [135, 241]] {
            let smooth = |seed, channels: i64, [height, width]: [i64; 2]| {
                let noise = Random(seed).uniform(channels * 48).unwrap().view([1, channels, 6, 8]);
                noise.f_upsample_bilinear2d([height, width], false, None, None).unwrap()
            };
            let first = smooth(1, 3, [height, width]);
            // The first frame moved, with an object that moves otherwise.
            let mut second = first.roll([2, 1], [2, 3]);
            let object = first.narrow(2, 3, 6).narrow(3, 2, 8);
            second.narrow(2, 6, 6).narrow(3, 3, 8).copy_(&object);
            second += smooth(7, 3, [height, width]) * 0.01;
            let [first, second] = [first, second].map(|frame| Frame::new(&frame).unwrap());
            let samples = Samples::new(&first, &second).unwrap();
            let size = [(height + 1) / 2, (width + 1) / 2];
            let dense = smooth(3, 2, size) * 0.6 + 0.4;
            let expected = samples.simplify(&dense).unwrap();
            let error = (simplify(&samples, &dense).unwrap() - &expected).abs();
            assert!(expected.abs().max().double_value(&[]) > 0.5);
            // A pixel may have another motion where two fit equally well.
            let differing = error.gt(1e-3).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
            assert!(differing < 2e-3, "{height} x {width}: {differing} of the pixels, {}", error.max());
        }
    }
}
