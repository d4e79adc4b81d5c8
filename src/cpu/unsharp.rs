//! The unsharp mask: adds the difference from the blurred plane to the original where it exceeds a threshold.

use multiversion::multiversion;

use super::division::{Division, greatest_common_divisor};
use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Strip, blocks};
use crate::layout::Depth;

/// An unsharp mask prepared for samples of one depth.
pub(super) struct Unsharp {
    percent: i32,
    threshold: i32,
    max: u32,
    /// `percent / 100` without its sign, if every product fits in 15 bits: a factor and a division.
    fraction: Option<(i16, Division)>,
}

impl Unsharp {
    /// `threshold` is in the depth's own levels.
    pub(super) fn new(percent: i32, threshold: i32, depth: Depth) -> Self {
        let max = depth.max();
        let fraction = || {
            let common = greatest_common_divisor(percent.into(), 100);
            let factor = i16::try_from(i64::from(percent).abs() / common).ok()?;
            // Samples must fit, too.
            let limit = max.checked_mul(factor.max(1) as u32)?.checked_add(1)?;
            Some((factor, Division::by((100 / common) as u32, limit)?))
        };
        Self { percent, threshold, max, fraction: fraction() }
    }

    pub(super) fn run<T: Sample>(&self, base: &Strip<T>, src: &Strip<T>, dst: &mut RowsMut<T>) {
        for y in dst.layout().rows.clone() {
            let [before, blurred] = [base, src].map(|rows| rows.wide_row(y as isize, 0));
            dst.write(y, |result| match self.fraction {
                Some(fraction) => sharpen_in_15_bits(self, fraction, before, blurred, result),
                None => sharpen(self, before, blurred, result),
            });
        }
    }

    /// The sharpened samples of a block; in loops that each compile to few vector instructions.
    #[inline(always)]
    fn sharpened(
        &self,
        (factor, division): (i16, Division),
        before: [i16; BLOCK],
        blurred: [i16; BLOCK],
    ) -> [i16; BLOCK] {
        let (threshold, max) = (self.threshold.clamp(0, i16::MAX.into()) as i16, self.max as i16);
        let mut added = [0; BLOCK];
        for (added, (before, blurred)) in added.iter_mut().zip(before.iter().zip(&blurred)) {
            let difference = (before - blurred).abs();
            *added = if difference > threshold { difference * factor } else { 0 };
        }
        division.divide(&mut added);
        let mut sharpened = [0; BLOCK];
        for ((sharpened, added), (before, blurred)) in sharpened.iter_mut().zip(&added).zip(before.iter().zip(&blurred))
        {
            let lighter = before.saturating_add(*added).min(max);
            let darker = (before - added).max(0);
            *sharpened = if (before >= blurred) == (self.percent >= 0) { lighter } else { darker };
        }
        sharpened
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sharpen_in_15_bits<T: Sample>(
    unsharp: &Unsharp,
    fraction: (i16, Division),
    base: &[T],
    blurred: &[T],
    result: &mut [T],
) {
    let widened = |samples: &[T; BLOCK]| samples.map(|sample| sample.value() as i16);
    let result = result.as_chunks_mut().0;
    let [base, blurred] = [base, blurred].map(|row| blocks(row, 0, result.len()));
    for ((result, before), blurred) in result.iter_mut().zip(base).zip(blurred) {
        *result = unsharp.sharpened(fraction, widened(before), widened(blurred)).map(|sample| T::new(sample as u32));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sharpen<T: Sample>(unsharp: &Unsharp, base: &[T], blurred: &[T], result: &mut [T]) {
    let Unsharp { percent, threshold, max, .. } = *unsharp;
    // A larger difference would saturate anyway, and the product could overflow.
    let limit = i32::MAX / percent.abs().max(1);
    for ((result, before), blurred) in result.iter_mut().zip(base).zip(blurred) {
        let before = before.value() as i32;
        let difference = before - blurred.value() as i32;
        let added = difference.clamp(-limit, limit) * percent / 100;
        let sharpened = if difference.abs() > threshold { before + added } else { before };
        *result = T::new(sharpened.clamp(0, max as i32) as u32);
    }
}
