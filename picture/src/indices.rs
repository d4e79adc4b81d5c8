//! The indices of paletted PNG files, such as label maps of segmentations.

use std::io::{BufRead, Seek};

use image::Limits;
use png::{BitDepth, ColorType, Decoder, Info};

/// A picture of palette indices.
#[derive(Debug)]
pub struct Indices {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The indices row by row; none where the color is transparent.
    pub values: Vec<Option<u8>>,
}

/// Reads a PNG file's indices. None if it has no palette, or one of grays only, as an optimized gray picture; or if it cannot
/// be read, the reason of which a whole decoder tells better.
pub(crate) fn decode(content: impl BufRead + Seek) -> Option<Indices> {
    let mut reader = Decoder::new(content).read_info().ok()?;
    let (info, bytes) = (reader.info(), reader.output_buffer_size()?);
    if info.color_type != ColorType::Indexed || info.palette.as_ref()?.chunks_exact(3).all(is_gray) {
        return None;
    }
    // A damaged header may claim more than there is memory.
    Limits::default().reserve(u64::from(info.width).saturating_mul(u64::from(info.height))).ok()?;
    let mut packed = vec![0; bytes];
    let line = reader.next_frame(&mut packed).ok()?.line_size;
    let info = reader.info();
    let values = packed.chunks_exact(line).flat_map(|row| unpacked(row, info)).collect();
    Some(Indices { width: info.width, height: info.height, values })
}

fn is_gray(color: &[u8]) -> bool {
    color.windows(2).all(|pair| pair.first() == pair.last())
}

/// The indices of a row, several of which share a byte if they have less than 8 bits.
fn unpacked<'a>(row: &'a [u8], info: &'a Info<'_>) -> impl Iterator<Item = Option<u8>> {
    let (bits, mask) = match info.bit_depth {
        BitDepth::One => (1, 0b1),
        BitDepth::Two => (2, 0b11),
        BitDepth::Four => (4, 0b1111),
        BitDepth::Eight | BitDepth::Sixteen => (8, u8::MAX),
    };
    let alpha = info.trns.as_deref().unwrap_or_default();
    // The first pixel has the highest bits.
    let within = move |byte: u8| (bits..=8).step_by(bits as usize).map(move |used| byte.rotate_left(used) & mask);
    let indices = row.iter().flat_map(move |&byte| within(byte)).take(info.width as usize);
    indices.map(|index| Some(index).filter(|&index| alpha.get(usize::from(index)) != Some(&0)))
}
