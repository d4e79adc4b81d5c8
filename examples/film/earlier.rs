//! What there is of a film that was stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::ClockTime;
use gst::prelude::*;

use super::container::{self, Container};
use super::source::{self, Source};
use super::{Outcome, bus};

/// A film as far as it was made, moved out of the way of what goes on from it.
pub struct Earlier {
    /// The file.
    pub path: PathBuf,
    /// Where its pictures end.
    pub length: ClockTime,
}

impl Earlier {
    /// What there is of `output`, if there is something.
    pub fn of(output: &Path) -> Outcome<Option<Self>> {
        let path = beside(output);
        // A break while going on left two: then the longer counts.
        let (of_output, of_path) = (length(output), length(&path));
        if of_output.max(of_path).is_none() {
            return Ok(None);
        }
        if of_output >= of_path {
            std::fs::rename(output, &path)?;
        }
        Ok(of_output.max(of_path).map(|length| Self { path, length }))
    }

    /// Once what went on from it is done with: leaves the longer of both as `output`.
    pub fn keep_the_longer(self, output: &Path) -> Outcome<()> {
        if length(output) >= Some(self.length) {
            std::fs::remove_file(&self.path)?;
        } else {
            std::fs::rename(&self.path, output)?;
        }
        Ok(())
    }
}

/// `film.mp4`: `film.part.mp4`.
fn beside(output: &Path) -> PathBuf {
    output.with_extension(format!("part.{}", output.extension().unwrap_or_default().display()))
}

/// Where a film's pictures end; none where there is no such film or it cannot be read.
fn length(path: &Path) -> Option<ClockTime> {
    let pipeline = gst::Pipeline::new();
    let length = path.is_file().then(|| measure(&pipeline, path).ok()).flatten();
    // It only read.
    let _ = pipeline.set_state(gst::State::Null);
    length.filter(|&length| length > ClockTime::ZERO)
}

fn measure(pipeline: &gst::Pipeline, path: &Path) -> Outcome<ClockTime> {
    let source = Source::open(pipeline, path, &Container::of(path)?.stored())?;
    let end = Arc::new(AtomicU64::new(0));
    for stream in source.streams {
        if container::name(&stream.caps).starts_with("video/") {
            source::measure(&stream.pad, &end);
        }
        stream.discard(pipeline)?;
    }
    bus::wait(pipeline)?;
    Ok(ClockTime::from_nseconds(end.load(Ordering::Relaxed)))
}
