//! The ways of streams into the file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};
use gst_video::VideoInfo;

use super::container::{self, Container, Encoder, PICTURES, SOUND, SUBTITLES};
use super::source::{Source, Stream, measure, span};
use super::{Film, Meter, Outcome, last_picture, subtitles};

/// Waits for pictures, which take longer; the source bounds how much it holds.
const WAIT: &str = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0";

/// Upright, whole pictures of a format that the elements take.
const PREPARE: &str =
    "videoconvert ! videoflip video-direction=auto ! deinterlace method=greedyh fields=top ! videoconvert";

/// Units a second of pictures' times.
const TIMESCALE: u32 = 90_000;

/// The ways into a file.
pub struct Branches {
    pipeline: gst::Pipeline,
    container: &'static Container,
    muxer: gst::Element,
    meter: Arc<Meter>,
    /// Where pictures and subtitles are ended, and where sound is.
    ends: Vec<gst::Pad>,
    sound_ends: Vec<gst::Pad>,
    /// The running time, in nanoseconds, at which sound ends by itself.
    sound_until: Arc<AtomicU64>,
    /// Streams that have none.
    pub left_out: Vec<String>,
}

impl Branches {
    /// None so far.
    pub fn new(
        pipeline: &gst::Pipeline,
        container: &'static Container,
        output: &Path,
        meter: &Arc<Meter>,
    ) -> Outcome<Self> {
        let muxer = gst::parse::launch(container.muxer)?;
        let sink = gst::ElementFactory::make("filesink").property("location", output.to_str()).build()?;
        pipeline.add_many([&muxer, &sink])?;
        muxer.link(&sink)?;
        sink.sync_state_with_parent().map_err(|_| format!("{} cannot be written", output.display()))?;
        Ok(Self {
            pipeline: pipeline.clone(),
            container,
            muxer,
            meter: meter.clone(),
            ends: Vec::new(),
            sound_ends: Vec::new(),
            sound_until: Arc::new(AtomicU64::new(u64::MAX)),
            left_out: Vec::new(),
        })
    }

    /// Everything that the film has.
    pub fn add_all(&mut self, source: Source, film: &Film, encoder: &Encoder) -> Outcome<()> {
        let mut streams = source.streams;
        let picture = streams.iter().position(is_picture).ok_or_else(|| no_pictures(film))?;
        let picture = streams.remove(picture);
        let (head, tail) = self.picture(&picture, film, encoder)?;
        self.join(PICTURES, &tail)?;
        let mut waiting = self.others(streams)?;
        waiting.push((picture, head));
        self.run(waiting)
    }

    /// Sound and subtitles of `source`; the pictures of `made`, as they are, then those of `rest`, through the film's
    /// element.
    pub fn add_continued(
        &mut self,
        source: Source,
        made: Source,
        rest: Source,
        film: &Film,
        encoder: &Encoder,
    ) -> Outcome<()> {
        let concat = gst::ElementFactory::make("concat").property("adjust-base", false).build()?;
        self.pipeline.add(&concat)?;
        concat.sync_state_with_parent()?;
        self.join(PICTURES, &pad(&concat, "src")?)?;
        let (mut unused, others): (Vec<_>, Vec<_>) = source.streams.into_iter().partition(is_picture);
        let mut waiting = self.others(others)?;
        let [made, rest] = [made, rest].map(|source| {
            let is_film = |stream: &Stream| container::name(&stream.caps).starts_with("video/");
            let (mut pictures, others): (Vec<_>, Vec<_>) = source.streams.into_iter().partition(is_film);
            unused.extend(others.into_iter().chain(pictures.drain(pictures.len().min(1)..)));
            pictures.pop().ok_or_else(|| no_pictures(film))
        });
        let (made, rest) = (made?, rest?);
        // What is there stays as it is, and the rest is laid out like it.
        let parser = self.bin(&parser(&made.caps).unwrap_or_else(|| "identity".into()))?;
        let layout = gst::ElementFactory::make("capsfilter").property("caps", layout(&made.caps)).build()?;
        self.pipeline.add(&layout)?;
        layout.sync_state_with_parent()?;
        keep_caps(&layout, &pad(&parser, "src")?)?;
        let (head, tail) = self.picture(&rest, film, encoder)?;
        tail.link(&pad(&layout, "sink")?)?;
        for way in [&parser, &layout] {
            pad(way, "src")?.link(&concat.request_pad_simple("sink_%u").ok_or("concat has no pad")?)?;
        }
        waiting.extend([(made, pad(&parser, "sink")?), (rest, head)]);
        unused.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        self.run(waiting)
    }

