//! Sampling between pixels, and warping along a flow.

use tch::{Device, Kind, Tensor};

use super::cache::cached;
use super::fused;
use super::smoothing::sum_of_channels;
use crate::Result;
use crate::planes::are_planes;
use crate::size::size_of;

/// The interpolation between pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter {
    /// From 4 pixels.
    Bilinear,
    /// From 16 pixels: sharper, and may overshoot.
    Bicubic,
}

/// The flow and the flow back agree if the square of their sum is less than this share of the sum of their squares, plus this
/// number of pixels, squared.
pub(crate) const MAX_DISAGREEMENT: [f64; 2] = [0.01, 0.5];

/// `values`, `(N, C, H, W)`, sampled at p + flow(p), with the flow `(N, 2, H, W)`. Beyond the edges they are mirrored.
pub fn warp(values: &Tensor, flow: &Tensor, filter: Filter) -> Result<Tensor> {
    if filter == Filter::Bicubic && are_planes(values) {
        return fused::warp_bicubic(values, flow);
    }
    sample(values, &targets(flow)?, filter)
}

/// A flow, `(N, 2, H, W)`, shortened by `pixels` in each direction in which it leads out of the frame.
pub fn clamped_into_frame(flow: &Tensor, pixels: f64) -> Result<Tensor> {
    let targets = targets(flow)?;
    let beyond = targets.f_sub(&targets.f_clamp(-1.0, 1.0)?)?.f_sign()?;
    Ok(flow.f_sub(&beyond.f_mul_scalar(pixels)?)?)
}

/// The mask, `(1, 1, H, W)`, of pixels that are visible in the other frame: 1 if the `forward` and `backward` flow
/// agree and the pixel stays inside the frame, else 0 (N. Sundaram, T. Brox, K. Keutzer, ECCV 2010, equation 5).
pub fn visible(forward: &Tensor, backward: &Tensor) -> Result<Tensor> {
    let targets = targets(forward)?;
    let backward = sample(backward, &targets, Filter::Bilinear)?;
    let square = |motion: &Tensor| sum_of_channels(&motion.f_square()?);
    let [share, least] = MAX_DISAGREEMENT;
    let tolerance = square(forward)?.f_add(&square(&backward)?)?.f_mul_scalar(share)?.f_add_scalar(least)?;
    let agree = square(&forward.f_add(&backward)?)?.f_lt_tensor(&tolerance)?;
    Ok(agree.f_to_kind(Kind::Float)?.f_mul(&inside(&targets)?)?)
}

/// The positions p + flow(p), `(N, 2, H, W)`; they are in -1..1 inside the frame.
pub(super) fn targets(flow: &Tensor) -> Result<Tensor> {
    targets_from(&centers(size_of(flow)?, 1, flow.device())?, flow)
}

/// The same, for these pixels p.
pub(super) fn targets_from(pixels: &Tensor, flow: &Tensor) -> Result<Tensor> {
    Ok(pixels.f_addcmul(flow, &scale(size_of(flow)?, flow.device())?)?)
}

/// The centers of every `every`-th pixel of a picture of this height and width, `(1, 2, h, w)`, x then y, in -1..1.
pub(super) fn centers([height, width]: [i64; 2], every: i64, device: Device) -> Result<Tensor> {
    let along = |pixels: i64| -> Result<Tensor> {
        let last = 1.0 - 1.0 / pixels as f64;
        Ok(Tensor::f_linspace(-last, last, pixels, (Kind::Float, device))?.f_slice(0, 0, None, every)?)
    };
    cached(("centers", [height, width, every], Kind::Float, device), || {
        let (x, y) = (along(width)?, along(height)?);
        let size = [y.size1()?, x.size1()?];
        let (x, y) = (x.f_expand(size, false)?, y.f_unsqueeze(1)?.f_expand(size, false)?);
        Ok(Tensor::f_stack(&[x, y], 0)?.f_unsqueeze(0)?)
    })
}

/// The factor that converts motion in pixels to these units, `(1, 2, 1, 1)`.
fn scale([height, width]: [i64; 2], device: Device) -> Result<Tensor> {
    cached(("scale", [height, width, 0], Kind::Float, device), || {
        let scale = [2.0 / width as f32, 2.0 / height as f32];
        Ok(Tensor::f_from_slice(&scale)?.f_view([1, 2, 1, 1])?.f_to_device(device)?)
    })
}

/// `values`, `(N, C, H, W)`, sampled at [`targets`].
pub(super) fn sample(values: &Tensor, targets: &Tensor, filter: Filter) -> Result<Tensor> {
    let targets = targets.f_permute([0, 2, 3, 1])?;
    // torch's number of the interpolation mode. The padding mode 2 is a reflection.
    let mode = match filter {
        Filter::Bilinear => 0,
        Filter::Bicubic => 2,
    };
    let (batch, channels, height, width) = values.size4()?;
    if batch > 1 || channels % 2 == 1 {
        return Ok(values.f_grid_sampler(&targets, mode, 2, false)?);
    }
    // On a CPU, only batches are divided among threads, so the channels are divided into a batch of two.
    let halves = values.f_reshape([2, channels / 2, height, width])?;
    let sampled = halves.f_grid_sampler(&targets.f_expand([2, -1, -1, -1], false)?, mode, 2, false)?;
    Ok(sampled.f_view_as(values)?)
}

/// The mask, `(N, 1, H, W)`, of targets inside the frame: 1 inside, 0 outside.
pub(super) fn inside(targets: &Tensor) -> Result<Tensor> {
    Ok(targets.f_abs()?.f_amax([1i64].as_slice(), true)?.f_le(1.0)?.f_to_kind(Kind::Float)?)
}
