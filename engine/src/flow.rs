//! Dense optical flow: where everything in a frame has moved in another.
//!
//! Coarse to fine over a pyramid, each level iterates windowed least squares on the brightness constancy equation
//! (B. Lucas, T. Kanade, IJCAI 1981), where a pixel's equation is about its whole motion, not the change to it, so that
//! windows also fill in what has no texture. Equations are normalised (H. Zimmer, A. Bruhn, J. Weickert, IJCV 2011,
//! section 3.1) and count less the less they hold (M. Black, P. Anandan, CVIU 1996). Medians between the iterations
//! keep out outliers (D. Sun, S. Roth, M. Black, CVPR 2010). At the end of a level, pixels take over the motion of
//! neighbours where it fits better (C. Barnes et al., "PatchMatch", SIGGRAPH 2009, section 3.2): windows reach beyond
//! the edges of things, this brings the motion's edges back to them. The finest level has half the frame's resolution.

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::colour::grey;

/// The coarsest level's shorter side is at least this: windows would not fit into less.
const LEAST_SIDE: i64 = 8;

/// A gradient, per pixel, as noise has it: equations from larger ones count fully.
const NOISE_GRADIENT: f64 = 0.02;

/// A difference in brightness as right matches have it: equations with larger ones count little.
const NOISE: f64 = 0.08;

/// The windows of a level's iterations; see [`smooth`].
const WINDOWS: [u32; 3] = [3, 3, 2];

/// How much it counts that a pixel moves as what is around it, where an equation counts up to 1; and how far around.
const SMOOTHNESS: f64 = 0.03;
const SMOOTHNESS_WINDOW: u32 = 4;

/// How far away the neighbours are whose motion a pixel may take over.
const NEIGHBOUR: i64 = 4;

/// How much better that must fit, where the worst misfit is 1; and the window over which fits are compared.
const LEAST_GAIN: f64 = 0.002;
const FIT_WINDOW: u32 = 1;

/// What of a frame is needed to find motion from it or to it.
pub struct Frame {
    /// Height and width.
    size: [i64; 2],
    /// From half resolution to coarse, brightness and its gradient, `(1, 3, h, w)`.
    levels: Vec<Tensor>,
}

impl Frame {
    /// Of a picture, `(1, 3, H, W)` in 0..1.
    pub fn new(picture: &Tensor) -> Result<Self> {
        let mut brightness = halve(&grey(picture)?)?;
        let mut levels = vec![with_gradient(&brightness)?];
        while size_of(&brightness).into_iter().all(|side| side >= 2 * LEAST_SIDE) {
            brightness = halve(&brightness)?;
            levels.push(with_gradient(&brightness)?);
        }
        Ok(Self { size: size_of(picture), levels })
    }
}

/// The motion from a frame to another of the same size, and back, each `(1, 2, H, W)`, x then y, in pixels: what lies at
/// p in one lies at p + motion(p) in the other.
pub fn between(first: &Frame, second: &Frame) -> Result<[Tensor; 2]> {
    // Both directions are a batch.
    let mut motion = Tensor::f_zeros([2, 2, 1, 1], (Kind::Float, first.levels[0].device()))?;
    for (first, second) in first.levels.iter().zip(&second.levels).rev() {
        let (from, to) = (Tensor::f_cat(&[first, second], 0)?, Tensor::f_cat(&[second, first], 0)?);
        motion = enlarge(&motion, size_of(first))?;
        for window in WINDOWS {
            motion = median(&solve(&from, &to, &motion, window)?)?;
        }
        motion = median(&propagate(&from, &to, &motion)?)?;
    }
    let motion = enlarge(&motion, first.size)?;
    Ok([motion.f_narrow(0, 0, 1)?, motion.f_narrow(0, 1, 1)?])
}

/// How values between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter {
    /// From 4 pixels.
    Bilinear,
    /// From 16 pixels: sharper, and may overshoot.
    Bicubic,
}

/// `values`, `(N, C, H, W)`, as found at p + flow(p), with the flow `(N, 2, H, W)`; beyond the edge, the nearest.
pub fn warp(values: &Tensor, flow: &Tensor, filter: Filter) -> Result<Tensor> {
    sample(values, &targets(flow)?, filter)
}

