//! Painting by optimization: the picture itself is moved until its features fit (L. Gatys, A. Ecker, M. Bethge, "Image Style
//! Transfer Using Convolutional Neural Networks", CVPR 2016).

use std::time::{Duration, Instant};

use style_engine_interface::{Parameters, original_colors};
use tch::{Device, Kind, Tensor};

use super::coarse_to_fine::{shares, sizes};
use crate::losses::{Distance, TemporalConstraint};
use crate::networks::vgg::Vgg;
use crate::normalization::Normalizer;
use crate::objective::{Context, Objective};
use crate::optimizers::Optimizer;
use crate::progress::ProgressReporter;
use crate::random::Random;
use crate::recipes::{Recipe, Start, Variable};
use crate::region::Region;
use crate::size::{resize, size_of};
use crate::step_budget::StepBudget;
use crate::styles::Styles;
use crate::targets::{Outside, StyleSums, content_targets};
use crate::warm_start::{Painted, STEPS_TO_CONVERGE, Surroundings};
use crate::{Error, Result, device};

/// A frame of which everything was just disoccluded gets more steps, by this factor.
const MORE_STEPS: f64 = 2.0;

/// A style of less contrast, as [`crate::color::ColorStatistics::contrast`] gives it, has its content's weight raised by up to
/// the second value: the normalized distance from it would draw so hard that no content was left.
const LOW_CONTRAST: f64 = 0.15;
const MAX_CONTENT_FACTOR: f64 = 16.0;

/// A network, a recipe and styles.
pub(crate) struct OptimizingPainter {
    network: Vgg,
    /// The network in the precision that features are computed in.
    feature_network: Vgg,
    recipe: Recipe,
    input: Normalizer,
    parameters: Parameters,
    pub styles: Styles,
    /// The maximum time for a frame that continues the last one.
    pub time_limit: Option<Duration>,
    /// The maximum time for other frames.
    pub first_time_limit: Option<Duration>,
    pub budget: StepBudget,
}

/// The effects of new parameters.
pub(crate) struct Change {
    /// Whether frames are painted differently.
    pub recipe: bool,
    /// Whether styles are described differently.
    pub statistics: bool,
}

impl OptimizingPainter {
    pub fn new(network: Vgg, parameters: Parameters) -> Result<Self> {
        let recipe = Recipe::new(&parameters, "", "")?;
        Ok(Self {
            input: recipe.input.unwrap_or(network.input).on(network.device)?,
            feature_network: network.to_kind(kind(&recipe, network.device))?,
            network,
            recipe,
            parameters,
            styles: Styles::default(),
            time_limit: None,
            first_time_limit: None,
            budget: StepBudget::default(),
        })
    }

    pub fn network(&self) -> &Vgg {
        &self.network
    }

    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The precision of features.
    pub fn kind(&self) -> Kind {
        kind(&self.recipe, self.network.device)
    }

    /// Sets how frames are painted; layers as in [`Recipe::new`]. If this fails, nothing has changed.
    pub fn set_parameters(
        &mut self,
        parameters: Parameters,
        content_layers: &str,
        style_layers: &str,
    ) -> Result<Change> {
        let recipe = Recipe::new(&parameters, content_layers, style_layers)?;
        recipe.content.find_layers(&self.network)?;
        recipe.style.find_layers(&self.network)?;
        let statistics = !recipe.has_style_of(&self.recipe);
        let others = (self.parameters.style_scale, self.parameters.original_colors);
        if statistics || others != (parameters.style_scale, parameters.original_colors) {
            self.styles.forget_targets();
        }
        if recipe.kind != self.recipe.kind {
            self.feature_network = self.network.to_kind(kind(&recipe, self.network.device))?;
        }
        if recipe.input != self.recipe.input {
            self.input = recipe.input.unwrap_or(self.network.input).on(self.network.device)?;
        }
        let changed = recipe != self.recipe || !self.styles.is_prepared();
        (self.parameters, self.recipe) = (parameters, recipe);
        Ok(Change { recipe: changed, statistics })
    }

