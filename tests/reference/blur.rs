//! Blurs with the arithmetic of Pillow's BoxBlur.c, and the unsharp mask of its UnsharpMask.c.

use crate::plane::{Border, Outside, Plane, Reach};

/// The number of box blurs along each axis that make up a Gaussian blur.
const BOXES: usize = 3;

/// The mean over a box, whose radii may be fractions.
pub fn box_blur(plane: &Plane, [x, y]: [f64; 2], border: Border) -> Plane {
    boxes(plane, [x as f32, y as f32], 1, border)
}

pub fn gaussian_blur(plane: &Plane, sigmas: [f64; 2], border: Border) -> Plane {
    boxes(plane, sigmas.map(|sigma| box_radius(sigma as f32)), BOXES, border)
}

/// Adds `percent` of the difference from a Gaussian blur to each sample whose difference is larger than `threshold`.
pub fn unsharp_mask(plane: &Plane, sigmas: [f64; 2], percent: i64, threshold: i64, border: Border) -> Plane {
    let blurred = gaussian_blur(plane, sigmas, border);
    let [numerator, denominator] = plane.level;
    let threshold = (threshold * numerator).div_euclid(denominator);
    plane.with(|x, y| {
        let sample = plane.at(x, y);
        let difference = sample - blurred.at(x, y);
        let is_added = difference.abs() > threshold;
        // The quotient is rounded towards 0, as in C.
        let added = if is_added { difference * percent / 100 } else { 0 };
        (sample + added).clamp(0, plane.max)
    })
}

/// The radius of the boxes for a standard deviation, in f32: P. Gwosdek et al., "Theoretical Foundations of Gaussian
/// Convolution by Extended Box Filtering", SSVM 2011.
fn box_radius(sigma: f32) -> f32 {
    let variance = sigma * sigma / BOXES as f32;
    let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
    let l = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
    let a = (2.0 * l + 1.0) * (l * (l + 1.0) - 3.0 * variance);
    l + a / (6.0 * (variance - (l + 1.0) * (l + 1.0)))
}

/// `times` box blurs along the rows, then as many along the columns.
fn boxes(plane: &Plane, radii: [f32; 2], times: usize, border: Border) -> Plane {
    let [x, y] = radii.map(|radius| radius.ceil() as usize * times);
    plane.filtered(border, Reach::symmetric(x, y), |plane, outside| {
        let mut result = plane.clone();
        for (axis, radius) in [[1, 0], [0, 1]].into_iter().zip(radii) {
            for _ in 0..times {
                result = blur_along(&result, axis, radius, outside);
            }
        }
        result
    })
}

/// One box blur along an axis. Weights are whole 2^-24ths: each sample within the radius has the same weight, and the
/// next one on either side has half of what is left.
fn blur_along(plane: &Plane, [dx, dy]: [isize; 2], radius: f32, outside: Outside) -> Plane {
    const ONE: i64 = 1 << 24;
    if radius == 0.0 {
        return plane.clone();
    }
    let whole = radius as isize;
    let inner = (ONE as f32 / (radius * 2.0 + 1.0)) as i64;
    let edge = (ONE - (2 * whole as i64 + 1) * inner).max(0) / 2;
    plane.with(|x, y| {
        let read = |distance: isize| plane.read(x + distance * dx, y + distance * dy, outside).unwrap_or(0);
        let inside: i64 = (-whole..=whole).map(read).sum();
        let ends = read(-whole - 1) + read(whole + 1);
        (inner * inside + edge * ends + ONE / 2) / ONE
    })
}
