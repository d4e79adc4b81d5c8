//! Opens a film and decodes its streams as far as needed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use gst::ClockTime;
use gst::glib;
use gst::prelude::*;

use super::notes::Notes;
use super::segments::ROUNDING;
use super::streams::{Stream, main_picture};
use super::tracks::Extras;
use super::{Outcome, bus, chapters, container, corrections, cut, gif, movie};

/// A part of a film is read from this much before its beginning: subtitles may begin earlier than the part, and in
/// Matroska a seek loses the sound before the first key frame.
const LEAD: ClockTime = ClockTime::from_seconds(10);

/// The maximum number of waits without a message, of 200 ms each, for a film's streams: a time would also count while
/// the process is stopped. For some broken files, GStreamer reports neither streams nor an error.
const PATIENCE: u32 = 100;

/// The message that the source posts when all streams are known.
const ALL_KNOWN: &str = "all-streams-known";

/// A film's streams.
pub struct Source {
    pub streams: Vec<Stream>,
    pub extras: Extras,
    pipeline: gst::Pipeline,
    element: gst::Element,
    /// The duration, if the file gives it in place of GStreamer.
    duration: Option<ClockTime>,
    has_times: Arc<AtomicBool>,
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
        corrections::avoid_a52dec();
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
                corrections::correct(element, &exact);
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
                corrections::answer_duration(pad, duration);
            }
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            if let (Some(stream), Ok(mut streams)) = (Stream::held(pad, caps), known.lock()) {
                streams.push(stream);
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
        let mut waits = 0;
        loop {
            let message = bus::next(pipeline);
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => {
                    return Err(format!("{}: {}", path.display(), bus::words(error)).into());
                }
                Some(gst::MessageView::Application(_)) => break,
                None if waits == PATIENCE => {
                    return Err(format!("{}: GStreamer finds no streams", path.display()).into());
                }
                None => waits += 1,
                _ => (),
            }
        }
        let mut streams = streams.lock().map(|mut streams| std::mem::take(&mut *streams)).unwrap_or_default();
        // Restores the order in the file: stream ids contain the streams' numbers.
        streams.sort_by_key(|stream| stream.pad.stream_id());
        let mut extras = Extras::read(path);
        if let Ok(mut found) = chapters.lock() {
            extras.chapters = found.take().or(extras.chapters);
        }
        Ok(Self { streams, extras, pipeline: pipeline.clone(), element, duration, has_times })
    }

    fn open_gif(pipeline: &gst::Pipeline, path: &Path) -> Outcome<Self> {
        let (element, caps) = gif::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let pad = element.static_pad("src").ok_or("a source without a pad")?;
        let stream = Stream::held(&pad, caps).ok_or("a pad that cannot be blocked")?;
        pipeline.add(&element)?;
        element.sync_state_with_parent()?;
        Ok(Self {
            streams: vec![stream],
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
