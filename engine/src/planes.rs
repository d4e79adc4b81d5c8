//! Pictures as planes of f32 on the CPU, one after the other, each row by row: for work in few passes over the pixels. On a
//! small frame, libtorch's many operations take several times as long as their arithmetic.
//!
//! Functions are inlined into those that have a version for each instruction set.
#![expect(clippy::indexing_slicing, reason = "positions are clamped to planes, whose sizes the callers check")]

use std::ops::Range;

use multiversion::multiversion;
use tch::{Device, Kind, TchError, Tensor};

use crate::Result;
use crate::frame::{floats, floats_mut};
use crate::parallel;
use crate::size::size_of;

/// Whether a tensor is one picture of 32-bit floats on the CPU.
pub(crate) fn are_planes(picture: &Tensor) -> bool {
    picture.device() == Device::Cpu && picture.kind() == Kind::Float && matches!(picture.size4(), Ok((1, ..)))
}

/// A tensor's values, plane by plane.
pub(crate) struct Planes {
    tensor: Tensor,
    pub size: Size,
}

impl Planes {
    /// Of a picture, `(1, C, H, W)` with this number of channels. Fails if it is empty.
    pub fn of(picture: &Tensor, channels: i64) -> Result<Self> {
        let (_, own, ..) = picture.size4()?;
        if !are_planes(picture) || own != channels || picture.numel() == 0 {
            return Err(TchError::Shape(format!("{:?} instead of {channels} planes", picture.size())).into());
        }
        Ok(Self { tensor: picture.f_contiguous()?, size: Size::of(picture)? })
    }

    /// The same, of this size.
    pub fn sized(picture: &Tensor, channels: i64, size: Size) -> Result<Self> {
        let planes = Self::of(picture, channels)?;
        if planes.size != size {
            return Err(TchError::Shape(format!("{:?} instead of {size:?}", picture.size())).into());
        }
        Ok(planes)
    }

    /// A contiguous tensor of the same shape.
    pub fn empty_like(&self) -> Result<Tensor> {
        Ok(self.tensor.f_empty_like()?)
    }

    pub fn values(&self) -> &[f32] {
        floats(&self.tensor)
    }
}

/// The size of a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub height: usize,
    pub width: usize,
}

impl Size {
    /// A picture's, `(N, C, H, W)`.
    pub fn of(picture: &Tensor) -> Result<Self> {
        let [height, width] = size_of(picture)?;
        Ok(Self { height: height as usize, width: width as usize })
    }

    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// `planes` at the position `x`, `y`, bilinearly interpolated and mirrored at the edges.
    #[inline(always)]
    pub fn sample<const PLANES: usize>(self, planes: &[f32], x: f32, y: f32) -> [f32; PLANES] {
        let ([left, right], along) = neighbors(x, self.width);
        let ([top, bottom], down) = neighbors(y, self.height);
        let (top, bottom) = (top * self.width, bottom * self.width);
        let mut sample = [0.0; PLANES];
        for (value, plane) in sample.iter_mut().zip(planes.chunks_exact(self.pixels())) {
            let above = plane[top + left] * (1.0 - along) + plane[top + right] * along;
            let below = plane[bottom + left] * (1.0 - along) + plane[bottom + right] * along;
            *value = above * (1.0 - down) + below * down;
        }
        sample
    }
}

/// The pixels before and behind a position along a side of this length, and the second one's weight.
#[inline(always)]
fn neighbors(position: f32, length: usize) -> ([usize; 2], f32) {
    let last = (length - 1) as f32;
    let inside = if (0.0..=last).contains(&position) { position } else { mirrored(position, length as f32) };
    // Not `as usize`, which takes more instructions.
    let first = (inside as i32 as usize).min(length - 1);
    ([first, (first + 1).min(length - 1)], inside - first as f32)
}

/// A position, mirrored at the outer edges of the first and the last pixel.
fn mirrored(position: f32, length: f32) -> f32 {
    let distance = (position + 0.5).rem_euclid(2.0 * length);
    (distance.min(2.0 * length - distance) - 0.5).clamp(0.0, length - 1.0)
}

/// The planes of `pixels` values each.
#[inline(always)]
pub(crate) fn planes_of<const PLANES: usize>(values: &[f32], pixels: usize) -> [&[f32]; PLANES] {
    std::array::from_fn(|plane| &values[plane * pixels..][..pixels])
}

