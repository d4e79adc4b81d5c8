//! Whether a JPEG file is whole. Decoders fill what a file lacks with gray, and do not tell. Pillow, too, refuses a file
//! without its end, even if only the end's marker is missing.

/// Whether the data reaches the marker of its end: a file that was cut off anywhere does not. Thumbnails, which have ends
/// of their own, lie within segments, which are skipped.
pub fn is_whole(mut data: &[u8]) -> bool {
    while let Some(at) = data.windows(2).position(is_marker) {
        let Some([kind, segment @ ..]) = data.get(at.saturating_add(1)..) else { return false };
        if *kind == END {
            return true;
        }
        // A segment's length includes its own two bytes. Behind the header of a scan lie its samples.
        let &[high, low, ..] = segment else { return false };
        let Some(rest) = segment.get(usize::from(u16::from_be_bytes([high, low]))..) else { return false };
        data = rest;
    }
    false
}

/// The marker of the picture's end.
const END: u8 = 0xd9;

/// Whether these bytes are a marker that a segment follows, or the end's. Among samples, 0xff is followed by 0 or by one
/// of the markers that stand alone.
fn is_marker(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, kind] if !matches!(kind, 0x00 | 0x01 | 0xd0..=0xd8 | 0xff))
}
