//! How much of the output has been made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::ClockTime;

use super::notes::Notes;
use super::tracks::Description;

/// Counts frames, measures how far the output's streams go, and collects its description and the notes on it.
pub struct Meter {
    /// The running times, in nanoseconds, at which video ends, and sound and subtitles.
    pub pictures_end: Arc<AtomicU64>,
    pub others_end: Arc<AtomicU64>,
    pub notes: Arc<Notes>,
    frames: AtomicU64,
    description: Mutex<Description>,
}

impl Meter {
    /// A meter for an output that already has `existing` of its video.
    pub fn new(existing: ClockTime) -> Self {
        let ends = [existing, ClockTime::ZERO];
        let [pictures_end, others_end] = ends.map(|end| Arc::new(AtomicU64::new(end.nseconds())));
        Self {
            pictures_end,
            others_end,
            notes: Arc::default(),
            frames: AtomicU64::new(0),
            description: Mutex::default(),
        }
    }

    /// Counts a frame.
    pub fn add_frame(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames converted in this run.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// The end of the video.
    pub fn length(&self) -> ClockTime {
        ClockTime::from_nseconds(self.pictures_end.load(Ordering::Relaxed))
    }

    /// The end of the last stream.
    pub fn end(&self) -> ClockTime {
        self.length().max(ClockTime::from_nseconds(self.others_end.load(Ordering::Relaxed)))
    }

    /// The description of the output.
    pub fn description(&self) -> MutexGuard<'_, Description> {
        self.description.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
