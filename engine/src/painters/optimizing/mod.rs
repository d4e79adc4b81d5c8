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
use super::{MAX_FADING, ModelShare, Models, Painter};
use crate::motion::Motion;
use crate::networks::vgg::Vgg;
use crate::normalization::Normalizer;
use crate::progress::ProgressReporter;
use crate::recipes::Recipe;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::style_masks::StyleMasks;
use crate::styles::{Style, Styles};
use crate::warm_start::Painted;
use crate::{Error, Result, device};

/// A network, a recipe, styles, and the last result.
pub(crate) struct OptimizingPainter {
    network: Rc<Vgg>,
    /// The network in the precision that features are computed in.
    feature_network: Vgg,
    /// Their picture is what places without earlier paint start from.
    models: Option<Models>,
    recipe: Recipe,
    input: Normalizer,
    parameters: Parameters,
    styles: Styles,
    /// What divides the frames among the styles, and what divided the last one.
    masks: Option<StyleMasks>,
    last_masks: Option<StyleMasks>,
    limits: TimeLimits,
    budget: StepBudget,
    previous: Option<Painted>,
    /// How the last frame follows the one before.
    motion: Option<Motion>,
    /// Since the scene, the styles or the parameters changed.
    steps_since_change: u32,
    /// The minimum of the style loss since then.
    min_style_loss: f64,
    /// The style loss before the last step.
    style_loss: f64,
}

impl OptimizingPainter {
    pub fn new(network: Rc<Vgg>, models: Option<Models>) -> Result<Self> {
        let parameters = Parameters::default();
        let recipe = Recipe::new(&parameters, "", "")?;
        Ok(Self {
            input: recipe.input.unwrap_or(network.input).on(network.device)?,
            feature_network: network.to_kind(kind(&recipe, network.device))?,
            network,
            models,
            recipe,
            parameters,
            styles: Styles::default(),
            masks: None,
            last_masks: None,
            limits: TimeLimits::default(),
            budget: StepBudget::default(),
            previous: None,
            motion: None,
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
        self.last_masks = None;
    }
}

impl Painter for OptimizingPainter {
    fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        let recipe = Recipe::new(&parameters, content_layers, style_layers)?;
        recipe.content.find_layers(&self.network)?;
        recipe.style.find_layers(&self.network)?;
        check_regions(&recipe, self.masks.as_ref())?;
        if let Some(models) = &mut self.models {
            models.set_parameters(parameters)?;
        }
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
        if let Some(models) = &self.models {
            models.check_styles(styles)?;
        }
        let change = self.styles.set(styles, self.network.device)?;
        if change > MAX_FADING {
            self.begin_change();
        } else if change > 0.0 {
            self.min_style_loss = f64::INFINITY;
            if let Some(previous) = &mut self.previous {
                previous.unsettle()?;
            }
        }
        Ok(())
    }

    fn set_models(&mut self, models: &[ModelShare]) -> Result<()> {
        match &mut self.models {
            Some(opened) => {
                opened.set(models)?;
            }
            None => {
                let mut opened = Models::open(models, self.network.device)?;
                opened.set_parameters(self.parameters)?;
                self.models = Some(opened);
            }
        }
        self.models = self.models.take().filter(|models| !models.is_empty());
        Ok(())
    }

    fn models(&self) -> Option<String> {
        self.models.as_ref().map(Models::name)
    }

    fn set_masks(&mut self, masks: Option<StyleMasks>) -> Result<()> {
        check_regions(&self.recipe, masks.as_ref())?;
        if masks.is_some() != self.masks.is_some() {
            self.styles.divide(masks.is_some());
            self.begin_change();
            self.previous.iter_mut().for_each(|previous| previous.surroundings = None);
        }
        let last = std::mem::replace(&mut self.masks, masks);
        self.last_masks = self.last_masks.take().or(last);
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
        self.motion = None;
        let painted = match self.follow(content, flow)? {
            Start::Finished(painted) => painted,
            Start::Carried(painted, constraint) => self.paint_next(painted, constraint.as_ref(), progress)?,
            Start::FromScratch => {
                progress.is_first = true;
                self.begin_change();
                self.paint_first(content, self.limits.first, progress)?
            }
        };
        let picture = painted.picture.shallow_clone();
        self.keep(painted, progress);
        Ok(picture)
    }

    fn motion(&self) -> Option<&Motion> {
        self.motion.as_ref()
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

/// Fails if masks divide the frames and the recipe's style loss cannot be that of a region.
fn check_regions(recipe: &Recipe, masks: Option<&StyleMasks>) -> Result<()> {
    if masks.is_none() || recipe.style_loss.has_regions() {
        return Ok(());
    }
    let reason = "style-loss=sliced-wasserstein cannot be divided by masks: set gram or mean-covariance";
    Err(Error::Settings(reason.into()))
}

/// The precision of features.
fn kind(recipe: &Recipe, device: Device) -> Kind {
    recipe.kind.unwrap_or_else(|| device::preferred_kind(device))
}
