//! Optimizers, which move the picture from one evaluation of its losses to the next.

mod adam;
mod lbfgs;
mod line_search;
mod normalized;

pub use adam::{Adam, Decay};
pub use lbfgs::{Lbfgs, StepRule};
pub use normalized::NormalizedGradient;

use tch::Tensor;

use crate::Result;

/// The loss at a point, and its gradient there.
pub struct Evaluation {
    /// The loss, `()`.
    pub loss: Tensor,
    /// Its gradient, shaped like the point.
    pub gradient: Tensor,
}

/// Minimizes a loss step by step.
pub trait Optimizer {
    /// The point to evaluate after `x`.
    fn step(&mut self, x: &Tensor, evaluation: &Evaluation) -> Result<Tensor>;

    /// Continues with a loss that resembles the one before, at another rate.
    fn restart(&mut self, rate: f64);

    /// The state of each value, shaped like the point. Code that warps or crops the point must do the same to this
    /// state.
    fn state(&mut self) -> Vec<&mut Tensor>;
}

/// An optimizer and its settings, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimizerConfig {
    /// Adam.
    Adam {
        /// The step size, in units of what is optimized.
        rate: f64,
        /// The decay of the mean of squared gradients.
        beta2: f64,
        /// The decay of the step size.
        decay: Option<Decay>,
    },
    /// L-BFGS.
    Lbfgs {
        /// The factor of each step.
        rate: f64,
        /// The number of past steps that estimate the curvature.
        history: usize,
        /// The rule for the step length along a direction.
        rule: StepRule,
    },
    /// Steps along the gradient, divided by the mean of its magnitudes.
    NormalizedGradient {
        /// The mean change of a sample in a step, in 255ths.
        rate: f64,
    },
}

impl OptimizerConfig {
    /// An optimizer that starts at `x`.
    pub fn build(self, x: &Tensor) -> Result<Box<dyn Optimizer>> {
        Ok(match self {
            Self::Adam { rate, beta2, decay } => Box::new(Adam::new(x, rate, beta2, decay)?),
            Self::Lbfgs { rate, history, rule } => Box::new(Lbfgs::new(rate, history, rule)),
            Self::NormalizedGradient { rate } => Box::new(NormalizedGradient { rate }),
        })
    }

    /// The learning rate.
    pub fn rate(self) -> f64 {
        let (Self::Adam { rate, .. } | Self::Lbfgs { rate, .. } | Self::NormalizedGradient { rate }) = self;
        rate
    }

    /// The same configuration with another learning rate.
    pub fn with_rate(mut self, new: f64) -> Self {
        match &mut self {
            Self::Adam { rate, .. } | Self::Lbfgs { rate, .. } | Self::NormalizedGradient { rate } => *rate = new,
        }
        self
    }
}
