//! Workarounds for MP4: GStreamer 1.22 reads and writes neither the names and marks of tracks nor chapters, and does
//! not write HDR10 metadata.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use gst::tags::Title;
use gst::{TagList, TagMergeMode, Toc, TocEntry, TocEntryType, TocScope};

use super::atoms::{self, Movie, atoms, find};
use super::colors::Hdr10;
use super::tracks::{Description, Extras, MARKS, Track};
use super::{chapters, number};

/// The scheme of the roles in [`MARKS`].
const ROLES: &[u8] = b"urn:mpeg:dash:role:2011\0";

/// The place in a header of type `tkhd` of the flags' last byte, and the flag of a track that is shown by default.
const FLAGS: usize = 3;
const ENABLED: u8 = 1;

/// The largest size of what follows the movie: tags, as XMP.
const LARGEST: u64 = 1 << 20;

/// The maximum number of chapters, and of bytes in a title.
pub const MOST_CHAPTERS: usize = 255;
const LONGEST_TITLE: usize = 255;

/// Nanoseconds in the unit of chapters.
const NANOSECONDS: u64 = 100;

/// A box on the way to another: its type, or None for any type, and the number of bytes before it in the box around it.
type Step = (Option<&'static [u8; 4]>, usize);

/// The way from a track to the description of its pictures.
const PICTURES: [Step; 5] = [(Some(b"mdia"), 0), (Some(b"minf"), 0), (Some(b"stbl"), 0), (Some(b"stsd"), 0), (None, 8)];

/// Reads what GStreamer does not; everything is empty if the file is not MP4.
pub fn extras(path: &Path) -> io::Result<Extras> {
    let Some(movie) = Movie::read(path)? else { return Ok(Extras::default()) };
    let tracks = movie.at(&[b"trak"]).into_iter().filter_map(|track| described(&movie.bytes, track));
    let lists = movie.at(&[b"udta", b"chpl"]);
    let chapters = lists.into_iter().find_map(|list| table(&movie.bytes[list]));
    let has_chapters = chapters.is_some() || !movie.at(&[b"trak", b"tref", b"chap"]).is_empty();
    Ok(Extras { tracks: tracks.collect(), chapters, has_chapters, ..Extras::default() })
}

/// A track's number, and its name and marks.
fn described(bytes: &[u8], track: Range<usize>) -> Option<(u64, Track)> {
    let all = |path: &[&[u8; 4]]| find(bytes, track.clone(), path).into_iter().map(move |place| &bytes[place]);
    let header = all(&[b"tkhd"]).next()?;
    // After the version, which gives the size of two times.
    let place = if *header.first()? == 1 { 20 } else { 12 };
    let number = number(header.get(place..place + 4)?);
    let name = all(&[b"udta", b"name"]).next().unwrap_or_default();
    let roles: Vec<_> = all(&[b"udta", b"kind"]).collect();
    let has = |role: &str| roles.iter().any(|kind| *kind == self::kind(role));
    let marks = MARKS.into_iter().filter(|(_, role)| role.is_some_and(has)).map(|(id, _)| id).collect();
    let is_default = header.get(FLAGS)? & ENABLED != 0;
    Some((number, Track { name: String::from_utf8_lossy(name).trim_matches('\0').to_owned(), is_default, marks }))
}

/// The contents of a box of type `kind` with this role.
fn kind(role: &str) -> Vec<u8> {
    [&[0; 4][..], ROLES, role.as_bytes(), &[0]].concat()
}

/// The chapters in a box of type `chpl`.
fn table(list: &[u8]) -> Option<Toc> {
    let list = beginnings(list)?;
    let mut toc = Toc::new(TocScope::Global);
    let edit = toc.make_mut();
    for (index, (begin, title)) in list.iter().enumerate() {
        let mut entry = TocEntry::new(TocEntryType::Chapter, &index.to_string());
        let chapter = entry.make_mut();
        // The last one ends with the film.
        chapter.set_start_stop_times(*begin, list.get(index + 1).map_or(-1, |(next, _)| *next));
        let mut tags = TagList::new();
        tags.make_mut().add::<Title>(&title.as_str(), TagMergeMode::Append);
        chapter.set_tags(tags);
        edit.append_entry(entry);
    }
    Some(toc)
}

/// The beginnings, in nanoseconds, and the titles of chapters.
fn beginnings(list: &[u8]) -> Option<Vec<(i64, String)>> {
    let (version, rest) = list.split_first()?;
    let flags = if *version == 1 { 7 } else { 3 };
    let (count, mut rest) = rest.get(flags..)?.split_first()?;
    let mut chapters = Vec::new();
    for _ in 0..*count {
        let (time, next) = rest.split_first_chunk::<8>()?;
        let (length, next) = next.split_first()?;
        let (title, next) = next.split_at_checked((*length).into())?;
        let begin = i64::try_from(number(time).checked_mul(NANOSECONDS)?).ok()?;
        chapters.push((begin, String::from_utf8_lossy(title).into_owned()));
        rest = next;
    }
    Some(chapters)
}

/// Whether a mark can be written.
pub fn holds(mark: u32) -> bool {
    MARKS.iter().any(|(id, role)| *id == mark && role.is_some())
}

/// Writes names, marks, chapters and HDR10 metadata into a file that GStreamer wrote: its media come before the movie.
pub fn correct(path: &Path, description: &Description) -> io::Result<()> {
    let Some(movie) = Movie::read(path)? else { return Ok(()) };
    let file = File::options().read(true).write(true).open(path)?;
    let mut rest = Vec::new();
    (&file).seek(SeekFrom::Start(movie.end()))?;
    (&file).take(LARGEST).read_to_end(&mut rest)?;
    if rest.len() as u64 == LARGEST || atoms(&rest, 0..rest.len()).iter().any(|atom| atom.kind == *b"mdat") {
        return Ok(());
    }
    // The box's header is before its contents.
    let write =
        |contents: &[u8]| file.write_all_at(&[&atoms::written(b"moov", contents)[..], &rest].concat(), movie.begin - 8);
    let written = write(&described_movie(&movie, description));
    if written.is_err() {
        // The disk may be full: the film without names is better than none.
        write(&movie.bytes)?;
    }
    written
}

/// The contents of the movie box, with the film's names and chapters.
fn described_movie(movie: &Movie, description: &Description) -> Vec<u8> {
    let mut tracks = description.tracks.iter().zip(enabled(movie, &description.tracks));
    let mut contents = Vec::new();
    let mut user = Vec::new();
    for atom in atoms(&movie.bytes, 0..movie.bytes.len()) {
        match &atom.kind {
            b"udta" => user.extend(&movie.bytes[atom.contents]),
            b"trak" => match tracks.next() {
                Some((track, is_enabled)) => {
                    let mut track = described_track(&movie.bytes, atom.contents, track, is_enabled);
                    if !find(&track, 0..track.len(), &[b"mdia", b"minf", b"vmhd"]).is_empty() {
                        track = extended(&track, 0..track.len(), &PICTURES, &hdr10(&description.hdr10));
                    }
                    contents.extend(atoms::written(b"trak", &track));
                }
                None => contents.extend(&movie.bytes[atom.whole]),
            },
            _ => contents.extend(&movie.bytes[atom.whole]),
        }
    }
    if let Some(chapters) = &description.chapters {
        user.extend(atoms::written(b"chpl", &list(&chapters::list(&chapters.entries()))));
    }
    if !user.is_empty() {
        contents.extend(atoms::written(b"udta", &user));
    }
    contents
}

/// The contents of a box of type `chpl`.
fn list(chapters: &[(u64, String)]) -> Vec<u8> {
    let chapters = &chapters[..chapters.len().min(MOST_CHAPTERS)];
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, chapters.len() as u8];
    for (begin, title) in chapters {
        let title = &title[..title.floor_char_boundary(LONGEST_TITLE)];
        bytes.extend((begin / NANOSECONDS).to_be_bytes());
        bytes.push(title.len() as u8);
        bytes.extend(title.as_bytes());
    }
    bytes
}

