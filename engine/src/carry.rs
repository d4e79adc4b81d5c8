//! What a frame takes over from the one before: the last result, moved to where its things are now.

use tch::{Kind, Tensor};

use crate::Result;
use crate::flow::{self, Filter};
use crate::objective::Outside;
use crate::optimizers::{Method, Optimizer};
use crate::size::{size_of, stretch};
use crate::window::Window;

/// How much of the paint a frame takes over. What no longer fits the content wears off, and so do strokes that motion has
/// drawn out of shape; what fits is painted again.
const PAINT_KEPT: f64 = 0.98;

/// The same where the paint stays where it was, while things move on beneath it.
const UNMOVED_PAINT_KEPT: f64 = 0.9;

/// The number of steps after which a place that came into view counts as painted.
pub(crate) const STEPS_OF_YOUTH: u32 = 40;

/// Changes in a sample up to this are a camera's noise, but for what they share with their neighbours in windows of so many
/// pixels.
const NOISE: f64 = 0.03;
const LIGHT: i64 = 5;

/// A place that has changed by more was not seen before, wherever the flow leads.
const LARGEST_CHANGE: f64 = 0.06;

/// Blocks of so many pixels have changed where their mean did by more than this, or their samples, each way, by more than
/// that, in the mean: less is noise.
const BLOCK: i64 = 8;
const MEAN_CHANGE: f64 = 0.015;
const SAMPLES_CHANGE: f64 = 0.03;

/// Paint starts to be outdated where the content has changed by the first value since it was painted, and is entirely
/// outdated from the second value on. Samples are 0..1.
const OUTDATED: [f64; 2] = [0.03, 0.09];

/// A place counts as done if its outdated map is below this.
const DONE: f64 = 0.3;

/// If the mean of the outdated map of a still frame exceeds this, as after a fade, the frame is painted from scratch.
const OUTDATED_SHARE: f64 = 0.3;

/// What moves less, in pixels, stands still, where it has not changed.
const LEAST_MOTION: f64 = 0.25;

/// What comes into the picture gets the paint of what is so many pixels further inside: a mirror image of the edge, taken
/// anew for each frame, would make stripes.
const PAINT_BEYOND: f64 = 64.0;

/// A finished frame at the size it was optimised at.
pub(crate) struct Painted {
    /// What was painted over, `(1, 3, H, W)`.
    pub content: Tensor,
    /// The result, of the same shape.
    pub picture: Tensor,
    /// `(1, 1, H, W)`: 1 where nothing was seen before, falling to 0 as it is painted.
    pub youth: Tensor,
    /// How content has changed since it was painted, `(1, 3, H, W)`; steps bring it back to 0.
    pub drift: Tensor,
    /// What brought the losses down.
    pub method: Method,
    /// Its state.
    pub optimizer: Box<dyn Optimizer>,
    /// The rest of the frame, if only a part was painted.
    pub surroundings: Option<Surroundings>,
}

/// The rest of a frame of which a part is painted.
pub(crate) struct Surroundings {
    /// The part.
    pub window: Window,
    /// The rest.
    pub outside: Outside,
}

/// Where the things of a frame were in the one before.
pub(crate) struct Motion {
    /// `(1, 2, H, W)`, in pixels.
    back: Tensor,
    /// 1 where the place was seen before, else 0: `(1, 1, H, W)`.
    pub visible: Tensor,
    /// Whether the place is as it was, `(1, 1, H, W)`.
    pub still: Tensor,
}

