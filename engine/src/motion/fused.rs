//! On the CPU, what [`super`] computes, in few passes over the pixels; see [`crate::planes`].
#![expect(clippy::indexing_slicing, reason = "positions are within planes, whose sizes are checked first")]

use multiversion::multiversion;
use tch::{Kind, TchError, Tensor};

use super::{
    AROUND, BLOCK, LARGEST_CHANGE, MEAN_CHANGE, MIN_MOTION, Motion, NOISE_WINDOW, PAINT_BEYOND, SAMPLES_CHANGE,
};
use crate::Result;
use crate::flow::MAX_DISAGREEMENT;
use crate::frame::bytes;
use crate::parallel;
use crate::planes::{Planes, Size, bands, block_means, planes_of};

/// As [`Motion::of_flow`].
pub(super) fn motion(frames: [&Tensor; 2], flows: [&Tensor; 2], unchanged: &Tensor) -> Result<Motion> {
    let content = Planes::of(frames[1], 3)?;
    let size = content.size;
    let before = Planes::sized(frames[0], 3, size)?;
    let (back, there) = (Planes::sized(flows[0], 2, size)?, Planes::sized(flows[1], 2, size)?);
    let unchanged = unchanged.f_to_kind(Kind::Uint8)?.f_contiguous()?;
    if unchanged.numel() != size.pixels() {
        return Err(TchError::Shape(format!("{:?} instead of {size:?}", unchanged.size())).into());
    }
    let inputs = Inputs {
        size,
        before: before.values(),
        content: content.values(),
        back: back.values(),
        there: there.values(),
        unchanged: bytes(&unchanged),
        slow: slow(size, back.values()),
    };
    let pixels = size.pixels();
    let (mut back, mut visible, mut still) = (vec![0.0; 2 * pixels], vec![0.0; pixels], vec![false; pixels]);
    let rows = parallel::band(size.height, 1);
    let inputs_of_bands = bands::<_, 2>(&mut back, size, rows)
        .zip(bands::<_, 1>(&mut visible, size, rows))
        .zip(bands::<_, 1>(&mut still, size, rows))
        .enumerate();
    let bands =
        inputs_of_bands.map(|(band, ((back, [visible]), [still]))| Band { row: band * rows, back, visible, still });
    parallel::each(bands.collect(), &|band| compute(&inputs, band));
    let one = Tensor::f_from_slice(&visible)?.f_view([1, 1, size.height as i64, size.width as i64])?;
    Ok(Motion {
        back: Tensor::f_from_slice(&back)?.f_view_as(flows[0])?,
        still: Tensor::f_from_slice(&still)?.f_view_as(&one)?,
        visible: one,
    })
}

struct Inputs<'a> {
    size: Size,
    before: &'a [f32],
    content: &'a [f32],
    back: &'a [f32],
    there: &'a [f32],
    /// 0 or 1 for each pixel.
    unchanged: &'a [u8],
    slow: Blocks,
}

