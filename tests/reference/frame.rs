//! Frames: how a format packs its components, and which of them are filtered.

use common::random::Random;
use gst_video::{VideoColorRange, VideoFormat, VideoInfo, VideoInterlaceMode};

use crate::plane::Plane;

/// A frame with GStreamer's default strides and offsets.
#[derive(Clone)]
pub struct Frame {
    pub info: VideoInfo,
    pub bytes: Vec<u8>,
}

/// The properties that apply to every filter.
#[derive(Clone, Copy)]
pub struct Options {
    pub alpha: bool,
    /// The action on the chroma of a YUV frame.
    pub chroma: Chroma,
    /// The weight of the filtered frame.
    pub mix: f64,
}

#[derive(Clone, Copy)]
pub enum Chroma {
    Kept,
    Gray,
    Filtered,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha: false, chroma: Chroma::Filtered, mix: 1.0 }
    }
}

impl Frame {
    /// A frame of random samples: of few values in the left half, so that some are frequent; of all values in the right.
    pub fn random(format: VideoFormat, width: u32, height: u32, random: &mut Random) -> Self {
        let info = VideoInfo::builder(format, width, height).build().expect("a valid size");
        let mut frame = Self { bytes: random.bytes(info.size()), info };
        for component in 0..frame.components() {
            let mut plane = frame.plane(component);
            let width = plane.width;
            for (index, sample) in plane.samples.iter_mut().enumerate() {
                let value = random.number() as i64 & plane.max;
                *sample = if index % width < width / 2 { value / (plane.max / 3) * (plane.max / 3) } else { value };
            }
            frame.set_plane(component, &plane);
        }
        frame
    }

    pub fn interlaced(mut self) -> Self {
        let (format, width, height) = (self.info.format(), self.info.width(), self.info.height());
        let builder = VideoInfo::builder(format, width, height).interlace_mode(VideoInterlaceMode::Interleaved);
        self.info = builder.build().expect("a valid size");
        self
    }

    pub fn components(&self) -> u8 {
        self.info.n_components() as u8
    }

    fn bits(&self) -> u32 {
        self.info.format_info().depth()[0]
    }

    /// The component's samples.
    pub fn plane(&self, component: u8) -> Plane {
        let (shift, max) = (self.info.format_info().shift()[0], (1 << self.bits()) - 1);
        let sample = |at: usize| match self.bits() {
            8 => self.bytes[at].into(),
            _ => i64::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]) >> shift),
        };
        let (width, height) = (self.info.comp_width(component) as usize, self.info.comp_height(component) as usize);
        // Samples of 10 and 12 bits of limited range are those of 8 bits times 4 or 16.
        let is_limited = self.info.is_yuv() && self.info.colorimetry().range() == VideoColorRange::Range16_235;
        let level = if is_limited { [max + 1, 256] } else { [max, 255] };
        Plane { width, height, max, level, samples: self.positions(component).map(sample).collect() }
    }

    pub fn set_plane(&mut self, component: u8, plane: &Plane) {
        let (bits, shift) = (self.bits(), self.info.format_info().shift()[0]);
        let positions: Vec<_> = self.positions(component).collect();
        for (at, &sample) in positions.into_iter().zip(&plane.samples) {
            match bits {
                8 => self.bytes[at] = sample as u8,
                _ => self.bytes[at..at + 2].copy_from_slice(&((sample as u16) << shift).to_le_bytes()),
            }
        }
    }

    /// The index of the first byte of each of the component's samples, row by row.
    fn positions(&self, component: u8) -> impl Iterator<Item = usize> {
        let (info, index) = (&self.info, usize::from(component));
        let format = info.format_info();
        let plane = format.plane()[index] as usize;
        let sample_bytes = if self.bits() > 8 { 2 } else { 1 };
        // GStreamer's offset of P010's V is 1 byte instead of 2.
        let start = info.offset()[plane] + (format.poffset()[index] as usize).next_multiple_of(sample_bytes);
        let (stride, step) = (info.stride()[plane] as usize, info.comp_pstride(component) as usize);
        let (width, height) = (info.comp_width(component) as usize, info.comp_height(component) as usize);
        (0..height).flat_map(move |y| (0..width).map(move |x| start + y * stride + x * step))
    }

    /// The frame with its components filtered, each by itself.
    pub fn filtered(&self, options: Options, filter: impl Fn(&Plane) -> Plane) -> Self {
        let mut result = self.clone();
        // As in convfilter, the weight is a whole number of 256ths.
        let weight = (options.mix * 256.0).round() as i64;
        for component in 0..self.components() {
            let plane = self.plane(component);
            let gray = (plane.max + 1) / 2;
            let changed = match (component, options.chroma) {
                (3, _) if !options.alpha => continue,
                (1 | 2, Chroma::Kept) if self.info.is_yuv() => continue,
                (1 | 2, Chroma::Gray) if self.info.is_yuv() => plane.with(|_, _| gray),
                _ => filter(&plane),
            };
            let mixed = |x, y| (plane.at(x, y) * (256 - weight) + changed.at(x, y) * weight + 128) / 256;
            result.set_plane(component, &plane.with(mixed));
        }
        result
    }
}

/// Filters the even and the odd rows of an interlaced plane by themselves.
pub fn by_fields(plane: &Plane, filter: impl Fn(&Plane) -> Plane) -> Plane {
    let fields = [0, 1].map(|first| {
        let rows = plane.samples.chunks(plane.width).skip(first).step_by(2);
        let samples: Vec<_> = rows.flatten().copied().collect();
        let field = Plane { height: samples.len() / plane.width, samples, ..*plane };
        if field.height > 0 { filter(&field) } else { field }
    });
    plane.with(|x, y| fields[y as usize % 2].at(x, y / 2))
}