    /// Paints a frame that continues another one.
    pub fn paint_next(
        &mut self,
        mut carried: Painted,
        constraint: Option<&TemporalConstraint>,
        progress: &mut ProgressReporter,
    ) -> Result<Painted> {
        let unpainted = carried.unpainted()?;
        let Painted { ref content, ref picture, method: last_method, ref mut optimizer, .. } = carried;
        let method = self.recipe.method;
        if last_method.with_rate(method.rate()) != method {
            *optimizer = method.build(picture)?;
        }
        optimizer.restart(method.rate() * constraint.map_or(1.0, |_| self.recipe.warm_start_rate));
        let size = size_of(content)?;
        self.match_colors(content, false)?;
        self.prepare_styles(size)?;

        let (region, outside) = match carried.surroundings.take() {
            Some(Surroundings { region, outside }) => (region, Some(outside)),
            None => (Region::whole(size), None),
        };
        let more = MORE_STEPS * region.of(&unpainted)?.f_mean(Kind::Float)?.f_double_value(&[])?;
        let wanted = (f64::from(self.recipe.iterations) * (1.0 + more)).round() as u32;
        progress.steps =
            self.budget.fit(wanted, region.pixels(), size.iter().product(), self.time_limit).max(1).min(wanted);
        let start = self.variable_of(&region.of(picture)?)?;
        let cropped = constraint.map(|constraint| constraint.crop(&region)).transpose()?;
        let context = Context { constraint: cropped.as_ref(), outside: outside.as_ref() };
        let state: Vec<Tensor> = optimizer.state().into_iter().map(|values| values.shallow_clone()).collect();
        for values in optimizer.state() {
            *values = region.of(values)?;
        }
        let part = self.optimize(&region.of(content)?, start, context, &mut **optimizer, progress.steps, progress)?;
        for (values, before) in optimizer.state().into_iter().zip(state) {
            *values = region.put(values, &before)?;
            if let Some(TemporalConstraint { fixed, .. }) = constraint {
                // Pixels that did not change keep what is known of them.
                *values = before.f_where_self(fixed, values)?;
            }
        }
        carried.picture = region.put(&part, picture)?;
        carried.method = method;
        carried.age(progress.steps)?;
        carried.surroundings = outside.map(|outside| Surroundings { region, outside });
        Ok(carried)
    }

    /// Paints from the content alone: small at first, then ever larger, as the recipe says and there is time.
    pub fn paint_first(
        &mut self,
        content: &Tensor,
        time: Option<Duration>,
        progress: &mut ProgressReporter,
    ) -> Result<Painted> {
        self.match_colors(content, true)?;
        let begin = Instant::now();
        progress.steps = self.recipe.first_iterations;
        let sizes = sizes(size_of(content)?, self.parameters.style_scale.min(1.0), self.recipe.scales);
        let shares = shares(progress.steps, sizes.len());
        let method = self.recipe.method;
        let mut painted: Option<Painted> = None;
        for (size, share) in sizes.into_iter().zip(shares) {
            let time = time.map(|limit| limit.saturating_sub(begin.elapsed()));
            let pixels = size.iter().product();
            let fitting = self.budget.fit(share, pixels, pixels, time);
            // At the smallest size a step is taken in any case.
            let steps = if painted.is_none() { fitting.max(1).min(share) } else { fitting };
            // Steps that there was no time for are taken in the frames that follow.
            let unconverged = if steps < share { 1.0 - f64::from(steps) / f64::from(STEPS_TO_CONVERGE) } else { 0.0 };
            let content = resize(content, size)?;
            self.prepare_styles(size)?;
            let start = match &painted {
                Some(smaller) => self.variable_of(&smaller.residual_over(&content, 1.0)?)?,
                None => self.first_variable(&content)?,
            };
            let mut optimizer = method.build(&start)?;
            let picture = self.optimize(&content, start, Context::default(), &mut *optimizer, steps, progress)?;
            painted = Some(Painted {
                unconverged: content.f_narrow(1, 0, 1)?.f_full_like(unconverged.max(0.0))?,
                drift: content.f_zeros_like()?,
                content,
                picture,
                method,
                optimizer,
                surroundings: None,
            });
        }
        painted.ok_or(Error::NoStyle)
    }

    /// The surroundings of what is not still in a frame; none if the whole frame must be painted.
    pub fn surroundings(&self, previous: &mut Painted, still: &Tensor) -> Result<Option<Surroundings>> {
        let region = Region::around(&still.f_logical_not()?)?;
        if !self.recipe.is_local() || region.is_whole() {
            return Ok(None);
        }
        let sums = |region: &Region| -> Result<StyleSums> {
            let levels = self.recipe.levels_at(size_of(still)?).len();
            let input = self.input.apply(&region.of(&previous.picture)?)?;
            StyleSums::of(&self.feature_network, &self.recipe, &input, levels)
        };
        let whole = match previous.surroundings.take() {
            Some(known) if known.region == region => return Ok(Some(known)),
            Some(Surroundings { region, outside }) => outside.sums.plus(&sums(&region)?)?,
            None => sums(&Region::whole(size_of(still)?))?,
        };
        let outside = Outside { sums: whole.minus(&sums(&region)?)?, share: region.share() };
        Ok(Some(Surroundings { region, outside }))
    }

