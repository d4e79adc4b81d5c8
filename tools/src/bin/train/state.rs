//! The state of the training: parameters, the optimizer's moments, and the number of steps taken.

use std::path::Path;

use style_engine::optimizers::{Adam, Evaluation, Optimizer};
use style_engine::weights;
use tch::{Device, Kind, Tensor};
use tools::{Outcome, replace};

use crate::network::Layout;

/// The decay of the mean of squared gradients.
const BETA2: f64 = 0.99;

pub struct State {
    parameters: Tensor,
    adam: Adam,
}

impl State {
    pub fn new(parameters: Tensor) -> Outcome<Self> {
        Ok(Self { adam: Adam::new(&parameters, 0.0, BETA2, None)?, parameters })
    }

    /// Reads a saved state, if there is one.
    ///
    /// Fails if it is another command's: its network would be lost.
    pub fn open(path: &Path, command: &str, layout: &Layout, device: Device) -> Outcome<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let mut tensors = weights::open(path)?;
        let mut read = |name: &str, count: i64| -> Outcome<Tensor> {
            tensors
                .read(name, &[count], device)
                .map_err(|reason| format!("{}: {reason}; remove it to begin again", path.display()).into())
        };
        let own = numbers(command);
        if !read("command", own.numel() as i64)?.equal(&own.to_device(device)) {
            return Err(format!("{}: of another command; remove it to begin again", path.display()).into());
        }
        let [parameters, mean, square] = ["parameters", "mean", "square"].map(|name| read(name, layout.len()));
        let steps = read("steps", 1)?.double_value(&[0]) as i32;
        let mut state = Self::new(parameters?)?;
        state.adam.resume([mean?, square?], steps);
        Ok(Some(state))
    }

    /// Writes the state.
    pub fn save(&mut self, path: &Path, command: &str) -> Outcome<()> {
        let steps = Tensor::from_slice(&[self.adam.steps() as f32]);
        let mut tensors = vec![
            ("command".to_owned(), numbers(command)),
            ("steps".to_owned(), steps),
            ("parameters".to_owned(), self.parameters.shallow_clone()),
        ];
        for (name, moment) in ["mean", "square"].into_iter().zip(self.adam.state()) {
            tensors.push((name.to_owned(), moment.shallow_clone()));
        }
        replace(path, |draft| Ok(weights::save_tensors(&tensors, draft, None)?))
    }

    /// The number of steps taken.
    pub fn steps(&self) -> i64 {
        self.adam.steps().into()
    }

    /// The parameters, without a gradient.
    pub fn parameters(&self) -> Tensor {
        self.parameters.detach()
    }

    /// Takes a step.
    pub fn step(&mut self, gradient: &Tensor, rate: f64) -> Outcome<()> {
        self.adam.restart(rate);
        let evaluation =
            Evaluation { loss: Tensor::zeros([], (Kind::Float, gradient.device())), gradient: gradient.detach() };
        self.parameters = self.adam.step(&self.parameters, &evaluation)?;
        Ok(())
    }
}

/// A text as numbers.
fn numbers(text: &str) -> Tensor {
    Tensor::from_slice(text.as_bytes()).to_kind(Kind::Float)
}