/// Whether each track is shown by default: video always, and at least one track of sound.
fn enabled(movie: &Movie, tracks: &[Track]) -> Vec<bool> {
    let handler = |track: Range<usize>| {
        let place = find(&movie.bytes, track, &[b"mdia", b"hdlr"]).into_iter().next()?;
        movie.bytes[place].get(8..12)
    };
    let handlers: Vec<_> = movie.at(&[b"trak"]).into_iter().map(handler).collect();
    let is_sound = |handler: &Option<&[u8]>| *handler == Some(b"soun");
    let all = || handlers.iter().zip(tracks);
    let mut is_silent = !all().any(|(handler, track)| is_sound(handler) && track.is_default);
    let is_enabled = |(handler, track): (&Option<&[u8]>, &Track)| {
        let is_first_sound = is_sound(handler) && std::mem::take(&mut is_silent);
        track.is_default || is_first_sound || *handler == Some(b"vide")
    };
    all().map(is_enabled).collect()
}

/// The contents of a track box, with the track's name and marks.
fn described_track(bytes: &[u8], place: Range<usize>, track: &Track, is_enabled: bool) -> Vec<u8> {
    let mut contents = Vec::new();
    let mut user = Vec::new();
    for atom in atoms(bytes, place) {
        match &atom.kind {
            b"udta" => user.extend(&bytes[atom.contents]),
            b"tkhd" => {
                let mut header = bytes[atom.contents].to_vec();
                if let Some(flags) = header.get_mut(FLAGS) {
                    *flags = if is_enabled { *flags | ENABLED } else { *flags & !ENABLED };
                }
                contents.extend(atoms::written(b"tkhd", &header));
            }
            _ => contents.extend(&bytes[atom.whole]),
        }
    }
    if !track.name.is_empty() {
        user.extend(atoms::written(b"name", track.name.as_bytes()));
    }
    for role in MARKS.iter().filter(|(id, _)| track.marks.contains(id)).filter_map(|(_, role)| *role) {
        user.extend(atoms::written(b"kind", &kind(role)));
    }
    if !user.is_empty() {
        contents.extend(atoms::written(b"udta", &user));
    }
    contents
}

