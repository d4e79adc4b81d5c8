//! L-BFGS. D. Liu, J. Nocedal, "On the Limited Memory BFGS OptimizerConfig for Large Scale Optimization" (Mathematical
//! Programming 45, 1989).

use std::collections::VecDeque;

use tch::{Kind, Tensor};

use super::line_search::{LineSearch, Verdict};
use super::{Evaluation, Optimizer};
use crate::Result;

/// The step length along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepRule {
    /// As `torch.optim.LBFGS` does: as far as the curvature tells, and on its first step no more than 1 in all.
    Fixed,
    /// As SciPy's `fmin_l_bfgs_b` does: until the strong Wolfe conditions hold.
    StrongWolfe {
        /// The number of evaluations after which the curvature estimate is dropped.
        restart_every: u32,
    },
}

/// A curvature below this is not learnt from (PyTorch).
const MIN_CURVATURE: f64 = 1e-10;

/// A slope less steep than this is no way down (PyTorch).
const MIN_SLOPE: f64 = 1e-9;

/// Evaluations along one direction, after which it is given up (SciPy).
const MAX_TRIALS: u32 = 20;

/// A walk with L-BFGS.
pub struct Lbfgs {
    rate: f64,
    max_pairs: usize,
    rule: StepRule,
    pairs: VecDeque<Pair>,
    under_way: Option<Move>,
    /// Evaluations since the walk, or its round, began.
    evaluations: u32,
}

/// A step that was taken, and by how much it changed the gradient.
struct Pair {
    step: Tensor,
    change: Tensor,
    /// 1 / (step . change)
    rho: f64,
    /// (step . change) / (change . change)
    scale: f64,
}

/// From where to which side.
struct Move {
    from: Tensor,
    gradient: Tensor,
    direction: Tensor,
    length: f64,
    search: Option<LineSearch>,
    trials: u32,
}

impl Lbfgs {
    /// Takes `rate` of each step and remembers up to `max_pairs` of them.
    pub fn new(rate: f64, max_pairs: usize, rule: StepRule) -> Self {
        Self { rate, max_pairs, rule, pairs: VecDeque::new(), under_way: None, evaluations: 0 }
    }

    /// Sets out from `x` in a new direction.
    fn set_out(&mut self, x: &Tensor, loss: f64, gradient: &Tensor) -> Result<Tensor> {
        let direction = self.direction(gradient)?;
        let slope = dot(gradient, &direction)?;
        let is_first = self.pairs.is_empty();
        let (length, search) = match self.rule {
            StepRule::Fixed if slope > -MIN_SLOPE => (0.0, None),
            StepRule::Fixed if is_first && self.evaluations == 1 => {
                let sum = gradient.f_abs()?.f_sum(Kind::Double)?.f_double_value(&[])?;
                (self.rate * (1.0 / sum).min(1.0), None)
            }
            StepRule::Fixed => (self.rate, None),
            StepRule::StrongWolfe { .. } if slope >= 0.0 => (0.0, None),
            StepRule::StrongWolfe { .. } => {
                // At first a step of 1 in all.
                let length = self.rate * if is_first { 1.0 / (-slope).sqrt() } else { 1.0 };
                (length, Some(LineSearch::new(length, loss, slope)))
            }
        };
        let next = x.f_add(&direction.f_mul_scalar(length)?)?;
        let from = x.shallow_clone();
        let gradient = gradient.shallow_clone();
        self.under_way = Some(Move { from, gradient, direction, length, search, trials: 0 });
        Ok(next)
    }

    /// The gradient, turned and scaled by the curvature that the pairs tell of: the two-loop recursion.
    fn direction(&self, gradient: &Tensor) -> Result<Tensor> {
        let mut direction = gradient.f_neg()?;
        let mut weights = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let weight = pair.rho * dot(&pair.step, &direction)?;
            direction = direction.f_sub(&pair.change.f_mul_scalar(weight)?)?;
            weights.push(weight);
        }
        if let Some(last) = self.pairs.back() {
            direction = direction.f_mul_scalar(last.scale)?;
        }
        for (pair, weight) in self.pairs.iter().zip(weights.iter().rev()) {
            let correction = weight - pair.rho * dot(&pair.change, &direction)?;
            direction = direction.f_add(&pair.step.f_mul_scalar(correction)?)?;
        }
        Ok(direction)
    }

    fn learn(&mut self, done: &Move, gradient: &Tensor) -> Result<()> {
        let step = done.direction.f_mul_scalar(done.length)?;
        let change = gradient.f_sub(&done.gradient)?;
        let curvature = dot(&step, &change)?;
        let least = match self.rule {
            StepRule::Fixed => MIN_CURVATURE,
            StepRule::StrongWolfe { .. } => f64::EPSILON * -dot(&done.gradient, &step)?,
        };
        if curvature > least {
            if self.pairs.len() == self.max_pairs {
                self.pairs.pop_front();
            }
            let scale = curvature / dot(&change, &change)?;
            self.pairs.push_back(Pair { step, change, rho: 1.0 / curvature, scale });
        }
        Ok(())
    }
}

impl Optimizer for Lbfgs {
    fn step(&mut self, x: &Tensor, evaluation: &Evaluation) -> Result<Tensor> {
        self.evaluations += 1;
        let loss = evaluation.loss.f_double_value(&[])?;
        let gradient = &evaluation.gradient;
        let Some(mut done) = self.under_way.take() else {
            return self.set_out(x, loss, gradient);
        };
        if let Some(search) = &mut done.search {
            done.trials += 1;
            match search.judge(loss, dot(gradient, &done.direction)?) {
                Verdict::Accepted => {}
                Verdict::Try(length) if done.trials < MAX_TRIALS => {
                    let next = done.from.f_add(&done.direction.f_mul_scalar(length)?)?;
                    self.under_way = Some(Move { length, ..done });
                    return Ok(next);
                }
                Verdict::Try(_) => {
                    self.pairs.clear();
                    return self.set_out(x, loss, gradient);
                }
            }
        }
        self.learn(&done, gradient)?;
        if let StepRule::StrongWolfe { restart_every } = self.rule
            && self.evaluations > restart_every
        {
            // The next round's first evaluation would be this one again.
            self.pairs.clear();
            self.evaluations = 1;
        }
        self.set_out(x, loss, gradient)
    }

    /// Gradients of another loss tell nothing of this one's curvature.
    fn restart(&mut self, rate: f64) {
        *self = Self::new(rate, self.max_pairs, self.rule);
    }

    /// A walk that is renewed knows nothing that could move.
    fn state(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(a.f_flatten(0, -1)?.f_dot(&b.f_flatten(0, -1)?)?.f_double_value(&[])?)
}
