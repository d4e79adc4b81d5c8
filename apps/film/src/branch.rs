//! The branches of the pipeline, which lead the streams into the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;
use gst::{ClockTime, PadProbeReturn, PadProbeType};

use super::colors::Hdr10;
use super::container::{self, Container, Encoder, PICTURES, SOUND, SUBTITLES};
use super::draft::{self, Draft};
use super::earlier::Earlier;
use super::meter::Meter;
use super::picture::Picture;
use super::segments::{measure, span};
use super::source::Source;
use super::streams::{Stream, main_picture};
use super::tracks::{Extras, Track};
use super::{Film, Outcome, chapters, colors, continued, cut, last_picture, mp4, order, sound, subtitles};

/// Sound and subtitles wait here for the slower video. No limit is needed: the source limits how far it reads ahead.
const WAIT: &str = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0";

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
}

impl Branches {
    /// Makes the muxer and the file, without branches.
    pub fn new(
        pipeline: &gst::Pipeline,
        container: &'static Container,
        draft: &Draft,
        meter: &Arc<Meter>,
    ) -> Outcome<Self> {
        let muxer = gst::parse::launch(container.muxer)?;
        let sink = draft.sink()?;
        pipeline.add_many([&muxer, &sink])?;
        muxer.link(&sink)?;
        sink.sync_state_with_parent().map_err(|_| format!("cannot write {}", draft.path.display()))?;
        Ok(Self {
            pipeline: pipeline.clone(),
            container,
            muxer,
            meter: meter.clone(),
            ends: Vec::new(),
            sound_ends: Vec::new(),
            sound_until: Arc::new(AtomicU64::new(u64::MAX)),
        })
    }

    /// Adds the chapters of a film's part, where the container can hold them.
    pub fn add_chapters(&mut self, extras: &Extras, from: ClockTime, to: ClockTime) {
        let notes = &self.meter.notes;
        let part = extras.chapters.as_ref().and_then(|all| chapters::between(all, from, to));
        match (part, self.muxer.dynamic_cast_ref::<gst::TocSetter>()) {
            (Some(_), _) if !self.container.holds_chapters => notes.left_out("chapters"),
            (Some(part), Some(muxer)) => muxer.set_toc(Some(&part)),
            (Some(part), None) => {
                if chapters::list(&part.entries()).len() > mp4::MOST_CHAPTERS {
                    notes.left_out(format!("chapters after number {}", mp4::MOST_CHAPTERS));
                }
                self.meter.description().chapters = Some(part);
            }
            (None, _) if extras.has_chapters && extras.chapters.is_none() => notes.left_out("chapters"),
            (None, _) => (),
        }
    }

    /// Adds all streams of a film.
    pub fn add_all(&mut self, source: Source, film: &Film, encoder: &Encoder) -> Outcome<()> {
        let mut streams = source.streams;
        let picture = main_picture(&streams, Stream::is_picture).ok_or_else(|| no_pictures(film))?;
        let picture = streams.remove(picture);
        let (head, tail) = self.picture(&picture, film, encoder)?;
        self.join_pictures(&tail, &picture, &source.extras)?;
        let mut waiting = self.others(streams, &source.extras)?;
        waiting.push((picture, head));
        self.run(waiting)
    }

