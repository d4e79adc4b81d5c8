//! The branches of the pipeline, which lead the streams into the file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};
use gst_video::VideoInfo;

use super::container::{self, Container, Encoder, PICTURES, SOUND, SUBTITLES};
use super::source::{Source, Stream, measure, span};
use super::{Film, Meter, Outcome, last_picture, subtitles};

/// Sound and subtitles wait here for the slower video. No limit is needed: the source limits how far it reads ahead.
const WAIT: &str = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0";

/// Turns rotated video upright, deinterlaces it, and converts it to a format that the elements accept.
const PREPARE: &str =
    "videoconvert ! videoflip video-direction=auto ! deinterlace method=greedyh fields=top ! videoconvert";

/// The unit of video timestamps in MP4: this many per second.
const TIMESCALE: u32 = 90_000;

/// The branches into a file.
pub struct Branches {
    pipeline: gst::Pipeline,
    container: &'static Container,
    muxer: gst::Element,
    meter: Arc<Meter>,
    /// The pads where EOS is pushed to end video and subtitles, and to end sound.
    ends: Vec<gst::Pad>,
    sound_ends: Vec<gst::Pad>,
    /// The running time, in nanoseconds, at which sound ends by itself.
    sound_until: Arc<AtomicU64>,
    /// The types of streams without a branch, since the container cannot hold them.
    pub left_out: Vec<String>,
}

impl Branches {
    /// Makes the muxer and the file, without branches.
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
        sink.sync_state_with_parent().map_err(|_| format!("cannot write {}", output.display()))?;
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

    /// Adds all streams of a film.
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

    /// Adds the sound and subtitles of `source`; the encoded video of `made`, copied, followed by the video of `rest`,
    /// through the film's element.
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
        // The muxer needs one layout: the caps of the existing video also hold for the rest.
        let parser = self.bin(&parser(&made.caps).unwrap_or_else(|| "identity".into()))?;
        let layout = gst::ElementFactory::make("capsfilter").property("caps", layout(&made.caps)).build()?;
        self.pipeline.add(&layout)?;
        layout.sync_state_with_parent()?;
        keep_caps(&layout, &pad(&parser, "src")?)?;
        let (head, tail) = self.picture(&rest, film, encoder)?;
        tail.link(&pad(&layout, "sink")?)?;
        for part in [&parser, &layout] {
            pad(part, "src")?.link(&concat.request_pad_simple("sink_%u").ok_or("concat has no pad")?)?;
        }
        waiting.extend([(made, pad(&parser, "sink")?), (rest, head)]);
        unused.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        self.run(waiting)
    }

    /// Adds the sound and subtitles of `source`, and the encoded video from `pictures`.
    pub fn add_encoded(&mut self, source: Source, pictures: &gst::Pad) -> Outcome<()> {
        let (unused, others): (Vec<_>, Vec<_>) = source.streams.into_iter().partition(is_picture);
        let waiting = self.others(others)?;
        unused.into_iter().try_for_each(|stream| stream.discard(&self.pipeline))?;
        self.join(PICTURES, pictures)?;
        self.meter_pictures(pictures);
        self.run(waiting)
    }

    /// Whether no video was written so far.
    pub fn is_empty(&self) -> bool {
        self.meter.length() == gst::ClockTime::ZERO
    }

    /// Ends the video now, and the sound where the video ends.
    pub fn stop(&self) {
        self.sound_until.store(self.meter.length().nseconds(), Ordering::Relaxed);
        end(&self.ends);
    }

    /// Ends all streams now: after an error, no more data may come.
    pub fn abort(&self) {
        end(&self.ends);
        end(&self.sound_ends);
    }

    /// Starts the streams. All pads must exist before: once a muxer has started, it accepts no further streams.
    fn run(&self, waiting: Vec<(Stream, gst::Pad)>) -> Outcome<()> {
        self.muxer.sync_state_with_parent()?;
        waiting.into_iter().try_for_each(|(stream, pad)| stream.connect(&pad))
    }

    /// Makes branches for sound and subtitles.
    fn others(&mut self, streams: Vec<Stream>) -> Outcome<Vec<(Stream, gst::Pad)>> {
        let mut waiting = Vec::new();
        for stream in streams {
            if is_picture(&stream) || !self.container.holds(&stream.caps) {
                self.left_out.push(container::name(&stream.caps).to_owned());
                stream.discard(&self.pipeline)?;
                continue;
            }
            let (template, description) = if subtitles::is_marked_up(&stream.caps) {
                (SUBTITLES, format!("{WAIT} ! {}", subtitles::PLAIN))
            } else if !container::name(&stream.caps).starts_with("audio/") {
                (SUBTITLES, WAIT.to_owned())
            } else if self.container.takes_sound(&stream.caps) {
                (SOUND, [WAIT.to_owned()].into_iter().chain(parser(&stream.caps)).collect::<Vec<_>>().join(" ! "))
            } else {
                (SOUND, format!("{WAIT} ! audioconvert ! audioresample ! {}", self.container.sound_encoder))
            };
            let branch = self.bin(&description)?;
            if subtitles::is_marked_up(&stream.caps) {
                subtitles::strip_markup(&pad(&branch, "sink")?);
            }
            let end = pad(&branch, "src")?;
            self.join(template, &end)?;
            if template == SOUND {
                self.end_in_time(&end);
                self.sound_ends.push(end);
            } else {
                self.ends.push(end);
            }
            measure(&stream.pad, &self.meter.others_end);
            waiting.push((stream, pad(&branch, "sink")?));
        }
        Ok(waiting)
    }

    /// Makes the branch for video, with the film's element and the encoder; returns its first and last pad.
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

    /// Counts the frames that pass `pad`, which is also where the video is ended.
    fn meter_pictures(&mut self, pad: &gst::Pad) {
        measure(pad, &self.meter.pictures_end);
        let meter = self.meter.clone();
        pad.add_probe(PadProbeType::BUFFER, move |_, _| {
            meter.frames.fetch_add(1, Ordering::Relaxed);
            PadProbeReturn::Ok
        });
        self.ends.insert(0, pad.clone());
    }

    /// Links `end` to the muxer.
    fn join(&self, template: &str, end: &gst::Pad) -> Outcome<()> {
        let input = self.muxer.request_pad_simple(template).ok_or("the muxer accepts no more streams")?;
        // MP4 only. The default timescale comes from the frame rate in the caps, which may differ from the actual one.
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

    /// Ends sound at `sound_until`.
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

    /// Adds elements, given as for gst-launch-1.0, to the pipeline.
    fn bin(&self, description: &str) -> Outcome<gst::Element> {
        let bin = gst::parse::bin_from_description(description, true)?.upcast::<gst::Element>();
        self.pipeline.add(&bin)?;
        self.start(&bin)?;
        Ok(bin)
    }

    /// Starts an element. The reason for a failure is read from the bus.
    fn start(&self, element: &gst::Element) -> Outcome<()> {
        element
            .sync_state_with_parent()
            .map_err(|error| super::bus::error(&self.pipeline).unwrap_or_else(|| error.into()))
    }
}

