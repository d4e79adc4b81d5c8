//! Frames of any format as RGBA and back, by GStreamer's own converter: colorimetry, range and chroma siting are the
//! stream's.

use std::time::Duration;

use gst::glib;
use gst_video::prelude::*;
use gst_video::{VideoConverter, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo};
use style_engine_interface::Progress;

use super::engine::{Engine, EngineError, Rgba};
use crate::frame::Layout;

/// Converts frames of one format and size.
pub struct RgbaFrames {
    layout: Layout,
    to_rgba: VideoConverter,
    from_rgba: VideoConverter,
    content: VideoFrame<gst_video::video_frame::Writable>,
    painted: VideoFrame<gst_video::video_frame::Writable>,
}

impl RgbaFrames {
    /// Prepares for frames like `info`.
    pub fn new(info: &VideoInfo) -> Result<Self, glib::BoolError> {
        let rgba = VideoInfo::builder(VideoFormat::Rgba, info.width(), info.height())
            .fps(info.fps())
            .par(info.par())
            .interlace_mode(info.interlace_mode())
            .build()?;
        let frame = || {
            let buffer = gst::Buffer::with_size(rgba.size())?;
            VideoFrame::from_buffer_writable(buffer, &rgba).map_err(|_| glib::bool_error!("cannot map an RGBA frame"))
        };
        Ok(Self {
            layout: Layout::new(info),
            to_rgba: VideoConverter::new(info, &rgba, None)?,
            from_rgba: VideoConverter::new(&rgba, info, None)?,
            content: frame()?,
            painted: frame()?,
        })
    }

    /// How the frames lie in memory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Repaints `input` into `output`; `limit` and `on_progress` as in [`Engine::stylize`].
    pub fn stylize(
        &mut self,
        engine: &mut Engine,
        limit: Option<Duration>,
        on_progress: &mut dyn FnMut(Progress) -> bool,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), EngineError> {
        self.to_rgba.frame_ref(input, &mut self.content.as_mut_video_frame_ref());
        let stride = self.content.plane_stride().first().map_or(0, |&stride| stride as usize);
        let (width, height) = (self.content.width(), self.content.height());
        let [data, ..] = self.content.planes_data();
        let [painted, ..] = self.painted.planes_data_mut();
        engine.stylize(Rgba { data, width, height, stride }, painted, limit, on_progress)?;
        self.from_rgba.frame_ref(&self.painted.as_video_frame_ref(), output);
        Ok(())
    }
}
