//! Painting by a feed-forward network: one pass for each frame. The network's own flicker is damped along the optical flow.

use std::path::Path;
use std::time::Instant;

use style_engine_interface::{Parameters, model_input, original_colors, warm_start};
use tch::{Device, Kind, Tensor};

use super::Painter;
use crate::color::ColorStatistics;
use crate::networks::feed_forward::FeedForward;
use crate::networks::models;
use crate::normalization::{Input, Normalizer};
use crate::progress::ProgressReporter;
use crate::size::size_of;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::style_masks::StyleMasks;
use crate::styles::Style;
use crate::warm_start::{Motion, unchanged};
use crate::{Error, Result};

/// The default of `temporal-weight`: the warped last result counts as much as the network's picture.
const TEMPORAL_WEIGHT: f64 = 1.0;

/// A network and the last result.
pub(crate) struct FeedForwardPainter {
    network: Box<dyn FeedForward>,
    /// From pictures to what the network takes.
    normalizer: Normalizer,
    device: Device,
    parameters: Parameters,
    budget: StepBudget,
    previous: Option<Previous>,
}

/// A painted frame.
struct Previous {
    content: Tensor,
    picture: Tensor,
}

impl FeedForwardPainter {
    /// Opens a network's file.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let network = models::open(path, device)?;
        Ok(Self {
            normalizer: network.input().on(device)?,
            network,
            device,
            parameters: Parameters::default(),
            budget: StepBudget::default(),
            previous: None,
        })
    }

    /// The network in words.
    pub fn name(&self) -> String {
        self.network.name()
    }

    /// What the network takes, as the user says.
    fn input(&self, number: u32) -> Result<Input> {
        Ok(match number {
            model_input::AUTO => self.network.input(),
            model_input::RGB_1 => Input::RGB_1,
            model_input::RGB_255 => Input::RGB_255,
            model_input::RGB_SIGNED => Input::RGB_SIGNED,
            model_input::BGR_1 => Input::BGR_1,
            model_input::BGR_255 => Input::BGR_255,
            model_input::BGR_SIGNED => Input::BGR_SIGNED,
            number => return Err(Error::Settings(format!("unknown model input: {number}"))),
        })
    }

    /// The network's picture of a frame.
    fn painted(&mut self, content: &Tensor, progress: &mut ProgressReporter) -> Result<Tensor> {
        let begin = Instant::now();
        progress.steps = 1;
        let painted = self.normalizer.undo(&self.network.apply(&self.normalizer.apply(content)?)?)?;
        // A network can fail in a place, for example by a division by the variance of a black frame. What is no number
        // would stay there in all frames that follow.
        let mut picture = painted.f_nan_to_num(0.0, 1.0, 0.0)?.f_clamp(0.0, 1.0)?.f_contiguous()?;
        if self.parameters.original_colors == original_colors::MATCH {
            picture = ColorStatistics::of(content)?.apply_to(&picture)?;
        }
        // There is no loss.
        progress.step(&Tensor::f_zeros([], (Kind::Float, content.device()))?)?;
        let took = begin.elapsed();
        progress.stepping += took;
        self.budget.learn_steps(1, size_of(content)?.iter().product(), took);
        Ok(picture)
    }

    /// The weighted mean of `picture` and the last result, warped, where that was visible: what lies nearest to both, the
    /// latter `temporal-weight` times as important. `None` after a cut.
    fn steadied(
        &self,
        picture: &Tensor,
        previous: &Previous,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
    ) -> Result<Option<Tensor>> {
        let unchanged = unchanged(&previous.content, content)?;
        let motion = Motion::new(&previous.content, content, &unchanged, flow)?;
        if motion.disoccluded()? > self.parameters.scene_threshold {
            return Ok(None);
        }
        let weight = match self.parameters.temporal_weight {
            ..0.0 => TEMPORAL_WEIGHT,
            weight => weight,
        };
        let share = motion.visible.f_mul_scalar(weight / (1.0 + weight))?;
        let warped = motion.warp(&previous.picture)?;
        Ok(Some(picture.f_lerp_tensor(&warped, &share)?.f_clamp(0.0, 1.0)?))
    }
}

impl Painter for FeedForwardPainter {
    fn set_parameters(&mut self, parameters: Parameters, _content_layers: &str, _style_layers: &str) -> Result<()> {
        if parameters.model_input != self.parameters.model_input {
            self.normalizer = self.input(parameters.model_input)?.on(self.device)?;
            self.previous = None;
        }
        self.parameters = parameters;
        Ok(())
    }

    fn set_styles(&mut self, _styles: &[Style]) -> Result<()> {
        Err(Error::Settings("a model has its own style: it takes no style pictures".into()))
    }

    fn set_masks(&mut self, masks: Option<StyleMasks>) -> Result<()> {
        match masks {
            Some(_) => Err(Error::Settings("a model has one style: masks divide frames among several".into())),
            None => Ok(()),
        }
    }

    /// A frame is one pass: nothing can be left out.
    fn set_time_limits(&mut self, _limits: TimeLimits) {}

    fn reset(&mut self) {
        self.previous = None;
    }

    fn paint(
        &mut self,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        let mut picture = self.painted(content, progress)?;
        let size = size_of(content)?;
        let follows = self.parameters.warm_start == warm_start::FLOW;
        let previous =
            self.previous.take().filter(|last| follows && size_of(&last.content).is_ok_and(|own| own == size));
        let steadied = match &previous {
            Some(previous) => self.steadied(&picture, previous, content, flow)?,
            None => None,
        };
        progress.is_first = steadied.is_none();
        picture = steadied.unwrap_or(picture);
        self.previous = Some(Previous { content: content.shallow_clone(), picture: picture.shallow_clone() });
        Ok(picture)
    }

    fn steps(&self) -> u32 {
        1
    }

    fn budget(&mut self) -> &mut StepBudget {
        &mut self.budget
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }
}
