//! The formats both elements take, and how a raw frame's bytes make up its components.
//!
//! A component (R, G, B, A, Y, U, V) is a grid of samples at a fixed distance from each other: planar, semi-planar
//! and packed formats differ only in those distances, which GStreamer's format description gives.

use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

/// The formats both elements take and give, in the order of preference.
pub const FORMATS: [VideoFormat; 28] = [
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Argb,
    VideoFormat::Abgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Xrgb,
    VideoFormat::Xbgr,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Gbr,
    VideoFormat::Ayuv,
    VideoFormat::Y444,
    VideoFormat::Y42b,
    VideoFormat::Yuy2,
    VideoFormat::Uyvy,
    VideoFormat::Yvyu,
    VideoFormat::I420,
    VideoFormat::Yv12,
    VideoFormat::Nv12,
    VideoFormat::Nv21,
    VideoFormat::Gray8,
    VideoFormat::Rgba64Le,
    VideoFormat::Y44410le,
    VideoFormat::I42210le,
    VideoFormat::I42010le,
    VideoFormat::P01010le,
    VideoFormat::Gray16Le,
];

/// The pad templates of an element that gives out the format it takes in.
pub fn pad_templates() -> Vec<gst::PadTemplate> {
    let caps = gst_video::VideoCapsBuilder::new().format_list(FORMATS).build();
    [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
        .into_iter()
        .filter_map(|(name, direction)| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok())
        .collect()
}

/// Sets an element's controlled properties to their values at the time of `buffer`; logs to the element's category.
pub fn sync_values(element: &gst_base::BaseTransform, category: gst::DebugCategory, buffer: &gst::BufferRef) {
    if let Some(time) = stream_time(element, buffer)
        && let Err(error) = element.sync_values(time)
    {
        gst::debug!(category, obj = element, "no controlled values at {time}: {error}");
    }
}

/// Where `buffer` stands in the stream.
pub fn stream_time(element: &gst_base::BaseTransform, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    element.segment().downcast_ref::<gst::format::Time>()?.to_stream_time(buffer.pts())
}

/// Fails, with a message from the element, where one of the buffers does not hold its frame: else GStreamer would warn and
/// give out whatever is in the output.
pub fn check_both(
    element: &gst_base::BaseTransform,
    layout: Option<&Layout>,
    input: &gst::BufferRef,
    output: &gst::BufferRef,
) -> Result<(), gst::FlowError> {
    let layout = layout.ok_or(gst::FlowError::NotNegotiated)?;
    layout.check(input).and_then(|()| layout.check(output)).map_err(|message| {
        element.post_error_message(message);
        gst::FlowError::Error
    })
}

/// What a component means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// R, G, B, grey or luma: light.
    Light,
    /// U or V: a colour difference, grey at 128.
    Chroma,
    /// Opacity.
    Alpha,
}

/// How a sample lies in memory: in one byte, or in two, the lower first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Bits that count.
    pub bits: u32,
    /// Bits below them.
    pub shift: u32,
}

impl Depth {
    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    /// The largest value.
    pub fn max(self) -> u32 {
        u32::MAX.checked_shr(u32::BITS.saturating_sub(self.bits)).unwrap_or(0)
    }

    /// The value of a colour difference that is none.
    pub fn grey(self) -> u32 {
        1u32.checked_shl(self.bits.saturating_sub(1)).unwrap_or(0)
    }
}

impl Default for Depth {
    fn default() -> Self {
        Self { bits: 8, shift: 0 }
    }
}

/// A grid of samples in a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// What the samples mean.
    pub meaning: Meaning,
    /// The plane they lie in.
    pub plane: usize,
    /// Samples of any component from a row's start to the first of this one.
    pub offset: usize,
    /// Samples of any component from one of this one to its right neighbour.
    pub step: usize,
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// A plane's size, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Bytes of a row.
    pub row_bytes: usize,
    /// Rows.
    pub height: usize,
}

/// A frame's planes and components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The planes, in the format's order.
    pub planes: Vec<Plane>,
    /// The components, in the format's order.
    pub components: Vec<Component>,
    /// How each sample lies in memory.
    pub depth: Depth,
    /// The frame's size.
    pub width: usize,
    /// The frame's size.
    pub height: usize,
    /// Bytes of a frame in GStreamer's own layout.
    pub bytes: usize,
}

/// A plane's bytes in memory.
pub struct PlaneBytes<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

/// A plane's bytes in memory, to be written.
pub struct PlaneBytesMut<'a> {
    /// The bytes.
    pub data: &'a mut [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

impl Plane {
    /// Whether the plane's rows lie in a buffer, and in one memory of it: GStreamer maps it by itself.
    fn lies_within(&self, buffer: &gst::BufferRef, offset: usize, stride: i32) -> bool {
        let Some(stride) = usize::try_from(stride).ok().filter(|&stride| stride >= self.row_bytes) else {
            return false;
        };
        let rows = stride.checked_mul(self.height.saturating_sub(1));
        let end = rows.and_then(|rows| rows.checked_add(self.row_bytes)?.checked_add(offset));
        let memories = end.and_then(|end| buffer.find_memory(offset..end));
        memories.is_some_and(|(memories, _)| memories.len() == 1)
    }
}

