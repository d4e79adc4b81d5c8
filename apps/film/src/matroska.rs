//! Workarounds for Matroska: GStreamer 1.22 does not read the marks of tracks, writes neither these nor names, and
//! writes texts in quotes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::ebml::{self, Element, Part, elements};
use super::number;
use super::tracks::{Extras, MARKS, Track};

// Ids of elements.
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const SEEK: u32 = 0x4dbb;
const SEEK_ID: u32 = 0x53ab;
const SEEK_POSITION: u32 = 0x53ac;
const INFO: u32 = 0x1549_a966;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const NUMBER: u32 = 0xd7;
const DEFAULT: u32 = 0x88;
const NAME: u32 = 0x536e;
const TAGS: u32 = 0x1254_c367;
const TAG: u32 = 0x7373;
const SIMPLE_TAG: u32 = 0x67c8;
const TEXT: u32 = 0x4487;
const ATTACHMENTS: u32 = 0x1941_a469;

/// Enough room for a void element.
const VOID: usize = 16;

/// Reads what GStreamer does not; everything is empty if the file is not Matroska.
pub fn extras(path: &Path) -> io::Result<Extras> {
    let parts = ebml::parts(&File::open(path)?, SEGMENT, &[TRACKS])?;
    let tracks = parts.iter().filter(|part| part.id == TRACKS).flat_map(|part| {
        let tracks = part.elements().into_iter().filter(|element| element.id == TRACK);
        tracks.map(|track| described(&part.bytes, &track)).collect::<Vec<_>>()
    });
    let has_attachments = parts.iter().any(|part| part.id == ATTACHMENTS);
    Ok(Extras { tracks: tracks.collect(), has_attachments, ..Extras::default() })
}

/// A track's number, and its name and marks.
fn described(bytes: &[u8], track: &Element) -> (u64, Track) {
    let elements = elements(bytes, track.contents.clone());
    let contents = |id: u32| {
        let element = elements.iter().find(|element| element.id == id);
        element.map(|element| &bytes[element.contents.clone()])
    };
    let is_set = |id: u32| contents(id).is_some_and(|bytes| number(bytes) != 0);
    let marks = MARKS.map(|(id, _)| id).into_iter().filter(|id| is_set(*id)).collect();
    let name = contents(NAME).map(ebml::text).unwrap_or_default();
    let is_default = contents(DEFAULT).is_none_or(|bytes| number(bytes) != 0);
    (contents(NUMBER).map_or(0, number), Track { name, is_default, marks })
}

/// The number of bytes that a muxer must leave free, after the name of the writing application, for [`correct`].
pub fn room(tracks: &[Track]) -> usize {
    tracks.iter().map(|track| description(track).len()).sum::<usize>() + VOID
}

/// Corrects a file that GStreamer wrote: replaces the names that it gives to tracks by the names and marks in `tracks`,
/// in the order of the file, and removes the quotes that it puts around texts with spaces.
pub fn correct(path: &Path, tracks: &[Track]) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let parts = ebml::parts(&file, SEGMENT, &[SEEK_HEAD, INFO, TRACKS, TAGS])?;
    describe(&file, &parts, tracks)?;
    for tags in parts.iter().filter(|part| part.id == TAGS) {
        let mut changed = tags.bytes.clone();
        let whole = 0..changed.len();
        let texts = [TAG, SIMPLE_TAG, TEXT].into_iter().fold(vec![whole], |places, id| {
            let within = places.into_iter().flat_map(|place| elements(&tags.bytes, place));
            within.filter(|element| element.id == id).map(|element| element.contents).collect()
        });
        texts.into_iter().for_each(|place| unquote(&mut changed[place]));
        file.write_all_at(&changed, tags.begin)?;
    }
    Ok(())
}

/// Writes names and marks into the tracks, which then begin earlier: in the room after the name of the writing
/// application.
fn describe(file: &File, parts: &[Part], tracks: &[Track]) -> io::Result<()> {
    let part = |id: u32| parts.iter().find(|part| part.id == id);
    let (Some(segment), Some(seek_head), Some(info), Some(old)) =
        (part(SEGMENT), part(SEEK_HEAD), part(INFO), part(TRACKS))
    else {
        return Ok(());
    };
    let new_info = rebuilt(info, |element| {
        let text = || ebml::text(&info.bytes[element.contents.clone()]).trim_end().to_owned();
        (element.id == WRITING_APP).then(|| text().into_bytes())
    });
    let mut described = tracks.iter();
    let new = rebuilt(old, |element| {
        let is_kept =
            |part: &Element| ![NAME, DEFAULT].contains(&part.id) && MARKS.iter().all(|(mark, _)| *mark != part.id);
        let track = if element.id == TRACK { described.next()? } else { return None };
        let kept = elements(&old.bytes, element.contents.clone()).into_iter().filter(is_kept);
        Some(kept.flat_map(|part| old.bytes[part.whole].to_vec()).chain(description(track)).collect())
    });
    let mut bytes = new_info;
    let place = info.place + bytes.len() as u64;
    bytes.extend(new);
    let rest = usize::try_from(old.end() - info.place).ok().and_then(|all| all.checked_sub(bytes.len()));
    let Some(void) = rest.and_then(ebml::void).filter(|_| info.end() == old.place) else { return Ok(()) };
    bytes.extend(void);
    file.write_all_at(&bytes, info.place)?;
    for seek in seek_head.elements().into_iter().filter(|element| element.id == SEEK) {
        let found = elements(&seek_head.bytes, seek.contents);
        let contents = |id: u32| found.iter().find(|element| element.id == id).map(|element| element.contents.clone());
        if let (Some(id), Some(position)) = (contents(SEEK_ID), contents(SEEK_POSITION))
            && seek_head.bytes[id] == TRACKS.to_be_bytes()
            && let Some(first) = 8usize.checked_sub(position.len())
        {
            let moved = (place - segment.begin).to_be_bytes();
            file.write_all_at(&moved[first..], seek_head.begin + position.start as u64)?;
        }
    }
    Ok(())
}

/// The bytes of a part with other contents of the elements for which `contents` returns some.
fn rebuilt(part: &Part, mut contents: impl FnMut(&Element) -> Option<Vec<u8>>) -> Vec<u8> {
    let elements = part.elements().into_iter().flat_map(|element| match contents(&element) {
        Some(contents) => ebml::written(element.id, &contents),
        None => part.bytes[element.whole].to_vec(),
    });
    ebml::written(part.id, &elements.collect::<Vec<_>>())
}

/// The elements of a track's name and marks.
fn description(track: &Track) -> Vec<u8> {
    let mut bytes = ebml::written(DEFAULT, &[track.is_default.into()]);
    bytes.extend(track.marks.iter().flat_map(|mark| ebml::written(*mark, &[1])));
    if !track.name.is_empty() {
        bytes.extend(ebml::written(NAME, track.name.as_bytes()));
    }
    bytes
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
}