/// As [`planes_of`], to write to.
#[inline(always)]
pub(crate) fn planes<T, const PLANES: usize>(values: &mut [T], pixels: usize) -> [&mut [T]; PLANES] {
    let mut planes = values.chunks_exact_mut(pixels);
    std::array::from_fn(|_| planes.next().unwrap_or_default())
}

#[inline(always)]
pub(crate) fn square(value: f64) -> f32 {
    (value * value) as f32
}

/// Divides planes into bands of `rows` rows, each the same rows of all planes.
pub(crate) fn bands<T, const PLANES: usize>(
    values: &mut [T],
    size: Size,
    rows: usize,
) -> impl Iterator<Item = [&mut [T]; PLANES]> {
    let mut planes = planes(values, size.pixels()).map(|plane| plane.chunks_mut(rows * size.width));
    std::iter::from_fn(move || {
        let band = planes.each_mut().map(|plane| plane.next().unwrap_or_default());
        band.iter().any(|rows| !rows.is_empty()).then_some(band)
    })
}

/// The means of blocks of a plane, as libtorch's `adaptive_avg_pool2d` divides it: neighboring blocks may share a row or a
/// column.
#[inline(always)]
pub(crate) fn block_means(size: Size, plane: &[f32], blocks: Size) -> Vec<f32> {
    let columns: Vec<_> = (0..blocks.width).map(|block| span(block, blocks.width, size.width)).collect();
    let mut sums = vec![0.0; size.width];
    let mut means = Vec::with_capacity(blocks.pixels());
    for row in 0..blocks.height {
        let rows = span(row, blocks.height, size.height);
        sums.fill(0.0);
        for values in plane[rows.start * size.width..rows.end * size.width].chunks_exact(size.width) {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        means.extend(columns.iter().map(|columns| {
            let sum: f32 = sums[columns.clone()].iter().sum();
            sum / (rows.len() * columns.len()) as f32
        }));
    }
    means
}

/// A picture of half the size, rounded up: the means of 2 x 2 pixels, at odd edges of fewer.
pub(crate) fn halve(picture: &Tensor) -> Result<Tensor> {
    let (_, channels, ..) = picture.size4()?;
    let planes = Planes::of(picture, channels)?;
    let size = half(planes.size);
    let mut halves = Tensor::f_empty([1, channels, size.height as i64, size.width as i64], (Kind::Float, Device::Cpu))?;
    let rows = parallel::band(channels as usize * size.height, 1);
    let bands = floats_mut(&mut halves).chunks_mut(rows * size.width).enumerate();
    let (own, values) = (planes.size, planes.values());
    parallel::each(bands.collect(), &|(band, halves)| halve_rows(own, values, band * rows, halves));
    Ok(halves)
}

/// Computes rows of halved planes, from row `first` of all planes on.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn halve_rows(size: Size, values: &[f32], first: usize, halves: &mut [f32]) {
    let Size { height, width } = half(size);
    let mut sums = vec![0.0; size.width];
    for (index, halves) in halves.chunks_exact_mut(width).enumerate() {
        let (plane, y) = ((first + index) / height, 2 * ((first + index) % height));
        let rows = &values[(plane * size.height + y) * size.width..][..size.width * (size.height - y).min(2)];
        let (above, below) = rows.split_at(size.width);
        let below = if below.is_empty() { above } else { below };
        sums.iter_mut().zip(above.iter().zip(below)).for_each(|(sum, (above, below))| *sum = above + below);
        let (pairs, rest) = sums.as_chunks::<2>();
        halves.iter_mut().zip(pairs).for_each(|(half, [left, right])| *half = 0.25 * (left + right));
        if let ([last], Some(half)) = (rest, halves.last_mut()) {
            *half = 0.5 * last;
        }
    }
}

/// Half a size, rounded up.
pub(crate) fn half(size: Size) -> Size {
    Size { height: size.height.div_ceil(2), width: size.width.div_ceil(2) }
}

/// The pixels along a side of this length of which a block consists.
#[inline(always)]
fn span(block: usize, blocks: usize, length: usize) -> Range<usize> {
    block * length / blocks..((block + 1) * length).div_ceil(blocks)
}

