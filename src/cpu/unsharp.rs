//! What the filter began with, plus its difference from its blurred self where that is larger than a threshold.

use multiversion::multiversion;

use super::band::{Band, RowsMut};
use super::sample::Sample;
use crate::layout::Depth;

pub(super) fn unsharp<T: Sample>(
    percent: i32,
    threshold: i32,
    depth: Depth,
    base: &Band<T>,
    src: &Band<T>,
    dst: &mut RowsMut<T>,
) {
    // A difference of this many levels counts, that of one more would not.
    let threshold = (threshold * depth.max() as i32).div_euclid(255);
    for y in dst.form().rows.clone() {
        dst.write(y, |result| sharpen(percent, threshold, depth.max(), base.row(y), src.row(y), result));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sharpen<T: Sample>(percent: i32, threshold: i32, max: u32, base: &[T], blurred: &[T], result: &mut [T]) {
    // A larger difference would saturate all the same, and could overflow.
    let limit = i32::MAX / percent.abs().max(1);
    for ((result, before), blurred) in result.iter_mut().zip(base).zip(blurred) {
        let before = before.value() as i32;
        let difference = before - blurred.value() as i32;
        let added = difference.clamp(-limit, limit) * percent / 100;
        let sharpened = if difference.abs() > threshold { before + added } else { before };
        *result = T::new(sharpened.clamp(0, max as i32) as u32);
    }
}
