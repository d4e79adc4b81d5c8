//! Random numbers that are the same on every machine and with every version of libtorch.

use std::f32::consts::TAU;

use tch::Tensor;

use crate::Result;

/// SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
pub struct Random(pub u64);

impl Random {
    /// A number, uniform in 0..1, never 0.
    pub fn draw(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((bits >> 40) as f32 + 0.5) / (1u64 << 24) as f32
    }

    /// `count` numbers, uniform in 0..1, `(count)`.
    pub fn uniform(&mut self, count: i64) -> Result<Tensor> {
        let values: Vec<f32> = (0..count).map(|_| self.draw()).collect();
        Ok(Tensor::f_from_slice(&values)?)
    }

    /// `count` numbers with a standard normal distribution (Box and Muller), `(count)`.
    pub fn normal(&mut self, count: i64) -> Result<Tensor> {
        let values: Vec<f32> =
            (0..count).map(|_| (-2.0 * self.draw().ln()).sqrt() * (TAU * self.draw()).cos()).collect();
        Ok(Tensor::f_from_slice(&values)?)
    }
}