/// The boxes with HDR10 metadata.
fn hdr10(metadata: &Hdr10) -> Vec<u8> {
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    let mut boxes = Vec::new();
    if let [rx, ry, gx, gy, bx, by, wx, wy, max, min] = metadata.display[..] {
        let mut contents = [gx, gy, bx, by, rx, ry, wx, wy].map(short).concat();
        contents.extend([max, min].map(u32::to_be_bytes).concat());
        boxes.extend(atoms::written(b"mdcv", &contents));
    }
    if let [pixel, picture] = metadata.level[..] {
        boxes.extend(atoms::written(b"clli", &[pixel, picture].map(short).concat()));
    }
    boxes
}

/// The contents of a box, at `place`, with `more` at the end of the box to which `way` leads.
fn extended(bytes: &[u8], place: Range<usize>, way: &[Step], more: &[u8]) -> Vec<u8> {
    let Some(((kind, before), rest)) = way.split_first() else { return [&bytes[place], more].concat() };
    let first = (place.start + before).min(place.end);
    let mut contents = bytes[place.start..first].to_vec();
    for atom in atoms(bytes, first..place.end) {
        if kind.is_none_or(|kind| *kind == atom.kind) {
            contents.extend(atoms::written(&atom.kind, &extended(bytes, atom.contents, rest, more)));
        } else {
            contents.extend(&bytes[atom.whole]);
        }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_are_read_as_written_but_not_torn() {
        let list = [&[1, 0, 0, 0, 0, 0, 0, 0, 2][..], &[0; 8], b"\x03One", &[0, 0, 0, 0, 1, 0x31, 0x2d, 0], b"\x03Two"];
        let list = list.concat();
        let expected = [(0, "One".to_owned()), (2_000_000_000, "Two".to_owned())];
        assert_eq!(beginnings(&list).expect("chapters"), expected);
        assert_eq!(super::list(&[(0, "One".to_owned()), (2_000_000_000, "Two".to_owned())]), list);
        for length in 0..list.len() {
            assert_eq!(beginnings(&list[..length]), None, "{length}");
        }
    }
}
