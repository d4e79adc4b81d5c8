//! The losses, each normalised so that its weight means the same at every resolution and with every network.

use tch::{Kind, Tensor};

use crate::Result;

/// Keeps a target of zeros from dividing by zero.
const EPSILON: f64 = 1e-12;

/// The Gram matrix of features `(1, C, H, W)`: `F F^T / (H W)`, `(C, C)`.
pub fn gram(features: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = features.size4()?;
    let flat = features.f_reshape([channels, height * width])?;
    Ok(flat.f_matmul(&flat.f_transpose(0, 1)?)?.f_div_scalar(height * width)?)
}

/// The squared distance to `target` as a share of the target's own square: 0 where they agree, about 1 for nothing
/// in common. Takes Gram matrices (the style loss of a layer) as well as features (the content loss).
pub fn relative_distance(x: &Tensor, target: &Target) -> Result<Tensor> {
    Ok(squared_norm(&x.f_sub(&target.value)?)?.f_div(&target.squared_norm)?)
}

/// What a loss compares with.
pub struct Target {
    value: Tensor,
    squared_norm: Tensor,
}

impl Target {
    /// Compares with `value`.
    pub fn new(value: Tensor) -> Result<Self> {
        let squared_norm = squared_norm(&value)?.f_add_scalar(EPSILON)?;
        Ok(Self { value, squared_norm })
    }
}

/// The total variation of a picture `(1, C, H, W)`: the mean square of the differences between neighbours, along rows
/// plus along columns.
pub fn total_variation(picture: &Tensor) -> Result<Tensor> {
    let along = |dimension: i64| -> Result<Tensor> {
        let length = picture.size()[dimension as usize];
        if length < 2 {
            return Ok(picture.f_sum(Kind::Float)?.f_mul_scalar(0.0)?);
        }
        let after = picture.f_narrow(dimension, 1, length - 1)?;
        let before = picture.f_narrow(dimension, 0, length - 1)?;
        Ok(after.f_sub(&before)?.f_square()?.f_mean(Kind::Float)?)
    };
    Ok(along(2)?.f_add(&along(3)?)?)
}

fn squared_norm(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_square()?.f_sum(Kind::Float)?)
}
