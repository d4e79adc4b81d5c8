//! Division of 15-bit numbers by a constant, and common divisors. The numbers are signed integers, since compilers have a
//! vector instruction for the upper half of signed products only.

use super::strip::BLOCK;

/// An exact division: `floor(number / divisor)` is `number * multiplier >> 16 >> shift` (T. Granlund, P. Montgomery,
/// "Division by Invariant Integers using Multiplication", PLDI 1994).
#[derive(Clone, Copy)]
pub(super) struct Division {
    /// `None` for a division by a power of two, which only shifts.
    multiplier: Option<i16>,
    shift: u32,
}

impl Division {
    /// A division of numbers from 0 to `limit - 1` by `divisor`; `None` if it is not exact in 15 bits.
    pub(super) fn by(divisor: u32, limit: u32) -> Option<Self> {
        if !(1..1 << 15).contains(&divisor) || limit > 1 << 15 {
            return None;
        }
        let log = divisor.ilog2();
        if divisor.is_power_of_two() {
            return Some(Self { multiplier: None, shift: log });
        }
        let multiplier = (1u32 << (15 + log)).div_ceil(divisor);
        let excess = u64::from(multiplier) * u64::from(divisor) - (1 << (15 + log));
        let is_exact = u64::from(limit) * excess < 1 << (15 + log);
        is_exact.then_some(Self { multiplier: Some(multiplier as i16), shift: log - 1 })
    }

    /// Divides a block of numbers.
    #[inline(always)]
    pub(super) fn divide(self, numbers: &mut [i16; BLOCK]) {
        if let Some(multiplier) = self.multiplier {
            for number in numbers.iter_mut() {
                *number = ((i32::from(*number) * i32::from(multiplier)) >> 16) as i16;
            }
        }
        for number in numbers {
            *number >>= self.shift;
        }
    }
}

/// The greatest common divisor, positive; 0 of two zeros.
pub(super) fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_exact() {
        for (divisor, limit) in (0..300).flat_map(|divisor| [256, 1024].map(|levels| (divisor, levels * divisor))) {
            let Some(division) = Division::by(divisor, limit) else { continue };
            for number in 0..=(limit - 1) as i16 {
                let mut numbers = [number; BLOCK];
                division.divide(&mut numbers);
                assert_eq!(numbers[0], number / divisor as i16, "{number} / {divisor}");
            }
        }
        let exact = (1..128).filter(|&divisor| Division::by(divisor, 256 * divisor).is_some());
        assert!(exact.count() > 100);
    }
}