/// `(1, 1, H, W)`: 1 where what moves `there` comes `back`, and stays inside the picture; else it is not seen in the other
/// frame (N. Sundaram, T. Brox, K. Keutzer, ECCV 2010, equation 5).
pub fn visible(there: &Tensor, back: &Tensor) -> Result<Tensor> {
    let targets = targets(there)?;
    let back = sample(back, &targets, Filter::Bilinear)?;
    let length = |motion: &Tensor| sum_of_channels(&motion.f_square()?);
    let tolerance = length(there)?.f_add(&length(&back)?)?.f_mul_scalar(0.01)?.f_add_scalar(0.5)?;
    let agree = length(&there.f_add(&back)?)?.f_lt_tensor(&tolerance)?;
    Ok(agree.f_to_kind(Kind::Float)?.f_mul(&inside(&targets)?)?)
}

/// Moves every pixel to where the equations in a window around it hold best.
fn solve(from: &Tensor, to: &Tensor, motion: &Tensor, window: u32) -> Result<Tensor> {
    let targets = targets(motion)?;
    let matched = sample(to, &targets, Filter::Bilinear)?;
    let change = matched.f_narrow(1, 0, 1)?.f_sub(&from.f_narrow(1, 0, 1)?)?;
    let gradient = matched.f_narrow(1, 1, 2)?.f_add(&from.f_narrow(1, 1, 2)?)?.f_mul_scalar(0.5)?;

    // The equation: gradient . new motion = gradient . motion - change.
    let steepness = sum_of_channels(&gradient.f_square()?)?.f_add_scalar(NOISE_GRADIENT.powi(2))?;
    let doubt = change.f_square()?.f_div_scalar(NOISE.powi(2))?.f_add_scalar(1)?;
    let weighted = gradient.f_mul(&inside(&targets)?)?.f_div(&steepness.f_mul(&doubt)?)?;
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

/// Where a neighbour's motion fits better, takes that over.
fn propagate(from: &Tensor, to: &Tensor, motion: &Tensor) -> Result<Tensor> {
    let (from, to) = (from.f_narrow(1, 0, 1)?, to.f_narrow(1, 0, 1)?);
    let misfit = |motion: &Tensor| -> Result<Tensor> {
        let square = warp(&to, motion, Filter::Bilinear)?.f_sub(&from)?.f_square()?;
        smooth(&square.f_div(&square.f_add_scalar(NOISE.powi(2))?)?, FIT_WINDOW)
    };
    let [height, width] = size_of(motion);
    let around = pad(motion, [NEIGHBOUR; 4])?;
    let mut best = motion.shallow_clone();
    let mut least = misfit(motion)?.f_sub_scalar(LEAST_GAIN)?;
    for [y, x] in [[1, 0], [1, 2], [0, 1], [2, 1]] {
        let other = around.f_narrow(2, y * NEIGHBOUR, height)?.f_narrow(3, x * NEIGHBOUR, width)?;
        let others = misfit(&other)?;
        best = other.f_where_self(&others.f_lt_tensor(&least)?, &best)?;
        least = least.f_minimum(&others)?;
    }
    Ok(best)
}

/// Medians of 3 along rows, then along columns.
fn median(values: &Tensor) -> Result<Tensor> {
    let mut values = values.shallow_clone();
    for (dimension, sides) in [(3, [1, 1, 0, 0]), (2, [0, 0, 1, 1])] {
        let length = values.size()[dimension];
        let padded = pad(&values, sides)?;
        let shifted = |by| padded.f_narrow(dimension as i64, by, length);
        let (a, b, c) = (shifted(0)?, shifted(1)?, shifted(2)?);
        values = a.f_minimum(&b)?.f_maximum(&a.f_maximum(&b)?.f_minimum(&c)?)?;
    }
    Ok(values)
}

/// The mean of what lies in a window that falls off linearly and ends `2^octaves` pixels away.
fn smooth(values: &Tensor, octaves: u32) -> Result<Tensor> {
    let mut mean = values.shallow_clone();
    for dimension in [3, 2] {
        let mut shape = [1; 4];
        shape[dimension] = values.size()[dimension];
        let ones = Tensor::f_ones(shape, (Kind::Float, values.device()))?;
        mean = window_sum(&mean, dimension, octaves)?.f_div(&window_sum(&ones, dimension, octaves)?)?;
    }
    Ok(mean)
}

/// Sums along a dimension, by adding neighbours, then such sums, and so on: twice, as two boxes make a tent.
fn window_sum(values: &Tensor, dimension: usize, octaves: u32) -> Result<Tensor> {
    let reach = (1 << octaves) - 1;
    let sides = if dimension == 3 { [reach, reach, 0, 0] } else { [0, 0, reach, reach] };
    let mut sums = values.f_constant_pad_nd(sides)?;
    for octave in (0..octaves).chain(0..octaves) {
        let shift = 1 << octave;
        let length = sums.size()[dimension] - shift;
        sums = sums.f_narrow(dimension as i64, 0, length)?.f_add(&sums.f_narrow(dimension as i64, shift, length)?)?;
    }
    Ok(sums)
}

/// Where in the picture the flow leads, as [`Tensor::f_grid_sampler`] has it: `(N, H, W, 2)`, from -1 to 1 inside.
fn targets(flow: &Tensor) -> Result<Tensor> {
    let [height, width] = size_of(flow);
    let x = flow.f_select(1, 0)?.f_mul_scalar(2.0 / width as f64)?.f_add(&centres(width, flow.device())?)?;
    let y = flow.f_select(1, 1)?.f_mul_scalar(2.0 / height as f64)?;
    let y = y.f_add(&centres(height, flow.device())?.f_unsqueeze(1)?)?;
    Ok(Tensor::f_stack(&[x, y], -1)?)
}

/// The pixels' centres on a side that goes from -1 to 1.
fn centres(pixels: i64, device: Device) -> Result<Tensor> {
    let last = 1.0 - 1.0 / pixels as f64;
    Ok(Tensor::f_linspace(-last, last, pixels, (Kind::Float, device))?)
}

fn sample(values: &Tensor, targets: &Tensor, filter: Filter) -> Result<Tensor> {
    // torch's numbers for the filters, and for the nearest value beyond the edge.
    let mode = match filter {
        Filter::Bilinear => 0,
        Filter::Bicubic => 2,
    };
    let (batch, channels, height, width) = values.size4()?;
    if batch > 1 || channels % 2 == 1 {
        return Ok(values.f_grid_sampler(targets, mode, 1, false)?);
    }
    // On a CPU, threads share a batch only: half the channels for each of two.
    let halves = values.f_reshape([2, channels / 2, height, width])?;
    let sampled = halves.f_grid_sampler(&targets.f_expand([2, -1, -1, -1], false)?, mode, 1, false)?;
    Ok(sampled.f_view_as(values)?)
}

/// 1 where targets lie inside the picture, `(N, 1, H, W)`.
fn inside(targets: &Tensor) -> Result<Tensor> {
    let farthest = targets.f_abs()?.f_amax([-1i64].as_slice(), false)?;
    Ok(farthest.f_le(1.0)?.f_to_kind(Kind::Float)?.f_unsqueeze(1)?)
}

/// Flow brought to another size of the picture.
fn enlarge(flow: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let [height, width] = size_of(flow);
    let flow = flow.f_upsample_bilinear2d(size, false, None, None)?;
    let x = flow.f_narrow(1, 0, 1)?.f_mul_scalar(size[1] as f64 / width as f64)?;
    let y = flow.f_narrow(1, 1, 1)?.f_mul_scalar(size[0] as f64 / height as f64)?;
    Ok(Tensor::f_cat(&[x, y], 1)?)
}

fn halve(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_adaptive_avg_pool2d(size_of(values).map(|side| (side + 1) / 2))?)
}

/// Values, and their central differences in x and y, `(N, 3, H, W)`.
fn with_gradient(values: &Tensor) -> Result<Tensor> {
    let difference = |dimension: i64, sides: [i64; 4]| -> Result<Tensor> {
        let (padded, length) = (pad(values, sides)?, values.size()[dimension as usize]);
        let (after, before) = (padded.f_narrow(dimension, 2, length)?, padded.f_narrow(dimension, 0, length)?);
        Ok(after.f_sub(&before)?.f_mul_scalar(0.5)?)
    };
    Ok(Tensor::f_cat(&[values, &difference(3, [1, 1, 0, 0])?, &difference(2, [0, 0, 1, 1])?], 1)?)
}

/// With the values at the edge again beyond it: left, right, top, bottom.
fn pad(values: &Tensor, sides: [i64; 4]) -> Result<Tensor> {
    Ok(values.f_replication_pad2d(sides)?)
}

fn sum_of_channels(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)
}

/// Height and width.
fn size_of(values: &Tensor) -> [i64; 2] {
    let size = values.size();
    [size[2], size[3]]
}