    /// Takes steps from `variable`, for a picture or a part of it with this `content`, `(1, 3, H, W)` in 0..1 as is the result.
    fn optimize(
        &mut self,
        content: &Tensor,
        mut variable: Tensor,
        context: Context,
        optimizer: &mut dyn Optimizer,
        steps: u32,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        if steps == 0 {
            return self.picture_of(&variable);
        }
        let style = self.styles.targets()?;
        let normalized = self.input.apply(content)?;
        let mut content = content_targets(&self.feature_network, &self.recipe, &normalized, style.size)?;
        if self.recipe.style.distance == Distance::Normalized
            && let Some(colors) = self.styles.colors()
        {
            content.weight *= content_factor(colors.contrast()?);
        }
        let objective = Objective::new(&self.feature_network, &self.recipe, style, &content, context)?;
        let pixels = size_of(&variable)?.iter().product();
        let clamped = self.recipe.variable == Variable::ClampedImage;
        let mut last_losses = None;
        let mut lowest = f64::INFINITY;
        let (begin, first) = (Instant::now(), progress.step);
        for step in 1..=steps {
            let (evaluation, losses) = objective.evaluate(&variable, clamped.then_some(&self.input))?;
            last_losses = Some(losses);
            progress.step(&evaluation.loss)?;
            if self.recipe.patience.is_some_and(|patience| step % patience == 0) {
                let loss = evaluation.loss.f_double_value(&[])?;
                if loss >= lowest {
                    break;
                }
                lowest = loss;
            }
            variable = optimizer.step(&variable, &evaluation)?;
            if clamped {
                variable = variable.f_clamp(0.0, 1.0)?;
            }
            if let Some(TemporalConstraint { warped, fixed, .. }) = context.constraint {
                // An optimizer's momentum would move them all the same.
                variable = warped.f_where_self(fixed, &variable)?;
            }
        }
        if let Some(losses) = last_losses {
            // This also waits for the device, until all is done.
            progress.losses = Some(losses.values()?);
        }
        let took = begin.elapsed();
        progress.stepping += took;
        self.budget.learn_steps(progress.step - first, pixels, took);
        self.picture_of(&variable)
    }

    /// The start of a first frame.
    fn first_variable(&self, content: &Tensor) -> Result<Tensor> {
        match self.recipe.start {
            Start::MatchedColors if self.recipe.first_iterations > 0 => match self.styles.colors() {
                Some(colors) => self.variable_of(&colors.apply_to(content)?),
                None => self.variable_of(content),
            },
            Start::Content | Start::MatchedColors => self.variable_of(content),
            Start::Noise { from, to } => {
                let noise = Random(self.parameters.seed).uniform(content.numel() as i64)?.f_view_as(content)?;
                let normalized = noise.f_mul_scalar(to - from)?.f_add_scalar(from)?.f_to_device(content.device())?;
                match self.recipe.variable {
                    Variable::NormalizedInput => Ok(normalized),
                    Variable::ClampedImage => Ok(self.input.undo(&normalized)?.f_clamp(0.0, 1.0)?),
                }
            }
        }
    }

    /// Matches the styles' colors to those of the content, if the parameters say so.
    fn match_colors(&mut self, content: &Tensor, is_first: bool) -> Result<()> {
        let is_matched = self.parameters.original_colors == original_colors::MATCH;
        self.styles.match_colors(is_matched.then_some(content), is_first)
    }

    fn prepare_styles(&mut self, size: [i64; 2]) -> Result<()> {
        self.styles.prepare(&self.feature_network, &self.recipe, &self.input, self.parameters.style_scale, size)
    }

    /// A picture as the variable that the optimizer moves.
    pub fn variable_of(&self, picture: &Tensor) -> Result<Tensor> {
        match self.recipe.variable {
            Variable::ClampedImage => Ok(picture.shallow_clone()),
            Variable::NormalizedInput => self.input.apply(picture),
        }
    }

    /// The variable as a picture in 0..1.
    fn picture_of(&self, variable: &Tensor) -> Result<Tensor> {
        match self.recipe.variable {
            Variable::ClampedImage => Ok(variable.shallow_clone()),
            Variable::NormalizedInput => Ok(self.input.undo(variable)?.f_clamp(0.0, 1.0)?),
        }
    }
}

/// The precision of features.
fn kind(recipe: &Recipe, device: Device) -> Kind {
    recipe.kind.unwrap_or_else(|| device::preferred_kind(device))
}

/// The factor of the content's weight for a style of this contrast: as the normalized distance grows, by the square.
fn content_factor(contrast: f64) -> f64 {
    (LOW_CONTRAST / contrast).powi(2).clamp(1.0, MAX_CONTENT_FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_weighs_more_beside_a_style_of_little_contrast() {
        assert_eq!([0.3, 0.15].map(content_factor), [1.0; 2]);
        assert!((content_factor(0.075) - 4.0).abs() < 1e-9);
        assert_eq!([0.01, 0.0].map(content_factor), [MAX_CONTENT_FACTOR; 2]);
    }
}