/// What is computed for a band of rows.
struct Band<'a> {
    /// The first row.
    row: usize,
    back: [&'a mut [f32]; 2],
    visible: &'a mut [f32],
    still: &'a mut [bool],
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn compute(inputs: &Inputs<'_>, band: Band<'_>) {
    let Inputs { size, back, .. } = *inputs;
    let Size { height, width } = size;
    let pixels = size.pixels();
    let (last_x, last_y) = (width as f32 - 0.5, height as f32 - 0.5);
    let changes = Changes::new(inputs, band.row, band.visible.len() / width);
    let mut change = vec![0.0; width];
    let [out_x, out_y] = band.back;
    for y in band.row..band.row + band.visible.len() / width {
        changes.row(y, &mut change);
        let slow = inputs.slow.row(y);
        for (x, &change) in change.iter().enumerate() {
            let (at, out) = (y * width + x, (y - band.row) * width + x);
            let motion = [back[at], back[pixels + at]];
            let target = [x as f32 + motion[0], y as f32 + motion[1]];
            let is_still = inputs.unchanged[at] != 0 && slow(x);
            let is_inside = (-0.5..=last_x).contains(&target[0]) && (-0.5..=last_y).contains(&target[1]);
            let is_alike = is_inside && change < LARGEST_CHANGE as f32;
            let is_visible = is_alike && agree(motion, size.sample(inputs.there, target[0], target[1]));
            let into_frame = |motion, target, last| match target {
                _ if is_still => 0.0,
                _ if target > last => motion - PAINT_BEYOND as f32,
                ..-0.5 => motion + PAINT_BEYOND as f32,
                _ => motion,
            };
            out_x[out] = into_frame(motion[0], target[0], last_x);
            out_y[out] = into_frame(motion[1], target[1], last_y);
            band.visible[out] = if is_still || is_visible { 1.0 } else { 0.0 };
            band.still[out] = is_still;
        }
    }
}

/// Whether a flow and the flow back agree; see [`crate::flow::visible`].
#[inline(always)]
fn agree([u, v]: [f32; 2], [back_u, back_v]: [f32; 2]) -> bool {
    let [share, least] = MAX_DISAGREEMENT.map(|value| value as f32);
    let square = |x: f32, y: f32| x * x + y * y;
    square(u + back_u, v + back_v) < (square(u, v) + square(back_u, back_v)) * share + least
}

/// How the colors of a band of rows, and of the rows around it, have changed along the flow.
struct Changes {
    size: Size,
    /// The first row of which there are changes; it may be the one above the frame.
    first: isize,
    /// For each color, rows with a 0 on both sides; rows outside of the frame are 0.
    colors: [Vec<f32>; 3],
}

/// How far a window reaches on each side.
const REACH: usize = NOISE_WINDOW as usize / 2;

impl Changes {
    #[inline(always)]
    fn new(inputs: &Inputs<'_>, row: usize, rows: usize) -> Self {
        let Inputs { size, before, content, back, .. } = *inputs;
        let (pixels, stride) = (size.pixels(), size.width + 2 * REACH);
        let mut colors: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; (rows + 2 * REACH) * stride]);
        for y in row.saturating_sub(REACH)..(row + rows + REACH).min(size.height) {
            for x in 0..size.width {
                let at = y * size.width + x;
                let matched: [f32; 3] = size.sample(before, x as f32 + back[at], y as f32 + back[pixels + at]);
                for (color, (plane, matched)) in colors.iter_mut().zip(matched).enumerate() {
                    plane[(y + REACH - row) * stride + REACH + x] = matched - content[color * pixels + at];
                }
            }
        }
        Self { size, first: row as isize - REACH as isize, colors }
    }

    /// The mean over the colors of the sizes of the windows' mean changes.
    #[inline(always)]
    fn row(&self, y: usize, row: &mut [f32]) {
        let Size { height, width } = self.size;
        let stride = width + 2 * REACH;
        let within = |at: usize, length: usize| (at + REACH).min(length - 1) - at.saturating_sub(REACH) + 1;
        let top = (y as isize - REACH as isize - self.first) as usize;
        let mut sums = vec![0.0; stride];
        row.fill(0.0);
        for plane in &self.colors {
            sums.fill(0.0);
            for values in plane[top * stride..][..NOISE_WINDOW as usize * stride].chunks_exact(stride) {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            for (result, window) in row.iter_mut().zip(sums.windows(NOISE_WINDOW as usize)) {
                *result += window.iter().sum::<f32>().abs();
            }
        }
        for (x, result) in row.iter_mut().enumerate() {
            *result /= (self.colors.len() * within(x, width) * within(y, height)) as f32;
        }
    }
}

/// For each block, whether something holds; and which block a pixel belongs to.
struct Blocks {
    size: Size,
    holds: Vec<bool>,
    columns: Vec<usize>,
    rows: Vec<usize>,
}

