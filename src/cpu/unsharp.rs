//! The unsharp mask: adds the difference from the blurred plane to the original where it exceeds a threshold.

use multiversion::multiversion;

use super::sample::Sample;
use super::strip::{RowsMut, Strip};
use crate::layout::Depth;

pub(super) fn unsharp<T: Sample>(
    percent: i32,
    threshold: i32,
    depth: Depth,
    base: &Strip<T>,
    src: &Strip<T>,
    dst: &mut RowsMut<T>,
) {
    for y in dst.layout().rows.clone() {
        dst.write(y, |result| sharpen(percent, threshold, depth.max(), base.row(y), src.row(y), result));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sharpen<T: Sample>(percent: i32, threshold: i32, max: u32, base: &[T], blurred: &[T], result: &mut [T]) {
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
