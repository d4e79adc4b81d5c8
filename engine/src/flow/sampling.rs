//! Values between pixels, where motion leads.

use tch::{Device, Kind, Tensor};

use super::cache::{Cached, cached};
use super::sum_of_channels;
use crate::Result;
use crate::size::size_of;

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
pub fn clamped_into_frame(flow: &Tensor, pixels: f64) -> Result<Tensor> {
    let targets = targets(flow)?;
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

/// Where in the picture the flow leads, shaped like it, from -1 to 1 inside.
pub(super) fn targets(flow: &Tensor) -> Result<Tensor> {
    targets_from(Cached::Centres { size: size_of(flow)?, every: 1 }, flow)
}

/// The same, from these pixels.
pub(super) fn targets_from(pixels: Cached, flow: &Tensor) -> Result<Tensor> {
    let scale = cached(Cached::Scale { size: size_of(flow)? }, flow.device())?;
    Ok(cached(pixels, flow.device())?.f_addcmul(flow, &scale)?)
}

/// The pixels' centres on a side that goes from -1 to 1.
pub(super) fn centres(pixels: i64, device: Device) -> Result<Tensor> {
    let last = 1.0 - 1.0 / pixels as f64;
    Ok(Tensor::f_linspace(-last, last, pixels, (Kind::Float, device))?)
}

/// Values at [`targets`].
pub(super) fn sample(values: &Tensor, targets: &Tensor, filter: Filter) -> Result<Tensor> {
    let targets = targets.f_permute([0, 2, 3, 1])?;
    // torch's numbers for the filters, and for a mirror at the edge.
    let mode = match filter {
        Filter::Bilinear => 0,
        Filter::Bicubic => 2,
    };
    let (batch, channels, height, width) = values.size4()?;
    if batch > 1 || channels % 2 == 1 {
        return Ok(values.f_grid_sampler(&targets, mode, 2, false)?);
    }
    // On a CPU, threads share a batch only: half the channels for each of two.
    let halves = values.f_reshape([2, channels / 2, height, width])?;
    let sampled = halves.f_grid_sampler(&targets.f_expand([2, -1, -1, -1], false)?, mode, 2, false)?;
    Ok(sampled.f_view_as(values)?)
}

/// 1 where targets lie inside the picture, `(N, 1, H, W)`.
pub(super) fn inside(targets: &Tensor) -> Result<Tensor> {
    Ok(targets.f_abs()?.f_amax([1i64].as_slice(), true)?.f_le(1.0)?.f_to_kind(Kind::Float)?)
}
