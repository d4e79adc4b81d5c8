//! Frames of any format as RGBA and back, by GStreamer's own converter: colorimetry, range and chroma siting are the
//! stream's. Formats of more than 8 bits become RGBA of 16 bits.

use std::time::{Duration, Instant};

use gst::glib;
use gst_video::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoConverter, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo, VideoInterlaceMode};
use style_engine_interface::Progress;

use super::engine::{Engine, EngineError, Rgba, TimeLimits};
use super::fields::keep_first_field;
use super::transparency::fill_hidden;
use crate::layout::Layout;

/// Converts frames of one format and size.
pub struct RgbaFrames {
    layout: Layout,
    to_rgba: VideoConverter,
    from_rgba: VideoConverter,
    content: VideoFrame<Writable>,
    painted: VideoFrame<Writable>,
    /// Where frames cannot be converted with their fields: one like them, but whole.
    whole: Option<VideoFrame<Writable>>,
}

impl RgbaFrames {
    /// Prepares for frames like `info`.
    pub fn new(info: &VideoInfo) -> Result<Self, glib::BoolError> {
        let whole = || VideoInfo::builder_from_info(info).interlace_mode(VideoInterlaceMode::Progressive).build();
        let whole = breaks_fields(info).then(whole).transpose()?;
        let converted = whole.as_ref().unwrap_or(info);
        let layout = Layout::new(info);
        let format = if layout.depth.bytes() > 1 { VideoFormat::Rgba64Le } else { VideoFormat::Rgba };
        let rgba = VideoInfo::builder(format, info.width(), info.height())
            .fps(info.fps())
            .par(info.par())
            .interlace_mode(converted.interlace_mode())
            .build()?;
        let frame = |info: &VideoInfo| {
            let buffer = gst::Buffer::with_size(info.size())?;
            VideoFrame::from_buffer_writable(buffer, info).map_err(|_| glib::bool_error!("cannot map a frame"))
        };
        Ok(Self {
            layout,
            to_rgba: VideoConverter::new(converted, &rgba, None)?,
            from_rgba: VideoConverter::new(&rgba, converted, None)?,
            content: frame(&rgba)?,
            painted: frame(&rgba)?,
            whole: whole.as_ref().map(frame).transpose()?,
        })
    }

    /// How the frames lie in memory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Converts a frame for what follows. Interlaced frames are painted as their first field shows them: two fields would be
    /// painted differently, and flicker. Returns whether anything of the frame is visible, or else `alpha_is_mask`.
    pub fn read(
        &mut self,
        input: &VideoFrameRef<&gst::BufferRef>,
        alpha_is_mask: bool,
    ) -> Result<bool, glib::BoolError> {
        match &mut self.whole {
            Some(whole) => {
                input.copy(&mut whole.as_mut_video_frame_ref())?;
                self.to_rgba.frame(whole, &mut self.content);
            }
            None => self.to_rgba.frame_ref(input, &mut self.content.as_mut_video_frame_ref()),
        }
        let stride = self.content.plane_stride().first().map_or(0, |&stride| stride as usize);
        let (width, is_deep) = (self.content.width(), is_deep(&self.content));
        let [rows, ..] = self.content.planes_data_mut();
        let hides = input.format_info().has_alpha() && !alpha_is_mask;
        if hides && !fill_hidden(rows, width as usize, stride, is_deep) {
            return Ok(false);
        }
        if input.is_interlaced() {
            keep_first_field(rows, stride, is_deep, input.is_tff());
        }
        Ok(true)
    }

    /// The frame that was read.
    pub fn content(&self) -> Rgba<'_> {
        rgba(&self.content)
    }

    /// Repaints the frame that was read into `output`; `limits` and `on_progress` as in [`Engine::stylize`].
    pub fn stylize(
        &mut self,
        engine: &mut Engine,
        limits: TimeLimits,
        on_progress: &mut dyn FnMut(Progress) -> bool,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<Duration, EngineError> {
        let no_copy = |_| EngineError::Failed("a frame cannot be copied".into());
        let begin = Instant::now();
        let [painted, ..] = self.painted.planes_data_mut();
        engine.stylize(rgba(&self.content), painted, limits, on_progress)?;
        let took = begin.elapsed();
        match &mut self.whole {
            Some(whole) => {
                self.from_rgba.frame(&self.painted, whole);
                whole.as_video_frame_ref().copy(output).map_err(no_copy)?;
            }
            None => self.from_rgba.frame_ref(&self.painted.as_video_frame_ref(), output),
        }
        Ok(took)
    }
}

/// Whether samples have 16 bits.
fn is_deep(frame: &VideoFrame<Writable>) -> bool {
    frame.format() == VideoFormat::Rgba64Le
}

/// A frame for the engine.
fn rgba(frame: &VideoFrame<Writable>) -> Rgba<'_> {
    let stride = frame.plane_stride().first().map_or(0, |&stride| stride as usize);
    let [data, ..] = frame.planes_data();
    Rgba { data, width: frame.width(), height: frame.height(), stride, is_deep: is_deep(frame) }
}

/// Whether GStreamer's converter would reach past the chroma's last row: where two fields share an odd number of them, it
/// takes them for one more.
fn breaks_fields(info: &VideoInfo) -> bool {
    let halves_rows = info.format_info().h_sub().contains(&1);
    info.is_interlaced() && halves_rows && matches!(info.height() % 4, 1 | 2)
}