    /// Sound and subtitles of `source`; pictures, encoded, from `pictures`.
    pub fn add_encoded(&mut self, source: Source, pictures: &gst::Pad) -> Outcome<()> {
        let (unused, others): (Vec<_>, Vec<_>) = source.streams.into_iter().partition(is_picture);
        let waiting = self.others(others)?;
        unused.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        self.join(PICTURES, pictures)?;
        self.meter_pictures(pictures);
        self.run(waiting)
    }

    /// Whether no picture came so far.
    pub fn is_empty(&self) -> bool {
        self.meter.length() == gst::ClockTime::ZERO
    }

    /// Ends the file once the pictures that there are and their sound are in it.
    pub fn stop(&self) {
        self.sound_until.store(self.meter.length().nseconds(), Ordering::Relaxed);
        end(&self.ends);
    }

    /// Ends the file as it is: nothing may come any more.
    pub fn abort(&self) {
        end(&self.ends);
        end(&self.sound_ends);
    }

    /// All are there before any runs: else the muxer would begin without the others.
    fn run(&self, waiting: Vec<(Stream, gst::Pad)>) -> Outcome<()> {
        self.muxer.sync_state_with_parent()?;
        waiting.into_iter().try_for_each(|(stream, pad)| stream.connect(&pad))
    }

    /// Ways for sound and subtitles.
    fn others(&mut self, streams: Vec<Stream>) -> Outcome<Vec<(Stream, gst::Pad)>> {
        let mut waiting = Vec::new();
        for stream in streams {
            if is_picture(&stream) || !self.container.holds(&stream.caps) {
                self.left_out.push(container::name(&stream.caps).to_owned());
                stream.discard(&self.pipeline)?;
                continue;
            }
            let (template, way) = if subtitles::is_marked_up(&stream.caps) {
                (SUBTITLES, format!("{WAIT} ! {}", subtitles::PLAIN))
            } else if !container::name(&stream.caps).starts_with("audio/") {
                (SUBTITLES, WAIT.to_owned())
            } else if self.container.takes_sound(&stream.caps) {
                (SOUND, [WAIT.to_owned()].into_iter().chain(parser(&stream.caps)).collect::<Vec<_>>().join(" ! "))
            } else {
                (SOUND, format!("{WAIT} ! audioconvert ! audioresample ! {}", self.container.sound_encoder))
            };
            let way = self.bin(&way)?;
            if subtitles::is_marked_up(&stream.caps) {
                subtitles::strip_markup(&pad(&way, "sink")?);
            }
            let end = pad(&way, "src")?;
            self.join(template, &end)?;
            if template == SOUND {
                self.end_in_time(&end);
                self.sound_ends.push(end);
            } else {
                self.ends.push(end);
            }
            measure(&stream.pad, &self.meter.others_end);
            waiting.push((stream, pad(&way, "sink")?));
        }
        Ok(waiting)
    }

    /// A way for pictures through the film's element and the encoder: its first and last pad.
    fn picture(&mut self, stream: &Stream, film: &Film, encoder: &Encoder) -> Outcome<(gst::Pad, gst::Pad)> {
        let info = VideoInfo::from_caps(&stream.caps)?;
        let crop = if encoder.even && (info.width() % 2 == 1 || info.height() % 2 == 1) {
            format!("videocrop right={} bottom={} ! ", info.width() % 2, info.height() % 2)
        } else {
            String::new()
        };
        let before = self.bin(&format!("queue max-size-buffers=4 max-size-bytes=0 ! {crop}{PREPARE}"))?;
        let element = &film.element;
        self.pipeline.add(element)?;
        let preview = if film.preview {
            "tee name=shown ! queue leaky=downstream max-size-buffers=1 ! videoconvert ! autovideosink sync=false \
             shown. ! queue max-size-buffers=2 ! "
        } else {
            ""
        };
        let depth = info.format_info().depth().first().copied().unwrap_or(8);
        let format = if encoder.deep && depth > 8 { "I420_10LE" } else { "I420" };
        let after = self
            .bin(&format!("{preview}videoconvert ! video/x-raw,format={format} ! {} ! {WAIT}", encoder.description))?;
        gst::Element::link_many([&before, element, &after])?;
        self.start(element)?;

        self.meter_pictures(&pad(element, "src")?);
        Ok((pad(&before, "sink")?, pad(&after, "src")?))
    }

    /// Counts the pictures that go through `pad`, where they can be ended, too.
    fn meter_pictures(&mut self, pad: &gst::Pad) {
        measure(pad, &self.meter.pictures_end);
        let meter = self.meter.clone();
        pad.add_probe(PadProbeType::BUFFER, move |_, _| {
            meter.frames.fetch_add(1, Ordering::Relaxed);
            PadProbeReturn::Ok
        });
        self.ends.insert(0, pad.clone());
    }

