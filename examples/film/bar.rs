//! How far a film is, on a terminal.

use std::error::Error;

use gst::ClockTime;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Progress, seconds};

/// A bar that goes away with it.
pub struct Bar(ProgressBar);

impl Bar {
    /// For the film of this name.
    pub fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let style = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} % {wide_msg}")?;
        Ok(Self(ProgressBar::new(0).with_style(style).with_prefix(name.to_owned())))
    }

    /// Shows what is there, how many frames a second are made, and how long it still takes.
    pub fn show(&self, progress: &Progress) {
        let Self(bar) = self;
        if bar.length() != Some(progress.total.mseconds()) {
            bar.set_length(progress.total.mseconds());
            // What was there does not tell how quick the rest will be.
            bar.set_position(progress.reached.mseconds());
            bar.reset_eta();
            bar.reset_elapsed();
        }
        bar.set_position(progress.reached.mseconds());
        let rate = progress.frames as f64 / bar.elapsed().as_secs_f64().max(1e-3);
        let left = ClockTime::from_seconds(bar.eta().as_secs());
        bar.set_message(match progress.frames {
            0 => progress.told.to_owned(),
            frames => {
                let (reached, left) = (seconds(progress.reached), seconds(left));
                format!("{reached}, {frames} frames, {rate:.1} a second, {left} left")
            }
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
