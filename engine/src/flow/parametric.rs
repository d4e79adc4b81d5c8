//! Parametric motion: affine motion in large windows, the camera's motion, or none. It replaces the noisy dense motion
//! where it fits as well.

use tch::{Kind, Tensor};

use super::dense::{NOISE, misfit};
use super::sampling::{Filter, centers, inside, sample, targets_from};
use super::smoothing::{smooth, sum_of_channels};
use super::{Frame, cat};
use crate::Result;
use crate::size::size_of;

/// As [`NOISE_GRADIENT`](super::dense::NOISE_GRADIENT), for samples: they are noisier, since they are not means of several
/// pixels, and their noise would bias the motion towards no change.
pub(super) const SAMPLE_NOISE_GRADIENT: f64 = 0.08;

/// The side of the blocks, in pixels at half resolution, over which equations for affine motion are pooled. Windows
/// consist of such blocks.
pub(super) const BLOCK: i64 = 8;
pub(super) const AFFINE_WINDOW: u32 = 2;
pub(super) const AFFINE_ROUNDS: usize = 2;

/// The weights of two priors that make the equations solvable: that a block keeps its motion, and that affine motion is
/// a translation.
pub(super) const BLOCK_PRIOR: f64 = 0.002;
pub(super) const TRANSLATION_PRIOR: f64 = 1e-4;

/// The difference, in pixels at half resolution, between motions of the same object. Pixels of a window whose motion
/// differs more have less weight.
pub(super) const SAME_OBJECT: f64 = 0.5;

/// The same for the difference between a block's motion and the camera's, and the number of reweightings.
pub(super) const SAME_AS_CAMERA: f64 = 0.15;
pub(super) const CAMERA_ROUNDS: usize = 3;

/// The minimum decrease of the misfit, 0 to 1, for the camera's motion to be used instead of none, and the minimum
/// fraction of the frame that must have it.
pub(super) const MIN_CAMERA_GAIN: f64 = 0.004;
pub(super) const MIN_CAMERA_FRACTION: f64 = 0.2;

/// The minimum decrease of the misfit for affine motion in windows to be used instead of the camera's, and for dense
/// motion to be used instead of either.
pub(super) const MIN_LOCAL_GAIN: f64 = 0.003;
pub(super) const LOCAL_FIT_WINDOW: u32 = 3;
pub(super) const MIN_DENSE_GAIN: f64 = 0.03;
pub(super) const DENSE_FIT_WINDOW: u32 = 2;

/// Every second pixel of a frame, to be matched with another frame at full resolution. The pixels of the pyramid's half
/// resolution would be unsuitable: their values change if they are moved by a fraction of a pixel. Motion is in pixels
/// of half resolution.
pub(super) struct Samples {
    /// [`Frame::samples`], `(N, 3, h, w)`.
    pub from: Tensor,
    /// [`Frame::brightness`], `(N, 1, H, W)`.
    pub to: Tensor,
    /// [`Frame::smooth`], of every second pixel, `(N, 1, h, w)`, and of all pixels, for the comparison of misfits:
    /// values interpolated between pixels have less noise than others and would seem to fit better, unless both are
    /// smoothed.
    pub smooth_from: Tensor,
    pub smooth_to: Tensor,
}

impl Samples {
    pub fn new(first: &Frame, second: &Frame) -> Result<Self> {
        Ok(Self {
            from: first.samples.shallow_clone(),
            to: second.brightness.shallow_clone(),
            smooth_from: first.smooth.f_slice(2, 0, None, 2)?.f_slice(3, 0, None, 2)?,
            smooth_to: second.smooth.shallow_clone(),
        })
    }

    /// Both as a batch.
    pub fn batch(first: &Self, second: &Self) -> Result<Self> {
        Ok(Self {
            from: cat(&first.from, &second.from)?,
            to: cat(&first.to, &second.to)?,
            smooth_from: cat(&first.smooth_from, &second.smooth_from)?,
            smooth_to: cat(&first.smooth_to, &second.smooth_to)?,
        })
    }

