//! Opens a film and decodes its streams as far as needed.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};

use super::{Outcome, bus};

/// Timestamps in files are rounded: times that differ by less than this are equal.
const ROUNDING: ClockTime = ClockTime::from_mseconds(2);

/// The maximum wait for a film's streams. For some broken files, GStreamer reports neither streams nor an error.
const PATIENCE: Duration = Duration::from_secs(20);

/// The message that the source posts when all streams are known.
const ALL_KNOWN: &str = "all-streams-known";

/// A film's streams.
pub struct Source {
    pub streams: Vec<Stream>,
    pipeline: gst::Pipeline,
    element: gst::Element,
}

/// A stream, which is blocked until it is connected.
pub struct Stream {
    pub pad: gst::Pad,
    pub caps: gst::Caps,
    hold: gst::PadProbeId,
}

impl Source {
    /// Opens `path` in `pipeline`. Decoding stops at the caps in `wanted`.
    pub fn open(pipeline: &gst::Pipeline, path: &Path, wanted: &gst::Caps) -> Outcome<Self> {
        let element = gst::ElementFactory::make("uridecodebin")
            .property("uri", glib::filename_to_uri(std::path::absolute(path)?, None)?)
            .property("caps", wanted)
            .build()?;
        pipeline.add(&element)?;
        let streams = Arc::new(Mutex::new(Vec::new()));
        let known = streams.clone();
        element.connect_pad_added(move |_, pad| {
            if let Some(hold) = hold(pad)
                && let Ok(mut streams) = known.lock()
            {
                let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
                streams.push(Stream { pad: pad.clone(), caps, hold });
            }
        });
        element.connect_no_more_pads(|element| {
            let structure = gst::Structure::new_empty(ALL_KNOWN);
            // Fails only if the bus is gone, so that nobody needs the message.
            let _ = element.post_message(gst::message::Application::builder(structure).src(element).build());
        });
        // Errors are read from the bus below.
        let _ = pipeline.set_state(gst::State::Paused);
        let _ = element.sync_state_with_parent();
        let begin = Instant::now();
        loop {
            let message = bus::next(pipeline);
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => {
                    return Err(format!("{}: {}", path.display(), bus::words(error)).into());
                }
                Some(gst::MessageView::Application(_)) => break,
                _ if begin.elapsed() > PATIENCE => {
                    return Err(format!("{}: GStreamer finds no streams", path.display()).into());
                }
                _ => (),
            }
        }
        let mut streams = streams.lock().map(|mut streams| std::mem::take(&mut *streams)).unwrap_or_default();
        // Restores the order in the file: stream ids contain the streams' numbers.
        streams.sort_by_key(|stream| stream.pad.stream_id());
        Ok(Self { streams, pipeline: pipeline.clone(), element })
    }

    /// Returns the first video stream, for which `is_wanted` holds, and discards all other streams.
    pub fn only(mut self, path: &Path, is_wanted: impl Fn(&Stream) -> bool) -> Outcome<Stream> {
        let found = self.streams.iter().position(is_wanted);
        let found = found.ok_or_else(|| format!("{} has no video", path.display()))?;
        let wanted = self.streams.remove(found);
        self.streams.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        Ok(wanted)
    }

    /// The duration of the longest stream, or 0 if it is unknown.
    pub fn duration(&self) -> ClockTime {
        let durations = self.streams.iter().filter_map(|stream| stream.pad.query_duration::<ClockTime>());
        durations.max().unwrap_or_default()
    }

    /// Restricts the source to buffers that begin at `from` or later and before `to`, so that consecutive parts have
    /// every frame exactly once.
    pub fn take(&self, from: ClockTime, to: Option<ClockTime>) -> Outcome<()> {
        for stream in &self.streams {
            drop_buffers(&stream.pad, move |begin, _| begin + ROUNDING < from || is_after(begin, to));
            begin_at(&stream.pad, from);
        }
        self.seek(from.saturating_sub(2 * ROUNDING), to)
    }

    /// Restricts the source to buffers that end more than `length` after `from`, and begin before `to`. Running times
    /// are relative to `from`.
    pub fn take_after(&self, from: ClockTime, length: ClockTime, to: Option<ClockTime>) -> Outcome<()> {
        let before = length.saturating_sub(2 * ROUNDING);
        for stream in &self.streams {
            stream.pad.set_offset(i64::try_from(before.nseconds())?);
            drop_buffers(&stream.pad, move |begin, end| end <= from + length + ROUNDING || is_after(begin, to));
        }
        self.seek(to.map_or(from + before, |to| to.min(from + before)), to)
    }

    fn seek(&self, from: ClockTime, to: Option<ClockTime>) -> Outcome<()> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let stop = to.map_or(gst::SeekType::None, |_| gst::SeekType::Set);
        let seek = gst::event::Seek::new(1.0, flags, gst::SeekType::Set, from, stop, to);
        // A seek on one stream seeks all streams.
        let sent = self.streams.first().is_some_and(|stream| stream.pad.send_event(seek));
        // A decoder that is flushed while it starts may report an error; after the seek it starts again.
        bus::forget_errors(&self.pipeline, &self.element);
        if sent { Ok(()) } else { Err(format!("cannot seek to {}", super::seconds(from)).into()) }
    }
}

