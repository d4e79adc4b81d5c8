//! The steps of the optimizer, and the variable that it moves.

use std::time::Instant;

use style_engine_interface::original_colors;
use tch::{Kind, Tensor};

use super::OptimizingPainter;
use crate::Result;
use crate::color::ColorStatistics;
use crate::losses::{Distance, TemporalConstraint};
use crate::objective::{Context, Objective};
use crate::optimizers::Optimizer;
use crate::progress::ProgressReporter;
use crate::random::Random;
use crate::recipes::{Start, Variable};
use crate::size::size_of;
use crate::targets::content_targets;

/// A style of less contrast, as [`crate::color::ColorStatistics::contrast`] gives it, has its content's weight raised by up to
/// the second value: the normalized distance from it would draw so hard that no content was left.
const LOW_CONTRAST: f64 = 0.15;
const MAX_CONTENT_FACTOR: f64 = 16.0;

impl OptimizingPainter {
    /// Takes steps from `variable`, for a picture or a part of it with this `content`, `(1, 3, H, W)` in 0..1 as is the result.
    pub(super) fn optimize(
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
        let shares = self.shares(size_of(&variable)?)?;
        let context = Context { shares: shares.as_ref(), ..context };
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
    pub(super) fn first_variable(&self, content: &Tensor) -> Result<Tensor> {
        if let Some(models) = &self.models {
            return self.variable_of(&models.paint(content, self.masks.as_ref())?.0);
        }
        match self.recipe.start {
            Start::MatchedColors if self.recipe.first_iterations > 0 => {
                self.variable_of(&self.in_style_colors(content)?)
            }
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

    /// A frame's content in the colors of the styles, in each region those of its own.
    fn in_style_colors(&self, content: &Tensor) -> Result<Tensor> {
        let Some(shares) = self.shares(size_of(content)?)? else {
            return self.styles.colors().map_or(Ok(content.shallow_clone()), |colors| colors.apply_to(content));
        };
        let mut sum = content.f_zeros_like()?;
        for (index, colors) in (0..).zip(self.styles.region_colors()) {
            let share = shares.f_narrow(1, index, 1)?;
            let own = ColorStatistics::of_region(content, &share)?;
            sum = sum.f_add(&colors.apply_from(&own, content)?.f_mul(&share)?)?;
        }
        let rest = shares.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?.f_rsub_scalar(1)?;
        Ok(sum.f_add(&content.f_mul(&rest)?)?)
    }

    /// The share of each style in each pixel, if masks divide the frame.
    fn shares(&self, size: [i64; 2]) -> Result<Option<Tensor>> {
        self.masks.as_ref().map(|masks| masks.shares(size, self.styles.regions())).transpose()
    }

    /// Matches the styles' colors to those of the content, if the parameters say so.
    pub(super) fn match_colors(&mut self, content: &Tensor, is_first: bool) -> Result<()> {
        let is_matched = self.parameters.original_colors == original_colors::MATCH;
        self.styles.match_colors(is_matched.then_some(content), is_first)
    }

    pub(super) fn prepare_styles(&mut self, size: [i64; 2]) -> Result<()> {
        self.styles.prepare(&self.feature_network, &self.recipe, &self.input, self.parameters.style_scale, size)
    }

    /// A picture as the variable that the optimizer moves.
    pub(super) fn variable_of(&self, picture: &Tensor) -> Result<Tensor> {
        match self.recipe.variable {
            Variable::ClampedImage => Ok(picture.shallow_clone()),
            Variable::NormalizedInput => self.input.apply(picture),
        }
    }

    /// The variable as a picture in 0..1.
    pub(super) fn picture_of(&self, variable: &Tensor) -> Result<Tensor> {
        match self.recipe.variable {
            Variable::ClampedImage => Ok(variable.shallow_clone()),
            Variable::NormalizedInput => Ok(self.input.undo(variable)?.f_clamp(0.0, 1.0)?),
        }
    }
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
