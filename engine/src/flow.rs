//! Dense optical flow: where everything in a frame has moved in another.
//!
//! Coarse to fine over a pyramid, each level iterates windowed least squares on the brightness constancy equation
//! (B. Lucas, T. Kanade, IJCAI 1981), where a pixel's equation is about its whole motion, not the change to it, so that
//! windows also fill in what has no texture. Equations are normalised (H. Zimmer, A. Bruhn, J. Weickert, IJCV 2011,
//! section 3.1) and count less the less they hold (M. Black, P. Anandan, CVIU 1996). Medians between the iterations
//! keep out outliers (D. Sun, S. Roth, M. Black, CVPR 2010). At the end of a level, pixels take over the motion of
//! neighbours where it fits better (C. Barnes et al., "PatchMatch", SIGGRAPH 2009, section 3.2): windows reach beyond
//! the edges of things, this brings the motion's edges back to them. The finest level has half the frame's resolution.
//!
//! That motion is noisy by some tenths of a pixel. So, where they fit as well, simpler motions replace it: affine ones in
//! large windows, from the same equations at full resolution (J. Bergen et al., "Hierarchical model-based motion
//! estimation", ECCV 1992, section 3.2), and before these the affine motion that most of the frame follows, the camera's,
//! by iteratively reweighted least squares (J.-M. Odobez, P. Bouthemy, JVCIR 1995, section 2), or none, where the camera
//! seems to stand. They are precise to hundredths of a pixel, and what has no texture moves as its surroundings do.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::colour::grey;
use crate::size::size_of;

/// The coarsest level's shorter side is at least this: windows would not fit into less.
const LEAST_SIDE: i64 = 8;

/// A gradient, per pixel, as noise has it: equations from larger ones count fully.
const NOISE_GRADIENT: f64 = 0.02;

/// A difference in brightness as right matches have it: equations with larger ones count little.
const NOISE: f64 = 0.08;

/// The windows of a level's iterations; see [`smooth`].
const WINDOWS: [u32; 2] = [3, 2];

/// How much it counts that a pixel moves as what is around it, where an equation counts up to 1; and how far around.
const SMOOTHNESS: f64 = 0.03;
const SMOOTHNESS_WINDOW: u32 = 4;

/// How far away the neighbours are whose motion a pixel may take over.
const NEIGHBOUR: i64 = 4;

/// How much better that must fit, where the worst misfit is 1; and the window over which fits are compared.
const LEAST_GAIN: f64 = 0.002;
const FIT_WINDOW: u32 = 1;

/// As [`NOISE_GRADIENT`], of samples: these are noisier, as they are not means of pixels, and for them noise adds up to
/// motion that stays as it was.
const SAMPLE_NOISE_GRADIENT: f64 = 0.08;

/// Equations for affine motion are pooled over blocks of so many pixels of half resolution; windows are of such blocks.
const BLOCK: i64 = 8;
const AFFINE_WINDOW: u32 = 2;
const AFFINE_ROUNDS: usize = 2;

/// How much it counts that a block moves as before, and that affine motion is a mere shift: enough to be solvable.
const BLOCK_PRIOR: f64 = 0.002;
const SHIFT_PRIOR: f64 = 1e-4;

/// Pixels of half resolution that motions of the same thing may be apart: what else a window shows counts less.
const APART: f64 = 0.5;

/// The same of a block and the camera's motion, and how often its equations are weighted by that.
const APART_FROM_CAMERA: f64 = 0.15;
const CAMERA_ROUNDS: usize = 3;

/// How much better the camera's motion must fit than none, where the worst misfit is 1, and in what share of the frame.
const LEAST_CAMERA_GAIN: f64 = 0.004;
const LEAST_CAMERA_SHARE: f64 = 0.2;

/// How much better affine motion in windows must fit than the camera's, and unsimplified motion than either.
const LEAST_LOCAL_GAIN: f64 = 0.003;
const LOCAL_FIT_WINDOW: u32 = 3;
const LEAST_FINE_GAIN: f64 = 0.03;
const FINE_FIT_WINDOW: u32 = 2;

/// What of a frame is needed to find motion from it or to it.
pub struct Frame {
    /// Height and width.
    size: [i64; 2],
    /// From half resolution to coarse, brightness and its gradient, `(1, 3, h, w)`.
    levels: Vec<Tensor>,
    /// At full resolution, brightness, `(1, 1, H, W)`.
    brightness: Tensor,
    /// The same, smoothed.
    smooth: Tensor,
    /// Of every second pixel, brightness and its change over two pixels in x and in y, `(1, 3, h, w)`.
    samples: Tensor,
}

