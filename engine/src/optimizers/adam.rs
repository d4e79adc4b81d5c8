//! Adam. D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), algorithm 1.

use tch::Tensor;

use super::{Evaluation, Optimizer};
use crate::Result;

const BETA1: f64 = 0.9;
const EPSILON: f64 = 1e-8;

/// A decay of the step size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// The number of steps between decreases.
    pub every: i32,
    /// The factor of each decrease, below 1.
    pub factor: f64,
}

/// The running moments of the gradient.
pub struct Adam {
    rate: f64,
    beta2: f64,
    decay: Option<Decay>,
    mean: Tensor,
    square: Tensor,
    /// The number of steps in all, for the bias correction.
    steps: i32,
    /// The number of steps since the last restart, for the decay.
    steps_since_restart: i32,
}

impl Adam {
    /// An optimizer for values shaped like `x`, with steps of about `rate`.
    pub fn new(x: &Tensor, rate: f64, beta2: f64, decay: Option<Decay>) -> Result<Self> {
        Ok(Self {
            rate,
            beta2,
            decay,
            mean: x.f_zeros_like()?,
            square: x.f_zeros_like()?,
            steps: 0,
            steps_since_restart: 0,
        })
    }

    /// Continues an optimization with this state, after this number of steps.
    pub fn resume(&mut self, [mean, square]: [Tensor; 2], steps: i32) {
        (self.mean, self.square, self.steps) = (mean, square, steps);
    }

    /// The number of steps taken.
    pub fn steps(&self) -> i32 {
        self.steps
    }
}

impl Optimizer for Adam {
    fn step(&mut self, x: &Tensor, Evaluation { gradient, .. }: &Evaluation) -> Result<Tensor> {
        let factor = |decay: Decay| decay.factor.powi(self.steps_since_restart / decay.every);
        let rate = self.rate * self.decay.map_or(1.0, factor);
        self.steps += 1;
        self.steps_since_restart += 1;
        self.mean = self.mean.f_lerp(gradient, 1.0 - BETA1)?;
        self.square = self.square.f_lerp(&gradient.f_square()?, 1.0 - self.beta2)?;
        let (of_mean, of_square) = (1.0 - BETA1.powi(self.steps), 1.0 - self.beta2.powi(self.steps));
        let mut scale = self.square.f_div_scalar(of_square)?.f_sqrt_()?.f_add_scalar_(EPSILON)?;
        Ok(x.f_addcdiv(&self.mean, &scale.f_mul_scalar_(-of_mean / rate)?)?)
    }

    fn restart(&mut self, rate: f64) {
        (self.rate, self.steps_since_restart) = (rate, 0);
    }

    fn state(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.mean, &mut self.square]
    }
}
