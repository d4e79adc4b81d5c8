//! Parts of a frame that are filtered together, and how they come out of the frame's bytes and back into them.

use std::ops::Range;

use multiversion::multiversion;

use super::band::{BLOCK, RowsMut, Size};
use super::sample::Sample;
use crate::filters::{Plan, Treatment};
use crate::layout::{Component, Depth, Layout};

/// A sample as it lies in a frame.
pub(super) trait Stored: Sample + bytemuck::Pod {
    /// Reads the first of these bytes.
    fn read(bytes: &[u8]) -> Self;

    /// Writes the first of these bytes.
    fn write(self, bytes: &mut [u8]);

    /// Reads samples that lie side by side. None is above the largest value, whatever the bits above those that count hold.
    fn read_all(bytes: &[u8], depth: Depth, samples: &mut [Self]);

    /// Writes samples side by side, the value of each so many bits up.
    fn write_all(samples: &[Self], shift: u32, bytes: &mut [u8]);
}

impl Stored for u8 {
    #[inline(always)]
    fn read(bytes: &[u8]) -> Self {
        bytes[0]
    }

    #[inline(always)]
    fn write(self, bytes: &mut [u8]) {
        bytes[0] = self;
    }

    fn read_all(bytes: &[u8], _depth: Depth, samples: &mut [Self]) {
        samples[..bytes.len()].copy_from_slice(bytes);
    }

    fn write_all(samples: &[Self], _shift: u32, bytes: &mut [u8]) {
        bytes.copy_from_slice(&samples[..bytes.len()]);
    }
}

impl Stored for u16 {
    #[inline(always)]
    fn read(bytes: &[u8]) -> Self {
        Self::from_le_bytes([bytes[0], bytes[1]])
    }

    #[inline(always)]
    fn write(self, bytes: &mut [u8]) {
        bytes[..2].copy_from_slice(&self.to_le_bytes());
    }

    fn read_all(bytes: &[u8], depth: Depth, samples: &mut [Self]) {
        let largest = Self::new(depth.max());
        for (sample, bytes) in samples.iter_mut().zip(bytes.chunks_exact(2)) {
            *sample = (Self::read(bytes) >> depth.shift).min(largest);
        }
    }

    fn write_all(samples: &[Self], shift: u32, bytes: &mut [u8]) {
        for (sample, bytes) in samples.iter().zip(bytes.chunks_exact_mut(2)) {
            (sample << shift).write(bytes);
        }
    }
}

/// All components of a plane, where they take turns at every sample; else one of them.
pub(super) struct Sheet {
    pub(super) size: Size,
    pub(super) depth: Depth,
    /// Samples from a row's start to the first, and from pixel to pixel.
    offset: usize,
    step: usize,
    /// What becomes of each channel.
    treatments: Vec<Treatment>,
    /// The filtered frame's share of the result, in 256ths.
    mix: u32,
}

impl Sheet {
    /// The sheets of a plane.
    pub(super) fn of_plane(plane: usize, layout: &Layout, plan: &Plan) -> Vec<Self> {
        let components: Vec<_> = layout.components.iter().filter(|component| component.plane == plane).collect();
        let Some(first) = components.first() else { return Vec::new() };
        let together = components.iter().all(|component| component.step == first.step);
        let sheet = |offset: usize, channels: usize, of: &Component, treatments| Self {
            size: Size { width: of.width * channels, height: of.height, channels },
            depth: layout.depth,
            offset,
            step: of.step,
            treatments,
            mix: plan.mix,
        };
        let treatment = |component: &Component| plan.treatment(component.kind);
        if together {
            let at = |channel| components.iter().find(|component| component.offset == channel);
            let treatments = (0..first.step).map(|channel| at(channel).map_or(Treatment::Keep, |c| treatment(c)));
            return vec![sheet(0, first.step, first, treatments.collect())];
        }
        components.iter().map(|component| sheet(component.offset, 1, component, vec![treatment(component)])).collect()
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.treatments.contains(&Treatment::Filter)
    }

    fn is_contiguous(&self) -> bool {
        self.step == self.size.channels
    }

    /// Gathers a row.
    pub(super) fn unpack<T: Stored>(&self, bytes: &[u8], row: &mut [T]) {
        if self.is_contiguous() {
            return T::read_all(bytes, self.depth, row);
        }
        let samples = bytes[self.offset * size_of::<T>()..].chunks(size_of::<T>()).step_by(self.step);
        for (sample, bytes) in row[..self.size.width].iter_mut().zip(samples) {
            *sample = T::new((T::read(bytes).value() >> self.depth.shift).min(self.depth.max()));
        }
    }

