//! Damps the flicker of pictures that were painted each for itself, along the motion.

mod contrast;
mod fused;

use tch::Tensor;

use crate::Result;
use crate::flow::{self, Filter};
use crate::motion::Motion;
use crate::planes::are_planes;
use crate::size::size_of;

/// `picture` of a frame, `(1, 3, H, W)` in 0..1, drawn to that of the frame before by this share where it was visible, with
/// its local contrast: a mean of pictures that do not match exactly is blurred. The motion may be that of smaller frames.
pub(super) fn damped(picture: &Tensor, before: &Tensor, motion: &Motion, share: f64) -> Result<Tensor> {
    let size = size_of(picture)?;
    let back =
        if size_of(&motion.back)? == size { motion.back.shallow_clone() } else { flow::enlarge(&motion.back, size)? };
    let before = flow::warp(before, &back, Filter::Bicubic)?;
    if are_planes(picture) {
        return fused::damped(picture, &before, &motion.visible, share);
    }
    damped_by_tensors(picture, &before, &motion.visible, share)
}

/// The same with the picture of the frame before where it is in this one.
fn damped_by_tensors(picture: &Tensor, before: &Tensor, visible: &Tensor, share: f64) -> Result<Tensor> {
    let visible = visible.f_upsample_bilinear2d(size_of(picture)?, false, None, None)?;
    let drawn = picture.f_lerp_tensor(before, &visible.f_mul_scalar(share)?)?;
    Ok(contrast::restored(&drawn, picture)?.f_clamp(0.0, 1.0)?)
}
