//! The warm start: a frame begins with the last result, warped along the optical flow.

use tch::{Kind, Tensor};

use crate::Result;
use crate::flow::{self, Filter};
use crate::motion::{Motion, blocks, means};
use crate::optimizers::{Optimizer, OptimizerConfig};
use crate::region::Region;
use crate::size::{resize, size_of, stretch};
use crate::targets::Outside;

/// The share of the stylization residual (painted minus content) that a frame reuses. Paint that no longer fits the content
/// decays, as do strokes that motion has distorted; paint that fits is painted again.
const RESIDUAL_KEPT: f64 = 0.98;

/// The share if the residual stays in place while the scene moves beneath it.
const UNMOVED_RESIDUAL_KEPT: f64 = 0.9;

/// The number of steps after which a disoccluded pixel counts as converged.
pub(crate) const STEPS_TO_CONVERGE: u32 = 40;

/// Changes of a sample up to `NOISE` count as camera noise, except for the part that they share with their neighbors in a
/// window of `LIGHT` pixels: that is a change of light.
const NOISE: f64 = 0.03;
const LIGHT: i64 = 5;

/// Paint starts to be outdated where the content has changed by the first value since it was painted, and is entirely
/// outdated from the second value on. Samples are 0..1.
const OUTDATED: [f64; 2] = [0.03, 0.09];

/// A picture that was brought to another size is unconverged by at least this.
const RESIZED: f64 = 0.5;

/// A picture whose styles have changed a little is unconverged by at least this.
const RESTYLED: f64 = 0.5;

/// A place counts as done if its outdated map is below this.
const DONE: f64 = 0.3;

/// If the mean of the outdated map of a still frame exceeds this, as after a fade, the frame is painted from scratch.
const OUTDATED_SHARE: f64 = 0.3;

/// Of a residual, what differs between this number of cells along the longer side is color; the rest is strokes.
const COLOR_CELLS: i64 = 8;

/// A finished frame at its working size.
pub(crate) struct Painted {
    /// What was painted over, `(1, 3, H, W)`.
    pub content: Tensor,
    /// The result, of the same shape.
    pub picture: Tensor,
    /// 1 where a pixel was just disoccluded, falling to 0 as it is painted, `(1, 1, H, W)`.
    pub unconverged: Tensor,
    /// How the content has changed since it was painted, `(1, 3, H, W)`; steps bring it back to 0.
    pub drift: Tensor,
    /// The optimizer that painted it.
    pub method: OptimizerConfig,
    /// Its state.
    pub optimizer: Box<dyn Optimizer>,
    /// The rest of the frame, if only a part was painted.
    pub surroundings: Option<Surroundings>,
}

/// The rest of a frame of which a part is painted.
pub(crate) struct Surroundings {
    /// The part.
    pub region: Region,
    /// The rest.
    pub outside: Outside,
}

impl Painted {
    /// `content`, of any size, with `share` of this frame's residual added.
    pub fn residual_over(&self, content: &Tensor, share: f64) -> Result<Tensor> {
        let paint = stretch(&self.picture.f_sub(&self.content)?, size_of(content)?)?;
        Ok(content.f_add(&paint.f_mul_scalar(share)?)?.f_clamp(0.0, 1.0)?)
    }

    /// Brings everything to another size. The optimizer starts again there, and details must be painted.
    pub fn resize(mut self, size: [i64; 2]) -> Result<Self> {
        if size_of(&self.picture)? == size {
            return Ok(self);
        }
        let content = resize(&self.content, size)?;
        self.picture = self.residual_over(&content, 1.0)?;
        self.content = content;
        self.optimizer = self.method.build(&self.picture)?;
        self.unconverged = stretch(&self.unconverged, size)?.f_clamp(RESIZED, 1.0)?;
        self.drift = stretch(&self.drift, size)?;
        self.surroundings = None;
        Ok(self)
    }

    /// Reuses everything in place, for a frame whose motion is not known.
    pub fn reuse_in_place(self, content: &Tensor) -> Result<Self> {
        let picture = self.residual_over(content, UNMOVED_RESIDUAL_KEPT)?;
        Ok(Self { content: content.shallow_clone(), picture, surroundings: None, ..self })
    }

