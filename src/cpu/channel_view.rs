//! Channel views: the channels of a plane that are filtered together, unpacked from a frame's bytes and packed again.

use std::ops::Range;

use multiversion::multiversion;

use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Size};
use super::words::{Written, read_words, write_words};
use crate::filters::{Alpha, Plan, PlaneAction};
use crate::layout::{Component, ComponentKind, Depth, Layout};

/// A type in which a frame stores samples.
pub(super) trait Stored: Sample + bytemuck::Pod {
    /// Reads a sample from the start of `bytes`.
    fn read(bytes: &[u8]) -> Self;

    /// Writes the sample to the start of `bytes`.
    fn write(self, bytes: &mut [u8]);

    /// Reads contiguous samples. Values are limited to the depth's maximum, since unused upper bits may be set.
    fn read_all(bytes: &[u8], depth: Depth, samples: &mut [Self]);

    /// Writes contiguous samples, each shifted up by `shift` bits.
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
        read_pairs(bytes, depth, samples);
    }

    fn write_all(samples: &[Self], shift: u32, bytes: &mut [u8]) {
        write_pairs(samples, shift, bytes);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn read_pairs(bytes: &[u8], depth: Depth, samples: &mut [u16]) {
    let largest = u16::new(depth.max());
    for (sample, bytes) in samples.iter_mut().zip(bytes.chunks_exact(2)) {
        *sample = (u16::read(bytes) >> depth.shift).min(largest);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn write_pairs(samples: &[u16], shift: u32, bytes: &mut [u8]) {
    for (sample, bytes) in samples.iter().zip(bytes.chunks_exact_mut(2)) {
        (sample << shift).write(bytes);
    }
}

/// Channels of a plane that take turns at a fixed distance: all of RGBA; of YUY2 either Y alone or U and V.
pub(super) struct ChannelView {
    pub(super) size: Size,
    pub(super) depth: Depth,
    /// The samples from a row's start to the first one of the view.
    offset: usize,
    /// The samples from one of the view to the next. Those between belong to other views.
    spacing: usize,
    /// The action on each channel.
    actions: Vec<PlaneAction>,
    /// The channel of alpha, if colors are filtered multiplied by it.
    alpha: Option<usize>,
    /// The weight of the filtered frame in the result, 0 to 256.
    mix: u32,
}

impl ChannelView {
    /// The views of a plane.
    pub(super) fn of_plane(plane: usize, layout: &Layout, plan: &Plan) -> Vec<Self> {
        let mut components: Vec<_> = layout.components.iter().filter(|component| component.plane == plane).collect();
        components.sort_by_key(|component| (component.step, component.offset));
        let Some(first) = components.first() else { return Vec::new() };
        let have_same_step = components.iter().all(|component| component.step == first.step);
        let is_alpha = |component: &&&Component| component.kind == ComponentKind::Alpha;
        let alpha = components.iter().find(is_alpha).filter(|_| plan.alpha == Alpha::Premultiply);
        let view = |offset: usize, spacing: usize, component: &Component, actions: Vec<PlaneAction>| Self {
            size: Size { width: component.width * actions.len(), height: component.height, channels: actions.len() },
            depth: layout.depth,
            offset,
            spacing,
            actions,
            alpha: alpha.map(|alpha| alpha.offset),
            mix: plan.mix,
        };
        let action = |component: &Component| plan.action(component.kind);
        if have_same_step {
            let at = |channel| components.iter().find(|component| component.offset == channel);
            let actions = (0..first.step).map(|channel| at(channel).map_or(PlaneAction::Keep, |c| action(c)));
            return vec![view(0, 1, first, actions.collect())];
        }
        let groups = components.chunk_by(|first, second| first.step == second.step);
        let views = groups.flat_map(|group| {
            let spacing = group[0].step / group.len();
            let take_turns = group.windows(2).all(|pair| pair[1].offset == pair[0].offset + spacing);
            if take_turns {
                return vec![view(group[0].offset, spacing, group[0], group.iter().copied().map(action).collect())];
            }
            group
                .iter()
                .map(|component| view(component.offset, component.step, component, vec![action(component)]))
                .collect()
        });
        views.collect()
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.actions.contains(&PlaneAction::Filter)
    }

    /// The action on all channels, if it is the same.
    fn only_action(&self) -> Option<PlaneAction> {
        let &first = self.actions.first()?;
        self.actions.iter().all(|&action| action == first).then_some(first)
    }

    fn is_contiguous(&self) -> bool {
        self.spacing == 1
    }

    /// The bytes from one sample to the next, if each sample is in a word of its own.
    fn word_bytes<T>(&self, row_bytes: usize) -> Option<usize> {
        let bytes = self.spacing * size_of::<T>();
        let has_words = self.offset < self.spacing && self.size.width * bytes <= row_bytes;
        (has_words && self.spacing == 2).then_some(bytes)
    }

    /// Reads a row.
    pub(super) fn unpack<T: Stored>(&self, bytes: &[u8], row: &mut [T]) {
        if self.is_contiguous() {
            T::read_all(bytes, self.depth, row);
            return self.premultiply(row);
        }
        let row = &mut row[..self.size.width];
        match self.word_bytes::<T>(bytes.len()) {
            Some(2) => read_words::<T, u16>(bytes, self.offset, self.depth, row),
            Some(_) => read_words::<T, u32>(bytes, self.offset, self.depth, row),
            None => {
                let samples = bytes[self.offset * size_of::<T>()..].chunks(size_of::<T>()).step_by(self.spacing);
                for (sample, bytes) in row.iter_mut().zip(samples) {
                    *sample = T::new((T::read(bytes).value() >> self.depth.shift).min(self.depth.max()));
                }
            }
        }
    }

    /// Multiplies the colors of a row by alpha, if they are to be filtered so.
    fn premultiply<T: Stored>(&self, row: &mut [T]) {
        let Some(alpha) = self.alpha else { return };
        for pixel in row[..self.size.width].chunks_exact_mut(self.size.channels) {
            let opacity = pixel[alpha].value();
            for (_, color) in pixel.iter_mut().enumerate().filter(|&(channel, _)| channel != alpha) {
                *color = T::new(premultiplied(color.value(), opacity, self.depth.max()));
            }
        }
    }

    /// The fastest way to write rows, mixed with the original.
    pub(super) fn packer<T: Stored>(&self) -> Packer<'_, T> {
        let every = |action| self.is_contiguous() && self.only_action() == Some(action);
        if every(PlaneAction::Keep) {
            Packer::Original
        } else if let Some(alpha) = self.alpha {
            Packer::Premultiplied(self, alpha)
        } else if every(PlaneAction::Filter) && self.mix == 256 {
            Packer::Filtered(self)
        } else if self.is_contiguous() && BLOCK.is_multiple_of(self.size.channels) {
            let mask_gray_weight = |index: usize| match self.actions[index % self.size.channels] {
                PlaneAction::Keep => (0, 0, 0),
                PlaneAction::Neutral => (0, self.depth.gray(), self.mix),
                PlaneAction::Filter => (u32::MAX, 0, self.mix),
            };
            Packer::Blend(Blend {
                mask: std::array::from_fn(|index| T::new(mask_gray_weight(index).0)),
                gray: std::array::from_fn(|index| T::new(mask_gray_weight(index).1)),
                weight: std::array::from_fn(|index| mask_gray_weight(index).2 as u16),
                shift: self.depth.shift,
            })
        } else {
            Packer::Each(self)
        }
    }

    /// Writes a row sample by sample. `result` holds what the plane's other views wrote.
    fn pack_each<T: Stored>(&self, before: &[u8], filtered: &[T], result: &mut [u8]) {
        if let (Some(bytes), Some(action)) = (self.word_bytes::<T>(result.len()), self.only_action()) {
            let written = match action {
                PlaneAction::Keep => return,
                PlaneAction::Neutral => Written::Value(self.depth.gray()),
                PlaneAction::Filter => Written::Samples(&filtered[..self.size.width]),
            };
            let row = &mut result[..self.size.width * bytes];
            match bytes {
                2 => write_words::<T, u16>(&written, self.mix, self.offset, self.depth, row),
                _ => write_words::<T, u32>(&written, self.mix, self.offset, self.depth, row),
            }
            return;
        }
        let Depth { shift, .. } = self.depth;
        let channels = self.size.channels;
        for (index, filtered) in filtered[..self.size.width].iter().enumerate() {
            let channel = index % channels;
            let at = (self.offset + index * self.spacing) * size_of::<T>();
            let (sample, weight) = match self.actions[channel] {
                PlaneAction::Keep => (0, 0),
                PlaneAction::Neutral => (self.depth.gray(), self.mix),
                PlaneAction::Filter => (filtered.value(), self.mix),
            };
            let before = T::read(&before[at..]).value() >> shift;
            T::new(mixed(before, sample, weight) << shift).write(&mut result[at..]);
        }
    }

    /// Writes a row of colors that were filtered multiplied by alpha.
    fn pack_premultiplied<T: Stored>(&self, alpha: usize, before: &[u8], filtered: &[T], result: &mut [u8]) {
        let (Depth { shift, .. }, max, bytes) = (self.depth, self.depth.max(), self.size.channels * size_of::<T>());
        let pixels = before.chunks_exact(bytes).zip(filtered.chunks_exact(self.size.channels));
        for ((before, filtered), result) in pixels.zip(result.chunks_exact_mut(bytes)) {
            let before = |channel: usize| T::read(&before[channel * size_of::<T>()..]).value() >> shift;
            let mixed_in = |channel: usize, before| mixed(before, filtered[channel].value(), self.mix);
            let opacity = mixed_in(alpha, before(alpha));
            for (channel, action) in self.actions.iter().enumerate() {
                let sample = match action {
                    PlaneAction::Keep => before(channel),
                    PlaneAction::Neutral => mixed(before(channel), self.depth.gray(), self.mix),
                    PlaneAction::Filter if channel == alpha => opacity,
                    PlaneAction::Filter => {
                        let color = premultiplied(before(channel), before(alpha), max);
                        unpremultiplied(mixed_in(channel, color), opacity, max)
                    }
                };
                T::new(sample << shift).write(&mut result[channel * size_of::<T>()..]);
            }
        }
    }
}

/// A color multiplied by alpha, rounded.
#[inline(always)]
fn premultiplied(color: u32, alpha: u32, max: u32) -> u32 {
    (color * alpha + max / 2) / max
}

/// A color divided by alpha, rounded; 0 if it is transparent.
#[inline(always)]
fn unpremultiplied(color: u32, alpha: u32, max: u32) -> u32 {
    (color * max + alpha / 2).checked_div(alpha).map_or(0, |color| color.min(max))
}

/// Mixes `sample` with the original; `weight` is the weight of `sample`, 0 to 256.
#[inline(always)]
pub(super) fn mixed(before: u32, sample: u32, weight: u32) -> u32 {
    (before * (256 - weight) + sample * weight + 128) >> 8
}

/// A way to write rows.
pub(super) enum Packer<'a, T> {
    /// Copies the original.
    Original,
    /// Copies the filtered samples.
    Filtered(&'a ChannelView),
    /// Mixes whole blocks of samples.
    Blend(Blend<T>),
    /// Mixes sample by sample.
    Each(&'a ChannelView),
    /// Mixes colors multiplied by alpha, which is this channel.
    Premultiplied(&'a ChannelView, usize),
}

/// For each sample of a block, `(filtered & mask | gray)` is mixed with the original by `weight`, 0 to 256.
pub(super) struct Blend<T> {
    mask: [T; BLOCK],
    gray: [T; BLOCK],
    weight: [u16; BLOCK],
    shift: u32,
}

impl<T: Stored> Packer<'_, T> {
    /// The rows of the frame that starts at `bytes`, if the last pass can write them directly: samples are stored there
    /// as in a strip.
    pub(super) fn rows_of_frame<'a>(
        &self,
        rows: Range<usize>,
        bytes: &'a mut [u8],
        stride: usize,
    ) -> Option<RowsMut<'a, T>> {
        let Self::Filtered(view) = self else { return None };
        let is_whole = stride.is_multiple_of(size_of::<T>()) && cfg!(target_endian = "little");
        let samples = bytemuck::try_cast_slice_mut(bytes).ok().filter(|_| view.depth.shift == 0 && is_whole)?;
        RowsMut::of_frame(view.size, rows, samples, stride / size_of::<T>())
    }

    pub(super) fn pack(&self, before: &[u8], filtered: &[T], result: &mut [u8]) {
        match self {
            Self::Original => result.copy_from_slice(before),
            Self::Filtered(view) => T::write_all(filtered, view.depth.shift, result),
            Self::Blend(blend) => pack_blended(blend, before, filtered, result),
            Self::Each(view) => view.pack_each(before, filtered, result),
            Self::Premultiplied(view, alpha) => view.pack_premultiplied(*alpha, before, filtered, result),
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn pack_blended<T: Stored>(blend: &Blend<T>, before: &[u8], filtered: &[T], result: &mut [u8]) {
    let Blend { mask, gray, weight, shift } = blend;
    let bytes = BLOCK * size_of::<T>();
    for ((before, filtered), result) in before.chunks(bytes).zip(filtered.chunks(BLOCK)).zip(result.chunks_mut(bytes)) {
        let samples = before.chunks_exact(size_of::<T>()).zip(filtered);
        let blend = mask.iter().zip(gray).zip(weight);
        for ((result, (before, sample)), ((mask, gray), &weight)) in
            result.chunks_exact_mut(size_of::<T>()).zip(samples).zip(blend)
        {
            let sample = sample.value() & mask.value() | gray.value();
            T::new(mixed(T::read(before).value() >> shift, sample, weight.into()) << shift).write(result);
        }
    }
}
