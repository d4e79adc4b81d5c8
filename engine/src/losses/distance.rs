//! Distances of features, or of their statistics, from a target.

use tch::{Kind, Tensor};

use crate::Result;

/// Added to divisors, so that a target of zeros does not cause a division by zero.
const EPSILON: f64 = 1e-12;

/// A distance from a target `t`; `d` is the difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// `sum(d^2) / sum(t^2)`: 0 for equal values, about 1 if they have nothing in common. Values are comparable between
    /// resolutions and between networks.
    Normalized,
    /// `mean(d^2)`.
    MeanSquare,
    /// `sum(d^2)`.
    SumSquare,
    /// `sum(d^2) / (4 N^2 M^2)`, where N is the picture's 3 channels and M its number of pixels. This is Keras' reading
    /// of L. Gatys, A. Ecker, M. Bethge (CVPR 2016, equation 4), where N and M are those of the features.
    Gatys,
}

/// A target value, and the divisor of the distance from it.
pub struct Target {
    value: Tensor,
    /// The divisor of the sum of squared differences.
    divisor: Tensor,
}

impl Target {
    /// A target with this value; `positions` is the number of the picture's pixels.
    pub fn new(value: Tensor, distance: Distance, positions: i64) -> Result<Self> {
        let number = |number: f64| Tensor::f_full([], number, (Kind::Float, value.device()));
        let divisor = match distance {
            Distance::Normalized => value.f_square()?.f_sum(Kind::Float)?.f_add_scalar(EPSILON)?,
            Distance::MeanSquare => number(value.numel() as f64)?,
            Distance::SumSquare => number(1.0)?,
            Distance::Gatys => number((2.0 * 3.0 * positions as f64).powi(2))?,
        };
        Ok(Self { value, divisor })
    }

    /// The distance of `x`, which has the value's shape, `()`.
    pub fn distance(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.measure(x)?.0)
    }

    /// The distance of `x`, `()`. Adds `weight` times its gradient to `gradient`.
    pub(crate) fn accumulate(&self, x: &Tensor, weight: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let (distance, difference) = self.measure(x)?;
        let _ = gradient.f_addcmul_(&difference, &self.divisor.f_reciprocal()?.f_mul_scalar(2.0 * weight)?)?;
        Ok(distance)
    }

    /// The distance and the difference.
    fn measure(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let difference = x.f_sub(&self.value)?;
        Ok((difference.f_square()?.f_sum(Kind::Float)?.f_div(&self.divisor)?, difference))
    }
}
