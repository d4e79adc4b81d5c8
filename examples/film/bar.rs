//! How far a film is, on a terminal.

use std::error::Error;
use std::path::Path;

use gst::ClockTime;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Progress, seconds};

/// A bar that goes away with it.
pub struct Bar(ProgressBar);

impl Bar {
    /// For the film at this path.
    pub fn new(path: &Path) -> Result<Self, Box<dyn Error>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let style = ProgressStyle::with_template("{prefix} {bar:20} {percent:>3} % {wide_msg}")?;
        Ok(Self(ProgressBar::new(0).with_style(style).with_prefix(name)))
    }

    /// Shows what is there, how many frames a second are made, and how long it still takes.
    pub fn show(&self, progress: &Progress) {
        let Self(bar) = self;
        if bar.length() != Some(progress.total.mseconds()) {
            bar.set_length(progress.total.mseconds());
            // What was there does not tell how quick the rest will be.
            bar.set_position(progress.reached.mseconds());
            bar.reset_eta();
        }
        bar.set_position(progress.reached.mseconds());
        let rate = progress.frames as f64 / bar.elapsed().as_secs_f64().max(1e-3);
        let left = ClockTime::from_seconds(bar.eta().as_secs());
        bar.set_message(match progress.frames {
            0 => progress.told.to_owned(),
            frames => format!("{frames} frames, {rate:.1}/s, {} left", seconds(left)),
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
