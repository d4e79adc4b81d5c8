//! Painting a frame: one that continues the last result, and one that starts from its content alone.

use std::time::{Duration, Instant};

use tch::{Kind, Tensor};

use super::OptimizingPainter;
use super::coarse_to_fine::{shares, sizes};
use crate::losses::TemporalConstraint;
use crate::objective::Context;
use crate::progress::ProgressReporter;
use crate::region::Region;
use crate::size::{resize, size_of};
use crate::warm_start::{Painted, STEPS_TO_CONVERGE, Surroundings};
use crate::{Error, Result};

/// A frame of which everything was just disoccluded gets more steps, by this factor.
const MORE_STEPS: f64 = 2.0;

impl OptimizingPainter {
    /// Paints a frame that continues another one.
    pub(super) fn paint_next(
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
            self.budget.fit(wanted, region.pixels(), size.iter().product(), self.limits.next).max(1).min(wanted);
        let start = self.variable_of(&region.of(picture)?)?;
        let cropped = constraint.map(|constraint| constraint.crop(&region)).transpose()?;
        let context = Context { constraint: cropped.as_ref(), outside: outside.as_ref(), ..Context::default() };
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
    pub(super) fn paint_first(
        &mut self,
        content: &Tensor,
        time: Option<Duration>,
        progress: &mut ProgressReporter,
    ) -> Result<Painted> {
        self.match_colors(content, true)?;
        let begin = Instant::now();
        progress.steps = self.recipe.first_iterations;
        let mut sizes = sizes(size_of(content)?, self.parameters.style_scale.min(1.0), self.recipe.scales);
        let mut shares = shares(progress.steps, sizes.len());
        if self.models.is_some() {
            // Models paint at full size what the smaller sizes are for.
            (sizes, shares) = (sizes.split_off(sizes.len() - 1), shares.split_off(shares.len() - 1));
            progress.steps = shares.iter().sum();
        }
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
}
