//! Adam. D. Kingma, J. Ba, "Adam: A OptimizerConfig for Stochastic Optimization" (ICLR 2015), algorithm 1.

use tch::Tensor;

use super::{Evaluation, Optimizer};
use crate::Result;

const BETA1: f64 = 0.9;
const EPSILON: f64 = 1e-8;

/// A step size that falls by a factor after every so many steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// Steps.
    pub every: i32,
    /// Below 1.
    pub factor: f64,
}

/// The running moments of the gradient.
pub struct Adam {
    rate: f64,
    beta2: f64,
    decay: Option<Decay>,
    mean: Tensor,
    square: Tensor,
    /// In all, and since the loss is this one.
    steps: i32,
    new_steps: i32,
}

impl Adam {
    /// Starts afresh for values shaped like `x`, with steps of about `rate`.
    pub fn new(x: &Tensor, rate: f64, beta2: f64, decay: Option<Decay>) -> Result<Self> {
        Ok(Self { rate, beta2, decay, mean: x.f_zeros_like()?, square: x.f_zeros_like()?, steps: 0, new_steps: 0 })
    }
}

impl Optimizer for Adam {
    fn step(&mut self, x: &Tensor, Evaluation { gradient, .. }: &Evaluation) -> Result<Tensor> {
        let falls = |decay: Decay| decay.factor.powi(self.new_steps / decay.every);
        let rate = self.rate * self.decay.map_or(1.0, falls);
        self.steps += 1;
        self.new_steps += 1;
        self.mean = self.mean.f_lerp(gradient, 1.0 - BETA1)?;
        self.square = self.square.f_lerp(&gradient.f_square()?, 1.0 - self.beta2)?;
        let (of_mean, of_square) = (1.0 - BETA1.powi(self.steps), 1.0 - self.beta2.powi(self.steps));
        let mut scale = self.square.f_div_scalar(of_square)?.f_sqrt_()?.f_add_scalar_(EPSILON)?;
        Ok(x.f_addcdiv(&self.mean, &scale.f_mul_scalar_(-of_mean / rate)?)?)
    }

    fn restart(&mut self, rate: f64) {
        (self.rate, self.new_steps) = (rate, 0);
    }

    fn state(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.mean, &mut self.square]
    }
}
