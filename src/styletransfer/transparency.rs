//! Frames with transparency: only colors that are seen are painted.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the picture's size. If one is wrong, the panic becomes an error of the element."
)]

/// R, G and B times opacity, and the opacity, from 0 to 1.
type Pixel = [f32; 4];

/// Reads and writes a pixel of 8-bit or of 16-bit samples; alpha is not written.
type Read = fn(&[u8]) -> Pixel;
type Write = fn(&mut [u8], Pixel);

/// Fills the colors of a picture's transparent places with those of the visible places around them, as far as they are
/// transparent, so that strokes cross the edges of a cut-out without a fringe. Returns whether anything is visible.
///
/// `rows` are R, G, B, A, `stride` bytes apart, of 8-bit samples, or of 16-bit ones in little endian if `is_deep`.
pub fn fill_hidden(rows: &mut [u8], width: usize, stride: usize, is_deep: bool) -> bool {
    let (read, write): (Read, Write) =
        if is_deep { (read_16_bits, write_16_bits) } else { (read_8_bits, write_8_bits) };
    let (pixel_bytes, color_bytes) = if is_deep { (8, 6) } else { (4, 3) };
    let row_bytes = width * pixel_bytes;
    let pixels = || rows.chunks(stride).flat_map(|row| row[..row_bytes].chunks_exact(pixel_bytes));
    if pixels().all(|pixel| pixel[color_bytes..].iter().all(|&byte| byte == u8::MAX)) {
        return true;
    }
    let finest = Level { width, pixels: pixels().map(read).collect() };
    let Some(filled) = finest.filled() else { return false };
    for (row, pixels) in rows.chunks_mut(stride).zip(filled.pixels.chunks(width)) {
        row.chunks_exact_mut(pixel_bytes).zip(pixels).for_each(|(bytes, &pixel)| write(bytes, pixel));
    }
    true
}

/// A picture, or one of its reductions to half the size, a quarter, and so on.
struct Level {
    width: usize,
    pixels: Vec<Pixel>,
}

impl Level {
    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    /// The picture with every pixel opaque; `None` if all are transparent.
    fn filled(mut self) -> Option<Self> {
        if self.pixels.len() > 1 {
            let coarser = self.halved().filled()?;
            for y in 0..self.height() {
                for x in 0..self.width {
                    let around = coarser.between(x, y);
                    let pixel = &mut self.pixels[y * self.width + x];
                    *pixel = sum([(1.0, *pixel), (1.0 - pixel[3], around)]);
                }
            }
        } else {
            let [.., opacity] = self.pixels[0];
            self.pixels[0] = Some(self.pixels[0].map(|value| value / opacity)).filter(|_| opacity > 0.0)?;
        }
        Some(self)
    }

    /// The sums of two by two pixels, limited to full opacity.
    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height().div_ceil(2));
        let mut pixels = vec![[0.0; 4]; width * height];
        for (y, row) in self.pixels.chunks(self.width).enumerate() {
            for (x, &pixel) in row.iter().enumerate() {
                let coarse = &mut pixels[y / 2 * width + x / 2];
                *coarse = sum([(1.0, *coarse), (1.0, pixel)]);
            }
        }
        for pixel in &mut pixels {
            let opacity = pixel[3].max(1.0);
            *pixel = pixel.map(|value| value / opacity);
        }
        Self { width, pixels }
    }

    /// The color at the center of the pixel (x, y) of the finer picture, interpolated linearly.
    fn between(&self, x: usize, y: usize) -> Pixel {
        let neighbor = |at: usize, length: usize| match at % 2 {
            0 => (at / 2).saturating_sub(1),
            _ => (at / 2 + 1).min(length - 1),
        };
        let (near_x, near_y) = (x / 2, y / 2);
        let (far_x, far_y) = (neighbor(x, self.width), neighbor(y, self.height()));
        let at = |x: usize, y: usize| self.pixels[y * self.width + x];
        let (near, beside) = (at(near_x, near_y), at(far_x, near_y));
        let (below, across) = (at(near_x, far_y), at(far_x, far_y));
        sum([(9.0 / 16.0, near), (3.0 / 16.0, beside), (3.0 / 16.0, below), (1.0 / 16.0, across)])
    }
}

