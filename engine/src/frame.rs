//! A frame as it lies in the caller's memory. Work at the frame's own size stays on the CPU, in its own samples: tensors on
//! the device have the size at which frames are painted.
#![expect(unsafe_code, reason = "libtorch reads the caller's memory, and its tensors are read as slices")]

use multiversion::multiversion;
use tch::{Device, Kind, Tensor};

use crate::parallel;
use crate::planes::{Size, bands};
use crate::size::resize;
use crate::{Error, Result};

/// Bits of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 8 bits.
    Bits8,
    /// 16 bits, in little endian.
    Bits16,
}

impl Depth {
    /// Bytes of a sample.
    fn sample_bytes(self) -> usize {
        match self {
            Self::Bits8 => 1,
            Self::Bits16 => 2,
        }
    }

    /// The kind of a tensor of such samples: libtorch has few operations for unsigned 16 bits.
    fn kind(self) -> Kind {
        match self {
            Self::Bits8 => Kind::Uint8,
            Self::Bits16 => Kind::Int16,
        }
    }

    /// Samples as 32-bit floats in 0..1.
    fn to_unit(self, samples: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Bits8 => samples.f_to_kind(Kind::Float)?.f_div_scalar(255)?,
            Self::Bits16 => {
                samples.f_to_kind(Kind::Int)?.f_bitwise_and(0xffff)?.f_to_kind(Kind::Float)?.f_div_scalar(65535)?
            }
        })
    }
}

/// Rows of R, G, B, A samples.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    data: &'a [u8],
    /// Height and width.
    size: [usize; 2],
    stride: usize,
    depth: Depth,
}

impl<'a> Frame<'a> {
    /// Rows of `size`, height and width, which begin `stride` bytes apart. Fails if `data` is too short.
    pub fn new(data: &'a [u8], size: [usize; 2], stride: usize, depth: Depth) -> Result<Self> {
        let [height, width] = size;
        if height == 0 || width == 0 {
            return Err(Error::EmptyPicture(width as u32, height as u32));
        }
        let needed = Self::bytes(size, stride, depth);
        if stride < row_bytes(width, depth) || !stride.is_multiple_of(depth.sample_bytes()) || data.len() < needed {
            return Err(Error::Settings(format!(
                "{width} x {height} pixels in rows of {stride} bytes do not lie in {} bytes",
                data.len()
            )));
        }
        Ok(Self { data: data.get(..needed).unwrap_or(data), size, stride, depth })
    }

    /// Bytes from the first row's begin to the last row's end.
    pub fn bytes([height, width]: [usize; 2], stride: usize, depth: Depth) -> usize {
        stride.saturating_mul(height.saturating_sub(1)).saturating_add(row_bytes(width, depth))
    }

    /// The rows' bytes, with those between them.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Height and width.
    pub fn size(&self) -> [i64; 2] {
        self.size.map(|side| side as i64)
    }

    /// Bits of a sample.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// Bytes from row to row.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The rows' pixels, in bytes.
    pub fn rows(&self) -> impl Iterator<Item = &'a [u8]> {
        let [height, width] = self.size;
        let row = row_bytes(width, self.depth);
        self.data.chunks(self.stride).take(height).filter_map(move |bytes| bytes.get(..row))
    }

    /// The colors at a size, height then width, on a device: `(1, 3, H, W)` in 0..1.
    pub fn colors(&self, size: [i64; 2], device: Device) -> Result<Tensor> {
        if size == self.size() && device == Device::Cpu {
            return self.own_colors();
        }
        let [height, width] = self.size();
        // SAFETY: `new` checked that the memory holds these samples; the tensor does not leave this function.
        let samples = unsafe {
            Tensor::f_from_blob(
                self.data.as_ptr(),
                &[1, 4, height, width],
                &[0, 1, (self.stride / self.depth.sample_bytes()) as i64, 4],
                self.depth.kind(),
                Device::Cpu,
            )
        }?;
        // In 8 bits libtorch resizes four interleaved samples at a time.
        let samples = match self.depth {
            Depth::Bits8 if size != self.size() => samples.f_internal_upsample_bicubic2d_aa(size, false, None, None)?,
            _ => samples,
        };
        // Planes: work on interleaved channels is slow.
        let planes = samples.f_narrow(1, 0, 3)?.f_contiguous()?.f_to_device(device)?;
        resize(&self.depth.to_unit(&planes)?, size)
    }

    /// The colors at the own size on the CPU, in one pass.
    fn own_colors(&self) -> Result<Tensor> {
        let [height, width] = self.size;
        let mut colors = Tensor::f_empty([1, 3, height as i64, width as i64], (Kind::Float, Device::Cpu))?;
        let rows = parallel::band(height, 1);
        let inputs = bands::<_, 3>(floats_mut(&mut colors), Size { height, width }, rows).enumerate();
        parallel::each(inputs.collect(), &|(band, [r, g, b])| {
            let planes = r.chunks_mut(width).zip(g.chunks_mut(width)).zip(b.chunks_mut(width));
            for (row, ((r, g), b)) in self.rows().skip(band * rows).zip(planes) {
                split(self.depth, row, [r, g, b]);
            }
        });
        Ok(colors)
    }
}

/// Writes the colors of a row's pixels, in 0..1, into rows of R, G and B.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn split(depth: Depth, row: &[u8], [r, g, b]: [&mut [f32]; 3]) {
    let colors = r.iter_mut().zip(g).zip(b).map(|((r, g), b)| [r, g, b]);
    match depth {
        Depth::Bits8 => {
            for (pixel, colors) in row.as_chunks::<4>().0.iter().zip(colors) {
                colors.into_iter().zip(pixel).for_each(|(color, sample)| *color = f32::from(*sample) / 255.0);
            }
        }
        Depth::Bits16 => {
            for (pixel, colors) in row.as_chunks::<8>().0.iter().zip(colors) {
                let samples = pixel.as_chunks().0.iter().map(|bytes| f32::from(u16::from_le_bytes(*bytes)));
                colors.into_iter().zip(samples).for_each(|(color, sample)| *color = sample / 65535.0);
            }
        }
    }
}

/// Bytes of a row's pixels.
fn row_bytes(width: usize, depth: Depth) -> usize {
    width.saturating_mul(4).saturating_mul(depth.sample_bytes())
}

/// The values of a contiguous tensor of bytes on the CPU.
pub(crate) fn bytes(tensor: &Tensor) -> &[u8] {
    debug_assert!(tensor.is_contiguous() && tensor.kind() == Kind::Uint8 && tensor.device() == Device::Cpu);
    // SAFETY: the tensor is borrowed and has this number of bytes.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
}

/// The values of a contiguous tensor of 32-bit floats on the CPU.
pub(crate) fn floats(tensor: &Tensor) -> &[f32] {
    debug_assert!(tensor.is_contiguous() && tensor.kind() == Kind::Float && tensor.device() == Device::Cpu);
    // SAFETY: the tensor is borrowed and has this number of floats.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
}

/// As [`floats`], to write to.
pub(crate) fn floats_mut(tensor: &mut Tensor) -> &mut [f32] {
    debug_assert!(tensor.is_contiguous() && tensor.kind() == Kind::Float && tensor.device() == Device::Cpu);
    // SAFETY: as in `floats`; the caller alone uses the tensor's memory.
    unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) }
}
