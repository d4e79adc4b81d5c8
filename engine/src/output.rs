//! The size at which a frame is painted, and the finished frame at its own size.

use style_engine_interface::{Parameters, original_colors};
use tch::{Device, Kind, Tensor};

use crate::color::{gray, luma};
use crate::frame::{Depth, Frame, bytes, floats};
use crate::parallel;
use crate::planes::{Planes, are_planes, planes_of};
use crate::size::{resize, scaled, size_of};
use crate::{Error, Result};

/// Frames of fewer bytes are finished on one thread: starting another would take longer.
const MIN_BYTES_PER_THREAD: usize = 1 << 18;

/// The size to paint at: `size`, height then width, with its longer side limited to `longest` (0: no limit).
pub(crate) fn working_size(size: [i64; 2], longest: i64) -> [i64; 2] {
    if longest == 0 || size[0].max(size[1]) <= longest { size } else { scaled(size, longest) }
}

/// Writes the finished frame into `result`, in rows like those of `frame`. `picture` was painted from `content`, the frame
/// at the working size. Both are `(1, 3, H, W)` in 0..1.
pub(crate) fn finish(
    picture: &Tensor,
    content: &Tensor,
    frame: &Frame,
    parameters: &Parameters,
    result: &mut [u8],
) -> Result<()> {
    let look = Look {
        restores_detail: size_of(content)? != frame.size(),
        keeps_chroma: parameters.original_colors == original_colors::LUMA,
    };
    if are_planes(picture) && !look.restores_detail {
        let planes = Planes::of(picture, 3)?;
        let planes = planes_of::<3>(planes.values(), planes.size.pixels());
        return match frame.depth() {
            Depth::Bits8 => look.apply::<[u8; 4], _>(frame, &planes, result),
            Depth::Bits16 => look.apply::<[u8; 8], _>(frame, &planes, result),
        };
    }
    let painted = Tensor::f_cat(&[picture, &gray(content)?], 1)?;
    match frame.depth() {
        Depth::Bits8 => {
            let painted = painted.f_mul_scalar(255)?.f_round()?.f_to_kind(Kind::Uint8)?.f_to_device(Device::Cpu)?;
            // libtorch resizes four interleaved samples of 8 bits at a time.
            let painted = interleaved(&painted)?.f_permute([0, 3, 1, 2])?;
            let is_own = size_of(&painted)? == frame.size();
            let painted = match is_own {
                true => painted,
                false => painted.f_internal_upsample_bicubic2d_aa(frame.size(), false, None, None)?,
            };
            look.apply::<[u8; 4], [[u8; 4]]>(frame, bytes(&interleaved(&painted)?).as_chunks().0, result)
        }
        Depth::Bits16 => {
            let painted = resize(&painted.f_to_device(Device::Cpu)?, frame.size())?;
            look.apply::<[u8; 8], [[f32; 4]]>(frame, floats(&interleaved(&painted)?).as_chunks().0, result)
        }
    }
}

/// `(N, C, H, W)` as contiguous `(N, H, W, C)`.
fn interleaved(planes: &Tensor) -> Result<Tensor> {
    Ok(planes.f_permute([0, 2, 3, 1])?.f_contiguous()?)
}

/// How paint and frame are combined.
#[derive(Clone, Copy)]
struct Look {
    /// Whether detail that was lost at the smaller size is restored from the frame, in brightness only.
    restores_detail: bool,
    /// Whether only brightness is painted.
    keeps_chroma: bool,
}

impl Look {
    /// Writes a frame's pixels.
    fn apply<F: Pixel, P: Painted + ?Sized>(self, frame: &Frame, painted: &P, result: &mut [u8]) -> Result<()> {
        let [height, width] = frame.size().map(|side| side as usize);
        if result.len() < frame.data().len() || painted.pixels() != height * width {
            return Err(Error::Settings("the result's memory is smaller than the frame".into()));
        }
        let rows = |rows: std::ops::Range<usize>, result: &mut [u8]| {
            let input = rows.clone().zip(frame.rows().skip(rows.start));
            for ((y, frame), result) in input.zip(result.chunks_mut(frame.stride())) {
                self.apply_row(F::pixels(frame), painted.row(y, width), F::pixels_mut(result));
            }
        };
        if result.len() < MIN_BYTES_PER_THREAD {
            rows(0..height, result);
        } else {
            let band = parallel::band(height, 1);
            let bands = result.chunks_mut(band * frame.stride()).enumerate();
            let bands = bands.map(|(index, result)| (index * band..((index + 1) * band).min(height), result));
            parallel::each(bands.collect(), &|(range, result)| rows(range, result));
        }
        Ok(())
    }

