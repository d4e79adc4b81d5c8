//! A film's streams, as far decoded as asked.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};

use super::{Outcome, bus};

/// Times in files are rounded: a picture that ends within this of a place lies before it.
const ROUNDING: ClockTime = ClockTime::from_mseconds(2);

/// How long a film may take to tell of its streams. GStreamer loses the errors of some broken ones.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the pipeline's bus is told once all streams are known.
const ALL_KNOWN: &str = "all-streams-known";

/// A film's streams.
pub struct Source {
    pub streams: Vec<Stream>,
    pipeline: gst::Pipeline,
    element: gst::Element,
}

/// A stream, which waits until it is connected.
pub struct Stream {
    pub pad: gst::Pad,
    pub caps: gst::Caps,
    hold: gst::PadProbeId,
}

impl Source {
    /// Opens `path` in `pipeline`. Streams are decoded until `wanted` has their caps.
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
            // A failure would be that nobody listens any more.
            let _ = element.post_message(gst::message::Application::builder(structure).src(element).build());
        });
        // A failure comes over the bus.
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
                    return Err(format!("{}: GStreamer finds nothing in it", path.display()).into());
                }
                _ => (),
            }
        }
        let mut streams = streams.lock().map(|mut streams| std::mem::take(&mut *streams)).unwrap_or_default();
        // In the file's order: its numbers are part of the names.
        streams.sort_by_key(|stream| stream.pad.stream_id());
        Ok(Self { streams, pipeline: pipeline.clone(), element })
    }

    /// The first stream that is wanted; the others run into nothing. `path` is the film's.
    pub fn only(mut self, path: &Path, is_wanted: impl Fn(&Stream) -> bool) -> Outcome<Stream> {
        let found = self.streams.iter().position(is_wanted);
        let found = found.ok_or_else(|| format!("{} has no pictures", path.display()))?;
        let wanted = self.streams.remove(found);
        self.streams.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        Ok(wanted)
    }

    /// How long it is, as far as it tells.
    pub fn duration(&self) -> ClockTime {
        let durations = self.streams.iter().filter_map(|stream| stream.pad.query_duration::<ClockTime>());
        durations.max().unwrap_or_default()
    }

    /// Takes what begins from `from` on and before `to`: parts that follow each other have every picture once.
    pub fn take(&self, from: ClockTime, to: Option<ClockTime>) -> Outcome<()> {
        for stream in &self.streams {
            drop_buffers(&stream.pad, move |begin, _| begin + ROUNDING < from || is_after(begin, to));
            begin_at(&stream.pad, from);
        }
        self.seek(from.saturating_sub(2 * ROUNDING), to)
    }

    /// Takes what follows the first `length` after `from`, at its place in the film that begins at `from`.
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
        // One stream's is all streams'.
        let sent = self.streams.first().is_some_and(|stream| stream.pad.send_event(seek));
        // A decoder that is flushed while it begins may fail for that. What did is read anew.
        bus::forget_errors(&self.pipeline, &self.element);
        if sent { Ok(()) } else { Err(format!("there is no way to go to {}", super::seconds(from)).into()) }
    }
}

impl Stream {
    /// Lets it run into `pad`.
    pub fn connect(self, pad: &gst::Pad) -> Outcome<()> {
        self.pad.link(pad)?;
        self.pad.remove_probe(self.hold);
        Ok(())
    }

    /// Lets it run into nothing.
    pub fn discard(self, pipeline: &gst::Pipeline) -> Outcome<()> {
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build()?;
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        self.connect(&sink.static_pad("sink").ok_or("a sink without a pad")?)
    }
}

/// Holds what comes, but for what tells of it.
fn hold(pad: &gst::Pad) -> Option<gst::PadProbeId> {
    pad.add_probe(PadProbeType::BLOCK_DOWNSTREAM, |_, info| match &info.data {
        Some(PadProbeData::Event(event)) if event.is_sticky() && event.type_() != gst::EventType::Eos => {
            PadProbeReturn::Pass
        }
        _ => PadProbeReturn::Ok,
    })
}

/// Drops the buffers for which `is_outside` holds: it gets the places in the stream where they begin and end.
fn drop_buffers(pad: &gst::Pad, is_outside: impl Fn(ClockTime, ClockTime) -> bool + Send + Sync + 'static) {
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let outside = span(pad, info.buffer()).is_some_and(|(segment, begin, end)| {
            // What begins outside of the segment has no place there.
            let end = segment.to_stream_time(end).unwrap_or(ClockTime::MAX);
            segment.to_stream_time(begin).is_none_or(|begin| is_outside(begin, end))
        });
        if outside { PadProbeReturn::Handled } else { PadProbeReturn::Ok }
    });
}

/// Whether what begins there belongs to what follows `to`.
fn is_after(begin: ClockTime, to: Option<ClockTime>) -> bool {
    to.is_some_and(|to| begin + ROUNDING >= to)
}

/// Lets time begin at the place `from`, and with it what begins there but for rounding.
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

/// Notes in `end` where what goes through a pad ends: a running time in nanoseconds.
pub fn measure(pad: &gst::Pad, end: &Arc<AtomicU64>) {
    let noted = end.clone();
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let reached = span(pad, info.buffer()).and_then(|(segment, _, end)| segment.to_running_time(end));
        noted.fetch_max(reached.unwrap_or_default().nseconds(), Ordering::Relaxed);
        PadProbeReturn::Ok
    });
}
