//! Bicubic warping on the CPU, in one pass over the pixels, on two threads. libtorch's takes twice as long, since it computes
//! the weights for each channel anew.
#![expect(clippy::indexing_slicing, reason = "positions are mirrored into planes, whose sizes `bicubic` checks")]

use std::ops::Range;

use tch::{TchError, Tensor};

use crate::frame::floats;
use crate::{Result, parallel};

/// The parameter of the cubic kernel, as libtorch has it (R. Keys, IEEE ASSP 1981).
const SHARPNESS: f32 = -0.75;

/// As [`super::warp`] with [`super::Filter::Bicubic`], of 32-bit floats on the CPU: `values`, `(1, C, H, W)`, and a flow,
/// `(1, 2, H, W)`.
pub(super) fn bicubic(values: &Tensor, flow: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = values.size4()?;
    let (values, flow) = (values.f_contiguous()?, flow.f_contiguous()?);
    let pixels = height as usize * width as usize;
    if pixels == 0 || [values.numel(), flow.numel()] != [channels as usize * pixels, 2 * pixels] {
        return Err(TchError::Shape("a picture and its flow have different sizes".into()).into());
    }
    let warp = Warp {
        width: width as usize,
        height: height as usize,
        channels: channels as usize,
        groups: grouped(floats(&values), pixels),
        flow: floats(&flow),
    };
    let middle = warp.height / 2;
    let halves = parallel::both([0..middle, middle..warp.height], &|rows: Range<usize>| -> Result<Tensor> {
        let size = [1, channels, rows.len() as i64, width];
        Ok(Tensor::f_from_slice(&warp.rows(rows))?.f_view(size)?)
    });
    let [upper, lower] = halves;
    Ok(Tensor::f_cat(&[upper?, lower?], 2)?)
}

/// Channels that are computed at once.
const GROUP: usize = 4;

type Group = [f32; GROUP];

/// Planes of values, rearranged: for each pixel its channels, in groups.
fn grouped(planes: &[f32], pixels: usize) -> Vec<Group> {
    let groups = (planes.len() / pixels).div_ceil(GROUP);
    let mut result = vec![Group::default(); groups * pixels];
    for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
        for (pixel, value) in result.chunks_exact_mut(groups).zip(plane) {
            pixel[channel / GROUP][channel % GROUP] = *value;
        }
    }
    result
}

struct Warp<'a> {
    width: usize,
    height: usize,
    channels: usize,
    groups: Vec<Group>,
    flow: &'a [f32],
}

impl Warp<'_> {
    /// These rows of all planes.
    fn rows(&self, rows: Range<usize>) -> Vec<f32> {
        let pixels = self.width * self.height;
        let groups = self.groups.len() / pixels;
        let size = rows.len() * self.width;
        let mut planes = vec![0.0; self.channels * size];
        let mut own = 0;
        for y in rows {
            for x in 0..self.width {
                let at = y * self.width + x;
                let across = Taps::new(x, self.flow[at], self.width);
                let down = Taps::new(y, self.flow[pixels + at], self.height);
                for group in 0..groups {
                    let mut sums = Group::default();
                    for (line, down) in down.pixels.into_iter().zip(down.weights) {
                        let line = &self.groups[line * self.width * groups..][..self.width * groups];
                        for (column, across) in across.pixels.into_iter().zip(across.weights) {
                            let weight = down * across;
                            for (sum, value) in sums.iter_mut().zip(line[column * groups + group]) {
                                *sum += weight * value;
                            }
                        }
                    }
                    for (channel, sum) in (group * GROUP..self.channels).zip(sums) {
                        planes[channel * size + own] = sum;
                    }
                }
                own += 1;
            }
        }
        planes
    }
}

/// The four pixels around a position along a side, and their weights.
struct Taps {
    pixels: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    /// Around the position that lies this far from `pixel`, along a side of this length.
    #[inline]
    fn new(pixel: usize, motion: f32, length: usize) -> Self {
        // `floor` is a function call on processors without SSE 4.1.
        let whole = motion as i32;
        let whole = whole.saturating_sub(i32::from(whole as f32 > motion));
        let first = pixel as i64 + i64::from(whole);
        let distance = motion - whole as f32;
        Self {
            pixels: [-1, 0, 1, 2].map(|tap| mirrored(first + tap, length)),
            weights: [far(1.0 + distance), near(distance), near(1.0 - distance), far(2.0 - distance)],
        }
    }
}

/// The cubic kernel at a distance of up to 1.
fn near(x: f32) -> f32 {
    ((SHARPNESS + 2.0) * x - (SHARPNESS + 3.0)) * x * x + 1.0
}

/// The cubic kernel at a distance of 1 to 2.
fn far(x: f32) -> f32 {
    ((SHARPNESS * x - 5.0 * SHARPNESS) * x + 8.0 * SHARPNESS) * x - 4.0 * SHARPNESS
}

/// A pixel, mirrored at the outer edges of the first and the last pixel.
#[inline]
fn mirrored(pixel: i64, length: usize) -> usize {
    if let Ok(inside) = usize::try_from(pixel)
        && inside < length
    {
        return inside;
    }
    let distance = pixel.rem_euclid(2 * length as i64) as usize;
    distance.min(2 * length - 1 - distance)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::flow::Filter;
    use crate::flow::sampling::{sample, targets};
    use crate::random::Random;

    #[test]
    fn the_result_is_libtorchs() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size);
        for size in [[31, 40], [1, 7], [2, 1]] {
            let [height, width] = size;
            let values = noise(1, &[1, 5, height, width]);
            // Some pixels stand still, and some come from far beyond the edges.
            let smooth = noise(2, &[1, 2, 3, 3]).upsample_bicubic2d(size, false, None, None) * 8 - 4;
            let still = noise(3, &[1, 1, height, width]).lt(0.2);
            let far = noise(4, &[1, 1, height, width]).gt(0.9).to_kind(Kind::Float) * 30 + 1;
            let flow = smooth.masked_fill(&still, 0.0) * far;
            let expected = sample(&values, &targets(&flow).unwrap(), Filter::Bicubic).unwrap();
            let error = (bicubic(&values, &flow).unwrap() - expected).abs().max().double_value(&[]);
            assert!(error < 1e-4, "{size:?}: {error}");
        }
    }
}
