//! Workarounds for Matroska: GStreamer 1.22 does not read the default and forced flags of tracks, writes them wrongly, and
//! writes texts in quotes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::draft::EBML;

// Ids of elements.
const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const NUMBER: u32 = 0xd7;
const DEFAULT: u32 = 0x88;
const FORCED: u32 = 0x55aa;
const NAME: u32 = 0x536e;
const TAGS: u32 = 0x1254_c367;
const TAG: u32 = 0x7373;
const SIMPLE_TAG: u32 = 0x67c8;
const TEXT: u32 = 0x4487;
const ATTACHMENTS: u32 = 0x1941_a469;

/// The largest size of an element that is read at once.
const LARGEST: u64 = 16 << 20;

/// Whether a player chooses a track by itself: always if it has no other, and in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marks {
    pub default: bool,
    pub forced: bool,
}

/// The parts of a file that GStreamer ignores.
#[derive(Debug, Default)]
pub struct Extras {
    /// The marks of the tracks with these numbers.
    pub marks: HashMap<u64, Marks>,
    pub has_attachments: bool,
}

/// An element's place and that of its contents.
#[derive(Clone, Debug)]
struct Element {
    whole: Range<usize>,
    contents: Range<usize>,
}

impl Extras {
    /// Reads a file; everything is empty if it is not Matroska.
    pub fn read(path: &Path) -> Self {
        let mut extras = Self::default();
        // The demuxer reports a file that cannot be read.
        let _ = File::open(path).and_then(|file| {
            each_part(file, |_, id, _, bytes| {
                extras.has_attachments |= id == ATTACHMENTS;
                if id == TRACKS {
                    extras.marks.extend(elements(bytes, 0..bytes.len(), TRACK).iter().map(|track| marks(bytes, track)));
                }
                Ok(())
            })
        });
        extras
    }
}

/// Corrects a file that GStreamer wrote: replaces the names that it gives to tracks by the tracks' marks, in the order of
/// the file, and removes the quotes that it puts around texts with spaces.
pub fn correct(path: &Path, all: &[Option<Marks>]) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    each_part(file, |file, id, place, bytes| {
        let mut changed = bytes.to_vec();
        if id == TRACKS {
            for (track, marks) in elements(bytes, 0..bytes.len(), TRACK).iter().zip(all) {
                if let (Some(marks), Some(name)) = (marks, elements(bytes, track.contents.clone(), NAME).first()) {
                    replace_name(&mut changed[name.whole.clone()], *marks);
                }
            }
        } else if id == TAGS {
            for tag in elements(bytes, 0..bytes.len(), TAG) {
                for simple in elements(bytes, tag.contents, SIMPLE_TAG) {
                    for text in elements(bytes, simple.contents, TEXT) {
                        unquote(&mut changed[text.contents]);
                    }
                }
            }
        }
        if changed == bytes { Ok(()) } else { file.write_all_at(&changed, place) }
    })
}