    /// Dense motion, `(N, 2, h, w)`, replaced by affine motion or the camera's where these fit as well.
    pub fn simplify(&self, dense: &Tensor) -> Result<Tensor> {
        let size = size_of(dense)?;
        let mut equations = self.equations(dense, dense)?;
        for _ in 1..AFFINE_ROUNDS {
            equations = self.equations(&affine(&fit_windows(&equations)?, size)?, dense)?;
        }
        let local = affine(&fit_windows(&equations)?, size)?;
        let camera = affine(&fit_camera(&equations)?, size)?;

        let misfit = |motion: &Tensor| misfit(&change(&self.smooth_from, &self.smooth_to, &self.targets(motion)?)?);
        let (of_local, of_camera, of_none) = (misfit(&local)?, misfit(&camera)?, misfit(&camera.f_zeros_like()?)?);
        // If the camera stands still, moving objects must not be mistaken for its motion.
        let gain = smooth(&of_none.f_sub(&of_camera)?, LOCAL_FIT_WINDOW)?;
        let fraction = gain.f_gt(MIN_CAMERA_GAIN)?.f_to_kind(Kind::Float)?.f_mean_dim(
            [1i64, 2, 3].as_slice(),
            true,
            Kind::Float,
        )?;
        let moves = fraction.f_gt(MIN_CAMERA_FRACTION)?;
        let (camera, of_camera) = (camera.f_mul(&moves)?, of_camera.f_where_self(&moves, &of_none)?);

        let gain = smooth(&of_camera.f_sub(&of_local)?, LOCAL_FIT_WINDOW)?;
        let is_local = gain.f_gt(MIN_LOCAL_GAIN)?;
        let simple = local.f_where_self(&is_local, &camera)?;
        let of_simple = of_local.f_where_self(&is_local, &of_camera)?;
        let gain = smooth(&of_simple.f_sub(&misfit(dense)?)?, DENSE_FIT_WINDOW)?;
        Ok(dense.f_where_self(&gain.f_gt(MIN_DENSE_GAIN)?, &simple)?)
    }

