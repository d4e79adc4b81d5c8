//! Painting with a VGG network: which painter it is depends on the recipe, which may change from frame to frame.

use std::rc::Rc;

use style_engine_interface::{Parameters, recipe};
use tch::{Kind, Tensor};

use super::Painter;
use super::dreaming::DreamingPainter;
use super::optimizing::OptimizingPainter;
use crate::networks::vgg::Vgg;
use crate::progress::ProgressReporter;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::styles::Style;
use crate::{Error, Result};

/// A network, and the painter of the recipe in use. Styles and limits are kept for the other painter.
pub(crate) struct RecipePainter {
    network: Rc<Vgg>,
    styles: Vec<Style>,
    limits: TimeLimits,
    dreams: bool,
    painter: Box<dyn Painter>,
}

impl RecipePainter {
    pub fn new(network: Vgg) -> Result<Self> {
        let network = Rc::new(network);
        let painter = Box::new(OptimizingPainter::new(Rc::clone(&network))?);
        Ok(Self { network, styles: Vec::new(), limits: TimeLimits::default(), dreams: false, painter })
    }

    /// The other painter, with the same styles and limits.
    fn other(&self) -> Result<Box<dyn Painter>> {
        if self.dreams && self.styles.is_empty() {
            return Err(Error::Settings("all recipes but deepdream need a style: set style to a picture first".into()));
        }
        let mut other: Box<dyn Painter> = match self.dreams {
            true => Box::new(OptimizingPainter::new(Rc::clone(&self.network))?),
            false => Box::new(DreamingPainter::new(Rc::clone(&self.network))?),
        };
        other.set_styles(&self.styles)?;
        other.set_time_limits(self.limits);
        Ok(other)
    }
}

impl Painter for RecipePainter {
    fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        let dreams = parameters.recipe == recipe::DEEPDREAM;
        if dreams == self.dreams {
            return self.painter.set_parameters(parameters, content_layers, style_layers);
        }
        let mut painter = self.other()?;
        painter.set_parameters(parameters, content_layers, style_layers)?;
        (self.painter, self.dreams) = (painter, dreams);
        Ok(())
    }

    fn set_styles(&mut self, styles: &[Style]) -> Result<()> {
        self.painter.set_styles(styles)?;
        let own = |style: &Style| Style { picture: style.picture.shallow_clone(), weight: style.weight };
        self.styles = styles.iter().map(own).collect();
        Ok(())
    }

    fn set_time_limits(&mut self, limits: TimeLimits) {
        self.limits = limits;
        self.painter.set_time_limits(limits);
    }

    fn reset(&mut self) {
        self.painter.reset();
    }

    fn paint(
        &mut self,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        self.painter.paint(content, flow, progress)
    }

    fn steps(&self) -> u32 {
        self.painter.steps()
    }

    fn budget(&mut self) -> &mut StepBudget {
        self.painter.budget()
    }

    fn kind(&self) -> Kind {
        self.painter.kind()
    }
}