/// Calls `visit` with the file and the id, the place and the bytes of the segment's parts, but not with the clusters'
/// bytes.
fn each_part(mut file: File, mut visit: impl FnMut(&File, u32, u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let end = file.metadata()?.len();
    let mut place = 0;
    while let Some((id, begin, size)) = header(&mut file, place)? {
        if place == 0 && id.to_be_bytes() != EBML {
            break;
        }
        let size = size.min(end.saturating_sub(begin));
        if id == SEGMENT {
            // Its contents follow.
            place = begin;
            continue;
        }
        let mut bytes = Vec::new();
        if [TRACKS, TAGS].contains(&id) && size <= LARGEST {
            file.seek(SeekFrom::Start(begin))?;
            (&file).take(size).read_to_end(&mut bytes)?;
        }
        visit(&file, id, begin, &bytes)?;
        place = begin + size;
    }
    Ok(())
}

/// The id, the contents' place and their size of the element at a place; None at the end.
fn header(file: &mut File, place: u64) -> io::Result<Option<(u32, u64, u64)>> {
    file.seek(SeekFrom::Start(place))?;
    let mut bytes = Vec::new();
    file.take(12).read_to_end(&mut bytes)?;
    Ok(element(&bytes, 0).map(|(id, begin, size)| (id, place + begin as u64, size)))
}

/// The id, the contents' place and their size of the element at a place in `bytes`.
fn element(bytes: &[u8], place: usize) -> Option<(u32, usize, u64)> {
    let length = |byte: u8| (byte.leading_zeros() as usize) + 1;
    let first = length(*bytes.get(place)?);
    let id = bytes.get(place..place + first).filter(|id| id.len() <= 4)?;
    let id = id.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    let place = place + first;
    let second = length(*bytes.get(place)?);
    let size = bytes.get(place..place + second).filter(|size| size.len() <= 8)?;
    let size = size.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    // Without the bit that gives the length.
    Some((id, place + second, size & !(1 << (7 * second))))
}

/// The elements with this id in a part of `bytes`.
fn elements(bytes: &[u8], part: Range<usize>, wanted: u32) -> Vec<Element> {
    let mut found = Vec::new();
    let mut place = part.start;
    while place < part.end
        && let Some((id, begin, size)) = element(bytes, place)
        && let Some(end) = usize::try_from(size).ok().and_then(|size| begin.checked_add(size))
        && end <= part.end
    {
        if id == wanted {
            found.push(Element { whole: place..end, contents: begin..end });
        }
        place = end;
    }
    found
}

/// A track's number and marks.
fn marks(bytes: &[u8], track: &Element) -> (u64, Marks) {
    let number = |id: u32, usual: u64| {
        let found = elements(bytes, track.contents.clone(), id);
        found.first().map_or(usual, |element| {
            bytes[element.contents.clone()].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        })
    };
    (number(NUMBER, 0), Marks { default: number(DEFAULT, 1) != 0, forced: number(FORCED, 0) != 0 })
}

/// Replaces the element of a name by marks, and fills the rest of its place with a void element.
fn replace_name(element: &mut [u8], marks: Marks) {
    let flags = [0x88, 0x81, marks.default.into(), 0x55, 0xaa, 0x81, marks.forced.into()];
    if let Some((place, void)) = element.split_at_mut_checked(flags.len())
        && let Some(rest) = void.len().checked_sub(2)
        && rest < 127
    {
        place.copy_from_slice(&flags);
        void.fill(0);
        void[0] = 0xec;
        void[1] = 0x80 | rest as u8;
    }
}

/// Replaces a text in GStreamer's quotes by what they contain, and fills the rest with zeros, which end a text.
fn unquote(text: &mut [u8]) {
    let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let Some(quoted) = text[..end].strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) else { return };
    let mut plain = Vec::new();
    let mut rest = quoted;
    loop {
        rest = match rest {
            [] => break,
            // A byte as three octal digits.
            [b'\\', high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', rest @ ..] => {
                plain.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                plain.push(*byte);
                rest
            }
        }
    }
    text.fill(0);
    text[..plain.len()].copy_from_slice(&plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_removed() {
        for (quoted, plain) in [
            (r#""A\ film:\ it\'s\ \"quoted\"""#, r#"A film: it's "quoted""#),
            (r#""J\303\266hn\ Doe""#, "Jöhn Doe"),
            ("plain", "plain"),
        ] {
            let mut text = quoted.as_bytes().to_vec();
            unquote(&mut text);
            assert_eq!(String::from_utf8(text).expect("UTF-8").trim_end_matches('\0'), plain);
        }
    }

    #[test]
    fn marks_take_the_place_of_a_name() {
        let mut name = *b"\x53\x6e\x86Video\0";
        replace_name(&mut name, Marks { default: false, forced: true });
        assert_eq!(name, [0x88, 0x81, 0, 0x55, 0xaa, 0x81, 1, 0xec, 0x80]);
    }
}