/// A weighted sum.
fn sum<const N: usize>(terms: [(f32, Pixel); N]) -> Pixel {
    let mut sum = [0.0; 4];
    for (weight, pixel) in terms {
        sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}

/// Colors stay in the samples' own levels, so that those of opaque pixels do not change.
fn weighted([red, green, blue, alpha]: [f32; 4], max: f32) -> Pixel {
    let opacity = alpha / max;
    [red * opacity, green * opacity, blue * opacity, opacity]
}

fn read_8_bits(bytes: &[u8]) -> Pixel {
    weighted(std::array::from_fn(|index| bytes[index].into()), 255.0)
}

fn write_8_bits(bytes: &mut [u8], pixel: Pixel) {
    for (byte, color) in bytes[..3].iter_mut().zip(pixel) {
        *byte = color.round() as u8;
    }
}

fn read_16_bits(bytes: &[u8]) -> Pixel {
    let (samples, _) = bytes.as_chunks();
    weighted(std::array::from_fn(|index| u16::from_le_bytes(samples[index]).into()), 65535.0)
}

fn write_16_bits(bytes: &mut [u8], pixel: Pixel) {
    let (samples, _) = bytes[..6].as_chunks_mut();
    for (sample, color) in samples.iter_mut().zip(pixel) {
        *sample = (color.round() as u16).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 7 by 5 pixels, whose rows are 32 bytes apart, opaque at (2, 1) and (3, 1).
    fn cut_out(hidden: [u8; 3]) -> Vec<u8> {
        let mut rows = vec![0; 32 * 5];
        rows.chunks_exact_mut(4).for_each(|pixel| pixel[..3].copy_from_slice(&hidden));
        rows[32 + 8..][..8].copy_from_slice(&[200, 10, 30, 255, 100, 10, 50, 255]);
        rows
    }

    #[test]
    fn hidden_colors_are_replaced_by_visible_ones_nearby() {
        let mut rows = cut_out([0, 255, 9]);
        assert!(fill_hidden(&mut rows, 7, 32, false));
        let mut other = cut_out([77, 0, 255]);
        fill_hidden(&mut other, 7, 32, false);
        for (row, other) in rows.chunks(32).zip(other.chunks(32)) {
            assert_eq!(row[..28], other[..28]);
            for pixel in row[..28].chunks(4) {
                assert!(
                    (100..=200).contains(&pixel[0]) && pixel[1] == 10 && (30..=50).contains(&pixel[2]),
                    "{pixel:?}"
                );
            }
        }
        assert_eq!(rows[32 + 8..][..8], [200, 10, 30, 255, 100, 10, 50, 255], "opaque pixels stay");
        assert_eq!(rows[3], 0, "alpha stays");
    }

    #[test]
    fn about_half_of_a_half_transparent_pixel_is_its_own_color() {
        let mut rows = [[100, 0, 0, 255], [0, 200, 0, 128], [100, 0, 0, 255], [100, 0, 0, 255]].concat();
        assert!(fill_hidden(&mut rows, 2, 8, false));
        assert!((35..55).contains(&rows[4]) && (95..125).contains(&rows[5]), "{rows:?}");
    }

    #[test]
    fn sixteen_bits_are_kept() {
        let pixels: [u16; 8] = [12_345, 54_321, 333, 65_535, 9, 9, 9, 0];
        let mut rows: Vec<u8> = pixels.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert!(fill_hidden(&mut rows, 2, 16, true));
        let filled: Vec<_> = rows.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect();
        assert_eq!(filled, [12_345, 54_321, 333, 65_535, 12_345, 54_321, 333, 0]);
    }

    #[test]
    fn nothing_is_visible_in_a_clear_picture() {
        let mut rows = [90, 90, 90, 0].repeat(6);
        assert!(!fill_hidden(&mut rows, 3, 12, false));
    }
}
