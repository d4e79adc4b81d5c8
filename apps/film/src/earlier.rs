//! The unfinished output of an earlier run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::ClockTime;
use gst::prelude::*;

use super::container::{self, Container};
use super::source::{self, Source};
use super::{Outcome, bus};

/// An unfinished film. It was renamed, so that the new run can write the output.
pub struct Earlier {
    /// The renamed file.
    pub path: PathBuf,
    /// The end of its video.
    pub length: ClockTime,
}

impl Earlier {
    /// Renames the unfinished film at `output`, if there is one.
    pub fn of(output: &Path) -> Outcome<Option<Self>> {
        let path = beside(output);
        // If a resumed run was killed, both files exist: the longer one is used.
        let (of_output, of_path) = (length(output), length(&path));
        if of_output.max(of_path).is_none() {
            return Ok(None);
        }
        if of_output >= of_path {
            std::fs::rename(output, &path)?;
        }
        Ok(of_output.max(of_path).map(|length| Self { path, length }))
    }

    /// After the new run: keeps the longer one of both films as `output`.
    pub fn keep_the_longer(self, output: &Path) -> Outcome<()> {
        if length(output) >= Some(self.length) {
            std::fs::remove_file(&self.path)?;
        } else {
            std::fs::rename(&self.path, output)?;
        }
        Ok(())
    }
}

/// The name for the unfinished film: `film.mp4` becomes `film.part.mp4`.
fn beside(output: &Path) -> PathBuf {
    output.with_extension(format!("part.{}", output.extension().unwrap_or_default().display()))
}

/// The end of a film's video; None if the file does not exist or cannot be read.
fn length(path: &Path) -> Option<ClockTime> {
    let pipeline = gst::Pipeline::new();
    let length = path.is_file().then(|| measure(&pipeline, path).ok()).flatten();
    // A failure loses nothing: the pipeline only reads.
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
