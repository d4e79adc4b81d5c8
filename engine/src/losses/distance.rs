//! Distances between what a picture has and what it should have.

use tch::{Kind, Tensor};

use crate::Result;

/// Keeps a target of zeros from dividing by zero.
const EPSILON: f64 = 1e-12;

/// How far features, or Gram matrices, are from a target `t`; `d` is their difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// `sum(d^2) / sum(t^2)`: 0 where they agree, about 1 for nothing in common. It means the same at every resolution
    /// and with every network.
    Normalized,
    /// `mean(d^2)`.
    MeanSquare,
    /// `sum(d^2)`.
    SumSquare,
    /// `sum(d^2) / (4 N^2 M^2)` with N the picture's 3 channels and M its positions: as Keras' example reads L. Gatys,
    /// A. Ecker, M. Bethge (CVPR 2016, equation 4), where they are the features'.
    Gatys,
}

/// A value to compare with, and the distance's divisor.
pub struct Target {
    value: Tensor,
    /// The divisor of the sum of squared differences.
    divisor: Tensor,
}

impl Target {
    /// Compares with `value`; `positions` is the number of the picture's positions.
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

    /// How far `x`, shaped like the value, is from it.
    pub fn distance(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.measure(x)?.0)
    }

    /// The same. Adds `weight` times its gradient at `x` to `gradient`.
    pub(crate) fn accumulate(&self, x: &Tensor, weight: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let (distance, apart) = self.measure(x)?;
        let _ = gradient.f_addcmul_(&apart, &self.divisor.f_reciprocal()?.f_mul_scalar(2.0 * weight)?)?;
        Ok(distance)
    }

    /// The distance and the differences.
    fn measure(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let apart = x.f_sub(&self.value)?;
        Ok((apart.f_square()?.f_sum(Kind::Float)?.f_div(&self.divisor)?, apart))
    }
}