/// Enlarges planes between their pixels, as libtorch's `upsample_bilinear2d` does without aligned corners.
pub(crate) struct Enlarger {
    from: Size,
    /// For each column: those before and behind it, and the second one's weight.
    across: Vec<(usize, usize, f32)>,
    /// The same for each row.
    down: Vec<(usize, usize, f32)>,
}

impl Enlarger {
    pub fn new(from: Size, to: Size) -> Self {
        let along = |from: usize, to: usize| -> Vec<_> {
            let position = |at: usize| ((at as f32 + 0.5) * (from as f32 / to as f32) - 0.5).max(0.0);
            let between = |at: usize| {
                let first = (position(at) as usize).min(from - 1);
                (first, (first + 1).min(from - 1), position(at) - first as f32)
            };
            (0..to).map(between).collect()
        };
        Self { from, across: along(from.width, to.width), down: along(from.height, to.height) }
    }

    /// Computes row `y` of an enlarged plane. `spare` is memory for a row before it is enlarged.
    #[inline(always)]
    pub fn row(&self, plane: &[f32], y: usize, spare: &mut Vec<f32>, row: &mut [f32]) {
        let (above, below, down) = self.down[y];
        let [above, below] = [above, below].map(|row| &plane[row * self.from.width..][..self.from.width]);
        spare.clear();
        spare.extend(above.iter().zip(below).map(|(above, below)| above + (below - above) * down));
        for (value, (left, right, along)) in row.iter_mut().zip(&self.across) {
            let (left, right) = (spare[*left], spare[*right]);
            *value = left + (right - left) * along;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn noise(size: [i64; 2]) -> Tensor {
        Random(1).uniform(size[0] * size[1]).unwrap().view([1, 1, size[0], size[1]])
    }

    fn assert_equal(values: Vec<f32>, expected: &Tensor) {
        let error = (Tensor::from_slice(&values).view_as(expected) - expected).abs().max().double_value(&[]);
        assert!(error < 1e-5, "{:?}: {error}", expected.size());
    }

    #[test]
    fn halves_are_libtorchs() {
        for [height, width] in [[8, 12], [45, 67], [1, 1], [2, 3]] {
            let picture = Random(1).uniform(3 * height * width).unwrap().view([1, 3, height, width]);
            let expected = picture.avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None::<i64>);
            let own = halve(&picture).unwrap();
            assert_eq!(own.size(), expected.size());
            assert!(own.allclose(&expected, 1e-6, 1e-6, false), "{height} x {width}");
        }
    }

    #[test]
    fn blocks_are_libtorchs() {
        for (size, blocks) in [([8, 12], [2, 3]), ([45, 67], [6, 9]), ([5, 7], [3, 4]), ([1, 1], [1, 1])] {
            let plane = noise(size);
            let expected = plane.adaptive_avg_pool2d(blocks);
            let [own, blocks] = [&plane, &expected].map(|values| Size::of(values).unwrap());
            assert_equal(block_means(own, Planes::of(&plane, 1).unwrap().values(), blocks), &expected);
        }
    }

    #[test]
    fn enlarged_planes_are_libtorchs() {
        for (from, to) in [([4, 6], [8, 12]), ([5, 7], [19, 25]), ([1, 1], [3, 2]), ([6, 5], [6, 5])] {
            let plane = noise(from);
            let expected = plane.upsample_bilinear2d(to, false, None, None);
            let [from, to] = [&plane, &expected].map(|values| Size::of(values).unwrap());
            let (enlarger, plane) = (Enlarger::new(from, to), Planes::of(&plane, 1).unwrap());
            let (mut spare, mut enlarged) = (Vec::new(), vec![0.0; to.pixels()]);
            for (y, row) in enlarged.chunks_exact_mut(to.width).enumerate() {
                enlarger.row(plane.values(), y, &mut spare, row);
            }
            assert_equal(enlarged, &expected);
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let picture = noise([2, 3]);
        assert!(Planes::of(&picture, 2).is_err());
        assert!(Planes::of(&picture.to_kind(Kind::Double), 1).is_err());
        assert!(Planes::of(&picture.narrow(2, 0, 0), 1).is_err());
        assert!(Planes::sized(&picture, 1, Size { height: 3, width: 2 }).is_err());
    }
}
