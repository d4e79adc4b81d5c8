//! Painting by dreaming: what a network sees in a frame is exaggerated, at several sizes (DeepDream; A. Mordvintsev, C.
//! Olah, M. Tyka, "Inceptionism: Going Deeper into Neural Networks", 2015).

mod camera;
mod follow;
mod objective;
mod octaves;

use std::rc::Rc;

use style_engine_interface::{Parameters, original_colors, recipe};
use tch::{Kind, Tensor};

use self::follow::{Dream, Start};
use self::objective::DreamObjective;
use super::Painter;
use crate::color::ColorStatistics;
use crate::networks::vgg::Vgg;
use crate::normalization::Normalizer;
use crate::progress::ProgressReporter;
use crate::recipes::Recipe;
use crate::size::size_of;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::style_masks::StyleMasks;
use crate::styles::{Style, normalized};
use crate::{Error, Result, device};

/// A network, a recipe, guides, and the last dream.
pub(crate) struct DreamingPainter {
    network: Rc<Vgg>,
    /// The network in the precision that features are computed in.
    feature_network: Vgg,
    recipe: Recipe,
    input: Normalizer,
    parameters: Parameters,
    /// Pictures, `(1, 3, H, W)` in 0..1, with weights that sum up to 1.
    guides: Vec<(Tensor, f64)>,
    /// The objective, prepared when it is first needed.
    objective: Option<DreamObjective>,
    limits: TimeLimits,
    budget: StepBudget,
    previous: Option<Dream>,
}

impl DreamingPainter {
    pub fn new(network: Rc<Vgg>) -> Result<Self> {
        let parameters = Parameters { recipe: recipe::DEEPDREAM, ..Parameters::default() };
        let recipe = Recipe::new(&parameters, "", "")?;
        Ok(Self {
            feature_network: network.to_kind(kind(&recipe, &network))?,
            input: recipe.input.unwrap_or(network.input).on(network.device)?,
            network,
            recipe,
            parameters,
            guides: Vec::new(),
            objective: None,
            limits: TimeLimits::default(),
            budget: StepBudget::default(),
            previous: None,
        })
    }
}

impl Painter for DreamingPainter {
    fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        let recipe = Recipe::new(&parameters, content_layers, style_layers)?;
        objective::check_channels(&self.network, &recipe, &parameters.channels)?;
        if recipe.kind != self.recipe.kind {
            self.feature_network = self.network.to_kind(kind(&recipe, &self.network))?;
        }
        let raised = |parameters: &Parameters| (parameters.channels, parameters.style_scale);
        if recipe != self.recipe || raised(&parameters) != raised(&self.parameters) {
            self.objective = None;
        }
        (self.parameters, self.recipe) = (parameters, recipe);
        Ok(())
    }

    fn set_styles(&mut self, styles: &[Style]) -> Result<()> {
        let picture = |style: &Style| Ok(style.picture.f_to_device(self.network.device)?);
        let pictures = styles.iter().map(picture).collect::<Result<Vec<_>>>()?;
        self.guides = pictures.into_iter().zip(normalized(styles)?).collect();
        self.objective = None;
        Ok(())
    }

    fn set_masks(&mut self, masks: Option<StyleMasks>) -> Result<()> {
        match masks {
            Some(_) => Err(Error::Settings("recipe=deepdream: masks do not divide frames among guides".into())),
            None => Ok(()),
        }
    }

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
        let start = self.follow(content, flow)?;
        progress.is_first = start.is_none();
        let (start, wanted, limit) = match start {
            Some(start) => (start, self.recipe.iterations, self.limits.next),
            None => (Start::from_scratch(content), self.recipe.first_iterations, self.limits.first),
        };
        let pixels = size_of(content)?.iter().product();
        let steps = self.budget.fit(wanted, pixels, pixels, limit).max(1).min(wanted);
        let part = f64::from(steps) / f64::from(self.recipe.first_iterations.max(1));
        let pace = start.pace(part)?;
        let picture = self.dream(&start.picture, pace.as_ref(), steps, progress)?;
        let dreamt = start.dreamt(part, pace.as_ref())?;
        self.previous = Some(Dream { content: content.shallow_clone(), picture: picture.shallow_clone(), dreamt });
        if self.parameters.original_colors == original_colors::MATCH {
            return ColorStatistics::of(content)?.apply_to(&picture);
        }
        Ok(picture)
    }

    fn steps(&self) -> u32 {
        self.recipe.iterations
    }

    fn budget(&mut self) -> &mut StepBudget {
        &mut self.budget
    }

    fn kind(&self) -> Kind {
        kind(&self.recipe, &self.network)
    }
}

/// The precision of features.
fn kind(recipe: &Recipe, network: &Vgg) -> Kind {
    recipe.kind.unwrap_or_else(|| device::preferred_kind(network.device))
}
