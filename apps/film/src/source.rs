//! Opens a film and decodes its streams as far as needed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};

use super::matroska::{Extras, Marks};
use super::notes::Notes;
use super::{Outcome, bus, chapters, colors, container, cut, gif, movie, times};

/// Timestamps in files are rounded: times that differ by less than this are equal.
pub const ROUNDING: ClockTime = ClockTime::from_mseconds(2);

/// A part of a film is read from this much before its beginning: subtitles may begin earlier than the part, and in
/// Matroska a seek loses the sound before the first key frame.
const LEAD: ClockTime = ClockTime::from_seconds(10);

/// The maximum wait for a film's streams. For some broken files, GStreamer reports neither streams nor an error.
const PATIENCE: Duration = Duration::from_secs(20);

/// The message that the source posts when all streams are known.
const ALL_KNOWN: &str = "all-streams-known";

/// The demuxers of formats without the times at which pictures are shown. A seek in them is not exact.
const WITHOUT_TIMES: [&str; 2] = ["avidemux", "mpegpsdemux"];

/// A film's streams.
pub struct Source {
    pub streams: Vec<Stream>,
    /// The chapters of the whole film.
    pub chapters: Option<gst::Toc>,
    pub extras: Extras,
    pipeline: gst::Pipeline,
    element: gst::Element,
    /// The duration, if the file gives it in place of GStreamer.
    duration: Option<ClockTime>,
    has_times: Arc<AtomicBool>,
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
        Self::open_noting(pipeline, path, wanted, &Arc::default())
    }

    /// Opens `path` as [`Self::open`] does, and adds the streams that cannot be decoded to `notes`.
    pub fn open_noting(pipeline: &gst::Pipeline, path: &Path, wanted: &gst::Caps, notes: &Arc<Notes>) -> Outcome<Self> {
        if gif::is_gif(path) {
            return Self::open_gif(pipeline, path);
        }
        let element = gst::ElementFactory::make("uridecodebin")
            .property("uri", glib::filename_to_uri(std::path::absolute(path)?, None)?)
            .property("caps", wanted)
            .build()?;
        pipeline.add(&element)?;
        avoid_a52dec();
        let movie = movie::Duration::of(path);
        let duration = movie.as_ref().map(|movie| movie.time);
        let has_times = Arc::new(AtomicBool::new(true));
        if let Some(movie) = movie {
            element.connect("source-setup", false, move |arguments| {
                if let Ok(source) = arguments[1].get::<gst::Element>() {
                    movie.hide(&source);
                }
                None
            });
        }
        let chapters = Arc::new(Mutex::new(None));
        let (exact, found) = (has_times.clone(), chapters.clone());
        if let Some(bin) = element.downcast_ref::<gst::Bin>() {
            bin.connect_deep_element_added(move |_, _, element| {
                correct(element, &exact);
                if element.factory().is_some_and(|factory| factory.has_type(gst::ElementFactoryType::DEMUXER)) {
                    let found = found.clone();
                    element.connect_pad_added(move |_, pad| chapters::find(pad, &found));
                }
            });
        }
        let unknown = notes.clone();
        element.connect("unknown-type", false, move |arguments| {
            if let Ok(caps) = arguments[2].get::<gst::Caps>() {
                unknown.left_out(format!("{} (no decoder)", container::name(&caps)));
            }
            None
        });
        let streams = Arc::new(Mutex::new(Vec::new()));
        let known = streams.clone();
        element.connect_pad_added(move |_, pad| {
            if let Some(duration) = duration {
                answer_duration(pad, duration);
            }
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
        let chapters = chapters.lock().map(|mut found| found.take()).unwrap_or_default();
        Ok(Self {
            streams,
            chapters,
            extras: Extras::read(path),
            pipeline: pipeline.clone(),
            element,
            duration,
            has_times,
        })
    }

    fn open_gif(pipeline: &gst::Pipeline, path: &Path) -> Outcome<Self> {
        let (element, caps) = gif::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let pad = element.static_pad("src").ok_or("a source without a pad")?;
        let hold = hold(&pad).ok_or("a pad that cannot be blocked")?;
        pipeline.add(&element)?;
        element.sync_state_with_parent()?;
        Ok(Self {
            streams: vec![Stream { pad, caps, hold }],
            chapters: None,
            extras: Extras::default(),
            pipeline: pipeline.clone(),
            element,
            duration: None,
            has_times: Arc::default(),
        })
    }

    /// Returns the video stream, for which `is_wanted` holds, and discards all other streams.
    pub fn only(mut self, path: &Path, is_wanted: impl Fn(&Stream) -> bool) -> Outcome<Stream> {
        let found = main_picture(&self.streams, is_wanted).ok_or_else(|| format!("{} has no video", path.display()))?;
        let wanted = self.streams.remove(found);
        self.streams.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        Ok(wanted)
    }

    /// The duration of the longest stream, or 0 if it is unknown.
    pub fn duration(&self) -> ClockTime {
        let durations = || self.streams.iter().filter_map(|stream| stream.pad.query_duration::<ClockTime>()).max();
        self.duration.or_else(durations).unwrap_or_default()
    }

    /// Restricts the source to buffers that begin at `from` or later and before `to`, so that consecutive parts have
    /// every frame exactly once. Running times are relative to `from`.
    pub fn take(&self, from: ClockTime, to: Option<ClockTime>) -> Outcome<()> {
        self.restrict(from, move |begin| begin + ROUNDING < from, to, from)
    }

    /// Restricts the source to buffers that begin later than `last` after `from`, and before `to`. Running times are
    /// relative to `from`.
    pub fn take_after(&self, from: ClockTime, last: ClockTime, to: Option<ClockTime>) -> Outcome<()> {
        let last = from + last;
        self.restrict(from, move |begin| begin <= last + ROUNDING, to, last)
    }

    /// Drops the buffers for whose beginning `is_before` holds, and those after `to`; seeks to `place`.
    fn restrict(
        &self,
        from: ClockTime,
        is_before: impl Fn(ClockTime) -> bool + Clone + Send + Sync + 'static,
        to: Option<ClockTime>,
        place: ClockTime,
    ) -> Outcome<()> {
        for stream in &self.streams {
            if container::is_text(&stream.caps) {
                cut::lines(&stream.pad, from, to);
            } else {
                cut::buffers(&stream.pad, is_before.clone(), to);
            }
            cut::begin_at(&stream.pad, from);
        }
        let place = place.saturating_sub(LEAD);
        if place > ClockTime::ZERO && self.has_times.load(Ordering::Relaxed) { self.seek(place) } else { Ok(()) }
    }

    fn seek(&self, place: ClockTime) -> Outcome<()> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let (start, stop) = (gst::SeekType::Set, gst::SeekType::None);
        let seek = gst::event::Seek::new(1.0, flags, start, place, stop, ClockTime::NONE);
        // A seek on one stream seeks all streams.
        let sent = self.streams.first().is_some_and(|stream| stream.pad.send_event(seek));
        // A decoder that is flushed while it starts may report an error; after the seek it starts again.
        bus::forget_errors(&self.pipeline, &self.element);
        if sent { Ok(()) } else { Err(format!("cannot seek to {}", super::seconds(place)).into()) }
    }
}

