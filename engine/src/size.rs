//! Sizes of pictures, height then width, and resizing.

use tch::Tensor;

use crate::Result;
use crate::planes::{self, are_planes};

/// Height and width.
pub(crate) fn size_of(picture: &Tensor) -> Result<[i64; 2]> {
    let (_, _, height, width) = picture.size4()?;
    Ok([height, width])
}

/// `size` scaled so that its longer side is `longest`.
pub(crate) fn scaled(size: [i64; 2], longest: i64) -> [i64; 2] {
    let ratio = longest as f64 / size[0].max(size[1]) as f64;
    size.map(|side| ((side as f64 * ratio).round() as i64).max(1))
}

/// A picture in 0..1, resized (bicubic, with antialiasing).
pub(crate) fn resize(picture: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    Ok(stretch(picture, size)?.f_clamp(0.0, 1.0)?)
}

/// Any values, `(1, C, H, W)`, resized.
pub(crate) fn stretch(values: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    if size_of(values)? == size {
        return Ok(values.shallow_clone());
    }
    Ok(values.f_internal_upsample_bicubic2d_aa(size, false, None, None)?)
}

/// A picture of half the size, rounded up: the means of 2 x 2 pixels, at odd edges of fewer. libtorch's autograd does not
/// follow: [`halve_gradient`] is the way back.
pub(crate) fn halve(picture: &Tensor) -> Result<Tensor> {
    if are_planes(picture) {
        return planes::halve(picture);
    }
    Ok(picture.f_avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None::<i64>)?)
}

/// The gradient at a picture, from the gradient at its half.
pub(crate) fn halve_gradient(picture: &Tensor, at_half: &Tensor) -> Result<Tensor> {
    Ok(picture.f_avg_pool2d_backward(at_half, [2, 2], [2, 2], [0, 0], true, false, None::<i64>)?)
}

/// The smallest sides that are multiples of `divisor` and not less than those of `size`.
pub(crate) fn multiples(size: [i64; 2], divisor: i64) -> [i64; 2] {
    size.map(|side| (side + divisor - 1) / divisor * divisor)
}

/// A picture with its last row and column repeated up to `size`.
pub(crate) fn extended(picture: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let [height, width] = size_of(picture)?;
    Ok(picture.f_replication_pad2d([0, size[1] - width, 0, size[0] - height])?)
}

/// The part of a picture with this size, from the upper left corner.
pub(crate) fn cut(picture: &Tensor, [height, width]: [i64; 2]) -> Result<Tensor> {
    Ok(picture.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?)
}
