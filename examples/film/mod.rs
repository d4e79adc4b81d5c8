//! Films through one element: every picture through it, sound and subtitles past it, into a file.
#![allow(dead_code, reason = "each program uses its own part")]

pub mod bar;
mod branch;
pub mod bus;
mod container;
mod earlier;
mod last_picture;
pub mod parts;
pub mod shots;
mod source;
mod subtitles;

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::ClockTime;
use gst::prelude::*;

use branch::Branches;
use container::{Container, Encoder};
use earlier::Earlier;
use source::Source;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long the file is given to be closed once something went wrong.
const CLOSING: Duration = Duration::from_secs(20);

/// A film that ends so much earlier than its file says is cut off.
const MISSING: ClockTime = ClockTime::from_mseconds(500);

/// A film to be made.
pub struct Film {
    /// The file to read.
    pub input: PathBuf,
    /// The file to write; its extension says what it becomes.
    pub output: PathBuf,
    /// What pictures go through, not yet in a pipeline.
    pub element: gst::Element,
    /// What encodes them, as for [`Encoder::new`], where it is not what is usual, and how well.
    pub encoder: Option<String>,
    pub quality: Option<u32>,
    /// Where in the input to begin, and how much of it to take.
    pub start: Option<ClockTime>,
    pub duration: Option<ClockTime>,
    /// Whether to show what is made.
    pub preview: bool,
    /// Whether to go on where the output, if it exists, ends.
    pub resume: bool,
}

/// How far a film is.
pub struct Progress<'a> {
    /// Pictures made, without those that were there.
    pub frames: u64,
    /// How much of the film is there, and how long it becomes.
    pub reached: ClockTime,
    pub total: ClockTime,
    /// What the element tells of a picture that takes long.
    pub told: &'a str,
}

/// A film that was made, as far as it goes.
pub struct Made {
    /// Pictures made, without those that were there.
    pub frames: u64,
    /// How long that took.
    pub elapsed: Duration,
    /// How long the film is.
    pub length: ClockTime,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Streams of the input that the output cannot hold.
    pub left_out: Vec<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (frames, elapsed) = (self.frames, self.elapsed.as_secs_f64());
        let rate = frames as f64 / elapsed;
        write!(f, "{frames} frames in {elapsed:.1} s, {rate:.2} frames/s, now {} long", seconds(self.length))?;
        if !self.left_out.is_empty() {
            write!(f, "; left out, since it cannot be held: {}", self.left_out.join(", "))?;
        }
        Ok(())
    }
}

/// What pads hear of the film that goes through them.
pub struct Meter {
    frames: AtomicU64,
    /// The running times, in nanoseconds, at which pictures end, and sound and subtitles.
    pictures_end: Arc<AtomicU64>,
    others_end: Arc<AtomicU64>,
}

impl Meter {
    /// For a film of which so much is there.
    fn new(there: ClockTime) -> Self {
        let [pictures_end, others_end] = [there, ClockTime::ZERO].map(|end| Arc::new(AtomicU64::new(end.nseconds())));
        Self { frames: AtomicU64::new(0), pictures_end, others_end }
    }

    /// Pictures made.
    fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Where pictures end.
    fn length(&self) -> ClockTime {
        ClockTime::from_nseconds(self.pictures_end.load(Ordering::Relaxed))
    }

    /// Where everything ends.
    fn end(&self) -> ClockTime {
        self.length().max(ClockTime::from_nseconds(self.others_end.load(Ordering::Relaxed)))
    }
}

