//! Converts a film with one element: video goes through the element, sound and subtitles are copied.

mod atoms;
pub mod bar;
mod branch;
pub mod bus;
mod chapters;
mod colors;
mod container;
mod continued;
mod corrections;
mod cut;
mod draft;
mod earlier;
mod ebml;
mod gif;
mod last_picture;
mod lock;
mod matroska;
mod meter;
mod movie;
mod mp4;
mod notes;
mod order;
pub mod parts;
mod picture;
mod segments;
pub mod shots;
mod sound;
mod source;
mod streams;
mod subtitles;
mod times;
mod tracks;

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gst::ClockTime;
use gst::prelude::*;

use branch::Branches;
use container::{Container, Encoder};
use draft::Draft;
use earlier::Earlier;
use meter::Meter;
use notes::Notes;
use source::Source;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The maximum time to close the output after an error or an interruption.
const CLOSING: Duration = Duration::from_secs(20);

/// A film that ends this much before the duration in its file is truncated.
const MISSING: ClockTime = ClockTime::from_mseconds(500);

/// A film to convert.
pub struct Film {
    /// The file to read.
    pub input: PathBuf,
    /// The file to write; the extension selects the container.
    pub output: PathBuf,
    /// The element for the video, not yet in a pipeline.
    pub element: gst::Element,
    /// The encoder's name; None: the container's default.
    pub encoder: Option<String>,
    /// The encoder's quality, smaller is better; None: the encoder's default.
    pub quality: Option<u32>,
    /// Where the part to convert begins; None: at the input's beginning.
    pub start: Option<ClockTime>,
    /// The length of the part to convert; None: to the input's end.
    pub duration: Option<ClockTime>,
    /// Whether to show the result in a window.
    pub preview: bool,
    /// Whether to continue what an earlier run has made.
    pub resume: bool,
    /// Whether to replace the output, and what an earlier run has left unfinished.
    pub overwrite: bool,
}

/// The progress of a film.
pub struct Progress<'a> {
    /// Frames converted in this run.
    pub frames: u64,
    /// The length of the output so far.
    pub reached: ClockTime,
    /// The length of the finished output.
    pub total: ClockTime,
    /// The element's last progress message, which it posts during a slow frame.
    pub message: &'a str,
}

/// A finished or interrupted film.
pub struct Made {
    /// Frames converted in this run.
    pub frames: u64,
    /// The duration of this run.
    pub elapsed: Duration,
    /// The length of the output.
    pub length: ClockTime,
    /// Whether the run was interrupted.
    pub stopped: bool,
    /// The file with the film: after an interruption, it is beside an output that existed before.
    pub path: PathBuf,
    /// The differences from the input.
    notes: Arc<Notes>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (frames, elapsed) = (self.frames, self.elapsed.as_secs_f64());
        let rate = frames as f64 / elapsed;
        let length = seconds(self.length);
        write!(f, "{frames} frames in {elapsed:.1} s, {rate:.2} frames/s, length {length}{}", self.notes)
    }
}

impl Film {
    /// Converts the whole of `input` with `element` to `output`, which is replaced.
    pub fn new(input: &Path, output: PathBuf, element: &gst::Element) -> Self {
        Self {
            input: input.to_owned(),
            output,
            element: element.clone(),
            encoder: None,
            quality: None,
            start: None,
            duration: None,
            preview: false,
            resume: false,
            overwrite: true,
        }
    }

    /// Converts the film and calls `tick` with the progress. The output is written beside its place, and takes it when
    /// it is finished. When `stop` is set, or after an error, what has been made can be played and resumed; it becomes
    /// the output, unless there is one.
    pub fn make(&self, tick: impl Fn(&Progress), stop: &AtomicBool) -> Outcome<Made> {
        let container = Container::of(&self.output)?;
        let encoder = Encoder::new(self.encoder.as_deref().unwrap_or(container.encoder()), self.quality)?;
        let draft = Draft::new(&self.input, &self.output)?;
        let mut earlier = if self.resume { Earlier::of(&draft)? } else { None };
        if let Some(earlier) = &mut earlier {
            earlier.compare(&self.input, self.start.unwrap_or_default())?;
        }
        if !self.resume && !self.overwrite {
            draft.must_be_free()?;
        }
        let existing = earlier.as_ref().map_or(ClockTime::ZERO, |earlier| earlier.last);

        let meter = Arc::new(Meter::new(existing));
        let made = run(&self.input, &draft, &meter, tick, stop, |pipeline| {
            self.build(pipeline, container, &encoder, &draft, earlier.as_ref(), &meter)
        });
        let is_empty = meter.length() == ClockTime::ZERO;
        let no_video = || format!("{} has no video{}", self.input.display(), self.after_start());
        match made {
            Ok(made) if !made.stopped && is_empty => {
                draft.remove()?;
                Err(no_video().into())
            }
            Ok(made) if !made.stopped => {
                draft.finish(&meter.description())?;
                Ok(made)
            }
            made => {
                let begun = draft.is_begun().then(|| Earlier::measure(&draft.path)).flatten();
                let Some(longest) = begun.into_iter().chain(earlier).max_by_key(|film| film.last) else {
                    draft.remove()?;
                    return made;
                };
                if made.is_ok() && longest.path == draft.path {
                    draft.correct(&meter.description())?;
                }
                let output = draft.output.clone();
                let path = draft.keep(&longest.path)?;
                match made {
                    Ok(made) => Ok(Made { path, ..made }),
                    Err(error) if path != output => Err(format!("{error}; {} is what was made", path.display()).into()),
                    error => error,
                }
            }
        }
    }

