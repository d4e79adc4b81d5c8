//! How a frame follows the last one: what is kept of the last dream, and where.

use style_engine_interface::{Camera, warm_start};
use tch::Tensor;

use super::DreamingPainter;
use super::camera::moved;
use crate::Result;
use crate::flow::Filter;
use crate::motion::{Motion, unchanged};
use crate::size::{resize, size_of, stretch};

/// The maximum factor of steps, where a place has not been dreamt yet. With larger ones, places whose motion is unclear
/// would flicker.
const MAX_PACE: f64 = 2.0;

/// The share of the layer that hidden places keep: no flow leads to a place that was hidden, but what lies where it
/// seems to lead is a dream of the surroundings. Without it, holes would open around everything that moves; with all of
/// it, smears would stay.
const HIDDEN_KEPT: f64 = 0.7;

/// A finished frame.
pub(super) struct Dream {
    /// The frame under the dream, `(1, 3, H, W)`.
    pub content: Tensor,
    /// The result, of the same shape.
    pub picture: Tensor,
    /// How much of a whole dream each place has: 0..1, `(1, 1, H, W)`.
    pub dreamt: Tensor,
}

/// The start of a frame's dream.
pub(super) struct Start {
    /// The frame, with what is kept of the last dream.
    pub picture: Tensor,
    /// How much of a whole dream each place has, 0..1, `(1, 1, H, W)`; `None`: all places get whole steps.
    kept: Option<Tensor>,
}

impl Start {
    /// The frame alone.
    pub fn from_scratch(content: &Tensor) -> Self {
        Self { picture: content.shallow_clone(), kept: None }
    }

    /// The factor of each place's steps, `(1, 1, H, W)`, so that they complete its dream; they are `part` of a first
    /// frame's. A whole dream stays whole: it neither grows nor fades, whatever is kept from frame to frame.
    pub fn pace(&self, part: f64) -> Result<Option<Tensor>> {
        let pace = |kept: &Tensor| -> Result<Tensor> {
            Ok(kept.f_rsub_scalar(1.0)?.f_div_scalar(part.max(f64::EPSILON))?.f_clamp_max(MAX_PACE)?)
        };
        self.kept.as_ref().map(pace).transpose()
    }

    /// How much of a whole dream each place has after steps that are `part` of a first frame's, at this pace.
    pub fn dreamt(&self, part: f64, pace: Option<&Tensor>) -> Result<Tensor> {
        Ok(match (&self.kept, pace) {
            (Some(kept), Some(pace)) => kept.f_add(&pace.f_mul_scalar(part)?)?,
            _ => self.picture.f_narrow(1, 0, 1)?.f_full_like(part.min(1.0))?,
        })
    }
}

impl Dream {
    /// The same at another size.
    fn resized(&self, size: [i64; 2]) -> Result<Self> {
        let content = resize(&self.content, size)?;
        let paint = stretch(&self.picture.f_sub(&self.content)?, size)?;
        let picture = content.f_add(&paint)?.f_clamp(0.0, 1.0)?;
        Ok(Self { picture, content, dreamt: stretch(&self.dreamt, size)?.f_clamp(0.0, 1.0)? })
    }

    /// The dream without its frame, and how much of a whole dream it is, `(1, 4, H, W)`.
    fn layer(&self) -> Result<Tensor> {
        Ok(Tensor::f_cat(&[&self.picture.f_sub(&self.content)?, &self.dreamt], 1)?)
    }
}

impl DreamingPainter {
    /// The start of a frame that continues the last dream; none if the frame must be dreamt from scratch.
    pub(super) fn follow(&mut self, content: &Tensor, flow: Option<[Tensor; 2]>) -> Result<Option<Start>> {
        let follows = self.parameters.warm_start != warm_start::NONE;
        let Some(previous) = self.previous.take().filter(|_| follows) else { return Ok(None) };
        let previous = previous.resized(size_of(content)?)?;
        // The weighted mean of the frame and the last dream, whose weight is `temporal-weight` times the frame's.
        let weight = self.recipe.temporal_weight;
        let share = weight / (1.0 + weight);
        if self.parameters.camera != Camera::STILL {
            let last = moved(&previous.picture, self.parameters.camera)?;
            return Ok(Some(Start { picture: content.f_lerp(&last, share)?, kept: None }));
        }
        let layer = match self.parameters.warm_start {
            warm_start::FLOW => {
                let unchanged = unchanged(&previous.content, content)?;
                let motion = Motion::new(&previous.content, content, &unchanged, flow)?;
                if motion.disoccluded()? > self.parameters.scene_threshold {
                    return Ok(None);
                }
                let kept = motion.visible.f_mul_scalar(1.0 - HIDDEN_KEPT)?.f_add_scalar(HIDDEN_KEPT)?;
                // Bilinear: what moves loses its finest lines, which would tremble, as film loses them to motion blur.
                motion.warp(&previous.layer()?, Filter::Bilinear)?.f_mul(&kept)?
            }
            _ => previous.layer()?,
        };
        // Of the layer, not of the picture: the frame stays sharp, and its light is its own.
        let layer = layer.f_mul_scalar(share)?;
        let picture = content.f_add(&layer.f_narrow(1, 0, 3)?)?.f_clamp(0.0, 1.0)?;
        Ok(Some(Start { picture, kept: Some(layer.f_narrow(1, 3, 1)?.f_clamp(0.0, 1.0)?) }))
    }
}
