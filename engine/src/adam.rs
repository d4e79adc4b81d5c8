//! Adam. D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), algorithm 1.

use tch::Tensor;

use crate::Result;

const BETA1: f64 = 0.9;
/// Not the usual 0.999: with few steps a frame, older gradients are of other frames.
const BETA2: f64 = 0.99;
const EPSILON: f64 = 1e-8;

/// The running moments of a picture's gradient.
pub struct Adam {
    mean: Tensor,
    square: Tensor,
    steps: i32,
}

impl Adam {
    /// Starts afresh for values shaped like `x`.
    pub fn new(x: &Tensor) -> Result<Self> {
        Ok(Self { mean: x.f_zeros_like()?, square: x.f_zeros_like()?, steps: 0 })
    }

    /// One step on `x`, of about `learning_rate` for each value.
    pub fn step(&mut self, x: &Tensor, gradient: &Tensor, learning_rate: f64) -> Result<Tensor> {
        self.steps += 1;
        self.mean = self.mean.f_lerp(gradient, 1.0 - BETA1)?;
        self.square = self.square.f_lerp(&gradient.f_square()?, 1.0 - BETA2)?;
        let mean = self.mean.f_div_scalar(1.0 - BETA1.powi(self.steps))?;
        let square = self.square.f_div_scalar(1.0 - BETA2.powi(self.steps))?;
        Ok(x.f_sub(&mean.f_div(&square.f_sqrt()?.f_add_scalar(EPSILON)?)?.f_mul_scalar(learning_rate)?)?)
    }
}