    /// Warps everything to the next frame. Disoccluded pixels get the paint that lay where the flow leads: it has the style
    /// already, and steps bring its colors back to the content's.
    pub fn warp(mut self, motion: &Motion, content: &Tensor) -> Result<Self> {
        // Static pixels keep the content that they were painted over: noise would make them restless.
        let content = self.content.f_where_self(&motion.still, content)?;
        let both = Tensor::f_cat(&[&self.picture, &self.content], 1)?;
        let moved = flow::warp(&both, &motion.back, Filter::Bicubic)?;
        let (picture, before) = (moved.f_narrow(1, 0, 3)?, moved.f_narrow(1, 3, 3)?);
        // The change of visible pixels is added without its noise: what is small and not shared with the neighbors.
        let change = content.f_sub(&before)?;
        let noise = change.f_sub(&means(&change, LIGHT)?)?.f_clamp(-NOISE, NOISE)?.f_mul(&motion.visible)?;
        let picture = picture.f_add(&change)?.f_sub(&noise)?;
        let picture = content.f_lerp(&picture, RESIDUAL_KEPT)?.f_clamp(0.0, 1.0)?;
        let picture = self.picture.f_where_self(&motion.still, &picture)?;

        // Disoccluded pixels start with an empty optimizer state. It is warped bilinearly, since a bicubic filter's overshoot could
        // make Adam's second moment negative, and in one call.
        let age = self.unconverged.f_rsub_scalar(1)?;
        let mut known: Vec<Tensor> = self.optimizer.state().into_iter().map(|moment| moment.shallow_clone()).collect();
        known.extend([age, self.drift.shallow_clone()]);
        let seen = flow::warp(&Tensor::f_cat(&known, 1)?, &motion.back, Filter::Bilinear)?.f_mul(&motion.visible)?;
        let mut first = 0;
        for moment in self.optimizer.state() {
            let (_, channels, _, _) = moment.size4()?;
            *moment = seen.f_narrow(1, first, channels)?;
            first += channels;
        }
        let unconverged = seen.f_narrow(1, first, 1)?.f_rsub_scalar(1)?.f_clamp(0.0, 1.0)?;
        // Signed means: errors of a slightly wrong flow cancel out, a change of light does not. Disoccluded pixels count by their
        // change in place, since a large change of light looks like a disocclusion.
        let in_place = content.f_sub(&self.content)?;
        let lasting = blocks(&in_place.f_lerp_tensor(&change, &motion.visible)?)?;
        let lasting = lasting.f_upsample_nearest2d(size_of(&content)?, None, None)?;
        let drift = seen.f_narrow(1, first + 1, 3)?.f_add(&lasting)?;
        Ok(Self { content, picture, unconverged, drift, ..self })
    }

    /// The strokes: the residual without its colors, `(1, 3, H, W)`. If they fit the style but not the content, they converge in
    /// fewer steps than no strokes.
    pub fn strokes(&self) -> Result<Tensor> {
        let size = size_of(&self.picture)?;
        let residual = self.picture.f_sub(&self.content)?;
        let cells = size.map(|side| (side * COLOR_CELLS / size[0].max(size[1])).max(1));
        Ok(residual.f_sub(&stretch(&residual.f_adaptive_avg_pool2d(cells)?, size)?)?)
    }

    /// Replaces outdated paint by that of `start`.
    pub fn replace_outdated(mut self, start: &Tensor) -> Result<Self> {
        let outdated = outdated(&self.drift)?;
        self.picture = self.picture.f_lerp_tensor(start, &outdated)?;
        self.unconverged = self.unconverged.f_maximum(&outdated)?;
        self.drift = self.drift.f_mul(&outdated.f_rsub_scalar(1)?)?;
        Ok(self)
    }

    /// How much each pixel lacks paint, 0..1, `(1, 1, H, W)`: because it was disoccluded, or has changed since.
    pub fn unpainted(&self) -> Result<Tensor> {
        Ok(self.unconverged.f_maximum(&outdated(&self.drift)?)?)
    }

    /// Which pixels need no more steps as long as their content stays, `(1, 1, H, W)`, true or false.
    pub fn is_done(&self) -> Result<Tensor> {
        Ok(self.unconverged.f_eq(0.0)?.f_logical_and(&outdated(&self.drift)?.f_lt(DONE)?)?)
    }

    /// Whether the frame must be painted from scratch, because too much of its paint is outdated.
    pub fn is_outdated(&self) -> Result<bool> {
        Ok(outdated(&self.drift)?.f_mean(Kind::Float)?.f_double_value(&[])? > OUTDATED_SHARE)
    }

    /// The styles have changed a little: steps are taken everywhere, until the paint has followed.
    pub fn unsettle(&mut self) -> Result<()> {
        self.unconverged = self.unconverged.f_clamp_min(RESTYLED)?;
        Ok(())
    }

    /// Lowers `unconverged` and `drift` by the progress of this number of steps.
    pub fn age(&mut self, steps: u32) -> Result<()> {
        let progress = f64::from(steps) / f64::from(STEPS_TO_CONVERGE);
        self.unconverged = self.unconverged.f_sub_scalar(progress)?.f_clamp_min(0.0)?;
        self.drift = self.drift.f_mul_scalar((1.0 - progress / 2.0).max(0.0))?;
        Ok(())
    }
}

/// How much a pixel's paint is outdated by a drift `(1, 3, H, W)`: 0..1, `(1, 1, H, W)`.
fn outdated(drift: &Tensor) -> Result<Tensor> {
    let [least, most] = OUTDATED;
    let largest = drift.f_abs()?.f_amax([1i64].as_slice(), true)?;
    Ok(largest.f_sub_scalar(least)?.f_div_scalar(most - least)?.f_clamp(0.0, 1.0)?)
}
