//! A film through one element into an MP4 file, with its sound.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;

/// Passes through what the elements take, which is not yet films of more than 8 bits.
const VIDEO_DECODER: &str = "queue ! videoconvert";

/// What every player takes.
const VIDEO_ENCODER: &str = "videoconvert ! video/x-raw,format=I420 \
    ! x264enc speed-preset=veryfast pass=quant quantizer=20 ! h264parse ! queue";

/// A film to be made.
pub struct Film {
    pipeline: gst::Pipeline,
    path: PathBuf,
    frames: Arc<AtomicU64>,
}

/// A film that was made.
pub struct Made {
    /// The file.
    pub path: PathBuf,
    frames: u64,
    elapsed: Duration,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = self.frames as f64 / seconds;
        write!(f, "{}: {} frames in {seconds:.1} s, {rate:.2} frames/s", self.path.display(), self.frames)
    }
}

impl Film {
    /// Reads `source`, sends its pictures through `element`, and writes `path`. Its sound, where it has any, is taken
    /// over as it is if MP4 can hold it, else encoded anew.
    pub fn new(source: &Path, path: PathBuf, element: &gst::Element) -> Result<Self, Box<dyn Error>> {
        let pipeline = gst::Pipeline::new();
        let decoder = gst::ElementFactory::make("uridecodebin")
            .property("uri", glib::filename_to_uri(std::path::absolute(source)?, None)?)
            .property("caps", "video/x-raw; audio/mpeg; audio/x-raw".parse::<gst::Caps>()?)
            .build()?;
        let muxer = gst::ElementFactory::make("mp4mux").build()?;
        let sink = gst::ElementFactory::make("filesink").property("location", path.to_str()).build()?;
        pipeline.add_many([&decoder, element, &muxer, &sink])?;
        muxer.link(&sink)?;
        // Without an input the muxer would end at once: it waits for the streams, which wait for this signal.
        muxer.set_locked_state(true);
        let waiting = muxer.clone();
        decoder.connect_no_more_pads(move |_| {
            waiting.set_locked_state(false);
            // A failure comes over the bus.
            let _ = waiting.sync_state_with_parent();
        });

        let frames = Arc::new(AtomicU64::new(0));
        if let Some(pad) = element.static_pad("src") {
            let frames = frames.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                frames.fetch_add(1, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
        }

        let (weak, element) = (pipeline.downgrade(), element.clone());
        decoder.connect_pad_added(move |_, pad| {
            if let Some(pipeline) = weak.upgrade()
                && let Err(error) = connect(&pipeline, pad, &element, &muxer)
            {
                gst::element_error!(pipeline, gst::CoreError::Pad, ["{error}"]);
            }
        });
        Ok(Self { pipeline, path, frames })
    }

    /// Calls `change` before each frame, with the share (0..1) of the film that lies before it.
    pub fn on_time(&self, element: &gst::Element, change: impl Fn(&gst::Element, f64) + Send + Sync + 'static) {
        let (pipeline, target) = (self.pipeline.downgrade(), element.downgrade());
        let Some(pad) = element.static_pad("sink") else { return };
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let duration = pipeline.upgrade().and_then(|pipeline| pipeline.query_duration::<gst::ClockTime>());
            if let (Some(target), Some(duration), Some(time)) =
                (target.upgrade(), duration, info.buffer().and_then(|buffer| buffer.pts()))
            {
                change(&target, time.nseconds() as f64 / duration.nseconds().max(1) as f64);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Makes the film, showing how far it is.
    pub fn run(self) -> Result<Made, Box<dyn Error>> {
        let begin = Instant::now();
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        wait(&self.pipeline, |pipeline, progress| {
            let position = pipeline.query_position::<gst::ClockTime>().unwrap_or_default();
            let duration = pipeline.query_duration::<gst::ClockTime>().unwrap_or_default();
            let percent = (position.nseconds() * 100 / duration.nseconds().max(1)).min(100) as usize;
            let frames = match self.frames.load(Ordering::Relaxed) {
                0 => progress.to_owned(),
                frames => format!("{frames} frames"),
            };
            let bar = "#".repeat(percent / 5);
            print!("\r{name} [{bar:20}] {percent:3} % {frames:50}");
            // Only a display: nothing is lost where it cannot be shown.
            let _ = std::io::stdout().flush();
        })?;
        let made = Made { frames: self.frames.load(Ordering::Relaxed), elapsed: begin.elapsed(), path: self.path };
        println!("\r{:90}", made.to_string());
        Ok(made)
    }
}

/// Plays `pipeline` to its end, calling `tick` twice a second with what the elements tell of their progress.
pub fn wait(pipeline: &gst::Pipeline, tick: impl Fn(&gst::Pipeline, &str)) -> Result<(), Box<dyn Error>> {
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let played = pipeline.set_state(gst::State::Playing);
    let mut progress = String::new();
    let result = loop {
        let types = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Progress];
        match bus.timed_pop_filtered(gst::ClockTime::from_mseconds(500), &types).as_ref().map(|message| message.view())
        {
            Some(gst::MessageView::Error(error)) => break Err(words(error)),
            Some(gst::MessageView::Progress(message)) => progress = message.get().2.to_owned(),
            Some(_) => break Ok(()),
            None => tick(pipeline, &progress),
        }
    };
    // The elements close their files; the error, if any, came over the bus.
    pipeline.set_state(gst::State::Null)?;
    result?;
    played?;
    Ok(())
}

/// What an error says, with what it says to developers.
fn words(error: &gst::message::Error) -> String {
    format!("{} ({})", error.error(), error.debug().unwrap_or_default())
}

/// Continues a decoded stream to the muxer: pictures through `element`, sound past it. Other streams are left.
fn connect(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    element: &gst::Element,
    muxer: &gst::Element,
) -> Result<(), Box<dyn Error>> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let structure = caps.structure(0).ok_or("a stream without caps")?;
    let (before, through, after) = match (structure.name().as_str(), structure.get::<i32>("mpegversion")) {
        ("video/x-raw", _) => (VIDEO_DECODER, Some(element), VIDEO_ENCODER),
        ("audio/mpeg", Ok(1)) => ("queue", None, "mpegaudioparse ! queue"),
        ("audio/mpeg", _) => ("queue", None, "aacparse ! queue"),
        ("audio/x-raw", _) => ("queue", None, "audioconvert ! audioresample ! avenc_aac ! aacparse ! queue"),
        _ => return Ok(()),
    };
    let bin = |description| gst::parse::bin_from_description(description, true).map(Cast::upcast::<gst::Element>);
    let (before, after) = (bin(before)?, bin(after)?);
    pipeline.add_many([&before, &after])?;
    gst::Element::link_many([Some(&before), through, Some(&after), Some(muxer)].into_iter().flatten())?;
    after.sync_state_with_parent()?;
    before.sync_state_with_parent()?;
    pad.link(&before.static_pad("sink").ok_or("a bin without a sink")?)?;
    Ok(())
}