impl Motion {
    /// From the frame before to `content`, both `(1, 3, H, W)` in 0..1, where a place is `unchanged` or not; `known`: the
    /// flow from this frame to that, and back.
    pub fn new(before: &Tensor, content: &Tensor, unchanged: &Tensor, known: Option<[Tensor; 2]>) -> Result<Self> {
        let [back, there] = match known {
            Some(flows) => flows,
            None => flow::between(&flow::Frame::new(content)?, &flow::Frame::new(before)?)?,
        };
        // Means first: noise is not a change.
        let change = flow::warp(before, &back, Filter::Bilinear)?.f_sub(content)?;
        let change = channels_mean(&means(&change, 3)?.f_abs()?)?;
        let alike = change.f_lt(LARGEST_CHANGE)?.f_to_kind(Kind::Float)?;
        let visible = flow::visible(&back, &there)?.f_mul(&alike)?;

        // A plain wall that the camera passes does not change either: it stands still only where the flow does.
        let around = means(&blocks(&back)?, 5)?.f_abs()?.f_amax([1i64].as_slice(), true)?;
        let slow = around.f_upsample_nearest2d(size_of(content)?, None, None)?.f_lt(LEAST_MOTION)?;
        let still = slow.f_logical_and(unchanged)?;
        let back = flow::led_back(&back, PAINT_BEYOND)?.f_masked_fill(&still, 0.0)?;
        Ok(Self { back, visible: visible.f_masked_fill(&still, 1.0)?, still })
    }

    /// The share of the frame that was not seen before.
    pub fn uncovered(&self) -> Result<f64> {
        Ok(1.0 - self.visible.f_mean(Kind::Float)?.f_double_value(&[])?)
    }
}

/// Where a frame is, but for noise, as the one before was, both `(1, 3, H, W)`: `(1, 1, H, W)`, true or false.
pub(crate) fn unchanged(before: &Tensor, content: &Tensor) -> Result<Tensor> {
    let change = content.f_sub(before)?;
    let of_means = blocks(&change)?.f_abs()?.f_amax([1i64].as_slice(), true)?.f_div_scalar(MEAN_CHANGE)?;
    let of_samples = blocks(&channels_mean(&change.f_abs()?)?)?.f_div_scalar(SAMPLES_CHANGE)?;
    // A block beside one that changed may have changed a little.
    let largest = of_means.f_maximum(&of_samples)?.f_max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false)?;
    Ok(largest.f_upsample_nearest2d(size_of(content)?, None, None)?.f_lt(1.0)?)
}

/// The blocks' means.
fn blocks(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_adaptive_avg_pool2d(size_of(values)?.map(|side| (side + BLOCK - 1) / BLOCK))?)
}

/// The means of windows of this many places each way, centred on each: of those that lie within the frame.
fn means(values: &Tensor, side: i64) -> Result<Tensor> {
    let mut means = values.shallow_clone();
    let [height, width] = size_of(values)?;
    for (dimension, length) in [(3, width), (2, height)] {
        let sides = if dimension == 3 { [side / 2, side / 2, 0, 0] } else { [0, 0, side / 2, side / 2] };
        let sum = |values: &Tensor| -> Result<Tensor> {
            let padded = values.f_constant_pad_nd(sides)?;
            let sum = padded.f_narrow(dimension, 0, length)?.f_add(&padded.f_narrow(dimension, 1, length)?)?;
            (2..side).try_fold(sum, |mut sum, shift| Ok(sum.f_add_(&padded.f_narrow(dimension, shift, length)?)?))
        };
        let line = values.f_narrow(0, 0, 1)?.f_narrow(1, 0, 1)?.f_narrow(5 - dimension, 0, 1)?.f_ones_like()?;
        means = sum(&means)?.f_div(&sum(&line)?)?;
    }
    Ok(means)
}

fn channels_mean(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_mean_dim([1].as_slice(), true, Kind::Float)?)
}

impl Painted {
    /// What the next frame, or the same one at another size, starts from: its own content under `share` of this one's paint.
    pub fn laid_over(&self, content: &Tensor, share: f64) -> Result<Tensor> {
        let paint = stretch(&self.picture.f_sub(&self.content)?, size_of(content)?)?;
        Ok(content.f_add(&paint.f_mul_scalar(share)?)?.f_clamp(0.0, 1.0)?)
    }

    /// Takes everything over to a frame that things have not moved in, as far as is known.
    pub fn onto(self, content: &Tensor) -> Result<Self> {
        let picture = self.laid_over(content, UNMOVED_PAINT_KEPT)?;
        Ok(Self { content: content.shallow_clone(), picture, ..self })
    }