    /// Adds the sound and subtitles of `source`; the encoded video of `made`, an opened film, copied; and after it the
    /// video of `rest`, through the film's element.
    pub fn add_continued(
        &mut self,
        source: Source,
        (earlier, made): (&Earlier, Source),
        rest: Source,
        film: &Film,
        encoder: &Encoder,
    ) -> Outcome<()> {
        let concat = gst::ElementFactory::make("concat").property("adjust-base", false).build()?;
        self.pipeline.add(&concat)?;
        concat.sync_state_with_parent()?;
        let mut others = source.streams;
        let picture = main_picture(&others, Stream::is_picture).ok_or_else(|| no_pictures(film))?;
        let picture = others.remove(picture);
        self.join_pictures(&pad(&concat, "src")?, &picture, &source.extras)?;
        picture.discard(&self.pipeline)?;
        let mut waiting = self.others(others, &source.extras)?;
        let made = made.only(&earlier.path, |stream| container::name(&stream.caps).starts_with("video/"))?;
        let rest = rest.only(&film.input, Stream::is_picture)?;
        continued::limit(&made.pad, earlier.pictures);
        made.pad.set_offset(i64::try_from(earlier.shift.nseconds())?);
        // The muxer needs one layout: the caps of the existing video also hold for the rest.
        let parser = self.bin(&parser(&made.caps).unwrap_or_else(|| "identity".into()))?;
        let layout = continued::layout(&made.caps);
        let layout = gst::ElementFactory::make("capsfilter").property("caps", layout).build()?;
        self.pipeline.add(&layout)?;
        layout.sync_state_with_parent()?;
        continued::keep_caps(&layout, &pad(&parser, "src")?)?;
        let (head, tail) = self.picture(&rest, film, encoder)?;
        tail.link(&pad(&layout, "sink")?)?;
        for part in [&parser, &layout] {
            pad(part, "src")?.link(&concat.request_pad_simple("sink_%u").ok_or("concat has no pad")?)?;
        }
        waiting.extend([(made, pad(&parser, "sink")?), (rest, head)]);
        self.run(waiting)
    }

    /// Adds the sound and subtitles of `source`, and the encoded video from `pictures`.
    pub fn add_encoded(&mut self, source: Source, pictures: &gst::Pad) -> Outcome<()> {
        let mut others = source.streams;
        let picture = main_picture(&others, Stream::is_picture).ok_or("a film without video")?;
        let picture = others.remove(picture);
        self.join_pictures(pictures, &picture, &source.extras)?;
        picture.discard(&self.pipeline)?;
        let waiting = self.others(others, &source.extras)?;
        self.meter_pictures(pictures);
        self.run(waiting)
    }

    /// Whether no video was written so far.
    pub fn is_empty(&self) -> bool {
        self.meter.length() == ClockTime::ZERO
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
        draft::mark(&self.muxer, &self.meter.description().tracks);
        self.muxer.sync_state_with_parent()?;
        waiting.into_iter().try_for_each(|(stream, pad)| stream.connect(&pad))
    }

    /// Makes branches for sound and subtitles.
    fn others(&mut self, streams: Vec<Stream>, extras: &Extras) -> Outcome<Vec<(Stream, gst::Pad)>> {
        let mut waiting = Vec::new();
        if extras.has_attachments {
            self.meter.notes.left_out("attachments");
        }
        for stream in streams {
            // Also those that are left out: a film may end with one of them.
            measure(&stream.pad, &self.meter.others_end);
            if stream.is_picture() || !self.container.holds(&stream.caps) {
                self.meter.notes.left_out(match stream.is_picture() {
                    true => "a further video track",
                    false => container::name(&stream.caps),
                });
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
                let layout = sound::layout(&stream.caps, self.container.layouts);
                let encoder = self.container.sound_encoder;
                (SOUND, format!("{WAIT} ! audioconvert ! audioresample ! {layout} ! {encoder}"))
            };
            let branch = self.bin(&description)?;
            if subtitles::is_marked_up(&stream.caps) {
                subtitles::strip_markup(&pad(&branch, "sink")?);
            }
            let end = pad(&branch, "src")?;
            self.join(template, &end, track(&stream, extras))?;
            if template == SOUND {
                sound::keep_caps(&end, &self.meter.notes);
                self.end_in_time(&end);
                self.sound_ends.push(end);
            } else {
                self.ends.push(end);
            }
            waiting.push((stream, pad(&branch, "sink")?));
        }
        Ok(waiting)
    }

