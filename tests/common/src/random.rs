//! Pseudo-random values from a seed: the same in every run.

pub struct Random(pub u64);

impl Random {
    /// Xorshift64*.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number() as u8).collect()
    }

    /// A value in -1..1 with four decimal digits, which a float cannot hold exactly.
    pub fn signed(&mut self) -> f64 {
        (self.number() % 20_001) as f64 / 10_000.0 - 1.0
    }
}
