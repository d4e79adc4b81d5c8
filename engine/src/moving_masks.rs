//! Masks that move along with what they cover. A source of masks may be slower than the frames: its last mask is moved along
//! the motion that the painter has found, until the next one comes.

use std::collections::VecDeque;

use style_engine_interface::MAX_MASK_AGE;
use tch::{Kind, Tensor};

use crate::Result;
use crate::flow::Filter;
use crate::motion::Motion;
use crate::size::{resize, size_of};
use crate::style_masks::averaged;

/// The side of the blocks whose mean colors stand for what is inside of a mask and outside of it nearby, in pixels.
const BLOCK: i64 = 16;

/// Less than this share of the surroundings shows no color.
const MIN_SHARE: f64 = 1e-3;

/// A difference of colors that is larger than all others.
const FAR: f64 = 10.0;

/// A painted frame, and how it follows the one before.
struct Followed {
    content: Tensor,
    motion: Motion,
}

/// The motion of the last frames.
#[derive(Default)]
pub(crate) struct MovingMasks {
    /// The last frames, the newest at the end; none where the motion is not known, or nothing has moved.
    frames: VecDeque<Option<Followed>>,
    /// Whether more than the last frame is needed: a mask has moved.
    keeps_all: bool,
}

impl MovingMasks {
    /// Adds a painted frame with this content, `(1, 3, H, W)` in 0..1.
    pub fn add(&mut self, content: &Tensor, motion: Option<&Motion>) {
        let followed =
            motion.map(|motion| Followed { content: content.shallow_clone(), motion: motion.shallow_clone() });
        self.frames.push_back(followed);
        let kept = if self.keeps_all { MAX_MASK_AGE as usize } else { 1 };
        while self.frames.len() > kept {
            self.frames.pop_front();
        }
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.frames.clear();
    }

    /// A mask, `(1, 1, H, W)` in 0..1, of the frame that was painted `age` frames before the last one, where it is in the last
    /// one, at the size of the motion. `None` if nothing has moved.
    pub fn moved(&mut self, mask: &Tensor, age: usize) -> Result<Option<Tensor>> {
        self.keeps_all = true;
        let missed = self.frames.len().saturating_sub(age);
        let mut moved: Option<Tensor> = None;
        for frame in self.frames.iter().skip(missed).flatten() {
            moved = Some(frame.moved(moved.as_ref().unwrap_or(mask))?);
        }
        Ok(moved)
    }
}

impl Followed {
    /// A mask of the frame before, in this frame. Where a place was hidden, it belongs to that side of the mask which has its
    /// color nearby.
    fn moved(&self, mask: &Tensor) -> Result<Tensor> {
        let size = size_of(&self.motion.visible)?;
        let mask = resize(&mask.f_to_device(self.content.device())?, size)?;
        let visible = &self.motion.visible;
        let moved = self.motion.warp(&mask, Filter::Bicubic)?.f_clamp(0.0, 1.0)?;
        if visible.f_min()?.f_double_value(&[])? >= 1.0 {
            return Ok(moved);
        }
        let content = averaged(&self.content, size)?;
        let inside = difference(&content, &moved.f_mul(visible)?)?.f_square()?;
        let outside = difference(&content, &moved.f_rsub_scalar(1)?.f_mul(visible)?)?.f_square()?;
        let alike = outside.f_div(&inside.f_add(&outside)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)?;
        Ok(alike.f_lerp_tensor(&moved, visible)?)
    }
}

/// The squared difference of each pixel from the mean color of its surroundings, weighted by `weights`: `(1, 1, H, W)`.
fn difference(content: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let size = size_of(content)?;
    let blocks = size.map(|side| (side + BLOCK - 1) / BLOCK);
    let around = |values: &Tensor| -> Result<Tensor> {
        Ok(averaged(values, blocks)?.f_avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None::<i64>)?)
    };
    let shares = around(weights)?;
    let colors = around(&content.f_mul(weights)?)?.f_div(&shares.f_clamp_min(MIN_SHARE)?)?;
    let [shares, colors] = [shares, colors].map(|values| values.f_upsample_bilinear2d(size, false, None, None));
    let squares = content.f_sub(&colors?)?.f_square()?.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?;
    Ok(squares.f_masked_fill(&shares?.f_lt(MIN_SHARE)?, FAR)?)
}
