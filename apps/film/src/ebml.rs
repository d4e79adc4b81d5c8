//! EBML, the format of Matroska and WebM: elements with an id, a size and contents.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::number;

/// The first bytes of a file.
pub const MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

/// The id of an element without a meaning.
const VOID: u8 = 0xec;

/// The mark of a size in eight bytes.
const EIGHT_BYTES: u64 = 1 << 56;

/// The largest size of a part that is read at once.
const LARGEST: u64 = 16 << 20;

/// A part of a file.
pub struct Part {
    pub id: u32,
    /// The places in the file of the part and of its contents.
    pub place: u64,
    pub begin: u64,
    /// The contents, if they were wanted.
    pub bytes: Vec<u8>,
}

/// An element's place in `bytes` and that of its contents.
#[derive(Clone, Debug)]
pub struct Element {
    pub id: u32,
    pub whole: Range<usize>,
    pub contents: Range<usize>,
}

impl Part {
    /// The place in the file after the part, if its contents were wanted.
    pub fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    /// The elements in the part.
    pub fn elements(&self) -> Vec<Element> {
        elements(&self.bytes, 0..self.bytes.len())
    }
}

/// Whether the file at `path` is EBML.
pub fn is_ebml(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == MAGIC
}

/// The header of a file, its segment and the segment's parts, with the contents of those in `wanted`; nothing if it is
/// not EBML.
pub fn parts(mut file: &File, segment: u32, wanted: &[u32]) -> io::Result<Vec<Part>> {
    let end = file.metadata()?.len();
    let mut parts = Vec::new();
    let mut place = 0;
    while let Some((id, begin, size)) = header(file, place)? {
        if place == 0 && id.to_be_bytes() != MAGIC {
            break;
        }
        let size = size.min(end.saturating_sub(begin));
        let mut bytes = Vec::new();
        if wanted.contains(&id) && size <= LARGEST {
            file.seek(SeekFrom::Start(begin))?;
            file.take(size).read_to_end(&mut bytes)?;
        }
        parts.push(Part { id, place, begin, bytes });
        // A segment's contents follow.
        place = if id == segment { begin } else { begin + size };
    }
    Ok(parts)
}

/// The id, the contents' place and their size of the element at a place; None at the end.
fn header(mut file: &File, place: u64) -> io::Result<Option<(u32, u64, u64)>> {
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
    let place = place + first;
    let second = length(*bytes.get(place)?);
    let size = bytes.get(place..place + second).filter(|size| size.len() <= 8)?;
    // Without the bit that gives the length.
    Some((number(id) as u32, place + second, number(size) & !(1 << (7 * second))))
}

/// The elements in a part of `bytes`.
pub fn elements(bytes: &[u8], part: Range<usize>) -> Vec<Element> {
    let mut found = Vec::new();
    let mut place = part.start;
    while place < part.end
        && let Some((id, begin, size)) = element(bytes, place)
        && let Some(end) = usize::try_from(size).ok().and_then(|size| begin.checked_add(size))
        && end <= part.end
    {
        found.push(Element { id, whole: place..end, contents: begin..end });
        place = end;
    }
    found
}

/// A text in an element, which zeros may follow.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

/// The bytes of an element.
pub fn written(id: u32, contents: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<_> = id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    match u8::try_from(contents.len()) {
        Ok(size) if size < 0x7f => bytes.push(0x80 | size),
        _ => bytes.extend((EIGHT_BYTES | contents.len() as u64).to_be_bytes()),
    }
    bytes.extend(contents);
    bytes
}

/// The bytes of an element without a meaning that fills this length; None if it is too short for one.
pub fn void(length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    match &mut bytes[..] {
        [] => (),
        [id, size, rest @ ..] if rest.len() < 0x7f => (*id, *size) = (VOID, 0x80 | rest.len() as u8),
        [id, rest @ ..] => {
            let (size, contents) = rest.split_first_chunk_mut::<8>()?;
            (*id, *size) = (VOID, (EIGHT_BYTES | contents.len() as u64).to_be_bytes());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_elements_are_read() {
        for length in [0, 1, 126, 127, 128, 300] {
            let contents = vec![7; length];
            let bytes = [written(0x536e, &contents), written(0x88, &[1])].concat();
            let found = elements(&bytes, 0..bytes.len());
            assert_eq!(found.iter().map(|element| element.id).collect::<Vec<_>>(), [0x536e, 0x88]);
            assert_eq!(bytes[found[0].contents.clone()], contents);
        }
    }

    #[test]
    fn a_void_fills_its_place() {
        assert_eq!((void(0), void(1)), (Some(Vec::new()), None));
        for length in 2..300 {
            let bytes = void(length).expect("a void");
            let found = elements(&bytes, 0..bytes.len());
            assert_eq!((found.len(), found[0].id, found[0].whole.clone()), (1, VOID.into(), 0..length));
        }
    }
}
