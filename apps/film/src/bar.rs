//! A progress bar on a terminal.

use std::error::Error;
use std::path::Path;

use gst::ClockTime;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Progress, seconds};

/// A progress bar, which is cleared when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for the film at this path.
    pub fn new(path: &Path) -> Result<Self, Box<dyn Error>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let style = ProgressStyle::with_template("{prefix} {bar:20} {percent:>3} % {wide_msg}")?;
        Ok(Self(ProgressBar::new(0).with_style(style).with_prefix(name)))
    }

    /// Shows the progress, the frame rate and the remaining time.
    pub fn show(&self, progress: &Progress) {
        let Self(bar) = self;
        if bar.length() != Some(progress.total.mseconds()) {
            bar.set_length(progress.total.mseconds());
            // The part that an earlier run made must not count for the remaining time.
            bar.set_position(progress.reached.mseconds());
            bar.reset_eta();
        }
        bar.set_position(progress.reached.mseconds());
        let rate = progress.frames as f64 / bar.elapsed().as_secs_f64().max(1e-3);
        let left = ClockTime::from_seconds(bar.eta().as_secs());
        bar.set_message(match progress.frames {
            0 => progress.message.to_owned(),
            frames => format!("{frames} frames, {rate:.1}/s, {} left", seconds(left)),
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