impl Stream {
    /// Links the stream to `pad` and unblocks it.
    pub fn connect(self, pad: &gst::Pad) -> Outcome<()> {
        self.pad.link(pad)?;
        self.pad.remove_probe(self.hold);
        Ok(())
    }

    /// The marks of the stream's track, if it is one of Matroska: a stream id ends with the track's number and its id.
    pub fn marks(&self, extras: &Extras) -> Option<Marks> {
        let id = self.pad.stream_id()?;
        let (number, _) = id.rsplit('/').next()?.split_once(':')?;
        extras.marks.get(&number.parse().ok()?).copied()
    }

    /// Sends the stream to a fakesink: a source whose stream is not linked would fail.
    pub fn discard(self, pipeline: &gst::Pipeline) -> Outcome<()> {
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build()?;
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        self.connect(&sink.static_pad("sink").ok_or("a sink without a pad")?)
    }

    /// Whether this is decoded from single pictures, such as a thumbnail or a cover.
    fn is_of_stills(&self) -> bool {
        let mut pad = Some(self.pad.clone());
        while let Some(ghost) = pad.as_ref().and_then(|pad| pad.downcast_ref::<gst::GhostPad>()) {
            pad = ghost.target();
        }
        let decoder = pad.and_then(|pad| pad.parent_element());
        let caps = decoder.and_then(|decoder| decoder.static_pad("sink")?.current_caps());
        caps.is_some_and(|caps| container::name(&caps).starts_with("image/"))
    }
}