    /// Builds the pipeline; also returns the length of the finished output.
    fn build(
        &self,
        pipeline: &gst::Pipeline,
        container: &'static Container,
        encoder: &Encoder,
        draft: &Draft,
        earlier: Option<&Earlier>,
        meter: &Arc<Meter>,
    ) -> Outcome<(Branches, ClockTime)> {
        let from = self.start.unwrap_or_default();
        let to = self.duration.map(|duration| from + duration);
        let source = Source::open_noting(pipeline, &self.input, &container.wanted(), &meter.notes)?;
        let whole = source.duration();
        if self.start.is_some() || self.duration.is_some() {
            source.take(from, to)?;
        }
        let end = to.map_or(whole, |to| to.min(whole));
        let mut branches = Branches::new(pipeline, container, draft, meter)?;
        branches.add_chapters(&source.extras, from, end);
        match earlier {
            None => branches.add_all(source, self, encoder)?,
            Some(earlier) => {
                // Only the video continues where it ended: sound and subtitles are copied from the whole film.
                let rest = Source::open(pipeline, &self.input, &container.wanted())?;
                rest.take_after(from, earlier.last, to)?;
                let made = Source::open(pipeline, &earlier.path, &container.stored())?;
                branches.add_continued(source, (earlier, made), rest, self, encoder)?;
            }
        }
        Ok((branches, end.saturating_sub(from)))
    }

    fn after_start(&self) -> String {
        self.start.map_or_else(String::new, |start| format!(" after {}", seconds(start)))
    }
}

/// Runs the pipeline that `build` fills. `build` also returns the length of the finished output.
fn run(
    input: &Path,
    draft: &Draft,
    meter: &Meter,
    tick: impl Fn(&Progress),
    stop: &AtomicBool,
    build: impl FnOnce(&gst::Pipeline) -> Outcome<(Branches, ClockTime)>,
) -> Outcome<Made> {
    let begin = Instant::now();
    let pipeline = gst::Pipeline::new();
    let made = build(&pipeline).and_then(|(branches, total)| {
        let stopped = play(&pipeline, stop, &branches, &meter.notes, |message| {
            tick(&Progress { frames: meter.frames(), reached: meter.length(), total, message });
        })?;
        if !stopped && meter.end() + MISSING < total {
            let [end, total] = [meter.end(), total].map(seconds);
            let input = input.display();
            return Err(format!("{input} is truncated: it ends at {end} of {total}; the output ends there, too").into());
        }
        let (frames, length, path) = (meter.frames(), meter.length(), draft.output.clone());
        Ok(Made { frames, elapsed: begin.elapsed(), length, stopped, path, notes: meter.notes.clone() })
    });
    // Errors were read from the bus.
    let _ = pipeline.set_state(gst::State::Null);
    made
}

/// Plays to the end, or until `stop` is set: then it closes the file and returns true.
fn play(
    pipeline: &gst::Pipeline,
    stop: &AtomicBool,
    branches: &Branches,
    notes: &Notes,
    tick: impl Fn(&str),
) -> Outcome<bool> {
    pipeline.set_state(gst::State::Playing).map_err(|error| bus::error(pipeline).unwrap_or_else(|| error.into()))?;
    let mut progress = String::new();
    let mut reason = None;
    let mut closes_by = None;
    loop {
        let message = bus::next(pipeline);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => {
                reason = reason.or_else(|| Some(bus::words(error)));
            }
            // Streams without a decoder are noted when the film is opened.
            Some(gst::MessageView::Warning(warning)) if !warning.error().matches(gst::StreamError::CodecNotFound) => {
                notes.changed(bus::line(&warning.error(), warning.debug()));
            }
            Some(gst::MessageView::Progress(message)) => message.get().2.clone_into(&mut progress),
            Some(gst::MessageView::Eos(_)) => break,
            _ => tick(&progress),
        }
        if closes_by.is_none() && (reason.is_some() || stop.load(Ordering::Relaxed)) {
            if reason.is_some() {
                // A file without video is not worth closing.
                if branches.is_empty() {
                    break;
                }
                branches.abort()
            } else {
                branches.stop()
            }
            closes_by = Some(Instant::now() + CLOSING);
        }
        if closes_by.is_some_and(|time| time < Instant::now()) {
            break;
        }
    }
    match reason {
        Some(reason) => Err(reason.into()),
        None => Ok(closes_by.is_some()),
    }
}

/// A time in the form `1:02:03.4`.
pub fn seconds(time: ClockTime) -> String {
    let tenths = time.mseconds() / 100;
    let (hours, minutes, seconds, tenths) = (tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60, tenths % 10);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{tenths}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}.{tenths}"),
    }
}

/// A number of any length, as in Matroska and MP4.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