impl Layout {
    /// The layout of frames of this format and size, whatever their strides.
    pub fn new(info: &VideoInfo) -> Self {
        let format = info.format_info();
        let first = |values: &[u32]| values.first().copied().unwrap_or(0);
        let depth = Depth { bits: first(format.depth()), shift: first(format.shift()) };
        let places = format.plane().iter().zip(format.poffset()).zip(format.pixel_stride());
        let components: Vec<Component> = (0u8..)
            .zip(places)
            .take(info.n_components() as usize)
            .map(|(c, ((&plane, &offset), &step))| Component {
                meaning: match c {
                    3 => Meaning::Alpha,
                    1 | 2 if info.is_yuv() => Meaning::Chroma,
                    _ => Meaning::Light,
                },
                plane: plane as usize,
                // Rounded up, since GStreamer gives 1 for the V of P010, where 2 bytes are meant.
                offset: (offset as usize).div_ceil(depth.bytes()),
                step: (step as usize).div_ceil(depth.bytes()),
                width: info.comp_width(c) as usize,
                height: info.comp_height(c) as usize,
            })
            .collect();
        let planes = (0..info.n_planes() as usize)
            .map(|plane| {
                let of_plane = || components.iter().filter(|c| c.plane == plane);
                Plane {
                    row_bytes: of_plane()
                        .map(|c| c.width.saturating_mul(c.step).saturating_mul(depth.bytes()))
                        .max()
                        .unwrap_or(0),
                    height: of_plane().map(|c| c.height).max().unwrap_or(0),
                }
            })
            .collect();
        let (width, height) = (info.width() as usize, info.height() as usize);
        Self { planes, components, depth, width, height, bytes: info.size() }
    }

    /// The layout of a grey frame.
    pub fn grey(width: usize, height: usize) -> Self {
        let component = Component { meaning: Meaning::Light, plane: 0, offset: 0, step: 1, width, height };
        Self {
            planes: vec![Plane { row_bytes: width, height }],
            components: vec![component],
            depth: Depth::default(),
            width,
            height,
            bytes: width.saturating_mul(height),
        }
    }

    /// Fails where a buffer's memory does not hold its frame, whatever the buffer says of itself.
    pub fn check(&self, buffer: &gst::BufferRef) -> Result<(), gst::ErrorMessage> {
        let is_whole = match buffer.meta::<gst_video::VideoMeta>() {
            // GStreamer maps such a buffer as one.
            None => buffer.size() >= self.bytes,
            Some(meta) => {
                let is_as_large = meta.width() as usize >= self.width && meta.height() as usize >= self.height;
                let mut places = self.planes.iter().zip(meta.offset().iter().zip(meta.stride()));
                is_as_large && places.all(|(plane, (&offset, &stride))| plane.lies_within(buffer, offset, stride))
            }
        };
        if is_whole {
            return Ok(());
        }
        let (bytes, Self { width, height, .. }) = (buffer.size(), self);
        Err(gst::error_msg!(
            gst::StreamError::Format,
            ("a buffer of {bytes} bytes does not hold its {width}x{height} frame; what is before the element is broken")
        ))
    }

    /// The layout of some of the frame's rows.
    pub fn of(&self, rows: Rows) -> Self {
        let mut layout = self.clone();
        layout.planes.iter_mut().for_each(|plane| plane.height = rows.count(plane.height));
        layout.components.iter_mut().for_each(|component| component.height = rows.count(component.height));
        layout
    }
}

/// Some of a frame's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// Every one.
    All,
    /// Those of the field that begins with the first.
    Top,
    /// Those of the other field.
    Bottom,
}

impl Rows {
    /// Of so many rows in all, how many there are.
    pub fn count(self, all: usize) -> usize {
        match self {
            Self::All => all,
            Self::Top => all.div_ceil(2),
            Self::Bottom => all / 2,
        }
    }

    /// The first row, and how many rows on the next one is.
    pub fn first_and_step(self) -> (usize, usize) {
        match self {
            Self::All => (0, 1),
            Self::Top => (0, 2),
            Self::Bottom => (1, 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: VideoFormat) -> Layout {
        gst::init().unwrap();
        Layout::new(&VideoInfo::builder(format, 5, 3).build().unwrap())
    }

    #[test]
    fn packed_yuv_shares_one_plane() {
        let layout = layout(VideoFormat::Yuy2);
        assert_eq!(layout.planes, [Plane { row_bytes: 12, height: 3 }]);
        let grids: Vec<_> = layout.components.iter().map(|c| (c.offset, c.step, c.width)).collect();
        assert_eq!(grids, [(0, 2, 5), (1, 4, 3), (3, 4, 3)]);
    }

    #[test]
    fn semi_planar_chroma_is_interleaved() {
        let layout = layout(VideoFormat::Nv12);
        assert_eq!(layout.planes, [Plane { row_bytes: 5, height: 3 }, Plane { row_bytes: 6, height: 2 }]);
        assert_eq!(layout.components[2].meaning, Meaning::Chroma);
    }

    #[test]
    fn deep_samples_are_two_bytes() {
        let layout = layout(VideoFormat::P01010le);
        assert_eq!(layout.depth, Depth { bits: 10, shift: 6 });
        assert_eq!(layout.planes, [Plane { row_bytes: 10, height: 3 }, Plane { row_bytes: 12, height: 2 }]);
        let grids: Vec<_> = layout.components.iter().map(|c| (c.offset, c.step, c.width)).collect();
        assert_eq!(grids, [(0, 1, 5), (0, 2, 3), (1, 2, 3)]);
    }

    #[test]
    fn the_fourth_component_is_alpha() {
        assert_eq!(layout(VideoFormat::Argb).components[3].meaning, Meaning::Alpha);
        assert_eq!(layout(VideoFormat::Bgrx).components.len(), 3);
        assert_eq!(layout(VideoFormat::Bgrx).planes[0].row_bytes, 20);
    }
}
