//! Painting by feed-forward networks: one pass of each for a frame. Their own flicker is damped along the optical flow.

use std::time::Instant;

use style_engine_interface::{Parameters, warm_start};
use tch::{Kind, Tensor};

use super::{MAX_FADING, ModelShare, Models, Painter, damping};
use crate::motion::{Motion, unchanged};
use crate::progress::ProgressReporter;
use crate::size::{halve, size_of};
use crate::step_budget::{StepBudget, TimeLimits};
use crate::style_masks::StyleMasks;
use crate::styles::Style;
use crate::{Error, Result};

/// The default of `temporal-weight`: the warped last result counts one and a half times as much as the network's picture.
const TEMPORAL_WEIGHT: f64 = 1.5;

/// Motion is estimated between frames that were halved until their longer side is not more than this, in pixels: the network
/// paints in less time than the motion of a larger frame would take.
const MOTION_SIDE: i64 = 320;

/// Networks and the last result.
pub(crate) struct FeedForwardPainter {
    models: Models,
    /// The masks of the models' regions, if there are several.
    masks: Option<StyleMasks>,
    parameters: Parameters,
    budget: StepBudget,
    previous: Option<Previous>,
    /// How the last frame follows the one before.
    motion: Option<Motion>,
}

/// A painted frame.
struct Previous {
    content: Tensor,
    /// The content, as small as motion is estimated.
    small: Tensor,
    picture: Tensor,
}

impl FeedForwardPainter {
    pub fn new(models: Models) -> Self {
        Self {
            models,
            masks: None,
            parameters: Parameters::default(),
            budget: StepBudget::default(),
            previous: None,
            motion: None,
        }
    }

    /// The networks' picture of a frame: each pass is a step.
    fn painted(&mut self, content: &Tensor, progress: &mut ProgressReporter) -> Result<Tensor> {
        let begin = Instant::now();
        let (picture, passes) = self.models.paint(content, self.masks.as_ref())?;
        progress.steps = passes;
        for _ in 0..passes {
            // There is no loss.
            progress.step(&Tensor::f_zeros([], (Kind::Float, content.device()))?)?;
        }
        let took = begin.elapsed();
        progress.stepping += took;
        self.budget.learn_steps(passes, size_of(content)?.iter().product(), took);
        Ok(picture)
    }

    /// The weighted mean of `picture` and the last result, warped, where that was visible: what lies nearest to both, the
    /// latter `temporal-weight` times as important. `None` after a cut.
    fn damped(
        &mut self,
        picture: &Tensor,
        previous: &Previous,
        frames: [&Tensor; 2],
        flow: Option<[Tensor; 2]>,
    ) -> Result<Option<Tensor>> {
        let [content, small] = frames;
        let (before, now) = if flow.is_some() { (&previous.content, content) } else { (&previous.small, small) };
        let motion = Motion::new(before, now, &unchanged(before, now)?, flow)?;
        if motion.disoccluded()? > self.parameters.scene_threshold {
            return Ok(None);
        }
        let weight = match self.parameters.temporal_weight {
            ..0.0 => TEMPORAL_WEIGHT,
            weight => weight,
        };
        let damped = damping::damped(picture, &previous.picture, &motion, weight / (1.0 + weight))?;
        self.motion = Some(motion);
        Ok(Some(damped))
    }
}

/// A frame, halved as [`MOTION_SIDE`] says.
fn small(content: &Tensor) -> Result<Tensor> {
    let mut small = content.shallow_clone();
    while size_of(&small)?.into_iter().any(|side| side > MOTION_SIDE) {
        small = halve(&small)?;
    }
    Ok(small)
}

impl Painter for FeedForwardPainter {
    fn set_parameters(&mut self, parameters: Parameters, _content_layers: &str, _style_layers: &str) -> Result<()> {
        if self.models.set_parameters(parameters)? {
            self.previous = None;
        }
        self.parameters = parameters;
        Ok(())
    }

    fn set_styles(&mut self, _styles: &[Style]) -> Result<()> {
        Err(Error::Settings("the model was opened without styles and paints alone: set style before the start".into()))
    }

    fn set_models(&mut self, models: &[ModelShare]) -> Result<()> {
        if models.is_empty() {
            let reason = "frames are painted by a model alone: set another model, or stop and set style";
            return Err(Error::Settings(reason.into()));
        }
        if self.models.set(models)? > MAX_FADING {
            self.previous = None;
        }
        Ok(())
    }

    fn models(&self) -> Option<String> {
        Some(self.models.name())
    }

    fn set_masks(&mut self, masks: Option<StyleMasks>) -> Result<()> {
        self.masks = masks;
        Ok(())
    }

    /// A frame is one pass of each network: nothing can be left out.
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
        let (size, small) = (size_of(content)?, small(content)?);
        let follows = self.parameters.warm_start == warm_start::FLOW;
        let previous =
            self.previous.take().filter(|last| follows && size_of(&last.content).is_ok_and(|own| own == size));
        self.motion = None;
        let damped = match &previous {
            Some(previous) => self.damped(&picture, previous, [content, &small], flow)?,
            None => None,
        };
        progress.is_first = damped.is_none();
        picture = damped.unwrap_or(picture);
        self.previous = Some(Previous { content: content.shallow_clone(), small, picture: picture.shallow_clone() });
        Ok(picture)
    }

    fn motion(&self) -> Option<&Motion> {
        self.motion.as_ref()
    }

    /// Those of a frame in which every network has a share, so that the size of frames does not depend on their masks.
    fn steps(&self) -> u32 {
        self.models.count() as u32
    }

    fn budget(&mut self) -> &mut StepBudget {
        &mut self.budget
    }

    fn kind(&self) -> Kind {
        self.models.kind()
    }
}
