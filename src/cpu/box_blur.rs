//! The mean over a box of fractional radius, with the integer weights of Pillow's `BoxBlur.c` and a running sum.

use multiversion::multiversion;
use rayon::prelude::*;

use super::plane::Plane;
use crate::filters::{Axis, BoxWeights, Outside};

/// Rows that share a running sum; more of them start it less often, fewer keep more cores busy.
const BAND: usize = 64;

pub(super) fn box_blur(axis: Axis, weights: BoxWeights, outside: Outside, src: &Plane, dst: &mut Plane) {
    match axis {
        Axis::Horizontal => horizontal(weights, outside, src, dst),
        Axis::Vertical => vertical(weights, outside, src, dst),
    }
}

fn horizontal(weights: BoxWeights, outside: Outside, src: &Plane, dst: &mut Plane) {
    let radius = weights.radius as usize;
    dst.write_rows(|y, result| {
        let row = src.extended_row(y as isize, radius + 1, radius + 1, outside);
        let mut sum: u32 = row[1..2 * radius + 2].iter().map(|&sample| u32::from(sample)).sum();
        for (x, result) in result.iter_mut().enumerate() {
            let (before, after) = (u32::from(row[x]), u32::from(row[x + 2 * radius + 2]));
            *result = weights.mean(sum, before + after);
            sum = sum + after - u32::from(row[x + 1]);
        }
    });
}

fn vertical(weights: BoxWeights, outside: Outside, src: &Plane, dst: &mut Plane) {
    let radius = weights.radius as isize;
    let width = src.width;
    dst.samples.par_chunks_mut(width * BAND).enumerate().for_each(|(band, rows)| {
        let zeros = vec![0; width];
        let row_at = |y: isize| src.row_at(y, outside).unwrap_or(&zeros);
        let begin = (band * BAND) as isize;
        let mut sums = vec![0u32; width];
        for y in begin - radius..=begin + radius {
            for (sum, &sample) in sums.iter_mut().zip(row_at(y)) {
                *sum += u32::from(sample);
            }
        }
        for (y, result) in (begin..).zip(rows.chunks_mut(width)) {
            let (before, after, leaving) = (row_at(y - radius - 1), row_at(y + radius + 1), row_at(y - radius));
            move_down(weights, [before, after, leaving], &mut sums, result);
        }
    });
}

/// One row of means; the sums move on by a row.
#[multiversion(targets("x86_64+avx2"))]
fn move_down(weights: BoxWeights, [before, after, leaving]: [&[u8]; 3], sums: &mut [u32], result: &mut [u8]) {
    for ((((result, sum), &before), &after), &leaving) in
        result.iter_mut().zip(sums).zip(before).zip(after).zip(leaving)
    {
        *result = weights.mean(*sum, u32::from(before) + u32::from(after));
        *sum = *sum + u32::from(after) - u32::from(leaving);
    }
}

impl BoxWeights {
    #[inline(always)]
    fn mean(self, inside: u32, ends: u32) -> u8 {
        ((inside * self.inner + ends * self.edge + (1 << 23)) >> 24) as u8
    }
}
