//! Box blurs of fractional radius, Pillow's Gaussian blur, which repeats them, and its unsharp mask.

use super::{Axis, Border, Filter, Margins, Op};

/// The integer weights of a box of fractional radius, as in Pillow's `BoxBlur.c`:
///
/// `out = (inner * sum(samples -radius..=radius) + edge * (the sum of the two samples beyond) + 2^23) >> 24`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxWeights {
    /// The whole part of the radius.
    pub radius: u32,
    /// The weight of each sample up to `radius`, in units of 2^-24.
    pub inner: u32,
    /// The weight of the next sample on either side, in units of 2^-24.
    pub edge: u32,
}

impl BoxWeights {
    fn new(radius: f32) -> Self {
        let whole = radius as u32;
        let inner = ((1 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
        let inside = whole.saturating_mul(2).saturating_add(1).saturating_mul(inner);
        let edge = (1u32 << 24).saturating_sub(inside) / 2;
        Self { radius: whole, inner, edge }
    }
}

/// The number of box blurs that approximate a Gaussian.
const BOXES: usize = 3;

/// The mean over a box of the given radii, in samples. A radius of 0 does not blur in its direction.
pub fn box_blur(radius_x: f32, radius_y: f32, border: Border) -> Filter {
    Filter::new(boxes(radius_x, radius_y, 1), border, reach(radius_x, radius_y, 1))
}

/// Pillow's Gaussian blur: three box blurs in each direction. `sigma_x` and `sigma_y` are standard deviations, in
/// samples.
pub fn gaussian_blur(sigma_x: f32, sigma_y: f32, border: Border) -> Filter {
    let (x, y) = (box_radius(sigma_x, BOXES), box_radius(sigma_y, BOXES));
    Filter::new(boxes(x, y, BOXES), border, reach(x, y, BOXES))
}

/// Pillow's unsharp mask: `percent` hundredths of the difference from a Gaussian blur are added if the difference is
/// larger than `threshold`, in 8-bit levels.
pub fn unsharp_mask(sigma_x: f32, sigma_y: f32, percent: i32, threshold: i32, border: Border) -> Filter {
    let (x, y) = (box_radius(sigma_x, BOXES), box_radius(sigma_y, BOXES));
    let mut ops = boxes(x, y, BOXES);
    ops.push(Op::Unsharp { percent, threshold });
    Filter::new(ops, border, reach(x, y, BOXES))
}

fn boxes(radius_x: f32, radius_y: f32, times: usize) -> Vec<Op> {
    [(Axis::Horizontal, radius_x), (Axis::Vertical, radius_y)]
        .into_iter()
        .filter(|&(_, radius)| radius > 0.0)
        .flat_map(|(axis, radius)| vec![Op::BoxBlur(axis, BoxWeights::new(radius)); times])
        .collect()
}

/// The reach of `times` box blurs of these radii, one after the other.
fn reach(radius_x: f32, radius_y: f32, times: usize) -> Margins {
    let [x, y] = [radius_x, radius_y].map(|radius| (radius.ceil() as u32).saturating_mul(times as u32));
    Margins::symmetric(x, y)
}

/// The radius of the box blur that has the standard deviation `sigma` if it is repeated `times` times.
///
/// Gwosdek, Grewenig, Bruhn, Weickert, "Theoretical Foundations of Gaussian Convolution by Extended Box Filtering"
/// (SSVM 2011). Each step has the precision that it has in Pillow's `_gaussian_blur_radius`.
fn box_radius(sigma: f32, times: usize) -> f32 {
    let sigma2 = sigma * sigma / times as f32;
    let length = (12.0 * f64::from(sigma2) + 1.0).sqrt() as f32;
    let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
    let fraction =
        (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * sigma2) / (6.0 * (sigma2 - (whole + 1.0) * (whole + 1.0)));
    whole + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaussian_radii_are_pillows() {
        let expected = [
            (0.5, 0.045_454_547, BoxWeights { radius: 0, inner: 15_379_114, edge: 699_051 }),
            (1.0, 0.250_000_03, BoxWeights { radius: 0, inner: 11_184_811, edge: 2_796_202 }),
            (2.0, 1.375, BoxWeights { radius: 1, inner: 4_473_924, edge: 1_677_722 }),
            (5.0, 4.45, BoxWeights { radius: 4, inner: 1_694_668, edge: 762_602 }),
            (10.0, 9.475, BoxWeights { radius: 9, inner: 840_963, edge: 399_459 }),
            (50.0, 49.495, BoxWeights { radius: 49, inner: 167_788, edge: 83_102 }),
        ];
        for (sigma, radius, weights) in expected {
            assert_eq!(box_radius(sigma, 3), radius, "sigma {sigma}");
            assert_eq!(BoxWeights::new(radius), weights, "sigma {sigma}");
        }
    }

    #[test]
    fn only_the_last_pass_leaves_the_border_untouched() {
        let filter = gaussian_blur(2.0, 2.0, Border::Copy);
        let untouched: Vec<_> = filter.passes.iter().map(|pass| pass.untouched).collect();
        assert_eq!(untouched[..5], [Margins::default(); 5]);
        assert_eq!(untouched[5], Margins::symmetric(6, 6));
    }

    #[test]
    fn a_radius_of_zero_makes_no_pass() {
        assert_eq!(box_blur(0.0, 0.0, Border::Copy).passes, []);
        assert_eq!(gaussian_blur(2.0, 0.0, Border::Copy).passes.len(), 3);
    }
}
