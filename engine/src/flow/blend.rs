//! A picture that is drawn to another one, warped: in one pass over the pixels, on two threads. libtorch's bicubic sampling
//! uses one thread and takes as long as a small network.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes `drawn_to` checks")]

use std::ops::Range;

use tch::{Device, Kind, TchError, Tensor};

use super::sampling::{Filter, warp};
use crate::frame::floats;
use crate::size::size_of;
use crate::{Result, parallel};

/// The parameter of the cubic kernel, as libtorch has it (R. Keys, IEEE ASSP 1981).
const SHARPNESS: f32 = -0.75;

/// The mean of `picture` and `other`, warped by `flow`, with the weights 1 - `share` and `share`: all `(1, C, H, W)`, but
/// `(1, 2, H, W)` and `(1, 1, H, W)`. Beyond the edges, `other` continues with its last pixels.
pub(crate) fn drawn_to(picture: &Tensor, other: &Tensor, flow: &Tensor, share: &Tensor) -> Result<Tensor> {
    let all = [picture, other, flow, share];
    if all.iter().any(|tensor| tensor.device() != Device::Cpu || tensor.kind() != Kind::Float) {
        return Ok(picture.f_lerp_tensor(&warp(other, flow, Filter::Bicubic)?, share)?);
    }
    let [height, width] = size_of(picture)?;
    let (_, channels, ..) = picture.size4()?;
    let [picture, other, flow, share] = all.map(|tensor| tensor.f_contiguous());
    let tensors = [picture?, other?, flow?, share?];
    let [picture, other, flow, share] = tensors.each_ref().map(floats);
    let pixels = height as usize * width as usize;
    let values = channels as usize * pixels;
    if pixels == 0 || [picture.len(), other.len(), flow.len(), share.len()] != [values, values, 2 * pixels, pixels] {
        return Err(TchError::Shape("a picture, another one and their flow have different sizes".into()).into());
    }
    let blend = Blend { width: width as usize, height: height as usize, picture, other, flow, share };
    let middle = blend.height / 2;
    let halves = parallel::both([0..middle, middle..blend.height], &|rows: Range<usize>| -> Result<Tensor> {
        let size = [1, channels, rows.len() as i64, width];
        Ok(Tensor::f_from_slice(&blend.rows(rows))?.f_view(size)?)
    });
    let [upper, lower] = halves;
    Ok(Tensor::f_cat(&[upper?, lower?], 2)?)
}

struct Blend<'a> {
    width: usize,
    height: usize,
    picture: &'a [f32],
    other: &'a [f32],
    flow: &'a [f32],
    share: &'a [f32],
}

impl Blend<'_> {
    /// These rows of all channels.
    fn rows(&self, rows: Range<usize>) -> Vec<f32> {
        let pixels = self.width * self.height;
        let part = rows.start * self.width..rows.end * self.width;
        let channels = self.picture.chunks_exact(pixels);
        let mut result: Vec<f32> = channels.flat_map(|plane| &plane[part.clone()]).copied().collect();
        for at in part.clone() {
            let share = self.share[at];
            if share == 0.0 {
                continue;
            }
            let [u, v] = [self.flow[at], self.flow[pixels + at]];
            let planes = self.other.chunks_exact(pixels).zip(result.chunks_exact_mut(part.len()));
            if u == 0.0 && v == 0.0 {
                for (other, result) in planes {
                    let own = &mut result[at - part.start];
                    *own += share * (other[at] - *own);
                }
                continue;
            }
            let (columns, across) = taps((at % self.width) as f32 + u, self.width);
            let (lines, down) = taps((at / self.width) as f32 + v, self.height);
            for (other, result) in planes {
                let mut sum = 0.0;
                for (line, down) in lines.into_iter().zip(down) {
                    let row = &other[line * self.width..][..self.width];
                    let along: [f32; 4] = std::array::from_fn(|tap| row[columns[tap]] * across[tap]);
                    sum += down * (along[0] + along[1] + along[2] + along[3]);
                }
                let own = &mut result[at - part.start];
                *own += share * (sum - *own);
            }
        }
        result
    }
}

/// The four pixels around a position along a side of this length, and their weights.
#[inline]
fn taps(position: f32, length: usize) -> ([usize; 4], [f32; 4]) {
    let position = position.clamp(0.0, (length - 1) as f32);
    let first = position as usize;
    let distance = position - first as f32;
    let near = |x: f32| ((SHARPNESS + 2.0) * x - (SHARPNESS + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((SHARPNESS * x - 5.0 * SHARPNESS) * x + 8.0 * SHARPNESS) * x - 4.0 * SHARPNESS;
    let last = length - 1;
    let pixels = [first.saturating_sub(1), first, (first + 1).min(last), (first + 2).min(last)];
    (pixels, [far(distance + 1.0), near(distance), near(1.0 - distance), far(2.0 - distance)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn within_the_frame_the_result_is_libtorchs() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size);
        for size in [[31, 40], [1, 7]] {
            let [height, width] = size;
            let [picture, other] = [1, 2].map(|seed| noise(seed, &[1, 3, height, width]));
            let smooth = noise(3, &[1, 2, 3, 3]).upsample_bicubic2d(size, false, None, None) * 8 - 4;
            let still = noise(4, &[1, 1, height, width]).lt(0.2);
            let flow = smooth.masked_fill(&still, 0.0);
            let share = noise(5, &[1, 1, height, width]).clamp(0.3, 0.6) - 0.3;
            let expected = picture.lerp_tensor(&warp(&other, &flow, Filter::Bicubic).unwrap(), &share);
            let own = drawn_to(&picture, &other, &flow, &share).unwrap();
            // Two pixels further inside, what lies beyond the edges has no influence.
            let reach = |along: i64, length: i64| {
                let target = Tensor::arange(length, (Kind::Float, Device::Cpu));
                let target =
                    if along == 0 { target } else { target.unsqueeze(1) } + flow.select(1, along).squeeze_dim(0);
                target.ge(2.0).logical_and(&target.le((length - 3) as f64))
            };
            let inside = reach(0, width).logical_and(&reach(1, height)).logical_or(&still.squeeze());
            let error = ((own - expected).abs() * inside).max().double_value(&[]);
            assert!(error < 1e-5, "{size:?}: {error}");
        }
    }
}