impl Blocks {
    fn new(size: Size, pixels: Size, holds: Vec<bool>) -> Self {
        // As libtorch's `upsample_nearest2d` rounds.
        let along = |blocks: usize, length: usize| -> Vec<usize> {
            let share = blocks as f32 / length as f32;
            (0..length).map(|at| ((at as f32 * share) as usize).min(blocks - 1)).collect()
        };
        Self { size, holds, columns: along(size.width, pixels.width), rows: along(size.height, pixels.height) }
    }

    /// Whether it holds for the pixels of a row.
    fn row(&self, y: usize) -> impl Fn(usize) -> bool {
        let holds = &self.holds[self.rows[y] * self.size.width..][..self.size.width];
        |x| holds[self.columns[x]]
    }
}

fn blocks(pixels: Size) -> Size {
    let block = BLOCK as usize;
    Size { height: pixels.height.div_ceil(block), width: pixels.width.div_ceil(block) }
}

/// The blocks around which the flow is less than [`MIN_MOTION`].
fn slow(size: Size, flow: &[f32]) -> Blocks {
    let blocks = blocks(size);
    let [x, y] = planes_of(flow, size.pixels()).map(|plane| {
        let means = block_means(size, plane, blocks);
        around(blocks, AROUND as usize / 2, move |window| window.map(|at| means[at]).sum::<f32>())
    });
    let counts = around(blocks, AROUND as usize / 2, |window| window.count() as f32);
    let is_slow = |((x, y), count): ((&f32, &f32), &f32)| x.abs().max(y.abs()) / count < MIN_MOTION as f32;
    Blocks::new(blocks, size, x.iter().zip(&y).zip(&counts).map(is_slow).collect())
}

/// A value of each block, of the blocks that lie up to `reach` blocks away in each direction.
fn around(blocks: Size, reach: usize, value: impl Fn(&mut dyn Iterator<Item = usize>) -> f32) -> Vec<f32> {
    let near = |at: usize, length: usize| at.saturating_sub(reach)..(at + reach + 1).min(length);
    let of_block = |block: usize| {
        let (y, x) = (block / blocks.width, block % blocks.width);
        let columns = near(x, blocks.width);
        value(&mut near(y, blocks.height).flat_map(|y| columns.clone().map(move |x| y * blocks.width + x)))
    };
    (0..blocks.pixels()).map(of_block).collect()
}