impl Stream {
    /// Links the stream to `pad` and unblocks it.
    pub fn connect(self, pad: &gst::Pad) -> Outcome<()> {
        self.pad.link(pad)?;
        self.pad.remove_probe(self.hold);
        Ok(())
    }

    /// Sends the stream to a fakesink: a source whose stream is not linked would fail.
    pub fn discard(self, pipeline: &gst::Pipeline) -> Outcome<()> {
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build()?;
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        self.connect(&sink.static_pad("sink").ok_or("a sink without a pad")?)
    }
}

/// Blocks a pad, except for the sticky events that describe the stream.
fn hold(pad: &gst::Pad) -> Option<gst::PadProbeId> {
    pad.add_probe(PadProbeType::BLOCK_DOWNSTREAM, |_, info| match &info.data {
        Some(PadProbeData::Event(event)) if event.is_sticky() && event.type_() != gst::EventType::Eos => {
            PadProbeReturn::Pass
        }
        _ => PadProbeReturn::Ok,
    })
}

/// Drops the buffers for which `is_outside` holds, which receives the stream times of their beginning and end.
fn drop_buffers(pad: &gst::Pad, is_outside: impl Fn(ClockTime, ClockTime) -> bool + Send + Sync + 'static) {
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let outside = span(pad, info.buffer()).is_some_and(|(segment, begin, end)| {
            // A time outside the segment has no stream time.
            let end = segment.to_stream_time(end).unwrap_or(ClockTime::MAX);
            segment.to_stream_time(begin).is_none_or(|begin| is_outside(begin, end))
        });
        if outside { PadProbeReturn::Handled } else { PadProbeReturn::Ok }
    });
}

/// Whether a buffer that begins at `begin` belongs to the part after `to`.
fn is_after(begin: ClockTime, to: Option<ClockTime>) -> bool {
    to.is_some_and(|to| begin + ROUNDING >= to)
}

/// Makes running time start at the stream time `from`. A buffer that begins before it because of rounding is moved to
/// it.
fn begin_at(pad: &gst::Pad, from: ClockTime) {
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        match &mut info.data {
            Some(PadProbeData::Event(event)) => {
                if let gst::EventView::Segment(segment) = event.view()
                    && let Some(mut later) = segment.segment().downcast_ref::<ClockTime>().cloned()
                    && let begin @ Some(_) = later.position_from_stream_time(from)
                {
                    later.set_start(begin);
                    later.set_position(begin);
                    later.set_time(from);
                    *event = gst::event::Segment::builder(&later).seqnum(event.seqnum()).build();
                }
            }
            Some(PadProbeData::Buffer(buffer)) => {
                let begin = span(pad, Some(buffer)).and_then(|(segment, begin, _)| {
                    segment.position_from_stream_time(from).filter(|from| begin < *from)
                });
                if begin.is_some() {
                    buffer.make_mut().set_pts(begin);
                }
            }
            _ => (),
        }
        PadProbeReturn::Ok
    });
}

/// A buffer's segment, beginning and end.
pub fn span(
    pad: &gst::Pad,
    buffer: Option<&gst::Buffer>,
) -> Option<(gst::FormattedSegment<ClockTime>, ClockTime, ClockTime)> {
    let (start, duration) = buffer.and_then(|buffer| Some((buffer.pts()?, buffer.duration())))?;
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = event.segment().downcast_ref::<ClockTime>()?.clone();
    Some((segment, start, start + duration.unwrap_or_default()))
}

/// Stores in `end` the end of the last buffer that passed a pad: a running time in nanoseconds.
pub fn measure(pad: &gst::Pad, end: &Arc<AtomicU64>) {
    let noted = end.clone();
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let reached = span(pad, info.buffer()).and_then(|(segment, _, end)| segment.to_running_time(end));
        noted.fetch_max(reached.unwrap_or_default().nseconds(), Ordering::Relaxed);
        PadProbeReturn::Ok
    });
}
