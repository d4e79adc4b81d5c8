//! Total variation, which makes pictures smoother.

use tch::{Kind, Tensor};

use crate::Result;

/// The dimensions of a picture.
const HEIGHT: i64 = 2;
const WIDTH: i64 = 3;

/// The form of the total variation of a picture `(1, C, H, W)`; `dx` and `dy` are the differences of neighbors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TotalVariation {
    /// `mean(dx^2) + mean(dy^2)`.
    MeanSquare,
    /// `(mean(|dx|) + mean(|dy|)) / 2`.
    HalfMeanAbsolute,
    /// `sum((dx^2 + dy^2)^1.25)`, over the positions that have both neighbors.
    Power,
}

impl TotalVariation {
    /// The total variation of `picture`, `()`, 0 if no pixel has a neighbor. Adds `weight` times its gradient to
    /// `gradient`.
    pub fn accumulate(self, picture: &Tensor, weight: f64, gradient: &Tensor) -> Result<Tensor> {
        // All pixels but the first, and all but the last, along an axis.
        let after = |values: &Tensor, axis: i64| values.f_slice(axis, 1, None, 1);
        let before = |values: &Tensor, axis: i64| values.f_slice(axis, 0, -1, 1);
        let difference = |axis: i64| -> Result<Tensor> { Ok(after(picture, axis)?.f_sub(&before(picture, axis)?)?) };
        let differences = [difference(HEIGHT)?, difference(WIDTH)?];
        // The mean of an empty tensor would be NaN.
        let count = |values: &Tensor| values.numel().max(1) as f64;
        let (degree, slopes) = match self {
            Self::MeanSquare => {
                let slope = |difference: &Tensor| difference.f_mul_scalar(2.0 / count(difference));
                (2.0, [slope(&differences[0])?, slope(&differences[1])?])
            }
            Self::HalfMeanAbsolute => {
                let slope = |difference: &Tensor| difference.f_sign()?.f_div_scalar(2.0 * count(difference));
                (1.0, [slope(&differences[0])?, slope(&differences[1])?])
            }
            Self::Power => {
                let at_both = [before(&differences[0], WIDTH)?, before(&differences[1], HEIGHT)?];
                let square = at_both[0].f_square()?.f_add(&at_both[1].f_square()?)?;
                let factor = square.f_pow_tensor_scalar(0.25)?.f_mul_scalar(2.5)?;
                let slope = |difference: &Tensor, at_both: &Tensor, other: i64| -> Result<Tensor> {
                    let slope = difference.f_zeros_like()?;
                    before(&slope, other)?.f_copy_(&at_both.f_mul(&factor)?)?;
                    Ok(slope)
                };
                let of_height = slope(&differences[0], &at_both[0], WIDTH)?;
                (2.5, [of_height, slope(&differences[1], &at_both[1], HEIGHT)?])
            }
        };
        // A homogeneous function equals the sum of its arguments times its derivatives, divided by its degree (Euler).
        let mut value = Tensor::f_zeros([], (Kind::Float, picture.device()))?;
        for (axis, (difference, slope)) in [HEIGHT, WIDTH].into_iter().zip(differences.iter().zip(&slopes)) {
            value = value.f_add(&difference.f_mul(slope)?.f_sum(Kind::Float)?.f_div_scalar(degree)?)?;
            let slope = slope.f_mul_scalar(weight)?;
            let _ = after(gradient, axis)?.f_add_(&slope)?;
            let _ = before(gradient, axis)?.f_sub_(&slope)?;
        }
        Ok(value)
    }
}
