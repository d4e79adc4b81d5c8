//! Samples that lie among those of other channels at a fixed step, as the Y of YUY2: each is a part of a word, which
//! processors read and write many of at a time.

use std::ops::{BitAnd, BitOr, Not, Shl, Shr};

use multiversion::multiversion;

use super::channel_view::{Stored, mixed};
use crate::layout::Depth;

/// An unsigned integer of the bytes from one sample to the next.
pub(super) trait Word:
    bytemuck::Pod
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// A number, which must fit.
    fn new(value: u32) -> Self;

    /// The lowest 32 bits.
    fn low(self) -> u32;

    /// From memory, in which samples are in little-endian order, or to memory.
    fn little_endian(self) -> Self;
}

macro_rules! word {
    ($type:ty) => {
        impl Word for $type {
            #[inline(always)]
            fn new(value: u32) -> Self {
                value as Self
            }

            #[inline(always)]
            fn low(self) -> u32 {
                self as u32
            }

            #[inline(always)]
            fn little_endian(self) -> Self {
                self.to_le()
            }
        }
    };
}

word!(u16);
word!(u32);
word!(u64);

/// The words of a row.
fn words<W: Word>(row: &[u8]) -> impl Iterator<Item = W> {
    row.chunks_exact(size_of::<W>()).map(|bytes| bytemuck::pod_read_unaligned::<W>(bytes).little_endian())
}

/// Reads the sample at `offset` of each word. Values are limited to the depth's maximum, since unused upper bits may be set.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn read_words<T: Stored, W: Word>(row: &[u8], offset: usize, depth: Depth, samples: &mut [T]) {
    let shift = (8 * size_of::<T>() * offset) as u32;
    let all = (u32::MAX >> (32 - 8 * size_of::<T>())) as u32;
    for (sample, word) in samples.iter_mut().zip(words::<W>(row)) {
        *sample = T::new((((word >> shift).low() & all) >> depth.shift).min(depth.max()));
    }
}

/// What is written to each word, mixed with what it holds.
pub(super) enum Written<'a, T> {
    /// These samples.
    Samples(&'a [T]),
    /// The same value.
    Value(u32),
}

/// Mixes the sample at `offset` of each word with another one of this weight, 0 to 256.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn write_words<T: Stored, W: Word>(
    written: &Written<T>,
    weight: u32,
    offset: usize,
    depth: Depth,
    row: &mut [u8],
) {
    let shift = (8 * size_of::<T>() * offset) as u32;
    let all = W::new(u32::MAX >> (32 - 8 * size_of::<T>()));
    let write = |bytes: &mut [u8], sample: u32| {
        let word = bytemuck::pod_read_unaligned::<W>(bytes).little_endian();
        let before = ((word >> shift) & all).low() >> depth.shift;
        let after = W::new(mixed(before, sample, weight) << depth.shift) << shift;
        let word = (word & !(all << shift)) | after;
        bytes.copy_from_slice(bytemuck::bytes_of(&word.little_endian()));
    };
    let words = row.chunks_exact_mut(size_of::<W>());
    match written {
        Written::Samples(samples) => words.zip(*samples).for_each(|(bytes, sample)| write(bytes, sample.value())),
        Written::Value(value) => words.for_each(|bytes| write(bytes, *value)),
    }
}
