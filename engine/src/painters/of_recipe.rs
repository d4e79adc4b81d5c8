//! Painting with a VGG network: which painter it is depends on the recipe, which may change from frame to frame.

use std::rc::Rc;

use style_engine_interface::{Parameters, recipe};
use tch::{Kind, Tensor};

use super::dreaming::DreamingPainter;
use super::optimizing::OptimizingPainter;
use super::{ModelShare, Models, Painter};
use crate::motion::Motion;
use crate::networks::vgg::Vgg;
use crate::progress::ProgressReporter;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::style_masks::StyleMasks;
use crate::styles::Style;
use crate::{Error, Result};

/// The painters of all recipes, one of which is in use. Each keeps its settings while it is not.
pub(crate) struct RecipePainter {
    optimizing: OptimizingPainter,
    dreaming: DreamingPainter,
    dreams: bool,
    has_styles: bool,
}

impl RecipePainter {
    /// With models, the optimizing painter starts from their pictures.
    pub fn new(network: Vgg, models: Option<Models>) -> Result<Self> {
        let network = Rc::new(network);
        Ok(Self {
            optimizing: OptimizingPainter::new(Rc::clone(&network), models)?,
            dreaming: DreamingPainter::new(network)?,
            dreams: false,
            has_styles: false,
        })
    }

    fn current(&self) -> &dyn Painter {
        if self.dreams { &self.dreaming } else { &self.optimizing }
    }

    fn current_mut(&mut self) -> &mut dyn Painter {
        if self.dreams { &mut self.dreaming } else { &mut self.optimizing }
    }
}

impl Painter for RecipePainter {
    fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        let dreams = parameters.recipe == recipe::DEEPDREAM;
        if dreams == self.dreams {
            return self.current_mut().set_parameters(parameters, content_layers, style_layers);
        }
        if self.dreams && !self.has_styles {
            return Err(Error::Settings("all recipes but deepdream need a style: set style to a picture first".into()));
        }
        let other: &mut dyn Painter = if dreams { &mut self.dreaming } else { &mut self.optimizing };
        other.set_parameters(parameters, content_layers, style_layers)?;
        self.reset();
        self.dreams = dreams;
        Ok(())
    }

    fn set_styles(&mut self, styles: &[Style]) -> Result<()> {
        self.optimizing.set_styles(styles)?;
        self.dreaming.set_styles(styles)?;
        self.has_styles = !styles.is_empty();
        Ok(())
    }

    fn set_models(&mut self, models: &[ModelShare]) -> Result<()> {
        self.optimizing.set_models(models)
    }

    fn models(&self) -> Option<String> {
        self.optimizing.models()
    }

    fn set_masks(&mut self, masks: Option<StyleMasks>) -> Result<()> {
        self.current_mut().set_masks(masks)
    }

    fn set_time_limits(&mut self, limits: TimeLimits) {
        self.optimizing.set_time_limits(limits);
        self.dreaming.set_time_limits(limits);
    }

    fn reset(&mut self) {
        self.optimizing.reset();
        self.dreaming.reset();
    }

    fn paint(
        &mut self,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        self.current_mut().paint(content, flow, progress)
    }

    fn motion(&self) -> Option<&Motion> {
        self.current().motion()
    }

    fn steps(&self) -> u32 {
        self.current().steps()
    }

    fn budget(&mut self) -> &mut StepBudget {
        self.current_mut().budget()
    }

    fn kind(&self) -> Kind {
        self.current().kind()
    }
}