impl Film {
    /// The whole of `input` through `element` into `output`.
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
        }
    }

    /// Makes the film; `tick` hears how far it is. Once `stop` is set, the file is closed as it is then, and can be played
    /// and resumed. It can, too, after an error, where pictures had been made.
    pub fn make(&self, tick: impl Fn(&Progress), stop: &AtomicBool) -> Outcome<Made> {
        let container = Container::of(&self.output)?;
        let encoder = Encoder::new(self.encoder.as_deref().unwrap_or(container.encoder()), self.quality)?;
        let earlier = if self.resume { Earlier::of(&self.output)? } else { None };
        let there = earlier.as_ref().map_or(ClockTime::ZERO, |earlier| earlier.length);

        let meter = Arc::new(Meter::new(there));
        let made = run(&self.input, &meter, tick, stop, |pipeline| {
            self.build(pipeline, container, &encoder, earlier.as_ref(), &meter)
        });
        let is_empty = meter.length() == ClockTime::ZERO;
        if let Some(earlier) = earlier {
            earlier.keep_the_longer(&self.output)?;
        } else if is_empty && self.output.is_file() {
            std::fs::remove_file(&self.output)?;
        }
        match made {
            Ok(made) if is_empty && !made.stopped => {
                Err(format!("{} has no pictures{}", self.input.display(), self.where_asked()).into())
            }
            made => made,
        }
    }

    /// Puts everything into the pipeline, which then waits to be played; how long the film becomes.
    fn build(
        &self,
        pipeline: &gst::Pipeline,
        container: &'static Container,
        encoder: &Encoder,
        earlier: Option<&Earlier>,
        meter: &Arc<Meter>,
    ) -> Outcome<(Branches, ClockTime)> {
        let from = self.start.unwrap_or_default();
        let to = self.duration.map(|duration| from + duration);
        let source = Source::open(pipeline, &self.input, &container.wanted())?;
        let whole = source.duration();
        if self.start.is_some() || self.duration.is_some() {
            source.take(from, to)?;
        }
        let mut branches = Branches::new(pipeline, container, &self.output, meter)?;
        match earlier {
            None => branches.add_all(source, self, encoder)?,
            Some(earlier) => {
                // Pictures go on from where they ended; sound and subtitles are the whole film's.
                let rest = Source::open(pipeline, &self.input, &container.wanted())?;
                rest.take_after(from, earlier.length, to)?;
                let made = Source::open(pipeline, &earlier.path, &container.stored())?;
                branches.add_continued(source, made, rest, self, encoder)?;
            }
        }
        let end = to.map_or(whole, |to| to.min(whole));
        Ok((branches, end.saturating_sub(from)))
    }

    fn where_asked(&self) -> String {
        self.start.map_or_else(String::new, |start| format!(" from {} on", seconds(start)))
    }
}

/// Plays what `build` puts into a pipeline, which also tells how long the film made of `input` becomes.
fn run(
    input: &Path,
    meter: &Meter,
    tick: impl Fn(&Progress),
    stop: &AtomicBool,
    build: impl FnOnce(&gst::Pipeline) -> Outcome<(Branches, ClockTime)>,
) -> Outcome<Made> {
    let begin = Instant::now();
    let pipeline = gst::Pipeline::new();
    let made = build(&pipeline).and_then(|(branches, total)| {
        let stopped = play(&pipeline, stop, &branches, |told| {
            tick(&Progress { frames: meter.frames(), reached: meter.length(), total, told });
        })?;
        if !stopped && meter.end() + MISSING < total {
            let [end, total] = [meter.end(), total].map(seconds);
            return Err(format!("{} is cut off after {end} of {total}; the film goes so far", input.display()).into());
        }
        let (frames, length) = (meter.frames(), meter.length());
        Ok(Made { frames, elapsed: begin.elapsed(), length, stopped, left_out: branches.left_out })
    });
    // What failed came over the bus.
    let _ = pipeline.set_state(gst::State::Null);
    made
}

/// Plays to the end, or until `stop` is set: then the file is closed and true is returned.
fn play(pipeline: &gst::Pipeline, stop: &AtomicBool, branches: &Branches, tick: impl Fn(&str)) -> Outcome<bool> {
    pipeline.set_state(gst::State::Playing).map_err(|error| bus::error(pipeline).unwrap_or_else(|| error.into()))?;
    let mut told = String::new();
    let mut reason = None;
    let mut closes_by = None;
    loop {
        let message = bus::next(pipeline);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => {
                reason = reason.or_else(|| Some(bus::words(error)));
            }
            Some(gst::MessageView::Progress(message)) => message.get().2.clone_into(&mut told),
            Some(gst::MessageView::Eos(_)) => break,
            _ => tick(&told),
        }
        if closes_by.is_none() && (reason.is_some() || stop.load(Ordering::Relaxed)) {
            if reason.is_some() {
                // Where there are no pictures, there is nothing to close.
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

/// A time as people write it: `1:02:03.4`.
pub fn seconds(time: ClockTime) -> String {
    let tenths = time.mseconds() / 100;
    let (hours, minutes, seconds, tenths) = (tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60, tenths % 10);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{tenths}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}.{tenths}"),
    }
}
