//! Motion between two frames: the optical flow, what it hides, and what stands still.

mod fused;

use tch::{Kind, Tensor};

use crate::Result;
use crate::flow::{self, Filter};
use crate::planes::are_planes;
use crate::size::size_of;

/// A pixel is disoccluded, whatever the flow says, if the mean of a window around it has changed by more along the flow.
const LARGEST_CHANGE: f64 = 0.06;
const NOISE_WINDOW: i64 = 3;

/// A block of `BLOCK` x `BLOCK` pixels has changed if its mean has changed by more than `MEAN_CHANGE`, or its samples by more
/// than `SAMPLES_CHANGE` on average: less is noise.
const BLOCK: i64 = 8;
const MEAN_CHANGE: f64 = 0.015;
const SAMPLES_CHANGE: f64 = 0.03;

/// Unchanged pixels stand still if the blocks around, `AROUND` in each direction, move less than this on average, in pixels.
const MIN_MOTION: f64 = 0.25;
const AROUND: i64 = 5;

/// Pixels that enter the frame get the paint that lies this many pixels further inside. A mirror image of the edge, made for
/// each frame again, would leave stripes.
const PAINT_BEYOND: f64 = 64.0;

/// The motion between two frames, and what it hides.
pub(crate) struct Motion {
    /// The flow from this frame to the one before, `(1, 2, H, W)`, in pixels.
    pub back: Tensor,
    /// The visibility mask: 1 where the pixel was seen in the frame before, else 0, `(1, 1, H, W)`.
    pub visible: Tensor,
    /// The static mask: whether the pixel has neither moved nor changed, `(1, 1, H, W)`.
    pub still: Tensor,
}

impl Motion {
    /// Between the frame before and `content`, both `(1, 3, H, W)` in 0..1. `unchanged` masks pixels that may be static;
    /// `known` is the flow from this frame to the one before and back, if it is known.
    pub fn new(before: &Tensor, content: &Tensor, unchanged: &Tensor, known: Option<[Tensor; 2]>) -> Result<Self> {
        let [back, there] = match known {
            Some(flows) => flows,
            None => {
                let [content, before] = flow::frames([content, before])?;
                flow::between(&content, &before)?
            }
        };
        if are_planes(content) {
            return fused::motion([before, content], [&back, &there], unchanged);
        }
        Self::of_flow([before, content], [&back, &there], unchanged)
    }

    /// The same by libtorch's operations, with the flow from this frame to the one before and back.
    fn of_flow([before, content]: [&Tensor; 2], [back, there]: [&Tensor; 2], unchanged: &Tensor) -> Result<Self> {
        // Means first: noise is not a change.
        let change = flow::warp(before, back, Filter::Bilinear)?.f_sub(content)?;
        let change = channels_mean(&means(&change, NOISE_WINDOW)?.f_abs()?)?;
        let alike = change.f_lt(LARGEST_CHANGE)?.f_to_kind(Kind::Float)?;
        let visible = flow::visible(back, there)?.f_mul(&alike)?;

        // A plain wall that the camera passes does not change either: it stands still only where the flow does.
        let around = means(&blocks(back)?, AROUND)?.f_abs()?.f_amax([1i64].as_slice(), true)?;
        let slow = around.f_upsample_nearest2d(size_of(content)?, None, None)?.f_lt(MIN_MOTION)?;
        let still = slow.f_logical_and(unchanged)?;
        let back = flow::clamped_into_frame(back, PAINT_BEYOND)?.f_masked_fill(&still, 0.0)?;
        Ok(Self { back, visible: visible.f_masked_fill(&still, 1.0)?, still })
    }

    /// The same motion, in the same memory.
    pub fn shallow_clone(&self) -> Self {
        let [back, visible, still] = [&self.back, &self.visible, &self.still].map(Tensor::shallow_clone);
        Self { back, visible, still }
    }

    /// Values of the frame before, `(1, C, H, W)`, where they are in this one.
    pub fn warp(&self, values: &Tensor, filter: Filter) -> Result<Tensor> {
        flow::warp(values, &self.back, filter)
    }

    /// The share of the frame that is disoccluded.
    pub fn disoccluded(&self) -> Result<f64> {
        Ok(1.0 - self.visible.f_mean(Kind::Float)?.f_double_value(&[])?)
    }
}

/// Which pixels are the same in two frames `(1, 3, H, W)`, except for noise: `(1, 1, H, W)`, true or false.
pub(crate) fn unchanged(before: &Tensor, content: &Tensor) -> Result<Tensor> {
    if are_planes(content) { fused::unchanged(before, content) } else { unchanged_by_tensors(before, content) }
}

fn unchanged_by_tensors(before: &Tensor, content: &Tensor) -> Result<Tensor> {
    let change = content.f_sub(before)?;
    let of_means = blocks(&change)?.f_abs()?.f_amax([1i64].as_slice(), true)?.f_div_scalar(MEAN_CHANGE)?;
    let of_samples = blocks(&channels_mean(&change.f_abs()?)?)?.f_div_scalar(SAMPLES_CHANGE)?;
    // A block beside one that changed may have changed a little.
    let largest = of_means.f_maximum(&of_samples)?.f_max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false)?;
    Ok(largest.f_upsample_nearest2d(size_of(content)?, None, None)?.f_lt(1.0)?)
}

/// The means of blocks of `BLOCK` x `BLOCK` pixels.
pub(crate) fn blocks(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_adaptive_avg_pool2d(size_of(values)?.map(|side| (side + BLOCK - 1) / BLOCK))?)
}

/// The mean of the window of `side` x `side` pixels around each pixel, of those that lie within the frame.
pub(crate) fn means(values: &Tensor, side: i64) -> Result<Tensor> {
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