    /// Makes the branch for video, with the film's element and the encoder; returns its first and last pad.
    fn picture(&mut self, stream: &Stream, film: &Film, encoder: &Encoder) -> Outcome<(gst::Pad, gst::Pad)> {
        let picture = Picture::new(&stream.caps)?;
        let before = self.bin(&picture.preparation(encoder.even))?;
        picture.watch(&before, &self.meter.notes);
        let element = &film.element;
        self.pipeline.add(element)?;
        let preview = if film.preview {
            "tee name=shown ! queue leaky=downstream max-size-buffers=1 ! videoconvert ! autovideosink sync=false \
             shown. ! queue max-size-buffers=2 ! "
        } else {
            ""
        };
        let caps = picture.for_encoder(if encoder.deep && picture.is_deep() { "I420_10LE" } else { "I420" });
        let after = self.bin(&format!("{preview}videoconvert ! {caps} ! {} ! {WAIT}", encoder.description))?;
        gst::Element::link_many([&before, element, &after])?;
        self.start(element)?;

        let end = pad(&after, "src")?;
        let encoders = after.downcast_ref::<gst::Bin>().map(|bin| bin.iterate_all_by_element_factory_name("vp9enc"));
        for encoder in encoders.into_iter().flatten().flatten() {
            colors::name_matrix(&encoder, &end);
        }
        self.meter_pictures(&pad(element, "src")?);
        Ok((pad(&before, "sink")?, end))
    }

    /// Counts the frames that pass `pad`, which is also where the video is ended.
    fn meter_pictures(&mut self, pad: &gst::Pad) {
        measure(pad, &self.meter.pictures_end);
        let meter = self.meter.clone();
        pad.add_probe(PadProbeType::BUFFER, move |_, _| {
            meter.add_frame();
            PadProbeReturn::Ok
        });
        self.ends.insert(0, pad.clone());
    }

    /// Links `end`, the end of the video that comes from `picture`, to the muxer.
    fn join_pictures(&self, end: &gst::Pad, picture: &Stream, extras: &Extras) -> Outcome<()> {
        self.meter.description().hdr10 = Hdr10::of(&picture.caps);
        self.join(PICTURES, end, track(picture, extras))
    }

    /// Links `end`, the end of a track, to the muxer.
    fn join(&self, template: &str, end: &gst::Pad, track: Track) -> Outcome<()> {
        if self.container.extension == "mp4" && !track.marks.iter().all(|mark| mp4::holds(*mark)) {
            self.meter.notes.left_out("marks of tracks");
        }
        let input = self.muxer.request_pad_simple(template).ok_or("the muxer accepts no more streams")?;
        track.drop_title(&input);
        self.meter.description().tracks.push(track);
        chapters::drop_events(&input);
        if template == PICTURES {
            order::increase(&input);
        }
        if template == PICTURES {
            colors::correct_luminance(&input);
        }
        // MP4 only. The default timescale comes from the frame rate in the caps, which may differ from the actual one.
        if template == PICTURES && input.has_property_with_type("trak-timescale", u32::static_type()) {
            input.set_property("trak-timescale", TIMESCALE);
            last_picture::lengthen(&input);
        }
        if template == SUBTITLES && self.container.shows_one_line {
            subtitles::one_at_a_time(&input, &self.meter.notes);
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
        cut::end_at(pad, move |pad, info| {
            let begin = span(pad, info.buffer()).and_then(|(segment, begin, _)| segment.to_running_time(begin));
            begin.is_some_and(|begin| begin.nseconds() >= until.load(Ordering::Relaxed))
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

/// The track that a stream comes from.
fn track(stream: &Stream, extras: &Extras) -> Track {
    stream.pad.stream_id().map(|id| extras.track(&id)).unwrap_or_default()
}

fn no_pictures(film: &Film) -> String {
    format!("{} has no video", film.input.display())
}

/// Pushes EOS from each pad, on a thread of its own: a push waits while the pad is busy.
fn end(pads: &[gst::Pad]) {
    for pad in pads {
        let pad = pad.clone();
        // A pad after EOS returns false, which is fine.
        std::thread::spawn(move || pad.push_event(gst::event::Eos::new()));
    }
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
