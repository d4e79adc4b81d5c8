//! What the filter began with, plus its difference from its blurred self where that is larger than a threshold.

use super::plane::Plane;

pub(super) fn unsharp(percent: i32, threshold: i32, base: &Plane, src: &Plane, dst: &mut Plane) {
    dst.write_rows(|y, result| {
        for ((result, &before), &blurred) in result.iter_mut().zip(base.row(y)).zip(src.row(y)) {
            let difference = i32::from(before) - i32::from(blurred);
            *result = match difference.abs() > threshold {
                true => (i32::from(before) + difference * percent / 100).clamp(0, 255) as u8,
                false => before,
            };
        }
    });
}
