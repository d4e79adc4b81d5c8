//! What moves the picture from one evaluation of its losses to the next.

mod adam;
mod lbfgs;
mod line_search;

pub use adam::{Adam, Decay};
pub use lbfgs::{Lbfgs, StepRule};

use tch::Tensor;

use crate::Result;

/// The loss at a point, and its gradient there.
pub struct Evaluation {
    /// `()`.
    pub loss: Tensor,
    /// Shaped like the point.
    pub gradient: Tensor,
}

/// Walks downhill. What it is asked for in turn are the points to evaluate.
pub trait Optimizer {
    /// Where to evaluate next, after `x`.
    fn step(&mut self, x: &Tensor, evaluation: &Evaluation) -> Result<Tensor>;

    /// Goes on with another loss that resembles the one before, at another rate.
    fn renew(&mut self, rate: f64);

    /// What is known of each value, shaped like the point: who moves values, or leaves some out, does the same to these.
    fn moments(&mut self) -> Vec<&mut Tensor>;
}

/// An optimiser and its settings, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Adam.
    Adam {
        /// The step size, in units of what is optimised.
        rate: f64,
        /// How long squares of gradients are remembered.
        beta2: f64,
        /// How the step size falls.
        decay: Option<Decay>,
    },
    /// L-BFGS.
    Lbfgs {
        /// The share of each step that is taken.
        rate: f64,
        /// So many steps make up its picture of the curvature.
        history: usize,
        /// How far it goes along a direction.
        rule: StepRule,
    },
}

impl Method {
    /// A walk that begins at `x`.
    pub fn begin(self, x: &Tensor) -> Result<Box<dyn Optimizer>> {
        Ok(match self {
            Self::Adam { rate, beta2, decay } => Box::new(Adam::new(x, rate, beta2, decay)?),
            Self::Lbfgs { rate, history, rule } => Box::new(Lbfgs::new(rate, history, rule)),
        })
    }

    /// The rate.
    pub fn rate(self) -> f64 {
        let (Self::Adam { rate, .. } | Self::Lbfgs { rate, .. }) = self;
        rate
    }

    /// The same with another rate.
    pub fn with_rate(mut self, new: f64) -> Self {
        match &mut self {
            Self::Adam { rate, .. } | Self::Lbfgs { rate, .. } => *rate = new,
        }
        self
    }
}