/// The index of the film's main video among the streams for which `is_wanted` holds: the first, or the first that is
/// not made of single pictures.
pub fn main_picture(streams: &[Stream], is_wanted: impl Fn(&Stream) -> bool) -> Option<usize> {
    let first = |is_wanted: &dyn Fn(&Stream) -> bool| streams.iter().position(is_wanted);
    first(&|stream| is_wanted(stream) && !stream.is_of_stills()).or_else(|| first(&is_wanted))
}

/// Prefers the other decoder for AC-3: in GStreamer 1.22, a52dec crashes where channels become fewer.
fn avoid_a52dec() {
    let registry = gst::Registry::get();
    if let (Some(_), Some(a52dec)) = (registry.lookup_feature("avdec_ac3"), registry.lookup_feature("a52dec")) {
        a52dec.set_rank(gst::Rank::NONE);
    }
}

/// Corrects what an element inside of the source makes of its input.
fn correct(element: &gst::Element, has_times: &Arc<AtomicBool>) {
    let Some(factory) = element.factory() else { return };
    let name = factory.name();
    if WITHOUT_TIMES.contains(&name.as_str()) {
        has_times.store(false, Ordering::Relaxed);
        element.connect_pad_added(|_, pad| begin_at_zero(pad));
    } else if name == "matroskademux" {
        element.connect_pad_added(|_, pad| keep_times(pad));
    } else if ["h264parse", "h265parse"].contains(&name.as_str()) {
        colors::prefer_stream(element);
    } else if factory.has_type(gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO) {
        times::repair(element);
    }
}

/// Makes the running times of a Matroska file's stream those in the file. GStreamer's begin at the first data, which it
/// corrects too late if a second stream begins earlier.
fn keep_times(pad: &gst::Pad) {
    change_segments(pad, |segment| {
        let begin = segment.start();
        segment.set_time(begin);
        segment.set_base(begin);
    });
}

/// Makes a stream's film begin at the stream time 0. No seek follows, since the file has no times.
fn begin_at_zero(pad: &gst::Pad) {
    change_segments(pad, |segment| segment.set_time(ClockTime::ZERO));
}

/// Calls `change` with all segments that pass a pad.
fn change_segments(pad: &gst::Pad, change: impl Fn(&mut gst::FormattedSegment<ClockTime>) + Send + Sync + 'static) {
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Segment(segment) = event.view()
            && let Some(mut changed) = segment.segment().downcast_ref::<ClockTime>().cloned()
        {
            change(&mut changed);
            *event = gst::event::Segment::builder(&changed).seqnum(event.seqnum()).build();
        }
        PadProbeReturn::Ok
    });
}

/// Answers queries for the duration.
fn answer_duration(pad: &gst::Pad, duration: ClockTime) {
    pad.add_probe(PadProbeType::QUERY_UPSTREAM, move |_, info| {
        if let Some(PadProbeData::Query(query)) = &mut info.data
            && let gst::QueryViewMut::Duration(query) = query.view_mut()
            && query.format() == gst::Format::Time
        {
            query.set(duration);
            return PadProbeReturn::Handled;
        }
        PadProbeReturn::Ok
    });
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
