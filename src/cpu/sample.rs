//! The number types that filters compute with.

/// A sample of 8 bits (`u8`), a sample of 10 to 16 bits (`u16`), or a sum of samples (`u16`, `u32`).
pub(super) trait Sample: Copy + Default + Ord + Send + Sync + 'static {
    /// Converts from a value, which must fit.
    fn new(value: u32) -> Self;

    fn value(self) -> u32;
}

macro_rules! sample {
    ($type:ty) => {
        impl Sample for $type {
            #[inline(always)]
            fn new(value: u32) -> Self {
                value as Self
            }

            #[inline(always)]
            fn value(self) -> u32 {
                self.into()
            }
        }
    };
}

sample!(u8);
sample!(u16);
sample!(u32);
