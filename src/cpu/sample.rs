//! The values that filters work on.

/// A sample of 8 bits, one of 10 to 16, or a sum of some.
pub(super) trait Sample: Copy + Default + Ord + Send + Sync + 'static {
    /// Of a value that the type holds.
    fn new(value: u32) -> Self;

    /// Its value.
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
