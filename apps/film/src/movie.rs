//! The duration in an MP4 file's header, which GStreamer 1.22 must not see.
//!
//! GStreamer ends a stream where the time in the file reaches this duration, even if an edit list skips the file's
//! beginning: a film that was trimmed without encoding it again would lose the same time at its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use gst::ClockTime;
use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

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
    place: u64,
    bytes: usize,
    units: u64,
    per_second: u64,
}

impl Duration {
    /// The duration of the film at `path`; None if it is not MP4 or QuickTime, or gives none.
    pub fn of(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let end = file.metadata().ok()?.len();
        let movie = boxes(&mut file, (0, end), *b"moov").ok()?.first().copied()?;
        let header = boxes(&mut file, movie, *b"mvhd").ok()?.first().copied()?;
        let header = Field::read(&mut file, header).ok()?;
        let time = header.time()?;
        let mut longest = time;
        for track in boxes(&mut file, movie, *b"trak").ok()? {
            for media in boxes(&mut file, track, *b"mdia").ok()? {
                for media in boxes(&mut file, media, *b"mdhd").ok()? {
                    longest = longest.max(Field::read(&mut file, media).ok()?.time().unwrap_or_default());
                }
            }
        }
        // Pictures may be shown somewhat later than the last one is decoded.
        let longer = (longest + longest / 20).mul_div_ceil(header.per_second, ClockTime::SECOND.nseconds())?;
        let longer = longer.nseconds().to_be_bytes()[8 - header.bytes..].to_vec();
        Some(Self { time, place: header.place, longer })
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
    fn read(file: &mut File, (begin, _): (u64, u64)) -> io::Result<Self> {
        file.seek(SeekFrom::Start(begin))?;
        let mut header = [0; 32];
        file.read_exact(&mut header)?;
        // After the version, which gives the size of times, and two times.
        let (scale, at, bytes) = if header[0] == 1 { (20, 24, 8) } else { (12, 16, 4) };
        let number =
            |range: std::ops::Range<usize>| header[range].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (per_second, units) = (number(scale..scale + 4), number(at..at + bytes));
        Ok(Self { place: begin + at as u64, bytes, units, per_second })
    }

    /// The duration; None if it is unknown.
    fn time(&self) -> Option<ClockTime> {
        let unknown = [0, u64::MAX >> (64 - 8 * self.bytes)];
        ClockTime::SECOND.mul_div_round(self.units, self.per_second).filter(|_| !unknown.contains(&self.units))
    }
}

/// The contents, as begin and end in the file, of the boxes of a type between two places.
fn boxes(file: &mut File, (mut place, end): (u64, u64), kind: [u8; 4]) -> io::Result<Vec<(u64, u64)>> {
    let mut boxes = Vec::new();
    while place + 8 <= end {
        file.seek(SeekFrom::Start(place))?;
        let mut header = [0; 16];
        file.read_exact(&mut header[..8])?;
        let [size, found] = [0, 4].map(|at| [header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (size, begin) = match u32::from_be_bytes(size) {
            0 => (end - place, 8),
            1 => {
                file.read_exact(&mut header[8..])?;
                (header[8..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 16)
            }
            size => (u64::from(size), 8),
        };
        let is_name = found.iter().all(|byte| byte.is_ascii_alphanumeric() || b" -_\xa9".contains(byte));
        // Otherwise, this is no MP4 file, or padding.
        if size < begin || !is_name {
            break;
        }
        if found == kind {
            boxes.push((place + begin, end.min(place.saturating_add(size))));
        }
        place = place.saturating_add(size);
    }
    Ok(boxes)
}
