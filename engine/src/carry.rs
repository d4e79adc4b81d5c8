//! What a frame takes over from the one before: the last result, moved to where its things are now.

use tch::{Kind, Tensor};

use crate::Result;
use crate::flow::{self, Filter};
use crate::optimizers::{Method, Optimizer};
use crate::size::{size_of, stretch};

/// How much of the paint a frame takes over. What no longer fits the content wears off, and so do strokes that motion has
/// drawn out of shape; what fits is painted again.
const PAINT_KEPT: f64 = 0.95;

/// The same where the paint stays where it was, while things move on beneath it.
const UNMOVED_PAINT_KEPT: f64 = 0.9;

/// Changes in a sample up to this are a camera's noise.
const NOISE: f64 = 0.03;

/// A place whose mean change in its samples is larger was not seen before, wherever the flow leads.
const LARGEST_CHANGE: f64 = 0.06;

/// A finished frame at the size it was optimised at.
pub(crate) struct Painted {
    /// What was painted over, `(1, 3, H, W)`.
    pub content: Tensor,
    /// The result, of the same shape.
    pub picture: Tensor,
    /// `(1, 1, H, W)`: 1 where nothing was seen before, falling to 0 as it is painted.
    pub youth: Tensor,
    /// What brought the losses down.
    pub method: Method,
    /// Its state.
    pub optimizer: Box<dyn Optimizer>,
}

/// Where the things of a frame were in the one before.
pub(crate) struct Motion {
    /// `(1, 2, H, W)`, in pixels.
    back: Tensor,
    /// 1 where the place was seen before, else 0: `(1, 1, H, W)`.
    pub visible: Tensor,
}

impl Motion {
    /// From the frame before to `content`, both `(1, 3, H, W)` in 0..1; `known`: the flow from this frame to that, and back.
    pub fn new(before: &Tensor, content: &Tensor, known: Option<[Tensor; 2]>) -> Result<Self> {
        let [back, there] = match known {
            Some(flows) => flows,
            None => flow::between(&flow::Frame::new(content)?, &flow::Frame::new(before)?)?,
        };
        let change = flow::warp(before, &back, Filter::Bilinear)?.f_sub(content)?.f_abs()?;
        let change = change.f_mean_dim([1].as_slice(), true, Kind::Float)?;
        let change = change.f_avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None::<i64>)?;
        let alike = change.f_lt(LARGEST_CHANGE)?.f_to_kind(Kind::Float)?;
        let visible = flow::visible(&back, &there)?.f_mul(&alike)?;
        Ok(Self { back, visible })
    }

    /// The share of the frame that was not seen before.
    pub fn uncovered(&self) -> Result<f64> {
        Ok(1.0 - self.visible.f_mean(Kind::Float)?.f_double_value(&[])?)
    }
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
        let both = Tensor::f_cat(&[&self.picture, &self.content], 1)?;
        let moved = flow::warp(&both, &motion.back, Filter::Bicubic)?;
        let (picture, before) = (moved.f_narrow(1, 0, 3)?, moved.f_narrow(1, 3, 3)?);
        // Where a place was seen before, noise is left out of its change.
        let change = content.f_sub(&before)?;
        let noise = change.f_clamp(-NOISE, NOISE)?.f_mul(&motion.visible)?;
        let picture = picture.f_add(&change)?.f_sub(&noise)?;
        let picture = content.f_lerp(&picture, PAINT_KEPT)?.f_clamp(0.0, 1.0)?;

        // The moments of what was not seen are unknown. A filter that overshoots would make squares of 0, by which is divided.
        let seen = |values: &Tensor| Ok(flow::warp(values, &motion.back, Filter::Bilinear)?.f_mul(&motion.visible)?);
        self.optimizer.follow(&seen)?;
        let youth = seen(&self.youth.f_rsub_scalar(1)?)?.f_rsub_scalar(1)?.f_clamp(0.0, 1.0)?;
        Ok(Self { content: content.shallow_clone(), picture, youth, ..self })
    }
}