impl Frame {
    /// Of a picture, `(1, 3, H, W)` in 0..1.
    pub fn new(picture: &Tensor) -> Result<Self> {
        let full = grey(picture)?;
        let mut brightness = halve(&full)?;
        let mut levels = vec![with_gradient(&brightness)?];
        while size_of(&brightness)?.into_iter().all(|side| side >= 2 * LEAST_SIDE) {
            brightness = halve(&brightness)?;
            levels.push(with_gradient(&brightness)?);
        }
        let (samples, smooth) = (every_second(&full)?, smooth(&full, 1)?);
        Ok(Self { size: size_of(picture)?, levels, samples, smooth, brightness: full })
    }
}

/// The motion from a frame to another of the same size, and back, each `(1, 2, H, W)`, x then y, in pixels: what lies at
/// p in one lies at p + motion(p) in the other.
pub fn between(first: &Frame, second: &Frame) -> Result<[Tensor; 2]> {
    // Both directions are a batch.
    let mut motion = Tensor::f_zeros([2, 2, 1, 1], (Kind::Float, first.levels[0].device()))?;
    for (first, second) in first.levels.iter().zip(&second.levels).rev() {
        let (from, to) = (Tensor::f_cat(&[first, second], 0)?, Tensor::f_cat(&[second, first], 0)?);
        motion = enlarge(&motion, size_of(first)?)?;
        for window in WINDOWS {
            motion = median(&solve(&from, &to, &motion, window)?)?;
        }
        motion = median(&propagate(&from, &to, &motion)?)?;
    }
    let motion = enlarge(&Samples::new(first, second)?.simplify(&motion)?, first.size)?;
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

/// `values`, `(N, C, H, W)`, as found at p + flow(p), with the flow `(N, 2, H, W)`; beyond the edge, mirrored.
pub fn warp(values: &Tensor, flow: &Tensor, filter: Filter) -> Result<Tensor> {
    sample(values, &targets(flow)?, filter)
}

/// Flow, `(N, 2, H, W)`, that leads so many pixels back into the picture where it led out of it.
pub fn led_back(flow: &Tensor, pixels: f64) -> Result<Tensor> {
    let targets = targets(flow)?.f_permute([0, 3, 1, 2])?;
    let beyond = targets.f_sub(&targets.f_clamp(-1.0, 1.0)?)?.f_sign()?;
    Ok(flow.f_sub(&beyond.f_mul_scalar(pixels)?)?)
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
    let misfit = |motion: &Tensor| smooth(&misfit(&warp(&to, motion, Filter::Bilinear)?.f_sub(&from)?)?, FIT_WINDOW);
    let [height, width] = size_of(motion)?;
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

/// How badly these changes in brightness speak of a match, from 0 to 1.
fn misfit(change: &Tensor) -> Result<Tensor> {
    let square = change.f_square()?;
    Ok(square.f_div(&square.f_add_scalar(NOISE.powi(2))?)?)
}

/// Every second pixel of two frames, both ways, to be matched at full resolution. Not the pixels of half resolution, as
/// these are not the same once moved by a fraction of them. Still, motion is in those.
struct Samples {
    /// As [`Frame::samples`], `(2, 3, h, w)`.
    from: Tensor,
    /// As [`Frame::brightness`], `(2, 1, H, W)`.
    to: Tensor,
    /// As [`Frame::smooth`], of every second pixel, `(2, 1, h, w)`, and whole: what is sampled between pixels has less noise
    /// than what is not, and would seem to fit better. Once smoothed, hardly.
    smooth_from: Tensor,
    smooth_to: Tensor,
}

impl Samples {
    fn new(first: &Frame, second: &Frame) -> Result<Self> {
        let both = |first: &Tensor, second: &Tensor| Tensor::f_cat(&[first, second], 0);
        let smooth_from = both(&first.smooth, &second.smooth)?;
        Ok(Self {
            from: both(&first.samples, &second.samples)?,
            to: both(&second.brightness, &first.brightness)?,
            smooth_from: smooth_from.f_slice(2, 0, None, 2)?.f_slice(3, 0, None, 2)?,
            smooth_to: both(&second.smooth, &first.smooth)?,
        })
    }

    /// Motion, `(2, 2, h, w)`, replaced by affine motion or the camera's where these fit as well.
    fn simplify(&self, fine: &Tensor) -> Result<Tensor> {
        let size = size_of(fine)?;
        let mut equations = self.equations(fine, fine)?;
        for _ in 1..AFFINE_ROUNDS {
            equations = self.equations(&affine(&fit_windows(&equations)?, size)?, fine)?;
        }
        let local = affine(&fit_windows(&equations)?, size)?;
        let camera = affine(&fit_camera(&equations)?, size)?;

        let misfit = |motion: &Tensor| misfit(&change(&self.smooth_from, &self.smooth_to, &self.targets(motion)?)?);
        let (of_local, of_camera, of_none) = (misfit(&local)?, misfit(&camera)?, misfit(&camera.f_zeros_like()?)?);
        // A camera on a stand: what moves before it must not seem to move all.
        let gain = smooth(&of_none.f_sub(&of_camera)?, LOCAL_FIT_WINDOW)?;
        let share = gain.f_gt(LEAST_CAMERA_GAIN)?.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?;
        let moves = share.f_gt(LEAST_CAMERA_SHARE)?;
        let (camera, of_camera) = (camera.f_mul(&moves)?, of_camera.f_where_self(&moves, &of_none)?);

        let gain = smooth(&of_camera.f_sub(&of_local)?, LOCAL_FIT_WINDOW)?;
        let is_local = gain.f_gt(LEAST_LOCAL_GAIN)?;
        let simple = local.f_where_self(&is_local, &camera)?;
        let of_simple = of_local.f_where_self(&is_local, &of_camera)?;
        let gain = smooth(&of_simple.f_sub(&misfit(fine)?)?, FINE_FIT_WINDOW)?;
        Ok(fine.f_where_self(&gain.f_gt(LEAST_FINE_GAIN)?, &simple)?)
    }

    /// The equations for the motion of blocks, linear about `motion`, `(2, 8, rows, columns)`: [a b; b c] block's motion =
    /// right, as a, b, b, c and right; and the block's mean of `motion`. They count less where that is not as `reference`.
    fn equations(&self, motion: &Tensor, reference: &Tensor) -> Result<Tensor> {
        let targets = self.targets(motion)?;
        let change = change(&self.from.f_narrow(1, 0, 1)?, &self.to, &targets)?;
        let gradient = self.from.f_narrow(1, 1, 2)?;
        let steepness = sum_of_channels(&gradient.f_square()?)?.f_add_scalar(SAMPLE_NOISE_GRADIENT.powi(2))?;
        let doubt = change.f_square()?.f_div_scalar(NOISE.powi(2))?.f_add_scalar(1)?;
        let weight = inside(&targets)?.f_mul(&agreement(motion, reference, APART)?)?;
        let weighted = gradient.f_mul(&weight)?.f_div(&steepness.f_mul(&doubt)?)?;

        let blocks = size_of(motion)?.map(|side| (side + BLOCK - 1) / BLOCK);
        let pool =
            |values: &Tensor| -> Result<Tensor> { Ok(values.f_adaptive_avg_pool2d(blocks)?.f_to_kind(Kind::Double)?) };
        let diagonal = pool(&weighted.f_mul(&gradient)?)?;
        let b = pool(&weighted.f_narrow(1, 0, 1)?.f_mul(&gradient.f_narrow(1, 1, 1)?)?)?;
        let right = pool(&weighted.f_mul(&change)?)?;
        let mean = pool(motion)?;

        let diagonal = diagonal.f_add_scalar(BLOCK_PRIOR)?;
        let right = diagonal.f_mul(&mean)?.f_add(&b.f_mul(&mean.f_flip([1])?)?)?.f_sub(&right)?;
        let (a, c) = (diagonal.f_narrow(1, 0, 1)?, diagonal.f_narrow(1, 1, 1)?);
        Ok(Tensor::f_cat(&[&a, &b, &b, &c, &right, &mean], 1)?)
    }

    /// As the function [`targets`].
    fn targets(&self, motion: &Tensor) -> Result<Tensor> {
        let every_second =
            |pixels| -> Result<Tensor> { Ok(centres(pixels, motion.device())?.f_slice(0, 0, pixels, 2)?) };
        let [height, width] = size_of(&self.to)?;
        targets_from(&every_second(width)?, &every_second(height)?, motion)
    }
}

/// How much brighter than `from` is what lies there in `to`, `(N, 1, h, w)`.
fn change(from: &Tensor, to: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok(sample(to, targets, Filter::Bilinear)?.f_sub(from)?)
}

/// How much motions count that are these apart, up to 1, `(N, 1, h, w)`.
fn agreement(motion: &Tensor, other: &Tensor, apart: f64) -> Result<Tensor> {
    let square = sum_of_channels(&motion.f_sub(other)?.f_square()?)?;
    Ok(square.f_div_scalar(apart.powi(2))?.f_add_scalar(1)?.f_reciprocal()?)
}

/// The affine motion in a window around each block, see [`affine`].
fn fit_windows(equations: &Tensor) -> Result<Tensor> {
    solve_affine(&smooth(&normal_equations(equations)?, AFFINE_WINDOW)?)
}

/// The affine motion that most blocks follow.
fn fit_camera(equations: &Tensor) -> Result<Tensor> {
    let fit = |equations: &Tensor| -> Result<Tensor> {
        solve_affine(&normal_equations(equations)?.f_mean_dim([2i64, 3].as_slice(), true, Kind::Double)?)
    };
    let mut camera = fit(equations)?;
    for _ in 0..CAMERA_ROUNDS {
        let motion = affine(&camera, size_of(equations)?)?;
        let weight = agreement(&motion, &equations.f_narrow(1, 6, 2)?, APART_FROM_CAMERA)?;
        camera = fit(&equations.f_mul(&weight)?)?;
    }
    Ok(camera)
}

/// Each block's part in the normal equations of affine motion: a matrix, 6 x 6, and the right side, `(N, 42, h, w)`.
fn normal_equations(equations: &Tensor) -> Result<Tensor> {
    let (batch, _, height, width) = equations.size4()?;
    let basis = affine_basis([height, width], equations.device())?;
    let matrix = equations.f_narrow(1, 0, 4)?.f_reshape([batch, 2, 1, 2, 1, height, width])?;
    let matrix = matrix.f_mul(&basis.f_view([3, 1, 1, height, width])?)?.f_mul(&basis.f_view([3, height, width])?)?;
    let right = equations.f_narrow(1, 4, 2)?.f_unsqueeze(2)?.f_mul(&basis)?;
    let flat = |values: Tensor| values.f_reshape([batch, -1, height, width]);
    Ok(Tensor::f_cat(&[flat(matrix)?, flat(right)?], 1)?)
}

/// Solves sums of [`normal_equations`]; see [`affine`].
fn solve_affine(sums: &Tensor) -> Result<Tensor> {
    let sums = sums.f_permute([0, 2, 3, 1])?;
    let prior =
        Tensor::f_from_slice(&[0.0, SHIFT_PRIOR, SHIFT_PRIOR].repeat(2))?.f_diag(0)?.f_to_device(sums.device())?;
    let matrix = sums.f_narrow(3, 0, 36)?.f_unflatten(3, [6, 6])?.f_add(&prior)?;
    let (factor, _) = matrix.f_linalg_cholesky_ex(false, false)?;
    let solution = sums.f_narrow(3, 36, 6)?.f_unsqueeze(-1)?.f_cholesky_solve(&factor, false)?;
    Ok(solution.f_squeeze_dim(-1)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?)
}

/// Affine motion of the parameters nearby, `(N, 6, h, w)`: for x then y, factors of the basis.
fn affine(parameters: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let [height, width] = size;
    let nearby = parameters.f_upsample_bilinear2d(size, false, None, None)?.f_view([-1, 2, 3, height, width])?;
    let basis = affine_basis(size, parameters.device())?;
    let motion = nearby.f_select(2, 0)?.f_addcmul(&nearby.f_select(2, 1)?, &basis.f_get(1)?)?;
    Ok(motion.f_addcmul(&nearby.f_select(2, 2)?, &basis.f_get(2)?)?)
}

/// 1, x, and y, from -1 to 1 inside the picture, `(3, h, w)`.
fn affine_basis([height, width]: [i64; 2], device: Device) -> Result<Tensor> {
    let x = centres(width, device)?.f_expand([height, width], false)?;
    let y = centres(height, device)?.f_unsqueeze(1)?.f_expand([height, width], false)?;
    Ok(Tensor::f_stack(&[&x.f_ones_like()?, &x, &y], 0)?)
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
        let share = window_share(values.size()[dimension], dimension, octaves, values.device())?;
        mean = window_sum(&mean, dimension, octaves)?.f_mul(&share)?;
    }
    Ok(mean)
}

thread_local! {
    /// What [`window_share`] gave before: a flow asks for each of a few very often.
    static WINDOW_SHARES: RefCell<HashMap<(i64, usize, u32, Device), Tensor>> = RefCell::default();
}

/// So many are kept, for frames of a few sizes.
const MOST_WINDOW_SHARES: usize = 256;

/// What sums along a dimension of this length are multiplied by, each place's by its own, to be means.
fn window_share(length: i64, dimension: usize, octaves: u32, device: Device) -> Result<Tensor> {
    let key = (length, dimension, octaves, device);
    if let Some(share) = WINDOW_SHARES.with_borrow(|shares| shares.get(&key).map(Tensor::shallow_clone)) {
        return Ok(share);
    }
    let mut shape = [1; 4];
    shape[dimension] = length;
    let ones = Tensor::f_ones(shape, (Kind::Float, device))?;
    let share = window_sum(&ones, dimension, octaves)?.f_reciprocal()?;
    WINDOW_SHARES.with_borrow_mut(|shares| {
        if shares.len() == MOST_WINDOW_SHARES {
            shares.clear();
        }
        shares.insert(key, share.shallow_clone());
    });
    Ok(share)
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
    let [height, width] = size_of(flow)?;
    targets_from(&centres(width, flow.device())?, &centres(height, flow.device())?, flow)
}

/// The same, from these columns and rows.
fn targets_from(columns: &Tensor, rows: &Tensor, flow: &Tensor) -> Result<Tensor> {
    let [height, width] = size_of(flow)?;
    let x = flow.f_select(1, 0)?.f_mul_scalar(2.0 / width as f64)?.f_add(columns)?;
    let y = flow.f_select(1, 1)?.f_mul_scalar(2.0 / height as f64)?.f_add(&rows.f_unsqueeze(1)?)?;
    Ok(Tensor::f_stack(&[x, y], -1)?)
}

/// The pixels' centres on a side that goes from -1 to 1.
fn centres(pixels: i64, device: Device) -> Result<Tensor> {
    let last = 1.0 - 1.0 / pixels as f64;
    Ok(Tensor::f_linspace(-last, last, pixels, (Kind::Float, device))?)
}

fn sample(values: &Tensor, targets: &Tensor, filter: Filter) -> Result<Tensor> {
    // torch's numbers for the filters, and for a mirror at the edge.
    let mode = match filter {
        Filter::Bilinear => 0,
        Filter::Bicubic => 2,
    };
    let (batch, channels, height, width) = values.size4()?;
    if batch > 1 || channels % 2 == 1 {
        return Ok(values.f_grid_sampler(targets, mode, 2, false)?);
    }
    // On a CPU, threads share a batch only: half the channels for each of two.
    let halves = values.f_reshape([2, channels / 2, height, width])?;
    let sampled = halves.f_grid_sampler(&targets.f_expand([2, -1, -1, -1], false)?, mode, 2, false)?;
    Ok(sampled.f_view_as(values)?)
}

/// 1 where targets lie inside the picture, `(N, 1, H, W)`.
fn inside(targets: &Tensor) -> Result<Tensor> {
    let farthest = targets.f_abs()?.f_amax([-1i64].as_slice(), false)?;
    Ok(farthest.f_le(1.0)?.f_to_kind(Kind::Float)?.f_unsqueeze(1)?)
}

/// Flow brought to another size of the picture.
fn enlarge(flow: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let [height, width] = size_of(flow)?;
    let flow = flow.f_upsample_bilinear2d(size, false, None, None)?;
    let x = flow.f_narrow(1, 0, 1)?.f_mul_scalar(size[1] as f64 / width as f64)?;
    let y = flow.f_narrow(1, 1, 1)?.f_mul_scalar(size[0] as f64 / height as f64)?;
    Ok(Tensor::f_cat(&[x, y], 1)?)
}

fn halve(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_adaptive_avg_pool2d(size_of(values)?.map(|side| (side + 1) / 2))?)
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

/// Of every second pixel, the value, and its change over two pixels in x and in y, `(N, 3, h, w)`.
fn every_second(values: &Tensor) -> Result<Tensor> {
    let [height, width] = size_of(values)?;
    let around = pad(values, [1; 4])?;
    let at =
        |y: i64, x: i64| -> Result<Tensor> { Ok(around.f_slice(2, y, y + height, 2)?.f_slice(3, x, x + width, 2)?) };
    Ok(Tensor::f_cat(&[at(1, 1)?, at(1, 2)?.f_sub(&at(1, 0)?)?, at(2, 1)?.f_sub(&at(0, 1)?)?], 1)?)
}

/// With the values at the edge again beyond it: left, right, top, bottom.
fn pad(values: &Tensor, sides: [i64; 4]) -> Result<Tensor> {
    Ok(values.f_replication_pad2d(sides)?)
}

fn sum_of_channels(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)
}
