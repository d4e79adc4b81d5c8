//! Steps along the gradient, divided by the mean of its magnitudes, as DeepDream takes them.

use tch::{Kind, Tensor};

use super::{Evaluation, Optimizer};
use crate::Result;

/// Added to the mean, so that a gradient of zeros does not cause a division by zero.
const EPSILON: f64 = 1e-30;

/// The samples of a picture's levels, in which the rate is given.
const LEVELS: f64 = 255.0;

/// The step size alone: it has no state.
pub struct NormalizedGradient {
    /// The mean change of a sample in a step, in 255ths.
    pub rate: f64,
}

impl Optimizer for NormalizedGradient {
    fn step(&mut self, x: &Tensor, Evaluation { gradient, .. }: &Evaluation) -> Result<Tensor> {
        let mean = gradient.f_abs()?.f_mean(Kind::Float)?.f_add_scalar(EPSILON)?;
        Ok(x.f_addcmul(gradient, &mean.f_reciprocal()?.f_mul_scalar(-self.rate / LEVELS)?)?)
    }

    fn restart(&mut self, rate: f64) {
        self.rate = rate;
    }

    fn state(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }
}