/// As [`super::unchanged`].
pub(super) fn unchanged(before: &Tensor, content: &Tensor) -> Result<Tensor> {
    let content = Planes::of(content, 3)?;
    let before = Planes::sized(before, 3, content.size)?;
    let size = content.size;
    let unchanged = unchanged_pixels(size, before.values(), content.values());
    Ok(Tensor::f_from_slice(&unchanged)?.f_view([1, 1, size.height as i64, size.width as i64])?)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn unchanged_pixels(size: Size, before: &[f32], content: &[f32]) -> Vec<bool> {
    let blocks = blocks(size);
    let change: Vec<f32> = content.iter().zip(before).map(|(content, before)| content - before).collect();
    let [r, g, b] = planes_of(&change, size.pixels());
    let sizes: Vec<f32> = r.iter().zip(g).zip(b).map(|((r, g), b)| (r.abs() + g.abs() + b.abs()) / 3.0).collect();
    let of_means = [r, g, b].map(|plane| block_means(size, plane, blocks));
    let of_samples = block_means(size, &sizes, blocks);
    let largest = |window: &mut dyn Iterator<Item = usize>| {
        let of_block = |at: usize| {
            let mean = of_means.iter().map(|means| means[at].abs()).fold(0.0, f32::max);
            (mean / MEAN_CHANGE as f32).max(of_samples[at] / SAMPLES_CHANGE as f32)
        };
        window.map(of_block).fold(0.0, f32::max)
    };
    // A block beside one that changed may have changed a little.
    let unchanged = around(blocks, 1, largest).into_iter().map(|change| change < 1.0).collect();
    let unchanged = Blocks::new(blocks, size, unchanged);
    (0..size.height).flat_map(|y| (0..size.width).map(unchanged.row(y))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::motion::unchanged_by_tensors;
    use crate::random::Random;

    const SIZES: [[i64; 2]; 4] = [[16, 24], [45, 67], [90, 160], [5, 3]];

    /// Smooth noise in 0..1, `(1, C, H, W)`.
    fn smooth(seed: u64, channels: i64, size: [i64; 2]) -> Tensor {
        let noise = Random(seed).uniform(channels * 20).unwrap().view([1, channels, 4, 5]);
        noise.upsample_bilinear2d(size, false, None, None)
    }

    /// The share of the pixels at which maps differ.
    fn differing(map: &Tensor, other: &Tensor) -> f64 {
        assert_eq!((map.size(), map.kind()), (other.size(), other.kind()));
        let difference = (map.to_kind(Kind::Float) - other.to_kind(Kind::Float)).abs();
        difference.gt(1e-3).to_kind(Kind::Float).mean(Kind::Float).double_value(&[])
    }

    #[test]
    fn motion_is_that_of_libtorchs_operations() {
        for size in SIZES {
            let content = smooth(1, 3, size);
            // Half of the frame is steady, and the flow there is small.
            let moving = smooth(2, 1, size).gt(0.5).to_kind(Kind::Float);
            let back = (smooth(3, 2, size) - 0.5) * (&moving * 8 + 0.1);
            let there = -&back + (smooth(4, 2, size) - 0.5) * 2;
            let before = &content + (smooth(5, 3, size) - 0.5) * 0.2 * &moving;
            let unchanged = moving.lt(0.5);
            let (frames, flows) = ([&before, &content], [&back, &there]);
            let own = motion(frames, flows, &unchanged).unwrap();
            let expected = Motion::of_flow(frames, flows, &unchanged).unwrap();
            if size[1] > 20 {
                for map in [&expected.visible, &expected.still.to_kind(Kind::Float)] {
                    assert!((0.02..0.98).contains(&map.mean(Kind::Float).double_value(&[])), "{size:?}");
                }
            }
            // A value at the edge between two decisions may be rounded otherwise.
            for (own, expected) in
                [(own.back, expected.back), (own.visible, expected.visible), (own.still, expected.still)]
            {
                let share = differing(&own, &expected);
                assert!(share < 1e-3, "{size:?}: {share}");
            }
        }
    }

    #[test]
    fn unchanged_pixels_are_those_of_libtorchs_operations() {
        for size in SIZES {
            let content = smooth(1, 3, size);
            let before = &content + (smooth(2, 3, size) - 0.5) * 0.01 + (smooth(3, 1, size) - 0.7).clamp(0.0, 1.0);
            let expected = unchanged_by_tensors(&before, &content).unwrap();
            let share = differing(&unchanged(&before, &content).unwrap(), &expected);
            assert!(share < 1e-3, "{size:?}: {share}");
            assert!(size[1] < 60 || expected.any().int64_value(&[]) == 1 && expected.all().int64_value(&[]) == 0);
        }
    }

    #[test]
    fn flows_that_are_no_numbers_or_lead_far_away_do_no_harm() {
        let content = smooth(1, 3, [16, 24]);
        let unchanged = content.narrow(1, 0, 1).lt(0.0);
        for value in [f64::NAN, f64::INFINITY, -1e30] {
            let flow = Tensor::full([1, 2, 16, 24], value, (Kind::Float, tch::Device::Cpu));
            let motion = motion([&content, &content], [&flow, &flow], &unchanged).unwrap();
            assert_eq!(motion.visible.max().double_value(&[]), 0.0, "{value}");
        }
    }
}
