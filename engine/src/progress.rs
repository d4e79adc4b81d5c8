//! The progress of a frame.

use std::time::Duration;

use tch::Tensor;

use crate::objective::LossValues;
use crate::{Error, Result};

/// A step that was taken.
pub struct Step<'a> {
    /// Counted from 1.
    pub step: u32,
    /// The number of steps planned for the frame.
    pub steps: u32,
    /// Whether the frame is a first one.
    pub is_first: bool,
    /// The weighted sum of the losses before it, `()`.
    pub loss: &'a Tensor,
}

/// Counts steps and reports them.
pub(crate) struct ProgressReporter<'a> {
    pub step: u32,
    pub steps: u32,
    pub is_first: bool,
    /// The time spent on steps.
    pub stepping: Duration,
    /// The losses before the last step.
    pub losses: Option<LossValues>,
    report: &'a mut dyn FnMut(&Step) -> bool,
}

impl<'a> ProgressReporter<'a> {
    /// `report` hears of each step; if it returns false, the frame is given up.
    pub fn new(report: &'a mut dyn FnMut(&Step) -> bool) -> Self {
        Self { step: 0, steps: 0, is_first: false, stepping: Duration::ZERO, losses: None, report }
    }

    /// Reports a step whose losses summed up to `loss`.
    pub fn step(&mut self, loss: &Tensor) -> Result<()> {
        self.step += 1;
        let step = Step { step: self.step, steps: self.steps, is_first: self.is_first, loss };
        if (self.report)(&step) { Ok(()) } else { Err(Error::Stopped) }
    }
}
