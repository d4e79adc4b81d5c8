//! Finds a film's shots.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};
use gst_video::prelude::*;
use gst_video::{ForceKeyUnitEvent, VideoFrameRef, VideoInfo};

use super::segments::span;
use super::source::Source;
use super::streams::Stream;
use super::{Outcome, bus};

/// The frames from one cut to the next.
pub struct Shot {
    /// The place of its first frame in the film.
    pub begin: ClockTime,
    /// The number of frames.
    pub frames: u64,
}

/// The minimum change of a frame's histogram, in one of Y, U and V, at a cut. A fast motion moves values, but keeps the
/// histogram: among the examined films, the softest cut had 0.39 and the fastest motion 0.19.
const MIN_CHANGE: f64 = 0.25;

/// The number of a histogram's bins.
const BINS: usize = 16;

/// The shots of the film at `path`. A cut is a frame where GStreamer's scenechange detects one, since it differs from
/// its predecessor much more than other frames do, and where the histogram changes, too.
pub fn shots(path: &Path) -> Outcome<Vec<Shot>> {
    let pipeline = gst::Pipeline::new();
    let notes = Arc::new(Mutex::new(Notes::default()));
    let noted = watch(&pipeline, path, &notes).and_then(|()| bus::wait(&pipeline));
    // Errors were read from the bus.
    let _ = pipeline.set_state(gst::State::Null);
    noted?;
    let shots = std::mem::take(&mut lock(&notes).shots);
    if shots.is_empty() { Err(format!("{} has no video", path.display()).into()) } else { Ok(shots) }
}

/// The state of the search.
#[derive(Default)]
struct Notes {
    shots: Vec<Shot>,
    /// The last frame.
    last: Option<(gst::Buffer, VideoInfo)>,
    /// Whether scenechange reported a cut before the next frame.
    may_be_cut: bool,
}

impl Notes {
    fn add(&mut self, place: ClockTime, buffer: &gst::Buffer, info: VideoInfo) {
        let may_be_cut = std::mem::take(&mut self.may_be_cut);
        let picture = (buffer.clone(), info);
        let is_cut = may_be_cut && self.last.as_ref().is_some_and(|last| change(last, &picture) > MIN_CHANGE);
        if is_cut || self.shots.is_empty() {
            self.shots.push(Shot { begin: place, frames: 0 });
        }
        self.last = Some(picture);
        if let Some(shot) = self.shots.last_mut() {
            shot.frames += 1;
        }
    }
}

/// The change between the histograms of two 8-bit planar frames: the largest of Y, U and V, from 0 to 1.
fn change(one: &(gst::Buffer, VideoInfo), other: &(gst::Buffer, VideoInfo)) -> f64 {
    let (Some(one), Some(other)) = (histograms(one), histograms(other)) else { return 1.0 };
    let changed = |(one, other): ([f64; BINS], [f64; BINS])| {
        one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum::<f64>() / 2.0
    };
    one.into_iter().zip(other).map(changed).fold(0.0, f64::max)
}

/// The normalized histograms of a frame's Y, U and V; None if the frame cannot be read.
fn histograms((buffer, info): &(gst::Buffer, VideoInfo)) -> Option<[[f64; BINS]; 3]> {
    let picture = VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()?;
    let of_plane = |plane: u32| {
        let (width, height) = (picture.comp_width(plane) as usize, picture.comp_height(plane) as usize);
        let data = picture.plane_data(plane).unwrap_or_default();
        let stride = picture.plane_stride().get(plane as usize).map_or(1, |&stride| stride.max(1) as usize);
        let mut counts = [0u32; BINS];
        for value in data.chunks(stride).take(height).flat_map(|row| row.iter().take(width)) {
            counts[usize::from(*value) * BINS / 256] += 1;
        }
        counts.map(|count| f64::from(count) / (width * height) as f64)
    };
    Some([0, 1, 2].map(of_plane))
}

/// Builds the pipeline that decodes the film and fills `notes`.
fn watch(pipeline: &gst::Pipeline, path: &Path, notes: &Arc<Mutex<Notes>>) -> Outcome<()> {
    let decoded = gst::Caps::from_str("video/x-raw(ANY); audio/x-raw; text/x-raw")?;
    let pictures = Source::open(pipeline, path, &decoded)?.only(path, Stream::is_picture)?;

    let description = "videoconvert ! scenechange ! fakesink name=end async=false";
    let bin = gst::parse::bin_from_description(description, true)?;
    let end = bin.by_name("end").and_then(|end| end.static_pad("sink")).ok_or("a sink without a pad")?;
    let notes = notes.clone();
    end.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        match &info.data {
            Some(PadProbeData::Event(event)) if ForceKeyUnitEvent::is(event) => lock(&notes).may_be_cut = true,
            Some(PadProbeData::Buffer(buffer)) => {
                let info = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
                let place = span(pad, Some(buffer)).and_then(|(segment, begin, _)| segment.to_stream_time(begin));
                if let (Some(place), Some(info)) = (place, info) {
                    lock(&notes).add(place, buffer, info);
                }
            }
            _ => (),
        }
        PadProbeReturn::Ok
    });
    pipeline.add(&bin)?;
    bin.sync_state_with_parent()?;
    pictures.connect(&bin.static_pad("sink").ok_or("a bin without a pad")?)
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}
