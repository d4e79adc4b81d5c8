//! Samples that take turns with those of other channels, as the Y of YUY2 with U and V: each is half of a word, and processors
//! read and write many words at a time.

use std::ops::{BitAnd, BitOr, Not, Shl, Shr};

use multiversion::multiversion;

use super::channel_view::{Stored, mixed};
use crate::layout::Depth;

/// An unsigned integer of two samples' bytes.
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

/// The words of a row.
fn words<W: Word>(row: &[u8]) -> impl Iterator<Item = W> {
    row.chunks_exact(size_of::<W>()).map(|bytes| bytemuck::pod_read_unaligned::<W>(bytes).little_endian())
}

/// Reads the sample at `offset` of each word. Values are limited to the depth's maximum, since unused upper bits may be set.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn read_words<T: Stored, W: Word>(row: &[u8], offset: usize, depth: Depth, samples: &mut [T]) {
    let shift = (8 * size_of::<T>() * offset) as u32;
    let all = u32::MAX >> (32 - 8 * size_of::<T>());
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
    let word_of = |bytes: &[u8]| bytemuck::pod_read_unaligned::<W>(bytes).little_endian();
    let put = |bytes: &mut [u8], sample: W| {
        let word = (word_of(bytes) & !(all << shift)) | (sample << (shift + depth.shift));
        bytes.copy_from_slice(bytemuck::bytes_of(&word.little_endian()));
    };
    let mix = |bytes: &mut [u8], sample: u32| {
        let before = ((word_of(bytes) >> shift) & all).low() >> depth.shift;
        put(bytes, W::new(mixed(before, sample, weight)));
    };
    let words = row.chunks_exact_mut(size_of::<W>());
    match written {
        // Without the arithmetic of mixing, many more words fit in a vector.
        Written::Samples(samples) if weight == 256 => {
            words.zip(*samples).for_each(|(bytes, sample)| put(bytes, W::new(sample.value())));
        }
        Written::Samples(samples) => words.zip(*samples).for_each(|(bytes, sample)| mix(bytes, sample.value())),
        Written::Value(value) => words.for_each(|bytes| mix(bytes, *value)),
    }
}
