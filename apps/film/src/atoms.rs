//! The boxes, or atoms, of MP4 and QuickTime files: a size, a type and contents.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::number;

/// The largest size of a movie that is read.
const LARGEST: u64 = 256 << 20;

/// The box of type `moov` of a file, which describes the film.
pub struct Movie {
    /// The place of its contents in the file.
    pub begin: u64,
    pub bytes: Vec<u8>,
}

/// A box's place in `bytes` and that of its contents.
pub struct Atom {
    pub kind: [u8; 4],
    pub whole: Range<usize>,
    pub contents: Range<usize>,
}

impl Movie {
    /// Reads the movie of a file; None if the file is not MP4.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut place = 0;
        while place < end {
            let mut head = Vec::new();
            file.seek(SeekFrom::Start(place))?;
            file.by_ref().take(16).read_to_end(&mut head)?;
            let Some((kind, begin, size)) = header(&head) else { break };
            let next = size.map_or(end, |size| place.saturating_add(size).min(end));
            let begin = place + begin as u64;
            if kind == *b"moov" && next.saturating_sub(begin) <= LARGEST {
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(begin))?;
                file.take(next.saturating_sub(begin)).read_to_end(&mut bytes)?;
                return Ok(Some(Self { begin, bytes }));
            }
            place = next;
        }
        Ok(None)
    }

    /// The place after it in the file.
    pub fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    /// The places of the boxes at a path of types.
    pub fn at(&self, path: &[&[u8; 4]]) -> Vec<Range<usize>> {
        find(&self.bytes, 0..self.bytes.len(), path)
    }
}

/// The places of the boxes at a path of types within a part of `bytes`.
pub fn find(bytes: &[u8], part: Range<usize>, path: &[&[u8; 4]]) -> Vec<Range<usize>> {
    path.iter().fold(vec![part], |places, kind| {
        let within = places.into_iter().flat_map(|place| atoms(bytes, place));
        within.filter(|atom| atom.kind == **kind).map(|atom| atom.contents).collect()
    })
}

/// The boxes in a part of `bytes`.
pub fn atoms(bytes: &[u8], part: Range<usize>) -> Vec<Atom> {
    let mut found = Vec::new();
    let mut place = part.start;
    while let Some((kind, begin, size)) = bytes.get(place..part.end).and_then(header) {
        let size = size.and_then(|size| usize::try_from(size).ok());
        let end = size.map_or(part.end, |size| place.saturating_add(size).min(part.end));
        found.push(Atom { kind, whole: place..end, contents: (place + begin).min(end)..end });
        place = end;
    }
    found
}

/// The type of the box at the beginning of `bytes`, the place of its contents, and its size, if it does not extend to
/// the end; None at the end, for padding, and if this is no box.
fn header(bytes: &[u8]) -> Option<([u8; 4], usize, Option<u64>)> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (begin, size) = match number(size) {
        0 => (8, None),
        1 => (16, Some(number(rest.first_chunk::<8>()?))),
        size => (8, Some(size)),
    };
    let is_kind = kind.iter().all(|byte| byte.is_ascii_alphanumeric() || b" -_\xa9".contains(byte));
    (is_kind && size.is_none_or(|size| size >= begin as u64)).then_some((*kind, begin, size))
}

/// The bytes of a box.
pub fn written(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let size = u32::try_from(contents.len() + 8).unwrap_or(u32::MAX);
    [&size.to_be_bytes()[..], kind, contents].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_by_their_path() {
        let inner = [written(b"tkhd", &[1, 2]), written(b"name", b"One")].concat();
        let bytes = [written(b"free", &[0; 5]), written(b"trak", &inner), vec![0; 4]].concat();
        let names = find(&bytes, 0..bytes.len(), &[b"trak", b"name"]);
        assert_eq!(names.len(), 1);
        assert_eq!(bytes[names[0].clone()], *b"One");
        // Sizes beyond the end, and too short ones.
        for size in [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 7], [0, 0, 0, 1]] {
            let torn = [&size[..], b"trak", &[0; 3]].concat();
            assert!(atoms(&torn, 0..torn.len()).iter().all(|atom| atom.contents.end <= torn.len()));
        }
    }
}