fn no_pictures(film: &Film) -> String {
    format!("{} has no video", film.input.display())
}

/// The fields of encoded video's caps that describe its layout.
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

/// Replaces the caps of the video from `layout` by those of the video from `made`, since muxers do not accept new caps.
/// If the headers in the caps differ, this is an error: a file has only one header.
fn keep_caps(layout: &gst::Element, made: &gst::Pad) -> Outcome<()> {
    let (made, element, is_different) = (made.clone(), layout.clone(), AtomicBool::new(false));
    pad(layout, "src")?.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.buffer().is_some() && is_different.load(Ordering::Relaxed) {
            return PadProbeReturn::Drop;
        }
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Caps(caps) = event.view()
            && let Some(made) = made.current_caps()
        {
            if header(caps.caps()) != header(&made) && !is_different.swap(true, Ordering::Relaxed) {
                let text = "the existing output has other encoder settings: resume with the options of the first run";
                gst::element_error!(element, gst::StreamError::Format, ("{}", text));
            }
            *event = gst::event::Caps::new(&made);
        }
        PadProbeReturn::Ok
    });
    Ok(())
}

/// The parts of encoded video's caps that are stored in a file's header; None if they are unknown.
pub fn header(caps: &gst::CapsRef) -> Option<(Option<Vec<u8>>, i32, i32)> {
    let structure = caps.structure(0)?;
    let data = structure.get::<gst::Buffer>("codec_data").ok();
    let data = data.and_then(|data| Some(data.map_readable().ok()?.to_vec()));
    Some((data, structure.get::<i32>("width").ok()?, structure.get::<i32>("height").ok()?))
}

/// Pushes EOS from each pad, on a thread of its own: a push waits while the pad is busy.
fn end(pads: &[gst::Pad]) {
    for pad in pads {
        let pad = pad.clone();
        // A pad after EOS returns false, which is fine.
        std::thread::spawn(move || pad.push_event(gst::event::Eos::new()));
    }
}

pub fn is_picture(stream: &Stream) -> bool {
    container::name(&stream.caps) == "video/x-raw"
}

pub fn pad(element: &gst::Element, name: &str) -> Outcome<gst::Pad> {
    element.static_pad(name).ok_or_else(|| format!("{} has no pad {name}", element.name()).into())
}

/// The name of the parser for encoded data of these caps, if there is one. Muxers need parsed data.
pub fn parser(caps: &gst::Caps) -> Option<String> {
    let parsers = gst::ElementFactory::factories_with_type(gst::ElementFactoryType::PARSER, gst::Rank::MARGINAL);
    let parser =
        parsers.into_iter().filter(|factory| factory.can_sink_all_caps(caps)).max_by_key(|factory| factory.rank());
    parser.map(|factory| factory.name().to_string())
}
