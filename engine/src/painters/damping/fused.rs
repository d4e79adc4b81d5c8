//! On the CPU, what [`super`] computes, in two passes over the pixels; see [`crate::planes`].
#![expect(clippy::indexing_slicing, reason = "positions are within planes, whose sizes are checked first")]

use multiversion::multiversion;
use tch::Tensor;

use super::contrast::{CELL, MAX_GAIN, NOISE};
use crate::Result;
use crate::frame::floats_mut;
use crate::parallel;
use crate::planes::{Enlarger, Planes, Size, bands, planes_of};

/// The side of a cell.
const SIDE: usize = CELL as usize;

/// As [`super::damped_by_tensors`].
pub(super) fn damped(picture: &Tensor, before: &Tensor, visible: &Tensor, share: f64) -> Result<Tensor> {
    let own = Planes::of(picture, 3)?;
    let size = own.size;
    let (before, visible) = (Planes::sized(before, 3, size)?, Planes::of(visible, 1)?);
    let pictures = Pictures {
        size,
        own: own.values(),
        before: before.values(),
        visible: visible.values(),
        enlarger: Enlarger::new(visible.size, size),
        share: share as f32,
    };
    let cells = Size { height: size.height.div_ceil(SIDE), width: size.width.div_ceil(SIDE) };
    let (mut drawn, mut values) = (own.empty_like()?, vec![0.0; 4 * cells.pixels()]);
    let rows = parallel::band(size.height, SIDE);
    let of_cells = bands::<_, 4>(&mut values, cells, rows / SIDE);
    let inputs = bands::<_, 3>(floats_mut(&mut drawn), size, rows).zip(of_cells).enumerate();
    parallel::each(inputs.collect(), &|(band, (drawn, cells))| draw(&pictures, band * rows, drawn, cells));

    let cells = Cells { enlarger: Enlarger::new(cells, size), size: cells, values: &values };
    let inputs = bands::<_, 3>(floats_mut(&mut drawn), size, rows).enumerate();
    parallel::each(inputs.collect(), &|(band, drawn)| restore(&cells, size.width, band * rows, drawn));
    Ok(drawn)
}

struct Pictures<'a> {
    size: Size,
    own: &'a [f32],
    /// The picture of the frame before, where it is in this one.
    before: &'a [f32],
    visible: &'a [f32],
    /// From the size of `visible` to `size`.
    enlarger: Enlarger,
    share: f32,
}

struct Cells<'a> {
    size: Size,
    /// The means of the drawn picture in three planes, and the factors of its details.
    values: &'a [f32],
    /// To the size of the picture.
    enlarger: Enlarger,
}

/// Draws the picture to that of the frame before in a band of rows, whose first is `row`, and computes the values of its
/// cells; see [`Cells`].
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn draw(pictures: &Pictures<'_>, row: usize, mut drawn: [&mut [f32]; 3], cells: [&mut [f32]; 4]) {
    let Pictures { size, own, before, .. } = *pictures;
    let width = size.width;
    let columns = width.div_ceil(SIDE);
    let (mut spare, mut shares) = (Vec::new(), vec![0.0; width]);
    // For each color and column, the sums and the sums of squares of a row of cells: of what is drawn, and of the picture.
    let mut sums = vec![[0.0f32; 4]; 0];
    for first in (0..drawn[0].len() / width).step_by(SIDE) {
        let rows = first..(first + SIDE).min(drawn[0].len() / width);
        sums.clear();
        sums.resize(3 * width, [0.0; 4]);
        for y in rows.clone() {
            pictures.enlarger.row(pictures.visible, row + y, &mut spare, &mut shares);
            for (color, drawn) in drawn.iter_mut().enumerate() {
                let at = color * size.pixels() + (row + y) * width;
                let (own, before) = (&own[at..][..width], &before[at..][..width]);
                let drawn = &mut drawn[y * width..][..width];
                for (x, sum) in sums[color * width..][..width].iter_mut().enumerate() {
                    let value = own[x] + (before[x] - own[x]) * shares[x] * pictures.share;
                    drawn[x] = value;
                    sum[0] += value;
                    sum[1] += value * value;
                    sum[2] += own[x];
                    sum[3] += own[x] * own[x];
                }
            }
        }
        for column in 0..columns {
            let of_cell = column * SIDE..(column * SIDE + SIDE).min(width);
            let count = (rows.len() * of_cell.len()) as f32;
            let (mut variance, mut wanted) = (0.0, 0.0);
            for color in 0..3 {
                let sums = &sums[color * width..][of_cell.clone()];
                let [drawn, drawn_squares, own, own_squares] =
                    std::array::from_fn(|index| sums.iter().map(|sums| sums[index]).sum::<f32>() / count);
                cells[color][first / SIDE * columns + column] = drawn;
                variance += drawn_squares - drawn * drawn;
                wanted += own_squares - own * own;
            }
            let with_noise = |sum: f32| (sum / 3.0).max(0.0) + NOISE as f32;
            let gain = (with_noise(wanted) / with_noise(variance)).sqrt();
            cells[3][first / SIDE * columns + column] = gain.clamp(1.0, MAX_GAIN as f32);
        }
    }
}

/// Amplifies the details of a band of rows, whose first is `row`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn restore(cells: &Cells<'_>, width: usize, row: usize, mut drawn: [&mut [f32]; 3]) {
    let [r, g, b, of_gain] = planes_of(cells.values, cells.size.pixels());
    let (mut spare, mut gains, mut means) = (Vec::new(), vec![0.0; width], vec![0.0; width]);
    for y in 0..drawn[0].len() / width {
        cells.enlarger.row(of_gain, row + y, &mut spare, &mut gains);
        for (of_mean, drawn) in [r, g, b].into_iter().zip(&mut drawn) {
            cells.enlarger.row(of_mean, row + y, &mut spare, &mut means);
            let drawn = &mut drawn[y * width..][..width];
            for ((value, mean), gain) in drawn.iter_mut().zip(&means).zip(&gains) {
                *value = (mean + (*value - mean) * gain).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::painters::damping::damped_by_tensors;
    use crate::random::Random;

    #[test]
    fn the_picture_is_that_of_libtorchs_operations() {
        for (size, visible) in [([64, 96], [32, 48]), ([45, 67], [23, 34]), ([7, 5], [7, 5]), ([1, 2], [1, 1])] {
            let noise = |seed, channels: i64, [height, width]: [i64; 2]| {
                Random(seed).uniform(channels * height * width).unwrap().view([1, channels, height, width])
            };
            let (picture, before, visible) = (noise(1, 3, size), noise(2, 3, size), noise(3, 1, visible).round());
            let expected = damped_by_tensors(&picture, &before, &visible, 0.6).unwrap();
            let error = (damped(&picture, &before, &visible, 0.6).unwrap() - expected).abs().max().double_value(&[]);
            assert!(error < 1e-4, "{size:?}: {error}");
        }
    }
}
