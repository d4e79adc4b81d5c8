//! The formats that both elements accept, and the conversion of GStreamer's description of a format to a layout.

use gst_video::{VideoColorRange, VideoFormat, VideoInfo};

use crate::layout::{Component, ComponentKind, Depth, Layout, Plane};

/// The formats of both elements' pads, in the order of preference.
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

/// The templates of a sink pad and a source pad with these formats.
pub fn pad_templates() -> Vec<gst::PadTemplate> {
    let caps = gst_video::VideoCapsBuilder::new().format_list(FORMATS).build();
    [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
        .into_iter()
        .filter_map(|(name, direction)| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok())
        .collect()
}

impl Layout {
    /// The layout of frames of this format and size. It does not depend on strides.
    pub fn new(info: &VideoInfo) -> Self {
        let format = info.format_info();
        let first = |values: &[u32]| values.first().copied().unwrap_or(0);
        let bits = first(format.depth());
        let is_limited = info.is_yuv() && bits > 8 && info.colorimetry().range() == VideoColorRange::Range16_235;
        let depth = Depth { bits, shift: first(format.shift()), is_limited };
        let positions = format.plane().iter().zip(format.poffset()).zip(format.pixel_stride());
        let components: Vec<Component> = (0u8..)
            .zip(positions)
            .take(info.n_components() as usize)
            .map(|(c, ((&plane, &offset), &step))| Component {
                kind: match c {
                    3 => ComponentKind::Alpha,
                    1 | 2 if info.is_yuv() => ComponentKind::Chroma,
                    _ => ComponentKind::Intensity,
                },
                plane: plane as usize,
                // Rounded up, since GStreamer reports an offset of 1 byte for the V of P010 instead of 2.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: VideoFormat) -> Layout {
        gst::init().unwrap();
        Layout::new(&VideoInfo::builder(format, 5, 3).build().unwrap())
    }

    #[test]
    fn packed_yuv_has_one_plane() {
        let layout = layout(VideoFormat::Yuy2);
        assert_eq!(layout.planes, [Plane { row_bytes: 12, height: 3 }]);
        let grids: Vec<_> = layout.components.iter().map(|c| (c.offset, c.step, c.width)).collect();
        assert_eq!(grids, [(0, 2, 5), (1, 4, 3), (3, 4, 3)]);
    }

    #[test]
    fn semi_planar_chroma_is_interleaved() {
        let layout = layout(VideoFormat::Nv12);
        assert_eq!(layout.planes, [Plane { row_bytes: 5, height: 3 }, Plane { row_bytes: 6, height: 2 }]);
        assert_eq!(layout.components[2].kind, ComponentKind::Chroma);
    }

    #[test]
    fn deep_samples_are_two_bytes() {
        let layout = layout(VideoFormat::P01010le);
        assert_eq!(layout.depth, Depth { bits: 10, shift: 6, is_limited: true });
        assert_eq!(layout.planes, [Plane { row_bytes: 10, height: 3 }, Plane { row_bytes: 12, height: 2 }]);
        let grids: Vec<_> = layout.components.iter().map(|c| (c.offset, c.step, c.width)).collect();
        assert_eq!(grids, [(0, 1, 5), (0, 2, 3), (1, 2, 3)]);
    }

    #[test]
    fn the_fourth_component_is_alpha() {
        assert_eq!(layout(VideoFormat::Argb).components[3].kind, ComponentKind::Alpha);
        assert_eq!(layout(VideoFormat::Bgrx).components.len(), 3);
        assert_eq!(layout(VideoFormat::Bgrx).planes[0].row_bytes, 20);
    }
}
