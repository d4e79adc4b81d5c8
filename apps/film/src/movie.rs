//! The duration in an MP4 file's header, which GStreamer 1.22 must not see.
//!
//! GStreamer ends a stream where the time in the file reaches this duration, even if an edit list skips the file's
//! beginning: a film that was trimmed without encoding it again would lose the same time at its end.

use std::ops::Range;
use std::path::Path;

use gst::ClockTime;
use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

use super::atoms::Movie;
use super::number;

/// The duration of a film.
pub struct Duration {
    /// The duration in the header.
    pub time: ClockTime,
    /// The position of the header's number, and a replacement that covers the whole file.
    place: u64,
    longer: Vec<u8>,
}

/// The duration in a box of type `mvhd` or `mdhd`.
struct Field {
    place: usize,
    bytes: usize,
    units: u64,
    per_second: u64,
}

impl Duration {
    /// The duration of the film at `path`; None if it is not MP4 or QuickTime, or gives none.
    pub fn of(path: &Path) -> Option<Self> {
        let movie = Movie::read(path).ok()??;
        let field = |place| Field::read(&movie.bytes, place);
        let header = movie.at(&[b"mvhd"]).into_iter().find_map(field)?;
        let time = header.time()?;
        let tracks = movie.at(&[b"trak", b"mdia", b"mdhd"]).into_iter().filter_map(field);
        let longest = tracks.filter_map(|field| field.time()).fold(time, ClockTime::max);
        // Pictures may be shown somewhat later than the last one is decoded.
        let longer = (longest + longest / 20).mul_div_ceil(header.per_second, ClockTime::SECOND.nseconds())?;
        let longer = longer.nseconds().to_be_bytes()[8 - header.bytes..].to_vec();
        Some(Self { time, place: movie.begin + header.place as u64, longer })
    }

    /// Replaces the duration in what `source` reads.
    pub fn hide(&self, source: &gst::Element) {
        let Some(pad) = source.static_pad("src") else { return };
        let (place, longer) = (self.place, self.longer.clone());
        pad.add_probe(PadProbeType::BUFFER | PadProbeType::PULL | PadProbeType::PUSH, move |_, info| {
            if let Some(PadProbeData::Buffer(buffer)) = &mut info.data
                && let offset = buffer.offset()
                && offset < place + longer.len() as u64
                && place < offset.saturating_add(buffer.size() as u64)
            {
                // A file may be read in any pieces.
                if let Ok(mut data) = buffer.make_mut().map_writable() {
                    for (index, byte) in (place..).zip(&longer) {
                        let index = index.checked_sub(offset).and_then(|index| usize::try_from(index).ok());
                        if let Some(target) = index.and_then(|index| data.get_mut(index)) {
                            *target = *byte;
                        }
                    }
                }
            }
            PadProbeReturn::Ok
        });
    }
}

impl Field {
    fn read(bytes: &[u8], place: Range<usize>) -> Option<Self> {
        let begin = place.start;
        let header = &bytes[place];
        // After the version, which gives the size of times, and two times.
        let (scale, at, bytes) = if *header.first()? == 1 { (20, 24, 8) } else { (12, 16, 4) };
        let (per_second, units) = (number(header.get(scale..scale + 4)?), number(header.get(at..at + bytes)?));
        Some(Self { place: begin + at, bytes, units, per_second })
    }

    /// The duration; None if it is unknown.
    fn time(&self) -> Option<ClockTime> {
        let unknown = [0, u64::MAX >> (64 - 8 * self.bytes)];
        ClockTime::SECOND.mul_div_round(self.units, self.per_second).filter(|_| !unknown.contains(&self.units))
    }
}