    fn apply_row<F: Pixel>(self, frame: &[F], painted: impl Iterator<Item = [f32; 4]>, result: &mut [F]) {
        let detail = if self.restores_detail { 1.0 } else { 0.0 };
        for ((frame, painted), result) in frame.iter().zip(painted).zip(result) {
            let [own @ .., alpha] = frame.to_unit();
            let [paint @ .., brightness] = painted;
            let lost = detail * (luma(own) - brightness);
            let mut color = paint.map(|value| (value + lost).clamp(0.0, 1.0));
            if self.keeps_chroma {
                let brighter = luma(color) - luma(own);
                color = own.map(|value| (value + brighter).clamp(0.0, 1.0));
            }
            let [r, g, b] = color;
            *result = F::from_unit([r, g, b, alpha]);
        }
    }
}

/// A painted picture.
trait Painted: Sync {
    /// The number of pixels.
    fn pixels(&self) -> usize;
    /// The pixels of a row, in 0..1: R, G, B, and the content's brightness if the picture has it.
    fn row(&self, y: usize, width: usize) -> impl Iterator<Item = [f32; 4]>;
}

impl<S: Samples + Sync> Painted for [S] {
    fn pixels(&self) -> usize {
        self.len()
    }

    fn row(&self, y: usize, width: usize) -> impl Iterator<Item = [f32; 4]> {
        self.get(y * width..).unwrap_or_default().iter().map(|samples| samples.to_unit())
    }
}

impl Painted for [&[f32]; 3] {
    fn pixels(&self) -> usize {
        self.map(<[f32]>::len).into_iter().min().unwrap_or_default()
    }

    fn row(&self, y: usize, width: usize) -> impl Iterator<Item = [f32; 4]> {
        let [r, g, b] = self.map(|plane| plane.iter().skip(y * width));
        r.zip(g).zip(b).map(|((r, g), b)| [*r, *g, *b, 0.0])
    }
}

/// Four samples of a pixel.
trait Samples: Copy {
    /// The samples in 0..1.
    fn to_unit(self) -> [f32; 4];
}

/// A pixel of a frame.
trait Pixel: Samples {
    /// The pixels in these bytes.
    fn pixels(bytes: &[u8]) -> &[Self];
    fn pixels_mut(bytes: &mut [u8]) -> &mut [Self];
    /// The samples nearest to these values in 0..1.
    fn from_unit(values: [f32; 4]) -> Self;
}

impl Samples for [f32; 4] {
    fn to_unit(self) -> [f32; 4] {
        self
    }
}

impl Samples for [u8; 4] {
    fn to_unit(self) -> [f32; 4] {
        self.map(|sample| f32::from(sample) * (1.0 / 255.0))
    }
}

impl Pixel for [u8; 4] {
    fn pixels(bytes: &[u8]) -> &[Self] {
        bytes.as_chunks().0
    }

    fn pixels_mut(bytes: &mut [u8]) -> &mut [Self] {
        bytes.as_chunks_mut().0
    }

    fn from_unit(values: [f32; 4]) -> Self {
        values.map(|value| (value * 255.0 + 0.5) as u8)
    }
}

impl Samples for [u8; 8] {
    fn to_unit(self) -> [f32; 4] {
        let [a, b, c, d, e, f, g, h] = self;
        [[a, b], [c, d], [e, f], [g, h]].map(|bytes| f32::from(u16::from_le_bytes(bytes)) * (1.0 / 65535.0))
    }
}

impl Pixel for [u8; 8] {
    fn pixels(bytes: &[u8]) -> &[Self] {
        bytes.as_chunks().0
    }

    fn pixels_mut(bytes: &mut [u8]) -> &mut [Self] {
        bytes.as_chunks_mut().0
    }