    /// Takes everything over to where it is in the next frame. The paint of what was not seen before is what lay where the
    /// flow leads: it has the style already, and its colours find back to the content's.
    pub fn along(mut self, motion: &Motion, content: &Tensor) -> Result<Self> {
        // What is still keeps the content that it was painted over: noise would make it restless.
        let content = self.content.f_where_self(&motion.still, content)?;
        let both = Tensor::f_cat(&[&self.picture, &self.content], 1)?;
        let moved = flow::warp(&both, &motion.back, Filter::Bicubic)?;
        let (picture, before) = (moved.f_narrow(1, 0, 3)?, moved.f_narrow(1, 3, 3)?);
        // Where a place was seen before, noise is left out of its change: what is small and not shared by its neighbours, as
        // a change of light is.
        let change = content.f_sub(&before)?;
        let noise = change.f_sub(&means(&change, LIGHT)?)?.f_clamp(-NOISE, NOISE)?.f_mul(&motion.visible)?;
        let picture = picture.f_add(&change)?.f_sub(&noise)?;
        let picture = content.f_lerp(&picture, PAINT_KEPT)?.f_clamp(0.0, 1.0)?;
        let picture = self.picture.f_where_self(&motion.still, &picture)?;

        // The moments of what was not seen are unknown. A filter that overshoots would make squares of 0, by which is divided.
        // All are moved at once.
        let age = self.youth.f_rsub_scalar(1)?;
        let mut known: Vec<Tensor> =
            self.optimizer.moments().into_iter().map(|moment| moment.shallow_clone()).collect();
        known.extend([age, self.drift.shallow_clone()]);
        let seen = flow::warp(&Tensor::f_cat(&known, 1)?, &motion.back, Filter::Bilinear)?.f_mul(&motion.visible)?;
        let mut first = 0;
        for moment in self.optimizer.moments() {
            let (_, channels, _, _) = moment.size4()?;
            *moment = seen.f_narrow(1, first, channels)?;
            first += channels;
        }
        let youth = seen.f_narrow(1, first, 1)?.f_rsub_scalar(1)?.f_clamp(0.0, 1.0)?;
        // Means with their sign: what a flow that is off by a little leaves cancels out, a change of light does not. Where a
        // place was not seen before, it may be the light that changed by too much.
        let in_place = content.f_sub(&self.content)?;
        let lasting = blocks(&in_place.f_lerp_tensor(&change, &motion.visible)?)?;
        let lasting = lasting.f_upsample_nearest2d(size_of(&content)?, None, None)?;
        let drift = seen.f_narrow(1, first + 1, 3)?.f_add(&lasting)?;
        Ok(Self { content, picture, youth, drift, ..self })
    }

    /// How much each place lacks paint, 0..1, `(1, 1, H, W)`: it was not seen before, or it has changed since.
    pub fn unpainted(&self) -> Result<Tensor> {
        Ok(self.youth.f_maximum(&outdated(&self.drift)?)?)
    }

    /// Where nothing is left to paint, as far as content stays: `(1, 1, H, W)`, true or false.
    pub fn is_done(&self) -> Result<Tensor> {
        Ok(self.youth.f_eq(0.0)?.f_logical_and(&outdated(&self.drift)?.f_lt(DONE)?)?)
    }

    /// Whether the frame must be painted from scratch, because too much of its paint is outdated.
    pub fn is_outdated(&self) -> Result<bool> {
        Ok(outdated(&self.drift)?.f_mean(Kind::Float)?.f_double_value(&[])? > OUTDATED_SHARE)
    }

    /// Lowers youth and drift by the progress of this number of steps.
    pub fn age(&mut self, steps: u32) -> Result<()> {
        let progress = f64::from(steps) / f64::from(STEPS_OF_YOUTH);
        self.youth = self.youth.f_sub_scalar(progress)?.f_clamp_min(0.0)?;
        self.drift = self.drift.f_mul_scalar((1.0 - progress / 2.0).max(0.0))?;
        Ok(())
    }
}

/// How much of a place's paint is outdated by such a drift, 0..1, `(1, 1, H, W)`.
fn outdated(drift: &Tensor) -> Result<Tensor> {
    let [least, most] = OUTDATED;
    let largest = drift.f_abs()?.f_amax([1i64].as_slice(), true)?;
    Ok(largest.f_sub_scalar(least)?.f_div_scalar(most - least)?.f_clamp(0.0, 1.0)?)
}
