//! How a frame follows the last one: what its paint starts from, and what holds it there.

use style_engine_interface::warm_start;
use tch::{Kind, Tensor};

use super::OptimizingPainter;
use crate::Result;
use crate::flow::Filter;
use crate::losses::TemporalConstraint;
use crate::motion::{Motion, unchanged};
use crate::region::Region;
use crate::size::size_of;
use crate::style_masks::{StyleMasks, changed};
use crate::targets::{Outside, StyleSums};
use crate::warm_start::{Painted, STEPS_TO_CONVERGE, Surroundings};

/// Frames are held less to the last result once the style loss exceeds its minimum by this factor, and never by a smaller
/// share of the temporal weight than the second value: paint that has left the frame takes its colors with it, and others
/// must be free to take their place.
const GROWN_STYLE_LOSS: f64 = 2.1;
const MIN_HOLD: f64 = 0.3;

/// Pictures whose longer side is shorter than this, in pixels, are held less: warping blurs their strokes, which are few pixels
/// wide, and steps must be free to sharpen them.
const FULL_HOLD_SIDE: f64 = 480.0;

/// A frame of which less than this share has changed stands still.
const MAX_MOVING: f64 = 0.1;

/// A model paints the disoccluded pixels if they are more than this share of the frame: its pass takes as long as a step.
const MIN_DISOCCLUDED: f64 = 0.003;

/// What a frame is painted from.
pub(super) enum Start {
    /// The content alone.
    FromScratch,
    /// The last result.
    Carried(Painted, Option<TemporalConstraint>),
    /// The last result, which needs no more steps.
    Finished(Painted),
}

impl OptimizingPainter {
    /// Reuses the last result for a frame.
    pub(super) fn follow(&mut self, content: &Tensor, flow: Option<[Tensor; 2]>) -> Result<Start> {
        let Some(previous) = self.previous.take() else { return Ok(Start::FromScratch) };
        let mut previous = previous.resize(size_of(content)?)?;
        match self.parameters.warm_start {
            warm_start::PREVIOUS => Ok(Start::Carried(previous.reuse_in_place(content)?, None)),
            warm_start::FLOW => {
                let is_settled = self.steps_since_change >= STEPS_TO_CONVERGE;
                let shares = self.changed_shares(size_of(content)?)?;
                let mut unchanged = unchanged(&previous.content, content)?;
                if let Some([before, now]) = &shares {
                    unchanged = unchanged.f_logical_and(&changed(before, now)?.f_logical_not()?)?;
                }
                let is_still =
                    1.0 - unchanged.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?.f_double_value(&[])? < MAX_MOVING;
                let is_outdated = is_still && self.parameters.scene_threshold < 1.0 && previous.is_outdated()?;
                let finished = previous.is_done()?.f_logical_and(&unchanged)?;
                if is_settled && finished.f_all()?.f_int64_value(&[])? == 1 {
                    return Ok(Start::Finished(previous));
                }
                let mut motion = Motion::new(&previous.content, content, &finished, flow)?;
                let seen = motion.shallow_clone();
                if let Some([before, now]) = &shares {
                    // What belongs to another style than before is painted anew.
                    motion.visible =
                        motion.visible.f_masked_fill(&changed(&motion.warp(before, Filter::Bicubic)?, now)?, 0.0)?;
                }
                if is_outdated || motion.disoccluded()? > self.parameters.scene_threshold {
                    return self.begin_scene(previous, &motion, content);
                }
                self.motion = Some(seen);
                let surroundings = if is_settled { self.surroundings(&mut previous, &motion.still)? } else { None };
                let mut painted = Painted { surroundings, ..previous.warp(&motion, content)? };
                if let Some(models) = &self.models
                    && motion.disoccluded()? > MIN_DISOCCLUDED
                {
                    let (start, _) = models.paint(content, self.masks.as_ref())?;
                    painted.picture = start.f_lerp_tensor(&painted.picture, &motion.visible)?;
                }
                // Another style must be free to replace what is there.
                let constraint = if is_settled { Some(self.constraint(&painted, motion)?) } else { None };
                Ok(Start::Carried(painted, constraint))
            }
            _ => Ok(Start::FromScratch),
        }
    }

    /// The start of a scene. A frame whose time is limited is not painted from scratch: a film must not stand still after each
    /// cut.
    fn begin_scene(&mut self, previous: Painted, motion: &Motion, content: &Tensor) -> Result<Start> {
        if self.limits.next.is_none() {
            return Ok(Start::FromScratch);
        }
        self.begin_change();
        self.match_colors(content, true)?;
        self.prepare_styles(size_of(content)?)?;
        let painted = previous.warp(motion, content)?;
        let mut start = self.picture_of(&self.first_variable(content)?)?;
        if self.models.is_none() {
            start = start.f_add(&painted.strokes()?)?.f_clamp(0.0, 1.0)?;
        }
        Ok(Start::Carried(painted.replace_outdated(&start)?, None))
    }

    /// The styles' shares in the last frame and in this one, if masks divide the frames and have changed.
    fn changed_shares(&self, size: [i64; 2]) -> Result<Option<[Tensor; 2]>> {
        let (Some(last), Some(masks)) = (&self.last_masks, &self.masks) else { return Ok(None) };
        let shares = |masks: &StyleMasks| masks.shares(size, self.styles.regions());
        Ok(Some([shares(last)?, shares(masks)?]))
    }

    /// What holds a frame to the last result, warped by `motion`.
    fn constraint(&self, warped: &Painted, motion: Motion) -> Result<TemporalConstraint> {
        let size = size_of(&warped.picture)?;
        let weight = self.recipe.temporal_weight
            * (size[0].max(size[1]) as f64 / FULL_HOLD_SIDE).min(1.0).powf(1.5)
            * held_share(self.style_loss, self.min_style_loss);
        let warped = self.variable_of(&warped.picture)?;
        Ok(TemporalConstraint { warped, weight_map: motion.visible, fixed: motion.still, weight })
    }

    /// The surroundings of what is not still in a frame; none if the whole frame must be painted.
    fn surroundings(&self, previous: &mut Painted, still: &Tensor) -> Result<Option<Surroundings>> {
        let region = Region::around(&still.f_logical_not()?)?;
        if !self.recipe.is_local() || region.is_whole() || self.masks.is_some() {
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
}

/// The share of the temporal weight that holds a frame, by the style losses of the last frame and of the best one.
fn held_share(last: f64, least: f64) -> f64 {
    let limit = GROWN_STYLE_LOSS * least;
    if last > limit { (limit / last).powi(2).max(MIN_HOLD) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_loosens_as_the_style_loss_grows() {
        assert_eq!(held_share(0.01, f64::INFINITY), 1.0, "nothing is known yet");
        assert_eq!(held_share(0.0, 0.0), 1.0);
        assert_eq!(held_share(0.02, 0.01), 1.0);
        assert!((held_share(0.03, 0.01) - 0.49).abs() < 1e-9);
        assert_eq!(held_share(1.0, 0.01), MIN_HOLD);
    }
}
