//! L-BFGS. D. Liu, J. Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization" (Mathematical
//! Programming 45, 1989).

use std::collections::VecDeque;

use tch::{Kind, Tensor};

use super::line_search::{LineSearch, Verdict};
use super::{Evaluation, Optimizer};
use crate::Result;

/// The rule for the step length along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepRule {
    /// As `torch.optim.LBFGS`: the whole quasi-Newton step; the first step has an L1 norm of at most 1.
    Fixed,
    /// As SciPy's `fmin_l_bfgs_b`: a line search until the strong Wolfe conditions hold.
    StrongWolfe {
        /// The number of evaluations after which the curvature estimate is dropped.
        restart_every: u32,
    },
}

/// Steps with less curvature than this are not used for the curvature estimate (PyTorch).
const MIN_CURVATURE: f64 = 1e-10;

/// The minimum descent along a direction (PyTorch).
const MIN_SLOPE: f64 = 1e-9;

/// The maximum number of evaluations along one direction (SciPy).
const MAX_TRIALS: u32 = 20;

/// The state of L-BFGS.
pub struct Lbfgs {
    rate: f64,
    max_pairs: usize,
    rule: StepRule,
    pairs: VecDeque<Pair>,
    current: Option<CurrentStep>,
    /// Evaluations since the start or the last restart.
    evaluations: u32,
}

/// A past step, and the change of the gradient along it.
struct Pair {
    step: Tensor,
    change: Tensor,
    /// 1 / (step . change)
    rho: f64,
    /// (step . change) / (change . change)
    scale: f64,
}

/// The step whose end is evaluated next.
struct CurrentStep {
    from: Tensor,
    gradient: Tensor,
    direction: Tensor,
    length: f64,
    search: Option<LineSearch>,
    trials: u32,
}

impl Lbfgs {
    /// Multiplies each step by `rate`, and estimates the curvature from the last `max_pairs` steps.
    pub fn new(rate: f64, max_pairs: usize, rule: StepRule) -> Self {
        Self { rate, max_pairs, rule, pairs: VecDeque::new(), current: None, evaluations: 0 }
    }

    /// Starts a step from `x` in a new direction; returns the next point to evaluate.
    fn start_direction(&mut self, x: &Tensor, loss: f64, gradient: &Tensor) -> Result<Tensor> {
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
                // The first step has a length of 1.
                let length = self.rate * if is_first { 1.0 / (-slope).sqrt() } else { 1.0 };
                (length, Some(LineSearch::new(length, loss, slope)))
            }
        };
        let next = x.f_add(&direction.f_mul_scalar(length)?)?;
        let from = x.shallow_clone();
        let gradient = gradient.shallow_clone();
        self.current = Some(CurrentStep { from, gradient, direction, length, search, trials: 0 });
        Ok(next)
    }

    /// The quasi-Newton direction, by the two-loop recursion.
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

    /// Adds the step to the curvature estimate; `gradient` is the gradient at its end.
    fn add_pair(&mut self, taken: &CurrentStep, gradient: &Tensor) -> Result<()> {
        let step = taken.direction.f_mul_scalar(taken.length)?;
        let change = gradient.f_sub(&taken.gradient)?;
        let curvature = dot(&step, &change)?;
        let min_curvature = match self.rule {
            StepRule::Fixed => MIN_CURVATURE,
            StepRule::StrongWolfe { .. } => f64::EPSILON * -dot(&taken.gradient, &step)?,
        };
        if curvature > min_curvature {
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
        let Some(mut taken) = self.current.take() else {
            return self.start_direction(x, loss, gradient);
        };
        if let Some(search) = &mut taken.search {
            taken.trials += 1;
            match search.judge(loss, dot(gradient, &taken.direction)?) {
                Verdict::Accepted => {}
                Verdict::Try(length) if taken.trials < MAX_TRIALS => {
                    let next = taken.from.f_add(&taken.direction.f_mul_scalar(length)?)?;
                    self.current = Some(CurrentStep { length, ..taken });
                    return Ok(next);
                }
                Verdict::Try(_) => {
                    self.pairs.clear();
                    return self.start_direction(x, loss, gradient);
                }
            }
        }
        self.add_pair(&taken, gradient)?;
        if let StepRule::StrongWolfe { restart_every } = self.rule
            && self.evaluations > restart_every
        {
            // This evaluation is also the first one of the next round.
            self.pairs.clear();
            self.evaluations = 1;
        }
        self.start_direction(x, loss, gradient)
    }

    /// Discards the curvature estimate, which is from another loss.
    fn restart(&mut self, rate: f64) {
        *self = Self::new(rate, self.max_pairs, self.rule);
    }

    /// None: [`Self::restart`] discards all state.
    fn state(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(a.f_flatten(0, -1)?.f_dot(&b.f_flatten(0, -1)?)?.f_double_value(&[])?)
}
