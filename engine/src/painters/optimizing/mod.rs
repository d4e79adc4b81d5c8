//! Painting by optimization: the picture itself is moved until its features fit (L. Gatys, A. Ecker, M. Bethge, "Image Style
//! Transfer Using Convolutional Neural Networks", CVPR 2016).

mod coarse_to_fine;
mod follow;
mod frames;
mod steps;

use std::rc::Rc;

use style_engine_interface::Parameters;
use tch::{Device, Kind, Tensor};

use self::follow::Start;
use super::Painter;
use crate::networks::vgg::Vgg;
use crate::normalization::Normalizer;
use crate::progress::ProgressReporter;
use crate::recipes::Recipe;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::styles::{Style, Styles};
use crate::warm_start::Painted;
use crate::{Error, Result, device};

/// The first frame after a cut may take as long as this number of others: a film must not stand still for longer. What there
/// was no time for is painted in the frames that follow.
const CUT_FRAMES: u32 = 3;

/// A network, a recipe, styles, and the last result.
pub(crate) struct OptimizingPainter {
    network: Rc<Vgg>,
    /// The network in the precision that features are computed in.
    feature_network: Vgg,
    recipe: Recipe,
    input: Normalizer,
    parameters: Parameters,
    styles: Styles,
    limits: TimeLimits,
    budget: StepBudget,
    previous: Option<Painted>,
    /// Since the scene, the styles or the parameters changed.
    steps_since_change: u32,
    /// The minimum of the style loss since then.
    min_style_loss: f64,
    /// The style loss before the last step.
    style_loss: f64,
}

impl OptimizingPainter {
    pub fn new(network: Rc<Vgg>) -> Result<Self> {
        let parameters = Parameters::default();
        let recipe = Recipe::new(&parameters, "", "")?;
        Ok(Self {
            input: recipe.input.unwrap_or(network.input).on(network.device)?,
            feature_network: network.to_kind(kind(&recipe, network.device))?,
            network,
            recipe,
            parameters,
            styles: Styles::default(),
            limits: TimeLimits::default(),
            budget: StepBudget::default(),
            previous: None,
            steps_since_change: 0,
            min_style_loss: f64::INFINITY,
            style_loss: 0.0,
        })
    }

    /// The scene, the styles or the parameters are others from now on.
    fn begin_change(&mut self) {
        (self.steps_since_change, self.min_style_loss) = (0, f64::INFINITY);
    }

    /// Keeps a painted frame.
    fn keep(&mut self, painted: Painted, progress: &ProgressReporter) {
        self.steps_since_change = self.steps_since_change.saturating_add(progress.step);
        if let Some(losses) = progress.losses {
            self.style_loss = losses.style;
            self.min_style_loss = self.min_style_loss.min(losses.style);
        }
        self.previous = Some(painted);
    }
}

impl Painter for OptimizingPainter {
    fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        let recipe = Recipe::new(&parameters, content_layers, style_layers)?;
        recipe.content.find_layers(&self.network)?;
        recipe.style.find_layers(&self.network)?;
        let describes_differently = !recipe.has_style_of(&self.recipe);
        let others = (self.parameters.style_scale, self.parameters.original_colors);
        if describes_differently || others != (parameters.style_scale, parameters.original_colors) {
            self.styles.forget_targets();
        }
        if recipe.kind != self.recipe.kind {
            self.feature_network = self.network.to_kind(kind(&recipe, self.network.device))?;
        }
        if recipe.input != self.recipe.input {
            self.input = recipe.input.unwrap_or(self.network.input).on(self.network.device)?;
        }
        if describes_differently && let Some(previous) = &mut self.previous {
            previous.surroundings = None;
        }
        if recipe != self.recipe || !self.styles.is_prepared() {
            self.begin_change();
        }
        (self.parameters, self.recipe) = (parameters, recipe);
        Ok(())
    }

    fn set_styles(&mut self, styles: &[Style]) -> Result<()> {
        self.styles.set(styles, self.network.device)?;
        self.begin_change();
        Ok(())
    }

    /// Steps that do not fit are left out, but at least one is taken. A first frame that gets fewer steps is painted further in
    /// those that follow.
    fn set_time_limits(&mut self, limits: TimeLimits) {
        self.limits = limits;
    }

    fn reset(&mut self) {
        self.previous = None;
    }

    fn paint(
        &mut self,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        if self.styles.is_empty() {
            return Err(Error::NoStyle);
        }
        let is_cut = self.previous.is_some();
        let painted = match self.follow(content, flow)? {
            Start::Finished(painted) => painted,
            Start::Carried(painted, constraint) => self.paint_next(painted, constraint.as_ref(), progress)?,
            Start::FromScratch => {
                progress.is_first = true;
                self.begin_change();
                let TimeLimits { first, next } = self.limits;
                let limit = if is_cut { first.min(next.map(|limit| CUT_FRAMES * limit)) } else { first };
                self.paint_first(content, limit, progress)?
            }
        };
        let picture = painted.picture.shallow_clone();
        self.keep(painted, progress);
        Ok(picture)
    }

    fn steps(&self) -> u32 {
        self.recipe.iterations
    }

    fn budget(&mut self) -> &mut StepBudget {
        &mut self.budget
    }

    fn kind(&self) -> Kind {
        kind(&self.recipe, self.network.device)
    }
}

/// The precision of features.
fn kind(recipe: &Recipe, device: Device) -> Kind {
    recipe.kind.unwrap_or_else(|| device::preferred_kind(device))
}
