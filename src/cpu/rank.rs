//! The `rank`-th smallest value of each window.

use multiversion::multiversion;

use super::plane::Plane;
use crate::filters::Outside;

pub(super) fn rank(size: u32, rank: u32, outside: Outside, src: &Plane, dst: &mut Plane) {
    let size = size as usize;
    dst.write_rows(|y, result| {
        let rows = window_rows(y, size, outside, src);
        match (size, rank as usize) {
            (3, 4) => median_of_nine(&rows, result),
            (_, 0) => fold(&rows, result, u8::min),
            (_, rank) if rank == size * size - 1 => fold(&rows, result, u8::max),
            (_, rank) => histogram_rank(&rows, size, rank as u32, result),
        }
    });
}

/// The rows that the windows of row `y` see, each with what the first and last window see to its sides.
fn window_rows(y: usize, size: usize, outside: Outside, src: &Plane) -> Vec<Vec<u8>> {
    let radius = size / 2;
    (0..size).map(|j| src.extended_row((y + j) as isize - radius as isize, radius, radius, outside)).collect()
}

/// The smallest or largest, first down the columns, then along the row.
fn fold(rows: &[Vec<u8>], result: &mut [u8], pick: impl Fn(u8, u8) -> u8) {
    let size = rows.len();
    let mut column = rows[0].clone();
    for row in &rows[1..] {
        for (best, &sample) in column.iter_mut().zip(row) {
            *best = pick(*best, sample);
        }
    }
    // Ever longer runs, each from two of half its length.
    let mut length = 1;
    while length < size {
        let step = length.min(size - length);
        for x in 0..column.len() - step {
            column[x] = pick(column[x], column[x + step]);
        }
        length += step;
    }
    result.copy_from_slice(&column[..result.len()]);
}

/// Of the sorted columns, the median of the largest smallest, the middle middle and the smallest largest
/// (A. Paeth, "Median Finding on a 3 x 3 Grid", Graphics Gems, 1990).
#[multiversion(targets("x86_64+avx2"))]
fn median_of_nine(rows: &[Vec<u8>], result: &mut [u8]) {
    let length = result.len() + 2;
    let (mut low, mut middle, mut high) = (vec![0; length], vec![0; length], vec![0; length]);
    let (above, own, below) = (&rows[0][..length], &rows[1][..length], &rows[2][..length]);
    for x in 0..length {
        [low[x], middle[x], high[x]] = sorted(above[x], own[x], below[x]);
    }
    let (low, middle, high) = (&low[..length], &middle[..length], &high[..length]);
    for (x, result) in result[..length - 2].iter_mut().enumerate() {
        let largest_low = low[x].max(low[x + 1]).max(low[x + 2]);
        let middle_middle = sorted(middle[x], middle[x + 1], middle[x + 2])[1];
        let smallest_high = high[x].min(high[x + 1]).min(high[x + 2]);
        *result = sorted(largest_low, middle_middle, smallest_high)[1];
    }
}

#[inline(always)]
fn sorted(a: u8, b: u8, c: u8) -> [u8; 3] {
    let (low, high) = (a.min(b), a.max(b));
    let (middle, high) = (high.min(c), high.max(c));
    [low.min(middle), low.max(middle), high]
}

/// Moves a histogram along the row, and in it the value with `rank` samples before it (T. Huang, G. Yang, G. Tang, "A
/// Fast Two-Dimensional Median Filtering Algorithm", IEEE TASSP 27, 1979).
fn histogram_rank(rows: &[Vec<u8>], size: usize, rank: u32, result: &mut [u8]) {
    let mut histogram = [0u32; 256];
    let mut value = 0usize;
    // How many samples of the window are smaller than `value`.
    let mut below = 0u32;
    for row in rows {
        for &sample in &row[..size] {
            histogram[usize::from(sample)] += 1;
        }
    }
    for x in 0..result.len() {
        if x > 0 {
            for row in rows {
                let (leaving, entering) = (usize::from(row[x - 1]), usize::from(row[x - 1 + size]));
                histogram[leaving] -= 1;
                histogram[entering] += 1;
                below -= u32::from(leaving < value);
                below += u32::from(entering < value);
            }
        }
        while below > rank {
            value -= 1;
            below -= histogram[value];
        }
        while below + histogram[value] <= rank {
            below += histogram[value];
            value += 1;
        }
        result[x] = value as u8;
    }
}
