//! The mean over a box of fractional radius: Pillow's weighted sum in units of 2^-24, or a quotient of small integers
//! that gives the same numbers and needs only 15 bits.

use super::division::{Division, greatest_common_divisor};
use super::sample::Sample;
use super::strip::BLOCK;
use crate::filters::BoxWeights;
use crate::layout::Depth;

/// The mean over boxes of one radius, for samples of one depth.
pub(super) struct BoxMean {
    weights: BoxWeights,
    quotient: Option<Quotient>,
}

/// The mean as `floor((inner * sum + edge * ends + offset) / divisor)`.
struct Quotient {
    inner: i16,
    edge: i16,
    offset: i16,
    /// If the divisor is even, a mean can be halfway between two values. The rounding errors of Pillow's weights decide
    /// then: 1 is added to the dividend if `ends * ties[0] >= sum * ties[1]`.
    ties: Option<[i16; 2]>,
    division: Division,
}

impl BoxMean {
    pub(super) fn new(weights: BoxWeights, depth: Depth) -> Self {
        Self { weights, quotient: Quotient::new(weights, depth.max()) }
    }

    /// The means of a block, from the sums of the boxes and the samples before and after each box.
    #[inline(always)]
    pub(super) fn of_block<T: Sample, S: Sample>(
        &self,
        sums: &[S; BLOCK],
        before: &[T; BLOCK],
        after: &[T; BLOCK],
        means: &mut [T; BLOCK],
    ) {
        if let Some(quotient) = &self.quotient {
            let mut quotients = [0; BLOCK];
            for (quotient, sum) in quotients.iter_mut().zip(sums) {
                *quotient = sum.value() as i16;
            }
            quotient.divide(before, after, &mut quotients);
            for (mean, quotient) in means.iter_mut().zip(quotients) {
                *mean = T::new(quotient as u32);
            }
        } else {
            for (((mean, sum), before), after) in means.iter_mut().zip(sums).zip(before).zip(after) {
                *mean = self.weights.mean(sum.value(), before.value() + after.value());
            }
        }
    }
}

impl Quotient {
    /// The quotient for samples up to `max`; `None` if 15 bits are not enough.
    ///
    /// `edge / inner` is the fraction of the radius, and `divisor` the box's length in the same unit. With Pillow's
    /// weights, `divisor` times the weighted sum is `2^24 * (inner * sum + edge * ends)` plus an error, which is
    /// `sum * inner_error + ends * edge_error`. If that is always below 2^23, it only matters at ties.
    fn new(weights: BoxWeights, max: u32) -> Option<Self> {
        let [length, max] = [2 * i64::from(weights.radius) + 1, max.into()];
        let largest_divisor = (1 << 15) / (max + 1);
        for inner in 1..=largest_divisor / length {
            let edge = (f64::from(weights.edge) / f64::from(weights.inner) * inner as f64).round() as i64;
            let divisor = inner * length + 2 * edge;
            let error = |weight: u32, share: i64| divisor * i64::from(weight) - (share << 24);
            let (inner_error, edge_error) = (error(weights.inner, inner), error(weights.edge, edge));
            let largest_error = inner_error.abs() * max * length + edge_error.abs() * max * 2;
            if divisor > largest_divisor || largest_error >= 1 << 23 {
                continue;
            }
            let ties = match divisor % 2 {
                0 => Some(Self::ties([edge_error, -inner_error], [max * 2, max * length])?),
                _ => None,
            };
            return Some(Self {
                inner: inner as i16,
                edge: edge as i16,
                offset: ((divisor - 1) / 2) as i16,
                ties,
                division: Division::by(divisor as u32, (divisor * (max + 1)) as u32)?,
            });
        }
        None
    }

    /// The smallest factors of this ratio; `None` if their products with numbers up to `largest` exceed 15 bits.
    fn ties(ratio: [i64; 2], largest: [i64; 2]) -> Option<[i16; 2]> {
        let divisor = greatest_common_divisor(ratio[0], ratio[1]).max(1);
        let factors = ratio.map(|number| number / divisor);
        let fit = factors.iter().zip(largest).all(|(factor, largest)| (0..1 << 15).contains(&(factor * largest)));
        fit.then(|| factors.map(|factor| factor as i16))
    }

    /// Divides a block of sums.
    #[inline(always)]
    fn divide<T: Sample>(&self, before: &[T; BLOCK], after: &[T; BLOCK], sums: &mut [i16; BLOCK]) {
        let mut dividends = *sums;
        if self.edge > 0 {
            let mut ends = [0; BLOCK];
            for ((ends, before), after) in ends.iter_mut().zip(before).zip(after) {
                *ends = (before.value() + after.value()) as i16;
            }
            for ((dividend, sum), ends) in dividends.iter_mut().zip(&*sums).zip(&ends) {
                *dividend = sum * self.inner + ends * self.edge;
            }
            if let Some([of_ends, of_sum]) = self.ties {
                for ((dividend, sum), ends) in dividends.iter_mut().zip(&*sums).zip(&ends) {
                    *dividend += i16::from(ends * of_ends >= sum * of_sum);
                }
            }
        }
        for dividend in &mut dividends {
            *dividend += self.offset;
        }
        self.division.divide(&mut dividends);
        *sums = dividends;
    }
}

impl BoxWeights {
    /// The weighted mean, rounded. For 16-bit samples it is computed in two halves, since products would overflow 32
    /// bits.
    #[inline(always)]
    fn mean<T: Sample>(self, inside: u32, ends: u32) -> T {
        let weigh = |inside, ends| inside * self.inner + ends * self.edge;
        if size_of::<T>() == 1 {
            return T::new((weigh(inside, ends) + (1 << 23)) >> 24);
        }
        let low = weigh(inside & 255, ends & 255) + (1 << 23);
        T::new((weigh(inside >> 8, ends >> 8) + (low >> 8)) >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::{Border, Op, box_blur, gaussian_blur};

    fn weights(filter: crate::filters::Filter) -> BoxWeights {
        match filter.passes[0].op {
            Op::BoxBlur(_, weights) => weights,
            ref other => panic!("{other:?}"),
        }
    }

    /// Compares every sum and every pair of ends.
    fn check(weights: BoxWeights, max: u16) -> bool {
        let Some(quotient) = Quotient::new(weights, max.into()) else { return false };
        for sum in 0..=max * (2 * weights.radius as u16 + 1) {
            for ends in (0..=2 * max).step_by(BLOCK) {
                let after: [u16; BLOCK] = std::array::from_fn(|index| (ends + index as u16).min(2 * max));
                let mut quotients = [sum as i16; BLOCK];
                quotient.divide(&[0; BLOCK], &after, &mut quotients);
                let means = after.map(|ends| weights.mean::<u16>(sum.into(), ends.into()) as i16);
                assert_eq!(quotients, means, "{weights:?}, {max}: sum {sum}, ends {after:?}");
            }
        }
        true
    }

    #[test]
    fn quotients_are_the_weighted_means() {
        let blur = |sigma| weights(gaussian_blur(sigma, sigma, Border::Copy));
        assert!([2.0, 3.0].into_iter().all(|sigma| check(blur(sigma), 255)));
        assert!(!check(blur(10.0), 255), "15 bits are not enough");
        for radius in [0.5, 1.0, 1.5, 2.2, 5.0, 9.75] {
            assert!(check(weights(box_blur(radius, radius, Border::Copy)), 255), "radius {radius}");
        }
    }
}