    /// The equations for the motion of blocks, linearized at `motion`: [a b; b c] * the block's motion = right. Returns
    /// `(N, 8, rows, columns)`: a, b, b, c, right (x, y), and the block's mean of `motion` (x, y). Pixels at which
    /// `motion` differs from `reference` have less weight.
    fn equations(&self, motion: &Tensor, reference: &Tensor) -> Result<Tensor> {
        let targets = self.targets(motion)?;
        let change = change(&self.from.f_narrow(1, 0, 1)?, &self.to, &targets)?;
        let gradient = self.from.f_narrow(1, 1, 2)?;
        let steepness = sum_of_channels(&gradient.f_square()?)?.f_add_scalar(SAMPLE_NOISE_GRADIENT.powi(2))?;
        let penalty = change.f_square()?.f_div_scalar(NOISE.powi(2))?.f_add_scalar(1)?;
        let weight = inside(&targets)?.f_mul(&agreement(motion, reference, SAME_OBJECT)?)?;
        let weighted = gradient.f_mul(&weight)?.f_div(&steepness.f_mul(&penalty)?)?;

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

    /// The positions in the other frame; see [`super::sampling::targets`].
    fn targets(&self, motion: &Tensor) -> Result<Tensor> {
        targets_from(&centers(size_of(&self.to)?, 2, motion.device())?, motion)
    }
}

/// The difference in brightness between `to` at the targets and `from`, `(N, 1, h, w)`.
fn change(from: &Tensor, to: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok(sample(to, targets, Filter::Bilinear)?.f_sub(from)?)
}

/// The weight, 0 to 1, of pixels by the agreement of two motions, `(N, 1, h, w)`: 1/2 if they differ by `scale`.
fn agreement(motion: &Tensor, other: &Tensor, scale: f64) -> Result<Tensor> {
    let square = sum_of_channels(&motion.f_sub(other)?.f_square()?)?;
    Ok(square.f_div_scalar(scale.powi(2))?.f_add_scalar(1)?.f_reciprocal()?)
}

/// The parameters of affine motion in a window around each block; see [`affine`].
fn fit_windows(equations: &Tensor) -> Result<Tensor> {
    solve_affine(&smooth(&normal_equations(equations)?, AFFINE_WINDOW)?)
}

/// The parameters of the affine motion that most blocks follow.
fn fit_camera(equations: &Tensor) -> Result<Tensor> {
    let fit = |parts: &Tensor| solve_affine(&parts.f_mean_dim([2i64, 3].as_slice(), true, Kind::Double)?);
    let parts = normal_equations(equations)?;
    let mut camera = fit(&parts)?;
    for _ in 0..CAMERA_ROUNDS {
        let motion = affine(&camera, size_of(equations)?)?;
        let weight = agreement(&motion, &equations.f_narrow(1, 6, 2)?, SAME_AS_CAMERA)?;
        camera = fit(&parts.f_mul(&weight)?)?;
    }
    Ok(camera)
}

/// Each block's contribution to the normal equations of affine motion: a matrix, 6 x 6, and the right side,
/// `(N, 42, h, w)`.
fn normal_equations(equations: &Tensor) -> Result<Tensor> {
    let (batch, _, height, width) = equations.size4()?;
    // The basis functions 1, x and y.
    let centers = centers([height, width], 1, equations.device())?.f_squeeze_dim(0)?;
    let basis = centers.f_constant_pad_nd([0, 0, 0, 0, 1, 0])?;
    let _ = basis.f_get(0)?.f_fill_(1.0)?;
    let matrix = equations.f_narrow(1, 0, 4)?.f_reshape([batch, 2, 1, 2, 1, height, width])?;
    let matrix = matrix.f_mul(&basis.f_view([3, 1, 1, height, width])?)?.f_mul(&basis.f_view([3, height, width])?)?;
    let right = equations.f_narrow(1, 4, 2)?.f_unsqueeze(2)?.f_mul(&basis)?;
    let flat = |values: Tensor| values.f_reshape([batch, -1, height, width]);
    Ok(Tensor::f_cat(&[flat(matrix)?, flat(right)?], 1)?)
}

/// Solves sums of [`normal_equations`]; see [`affine`].
fn solve_affine(sums: &Tensor) -> Result<Tensor> {
    let sums = sums.f_permute([0, 2, 3, 1])?;
    let prior = Tensor::f_from_slice(&[0.0, TRANSLATION_PRIOR, TRANSLATION_PRIOR].repeat(2))?
        .f_diag(0)?
        .f_to_device(sums.device())?;
    let matrix = sums.f_narrow(3, 0, 36)?.f_unflatten(3, [6, 6])?.f_add(&prior)?;
    let (factor, _) = matrix.f_linalg_cholesky_ex(false, false)?;
    let solution = sums.f_narrow(3, 36, 6)?.f_unsqueeze(-1)?.f_cholesky_solve(&factor, false)?;
    Ok(solution.f_squeeze_dim(-1)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?)
}

/// The affine motion with these parameters, `(N, 6, h, w)`, which are interpolated to `size`: for the x component and
/// then for the y component, the factors of 1, x and y. Inside the picture, x and y go from -1 to 1.
fn affine(parameters: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    // One set of parameters for the whole frame, or one for each block.
    let is_global = size_of(parameters)? == [1, 1];
    let nearby = if is_global { parameters } else { &parameters.f_upsample_bilinear2d(size, false, None, None)? };
    let nearby = nearby.f_unflatten(1, [2, 3])?;
    let centers = centers(size, 1, parameters.device())?;
    let mut motion = nearby.f_select(2, 0)?;
    for axis in 0..2 {
        motion = motion.f_addcmul(&nearby.f_select(2, axis + 1)?, &centers.f_narrow(1, axis, 1)?)?;
    }
    Ok(motion)
}