    /// How rows are put back, mixed with what was there before.
    pub(super) fn packer<T: Stored>(&self) -> Packer<'_, T> {
        let every = |treatment| self.is_contiguous() && self.treatments.iter().all(|&of| of == treatment);
        if every(Treatment::Keep) {
            Packer::Original
        } else if every(Treatment::Filter) && self.mix == 256 {
            Packer::Filtered(self)
        } else if self.is_contiguous() && BLOCK.is_multiple_of(self.step) {
            let of_treatment = |index: usize| match self.treatments[index % self.step] {
                Treatment::Keep => (0, 0, 0),
                Treatment::Neutral => (0, self.depth.gray(), self.mix),
                Treatment::Filter => (u32::MAX, 0, self.mix),
            };
            Packer::Blend(Blend {
                mask: std::array::from_fn(|index| T::new(of_treatment(index).0)),
                gray: std::array::from_fn(|index| T::new(of_treatment(index).1)),
                share: std::array::from_fn(|index| of_treatment(index).2 as u16),
                shift: self.depth.shift,
            })
        } else {
            Packer::Each(self)
        }
    }

    /// Puts back a row that lies between others.
    fn pack_each<T: Stored>(&self, before: &[u8], filtered: &[T], result: &mut [u8]) {
        let Depth { shift, .. } = self.depth;
        let channels = self.size.channels;
        for (index, filtered) in filtered[..self.size.width].iter().enumerate() {
            let (pixel, channel) = (index / channels, index % channels);
            let at = (self.offset + pixel * self.step + channel) * size_of::<T>();
            let (sample, share) = match self.treatments[channel] {
                Treatment::Keep => (0, 0),
                Treatment::Neutral => (self.depth.gray(), self.mix),
                Treatment::Filter => (filtered.value(), self.mix),
            };
            let before = T::read(&before[at..]).value() >> shift;
            T::new(mixed(before, sample, share) << shift).write(&mut result[at..]);
        }
    }
}

/// `sample` in this share, in 256ths, and what was there before.
#[inline(always)]
fn mixed(before: u32, sample: u32, share: u32) -> u32 {
    (before * (256 - share) + sample * share + 128) >> 8
}

/// How rows are put back.
pub(super) enum Packer<'a, T> {
    /// As they were.
    Original,
    /// As they were filtered.
    Filtered(&'a Sheet),
    /// Whole blocks of samples are mixed.
    Blend(Blend<T>),
    /// Each sample is mixed.
    Each(&'a Sheet),
}

/// For each sample of a block: which bits come from the filtered one, what else it is, and its share, in 256ths.
pub(super) struct Blend<T> {
    mask: [T; BLOCK],
    gray: [T; BLOCK],
    share: [u16; BLOCK],
    shift: u32,
}

impl<T: Stored> Packer<'_, T> {
    /// The rows of a frame from `bytes` on, where filtered samples lie in it as they lie in a band.
    pub(super) fn rows_of_frame<'a>(
        &self,
        rows: Range<usize>,
        bytes: &'a mut [u8],
        stride: usize,
    ) -> Option<RowsMut<'a, T>> {
        let Self::Filtered(sheet) = self else { return None };
        let is_whole = stride.is_multiple_of(size_of::<T>()) && cfg!(target_endian = "little");
        let samples = bytemuck::try_cast_slice_mut(bytes).ok().filter(|_| sheet.depth.shift == 0 && is_whole)?;
        RowsMut::of_frame(sheet.size, rows, samples, stride / size_of::<T>())
    }

    pub(super) fn pack(&self, before: &[u8], filtered: &[T], result: &mut [u8]) {
        match self {
            Self::Original => result.copy_from_slice(before),
            Self::Filtered(sheet) => T::write_all(filtered, sheet.depth.shift, result),
            Self::Blend(blend) => pack_blended(blend, before, filtered, result),
            Self::Each(sheet) => sheet.pack_each(before, filtered, result),
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn pack_blended<T: Stored>(blend: &Blend<T>, before: &[u8], filtered: &[T], result: &mut [u8]) {
    let Blend { mask, gray, share, shift } = blend;
    let bytes = BLOCK * size_of::<T>();
    for ((before, filtered), result) in before.chunks(bytes).zip(filtered.chunks(BLOCK)).zip(result.chunks_mut(bytes)) {
        let samples = before.chunks_exact(size_of::<T>()).zip(filtered);
        let blend = mask.iter().zip(gray).zip(share);
        for ((result, (before, sample)), ((mask, gray), &share)) in
            result.chunks_exact_mut(size_of::<T>()).zip(samples).zip(blend)
        {
            let sample = sample.value() & mask.value() | gray.value();
            T::new(mixed(T::read(before).value() >> shift, sample, share.into()) << shift).write(result);
        }
    }
}
