//! Stretches masks of any format to the size of frames, by GStreamer's own converter.

use gst_video::video_frame::Writable;
use gst_video::{
    VideoConverter, VideoConverterConfig, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo, VideoResamplerMethod,
};

use super::files::MaskError;
use super::opacity::Grid;
use crate::layout::Layout;

/// Stretches the brightness of frames of one format and size.
pub struct Stretcher {
    from: VideoInfo,
    /// Width and height of the result.
    size: [usize; 2],
    converter: VideoConverter,
    gray: VideoFrame<Writable>,
    layout: Layout,
}

impl Stretcher {
    /// From frames like `from` to this width and height.
    pub fn new(from: &VideoInfo, size: [usize; 2]) -> Result<Self, MaskError> {
        let failed = |error: &dyn std::fmt::Display| MaskError::NotStretched(error.to_string());
        let is_deep = from.format_info().depth().first().is_some_and(|&bits| bits > 8);
        let format = if is_deep { VideoFormat::Gray16Le } else { VideoFormat::Gray8 };
        let gray = VideoInfo::builder(format, size[0] as u32, size[1] as u32).interlace_mode(from.interlace_mode());
        let gray = gray.build().map_err(|error| failed(&error))?;
        let mut config = VideoConverterConfig::new();
        // Any other method would overshoot, or leave blocks.
        config.set_resampler_method(VideoResamplerMethod::Linear);
        let buffer = gst::Buffer::with_size(gray.size()).map_err(|error| failed(&error))?;
        Ok(Self {
            from: from.clone(),
            size,
            converter: VideoConverter::new(from, &gray, Some(config)).map_err(|error| failed(&error))?,
            layout: Layout::new(&gray),
            gray: VideoFrame::from_buffer_writable(buffer, &gray).map_err(|_| failed(&"it cannot be mapped"))?,
        })
    }

    /// Whether it stretches such frames to this width and height.
    pub fn suits(&self, from: &VideoInfo, size: [usize; 2]) -> bool {
        (&self.from, self.size) == (from, size)
    }

    /// The brightness of a frame as opacities, or their complements.
    pub fn stretch(&mut self, frame: &VideoFrameRef<&gst::BufferRef>, invert: bool) -> Result<Grid, MaskError> {
        self.converter.frame_ref(frame, &mut self.gray.as_mut_video_frame_ref());
        let gray = self.layout.components.first().ok_or(MaskError::Unreadable)?;
        Ok(Grid::of_component(&self.gray.as_video_frame_ref(), self.layout.depth, gray, invert))
    }
}