    /// Leads `end` into the file.
    fn join(&self, template: &str, end: &gst::Pad) -> Outcome<()> {
        let input = self.muxer.request_pad_simple(template).ok_or("the muxer takes no more streams")?;
        // MP4: else times are rounded to frames of a rate that need not be the film's.
        if template == PICTURES && input.has_property_with_type("trak-timescale", u32::static_type()) {
            input.set_property("trak-timescale", TIMESCALE);
            last_picture::lengthen(&input);
        }
        let refused = || {
            let caps = end.query_caps(None);
            format!("a .{} file cannot hold {}", self.container.extension, container::name(&caps))
        };
        end.link(&input).map_err(|_| refused())?;
        Ok(())
    }

    /// Lets sound through until its time is over.
    fn end_in_time(&self, pad: &gst::Pad) {
        let until = self.sound_until.clone();
        pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
            let begin = span(pad, info.buffer()).and_then(|(segment, begin, _)| segment.to_running_time(begin));
            if begin.is_some_and(|begin| begin.nseconds() >= until.load(Ordering::Relaxed)) {
                pad.push_event(gst::event::Eos::new());
                return PadProbeReturn::Drop;
            }
            PadProbeReturn::Ok
        });
    }

    /// What is described, in the pipeline.
    fn bin(&self, description: &str) -> Outcome<gst::Element> {
        let bin = gst::parse::bin_from_description(description, true)?.upcast::<gst::Element>();
        self.pipeline.add(&bin)?;
        self.start(&bin)?;
        Ok(bin)
    }

    /// What cannot start says so over the bus.
    fn start(&self, element: &gst::Element) -> Outcome<()> {
        element
            .sync_state_with_parent()
            .map_err(|error| super::bus::error(&self.pipeline).unwrap_or_else(|| error.into()))
    }
}

fn no_pictures(film: &Film) -> String {
    format!("{} has no pictures", film.input.display())
}

/// How encoded pictures of these caps are laid out.
fn layout(caps: &gst::Caps) -> gst::Caps {
    let mut layout = gst::Caps::new_empty_simple(container::name(caps));
    for (structure, of) in layout.make_mut().iter_mut().zip(caps.iter()) {
        for field in ["alignment", "stream-format"] {
            if let Ok(value) = of.value(field) {
                structure.set_value(field, value.clone());
            }
        }
    }
    layout
}

/// Gives the pictures that go through `layout` the caps of those that come from `made`, as muxers take no others later. Ends
/// the film where these do not hold: one file has one header.
fn keep_caps(layout: &gst::Element, made: &gst::Pad) -> Outcome<()> {
    let (made, element, is_other) = (made.clone(), layout.clone(), AtomicBool::new(false));
    pad(layout, "src")?.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.buffer().is_some() && is_other.load(Ordering::Relaxed) {
            return PadProbeReturn::Drop;
        }
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Caps(caps) = event.view()
            && let Some(made) = made.current_caps()
        {
            if header(caps.caps()) != header(&made) && !is_other.swap(true, Ordering::Relaxed) {
                let text = "what is there was encoded otherwise: resume with the options that it was made with";
                gst::element_error!(element, gst::StreamError::Format, ("{}", text));
            }
            *event = gst::event::Caps::new(&made);
        }
        PadProbeReturn::Ok
    });
    Ok(())
}

/// What of encoded pictures' caps is in a file's header; none where that is not known.
pub fn header(caps: &gst::CapsRef) -> Option<(Option<Vec<u8>>, i32, i32)> {
    let of = caps.structure(0)?;
    let data = of.get::<gst::Buffer>("codec_data").ok().and_then(|data| Some(data.map_readable().ok()?.to_vec()));
    Some((data, of.get::<i32>("width").ok()?, of.get::<i32>("height").ok()?))
}

/// Ends what goes through the pads, each by itself: a pad that is busy lets no one else push.
fn end(pads: &[gst::Pad]) {
    for pad in pads {
        let pad = pad.clone();
        // One that is at its end already refuses.
        std::thread::spawn(move || pad.push_event(gst::event::Eos::new()));
    }
}

pub fn is_picture(stream: &Stream) -> bool {
    container::name(&stream.caps) == "video/x-raw"
}

pub fn pad(element: &gst::Element, name: &str) -> Outcome<gst::Pad> {
    element.static_pad(name).ok_or_else(|| format!("{} has no pad {name}", element.name()).into())
}

/// What makes a stream fit for muxers, if there is something that does.
pub fn parser(caps: &gst::Caps) -> Option<String> {
    let parsers = gst::ElementFactory::factories_with_type(gst::ElementFactoryType::PARSER, gst::Rank::MARGINAL);
    let parser =
        parsers.into_iter().filter(|factory| factory.can_sink_all_caps(caps)).max_by_key(|factory| factory.rank());
    parser.map(|factory| factory.name().to_string())
}
