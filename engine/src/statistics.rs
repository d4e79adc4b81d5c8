//! Numbers that describe the last frame.

use std::ffi::CStr;

use style_engine_interface::Statistic;

/// The statistics of the last frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrameStatistics {
    /// Frames since the session began.
    pub frames: u64,
    /// The width of the painted picture, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
    /// Optimization steps taken, each an evaluation of the losses and their gradient.
    pub steps: u32,
    /// The style loss before the last step, without its weight.
    pub style_loss: f64,
    /// The content loss before the last step, without its weight.
    pub content_loss: f64,
    /// The total variation before the last step, without its weight.
    pub tv_loss: f64,
    /// The time that the frame took, in milliseconds.
    pub milliseconds: f64,
}

impl FrameStatistics {
    /// The statistics with their names, for the C interface.
    pub(crate) fn named(&self) -> Vec<Statistic> {
        let whole = |name: &'static CStr, value: f64| Statistic { name: name.as_ptr(), value, is_whole: true };
        let real = |name: &'static CStr, value: f64| Statistic { name: name.as_ptr(), value, is_whole: false };
        vec![
            whole(c"frames", self.frames as f64),
            whole(c"width", self.width.into()),
            whole(c"height", self.height.into()),
            whole(c"steps", self.steps.into()),
            real(c"style-loss", self.style_loss),
            real(c"content-loss", self.content_loss),
            real(c"tv-loss", self.tv_loss),
            real(c"milliseconds", self.milliseconds),
        ]
    }
}
