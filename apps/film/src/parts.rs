//! Joins a film whose video was made in parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gst::ClockTime;
use gst::prelude::*;

use super::branch::{self, Branches};
use super::container::{self, Container};
use super::draft::{self, Draft};
use super::meter::Meter;
use super::source::Source;
use super::{Made, Outcome, Progress, bus, continued};

/// A part of a film's video, encoded.
pub struct Part {
    /// The file with the video; other streams in it are ignored.
    pub path: PathBuf,
    /// Its place in the whole film.
    pub begin: ClockTime,
    /// The number of frames that it must have.
    pub frames: u64,
}

/// The maximum number of bytes of video that wait for their sound.
const WAITING: u64 = 16 << 20;

/// The timestamp of the film's beginning. Frames may be decoded before they are shown, but timestamps cannot be
/// negative.
const OFFSET: ClockTime = ClockTime::from_seconds(3600);

/// Makes `output` from the video of `parts`, which must be in order, and everything else in `input`. `tick` and `stop`
/// are those of [`super::Film::make`]. After an error, an output that existed before is as it was.
pub fn join(
    input: &Path,
    output: &Path,
    parts: Vec<Part>,
    tick: impl Fn(&Progress),
    stop: &AtomicBool,
) -> Outcome<Made> {
    let container = Container::of(output)?;
    let draft = Draft::new(input, output)?;
    if let Some(part) = parts.iter().find(|part| draft::is_same(&part.path, output)) {
        return Err(format!("{} is one of the parts, too", part.path.display()).into());
    }
    let meter = Arc::new(Meter::new(ClockTime::ZERO));
    let made = super::run(input, &draft, &meter, tick, stop, |pipeline| {
        let source = Source::open_noting(pipeline, input, &container.wanted(), &meter.notes)?;
        let length = source.duration();
        let mut branches = Branches::new(pipeline, container, &draft, &meter)?;
        branches.add_chapters(&source.extras, ClockTime::ZERO, length);
        let pictures = gst_app::AppSrc::builder().format(gst::Format::Time).handle_segment_change(true);
        let pictures = pictures.block(true).max_bytes(WAITING).build();
        pipeline.add(&pictures)?;
        branches.add_encoded(source, &branch::pad(pictures.upcast_ref(), "src")?)?;
        pictures.sync_state_with_parent()?;
        std::thread::spawn(move || {
            if let Err(error) = feed_all(&parts, container, &pictures) {
                gst::element_error!(pictures, gst::ResourceError::Read, ("{}", error));
            }
        });
        Ok((branches, length))
    });
    match made {
        Ok(_) => draft.finish(&meter.description())?,
        Err(_) => draft.remove()?,
    }
    made
}

/// Pushes the parts' frames into `pictures`, until it accepts no more.
fn feed_all(parts: &[Part], container: &Container, pictures: &gst_app::AppSrc) -> Outcome<()> {
    for part in parts {
        let pipeline = gst::Pipeline::new();
        let fed = feed(part, &pipeline, container, pictures);
        // A failure loses nothing: this pipeline only reads.
        let _ = pipeline.set_state(gst::State::Null);
        let Some(frames) = fed? else { return Ok(()) };
        if frames != part.frames {
            return Err(format!("{} has {frames} frames instead of {}", part.path.display(), part.frames).into());
        }
    }
    // Fails only if the pipeline was stopped, which then needs no EOS.
    let _ = pictures.end_of_stream();
    Ok(())
}

/// Pushes a part's frames into `pictures` and returns their number; None if `pictures` accepts no more.
fn feed(
    part: &Part,
    pipeline: &gst::Pipeline,
    container: &Container,
    pictures: &gst_app::AppSrc,
) -> Outcome<Option<u64>> {
    let sink = open(part, pipeline, container)?;
    let mut film = gst::FormattedSegment::<ClockTime>::new();
    film.set_start(OFFSET);
    let mut frames = 0;
    while let Ok(sample) = sink.pull_sample() {
        let (Some(caps), Some(buffer), Some(segment)) = (sample.caps(), sample.buffer(), sample.segment()) else {
            return Err("a frame without timestamps".into());
        };
        if pictures.caps().is_some_and(|before| continued::header(caps) != continued::header(&before)) {
            let path = part.path.display();
            return Err(format!("{path} has other encoder settings than the parts before it").into());
        }
        let segment = segment.downcast_ref::<ClockTime>().ok_or("a frame without timestamps")?;
        let placed = |time| segment.to_running_time_full(time).and_then(|time| (time + part.begin + OFFSET).positive());
        let mut copy = buffer.copy();
        if let Some(copy) = copy.get_mut() {
            copy.set_pts(placed(buffer.pts()));
            copy.set_dts(placed(buffer.dts()));
        }
        frames += 1;
        let sample = gst::Sample::builder().buffer(&copy).caps(&caps.to_owned()).segment(&film).build();
        if pictures.push_sample(&sample).is_err() {
            return Ok(None);
        }
    }
    bus::error(pipeline).map_or(Ok(Some(frames)), Err)
}

/// Builds the pipeline that reads a part; returns the sink for its encoded video.
fn open(part: &Part, pipeline: &gst::Pipeline, container: &Container) -> Outcome<gst_app::AppSink> {
    let source = Source::open(pipeline, &part.path, &container.stored())?;
    let picture = source.only(&part.path, |stream| container::name(&stream.caps).starts_with("video/"))?;

    let parser = branch::parser(&picture.caps).unwrap_or_else(|| "identity".into());
    let parser = gst::ElementFactory::make(&parser).build()?;
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(8).build();
    pipeline.add_many([&parser, sink.upcast_ref()])?;
    parser.link(&sink)?;
    sink.sync_state_with_parent()?;
    parser.sync_state_with_parent()?;
    picture.connect(&branch::pad(&parser, "sink")?)?;
    pipeline.set_state(gst::State::Playing)?;
    Ok(sink)
}
