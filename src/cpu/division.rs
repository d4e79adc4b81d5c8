//! Division of 16-bit sums by a constant.

use super::strip::BLOCK;

/// An exact division: `floor(sum / divisor)` of sums below `256 * divisor` is `sum * multiplier >> 16 >> shift`
/// (T. Granlund, P. Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994).
#[derive(Clone, Copy)]
pub(super) struct Division {
    /// `None` for a division by 1.
    multiplier: Option<u16>,
    shift: u32,
}

impl Division {
    /// A division by `divisor`; `None` if it is not exact in 16 bits.
    pub(super) fn by(divisor: u32) -> Option<Self> {
        if divisor == 1 {
            return Some(Self { multiplier: None, shift: 0 });
        }
        if !(2..256).contains(&divisor) {
            return None;
        }
        let shift = divisor.ilog2() - u32::from(divisor.is_power_of_two());
        let multiplier = (1u32 << (16 + shift)).div_ceil(divisor);
        let excess = multiplier * divisor - (1 << (16 + shift));
        let multiplier = u16::try_from(multiplier).ok()?;
        (256 * divisor * excess < 1 << (16 + shift)).then_some(Self { multiplier: Some(multiplier), shift })
    }

    /// Divides a block of sums.
    #[inline(always)]
    pub(super) fn divide(self, sums: &mut [u16; BLOCK]) {
        let Some(multiplier) = self.multiplier else { return };
        // Two loops, since each of them compiles to one vector instruction.
        for sum in sums.iter_mut() {
            *sum = ((u32::from(*sum) * u32::from(multiplier)) >> 16) as u16;
        }
        for quotient in sums {
            *quotient >>= self.shift;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_exact() {
        for (divisor, division) in (0..300).filter_map(|divisor| Some((divisor, Division::by(divisor)?))) {
            for sum in 0..=(256 * divisor - 1) as u16 {
                let mut sums = [sum; BLOCK];
                division.divide(&mut sums);
                assert_eq!(sums[0], sum / divisor as u16, "{sum} / {divisor}");
            }
        }
        assert!((1..128).all(|divisor| Division::by(divisor).is_some()));
    }
}