    fn from_unit(values: [f32; 4]) -> Self {
        let [[a, b], [c, d], [e, f], [g, h]] = values.map(|value| ((value * 65535.0 + 0.5) as u16).to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::size::stretch;

    const SIZE: [usize; 2] = [37, 50];
    /// Bytes between rows.
    const PADDING: usize = 8;

    /// Noise, `(1, C, H, W)` in 0.2..0.8: in 8 bits, what overshoots is cut off along rows and along columns.
    fn noise(seed: u64, channels: i64, [height, width]: [i64; 2]) -> Tensor {
        Random(seed).uniform(channels * height * width).unwrap().view([1, channels, height, width]) * 0.6 + 0.2
    }

    /// A frame's bytes, with bytes between its rows, and its samples, `(1, 4, H, W)` in 0..1.
    fn frame(depth: Depth) -> (Vec<u8>, usize, Tensor) {
        let max = if depth == Depth::Bits8 { 255 } else { 65535 };
        let levels = (noise(1, 4, SIZE.map(|side| side as i64)) * max).round();
        let samples = Vec::<f32>::try_from(levels.permute([0, 2, 3, 1]).contiguous().flatten(0, -1)).unwrap();
        let row = |row: &[f32]| -> Vec<u8> {
            let bytes = row.iter().flat_map(|&sample| (sample as u16).to_le_bytes());
            let bytes: Vec<_> = if max == 255 { bytes.step_by(2).collect() } else { bytes.collect() };
            [bytes, vec![77; PADDING]].concat()
        };
        let rows: Vec<_> = samples.chunks(4 * SIZE[1]).map(row).collect();
        (rows.concat(), rows[0].len(), levels / max)
    }

    /// The finished frame by tensors, `(1, 3, H, W)`.
    fn expected(picture: &Tensor, content: &Tensor, frame: &Tensor, parameters: &Parameters) -> Tensor {
        let size = size_of(frame).unwrap();
        let mut result = resize(picture, size).unwrap();
        if size_of(content).unwrap() != size {
            let lost = gray(frame).unwrap() - stretch(&gray(content).unwrap(), size).unwrap();
            result = (result + lost).clamp(0.0, 1.0);
        }
        if parameters.original_colors == original_colors::LUMA {
            result = (frame + gray(&(&result - frame)).unwrap()).clamp(0.0, 1.0);
        }
        result
    }

    #[test]
    fn frames_are_finished_as_by_tensors() {
        // In 8 bits, paint and brightness are rounded before they are enlarged, along rows, and along columns.
        for (depth, levels, tolerance) in [(Depth::Bits8, 255, 3.1), (Depth::Bits16, 65535, 1.1)] {
            let (bytes, stride, samples) = frame(depth);
            let colors = samples.narrow(1, 0, 3);
            let frame = Frame::new(&bytes, SIZE, stride, depth).unwrap();
            for size in [frame.size(), [19, 25]] {
                let (picture, content) = (noise(2, 3, size), frame.colors(size, Device::Cpu).unwrap());
                assert!(content.allclose(&resize(&colors, size).unwrap(), 0.0, tolerance / f64::from(levels), false));
                for original_colors in [original_colors::NONE, original_colors::LUMA] {
                    let parameters = Parameters { original_colors, ..Parameters::default() };
                    let mut result = bytes.iter().map(|byte| byte ^ 85).collect::<Vec<_>>();
                    finish(&picture, &content, &frame, &parameters, &mut result).unwrap();
                    let (own, result) = (frame, Frame::new(&result, SIZE, stride, depth).unwrap());
                    let expected = expected(&picture, &content, &colors, &parameters);
                    let error = (result.colors(own.size(), Device::Cpu).unwrap() - expected).abs().max();
                    let error = error.double_value(&[]) * f64::from(levels);
                    assert!(error < tolerance, "{depth:?} {size:?} {original_colors}: {error}");
                    let pixel = if depth == Depth::Bits8 { 4 } else { 8 };
                    let alpha = |bytes: &[u8]| -> Vec<u8> {
                        bytes.chunks(pixel).flat_map(|pixel| pixel[3 * pixel.len() / 4..].to_vec()).collect()
                    };
                    for (own, result) in own.rows().zip(result.rows()) {
                        assert_eq!(alpha(own), alpha(result));
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_between_rows_stay_and_short_memory_is_refused() {
        let (bytes, stride, _) = frame(Depth::Bits8);
        let frame = Frame::new(&bytes, SIZE, stride, Depth::Bits8).unwrap();
        let picture = noise(2, 3, frame.size());
        let mut result = vec![9; bytes.len()];
        finish(&picture, &picture, &frame, &Parameters::default(), &mut result).unwrap();
        let gaps = result.chunks(stride).map(|row| &row[stride - PADDING..]);
        assert!(gaps.flatten().all(|&byte| byte == 9));
        assert!(finish(&picture, &picture, &frame, &Parameters::default(), &mut result[..100]).is_err());
        assert!(Frame::new(&bytes[..bytes.len() - PADDING - 1], SIZE, stride, Depth::Bits8).is_err());
        assert!(Frame::new(&bytes, SIZE, 4 * SIZE[1] - 4, Depth::Bits8).is_err());
        assert!(Frame::new(&bytes, [0, 5], stride, Depth::Bits8).is_err());
    }
}
