//! The unfinished output of an earlier run.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, PadProbeReturn, PadProbeType};

use super::container::{self, Container};
use super::draft::{self, Draft};
use super::ebml;
use super::segments::span;
use super::source::Source;
use super::streams::Stream;
use super::{Outcome, branch, bus};

/// A film that this program has made before, and which a run continues.
pub struct Earlier {
    pub path: PathBuf,
    /// The number of its pictures that are taken over, in the order of the file.
    pub pictures: usize,
    /// The time in the film of the last of them.
    pub last: ClockTime,
    /// How much later its pictures are in the film than in the file: MP4 begins with the first picture.
    pub shift: ClockTime,
}

/// So far apart in the order of the file are pictures that are shown in another order.
const REORDERED: usize = 32;

impl Earlier {
    /// The longest of the earlier films: the output and the drafts. An output of another origin is an error.
    pub fn of(draft: &Draft) -> Outcome<Option<Self>> {
        if draft.output.exists() && !draft::is_ours(&draft.output)? {
            let output = draft.output.display();
            return Err(format!("{output} is not a film of this program, so there is nothing to resume").into());
        }
        let paths = [&draft.output, &draft.path, &draft.earlier];
        let longest = paths.into_iter().filter_map(|path| Self::measure(path)).max_by_key(|film| film.last);
        let Some(mut longest) = longest else { return Ok(None) };
        if longest.path == draft.path {
            std::fs::rename(&draft.path, &draft.earlier)?;
            longest.path.clone_from(&draft.earlier);
        }
        Ok(Some(longest))
    }

    /// The film at `path`, if there is one with video.
    pub fn measure(path: &Path) -> Option<Self> {
        if !path.is_file() {
            return None;
        }
        let pipeline = gst::Pipeline::new();
        // A film that a crash left may end with an error.
        let times = times(&pipeline, path).unwrap_or_default();
        // A failure loses nothing: the pipeline only reads.
        let _ = pipeline.set_state(gst::State::Null);
        let pictures = if is_closed(path) { times.len() } else { complete(&times) };
        let last = times[..pictures].iter().max().copied()?;
        Some(Self { path: path.to_owned(), pictures, last, shift: ClockTime::ZERO })
    }

    /// Compares the film with its source, which begins at `from`.
    pub fn compare(&mut self, input: &Path, from: ClockTime) -> Outcome<()> {
        let [first, source] = [
            first_picture(&self.path, None, |stream| container::name(&stream.caps).starts_with("video/"))?,
            first_picture(input, Some(from), Stream::is_picture)?,
        ];
        self.shift = source.saturating_sub(first);
        self.last += self.shift;
        Ok(())
    }
}

/// The time of the first picture of a film after `from`, decoded or not as `is_wanted` says.
fn first_picture(path: &Path, from: Option<ClockTime>, is_wanted: impl Fn(&Stream) -> bool) -> Outcome<ClockTime> {
    let pipeline = gst::Pipeline::new();
    let find = || {
        let container = Container::of(&path.with_extension("mkv"))?;
        let wanted = if from.is_some() { container.wanted() } else { container.stored() };
        let source = Source::open(&pipeline, path, &wanted)?;
        if let Some(from) = from {
            source.take(from, None)?;
        }
        let sink = gst_app::AppSink::builder().sync(false).build();
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        source.only(path, is_wanted)?.connect(&branch::pad(sink.upcast_ref(), "sink")?)?;
        pipeline.set_state(gst::State::Playing)?;
        let sample = sink.pull_sample().map_err(|_| format!("{} has no video", path.display()))?;
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<ClockTime>());
        let time = segment.zip(sample.buffer()).and_then(|(segment, buffer)| segment.to_running_time(buffer.pts()?));
        Ok(time.unwrap_or_default())
    };
    let found = find();
    // A failure loses nothing: the pipeline only reads.
    let _ = pipeline.set_state(gst::State::Null);
    found
}

/// The times of a film's pictures, in the order of the file.
fn times(pipeline: &gst::Pipeline, path: &Path) -> Outcome<Vec<ClockTime>> {
    let source = Source::open(pipeline, path, &Container::of(path)?.stored())?;
    let times = Arc::new(Mutex::new(Vec::new()));
    for stream in source.streams {
        if container::name(&stream.caps).starts_with("video/") {
            let times = times.clone();
            stream.pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
                let time = span(pad, info.buffer()).and_then(|(segment, begin, _)| segment.to_running_time(begin));
                times.lock().unwrap_or_else(PoisonError::into_inner).extend(time);
                PadProbeReturn::Ok
            });
        }
        stream.discard(pipeline)?;
    }
    // After an error, the pictures before it are there.
    let _ = bus::wait(pipeline);
    Ok(std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Whether a file was closed: a crash leaves Matroska without its size, or shorter than that. MP4 that was not closed
/// cannot be read at all.
fn is_closed(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    let segment = head.windows(4).position(|bytes| bytes == [0x18, 0x53, 0x80, 0x67]).map(|place| place + 4);
    let (Ok(_), true, Some(place)) = (read, head.starts_with(&ebml::MAGIC), segment) else { return true };
    // The muxer writes the size in eight bytes, of which the first one says so.
    let Some(Ok(size)) = head.get(place..place + 8).map(<[u8; 8]>::try_from) else { return false };
    let size = u64::from_be_bytes(size) & (u64::MAX >> 8);
    path.metadata().is_ok_and(|file| file.len() >= place as u64 + 8 + size)
}

/// The number of pictures at a torn film's beginning between which none is missing. The pictures that are shown before
/// others but come after them in the file may be lost.
fn complete(times: &[ClockTime]) -> usize {
    let later = |(index, time)| times[..index].iter().rev().take(REORDERED).filter(|other| *other > time).count();
    let delay = times.iter().enumerate().map(later).max().unwrap_or_default();
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let Some(certain) = sorted.len().checked_sub(delay + 1).map(|index| sorted[index]) else { return 0 };
    // Where every picture before is shown before every picture after.
    let mut newest = ClockTime::ZERO;
    let mut pictures = 0;
    for (index, time) in times.iter().enumerate() {
        newest = newest.max(*time);
        let is_seam = times[index + 1..].iter().take(REORDERED).all(|other| *other > newest);
        if newest <= certain && is_seam {
            pictures = index + 1;
        }
    }
    pictures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_film_is_complete_up_to_the_pictures_that_may_be_missing() {
        let complete =
            |times: &[u64]| complete(&times.iter().copied().map(ClockTime::from_mseconds).collect::<Vec<_>>());
        assert_eq!(complete(&[]), 0);
        assert_eq!(complete(&[0, 40, 80]), 3);
        // I, P and the two B before it; then a P whose first B is lost.
        assert_eq!(complete(&[0, 120, 40, 80, 240]), 4);
        assert_eq!(complete(&[0, 120, 40, 80, 240, 160]), 4);
        assert_eq!(complete(&[0, 160, 80, 40, 120, 320, 240, 200]), 5);
    }
}
