//! Sizes: the one that a frame is painted at, and the way back to the frame's own.

use style_engine_interface::{Parameters, original_colors};
use tch::{Device, Tensor};

use crate::Result;
use crate::color::{gray, keep_chroma};
use crate::size::{resize, scaled, size_of, stretch};

/// The size to paint at: `size`, height then width, with its longer side reduced to `longest` (0: unchanged).
pub(crate) fn working_size(size: [i64; 2], longest: i64) -> [i64; 2] {
    if longest == 0 || size[0].max(size[1]) <= longest { size } else { scaled(size, longest) }
}

/// The finished frame on the CPU, at the size of `frame`, from a `picture` painted over `content`, which has its size: all
/// `(1, 3, H, W)` in 0..1.
pub(crate) fn finish(picture: &Tensor, content: &Tensor, frame: &Tensor, parameters: &Parameters) -> Result<Tensor> {
    let size = size_of(frame)?;
    let mut result = resize(picture, size)?;
    if size_of(content)? != size {
        // Detail that the smaller size cannot hold comes back from the frame, in brightness alone.
        let lost = gray(frame)?.f_sub(&stretch(&gray(content)?, size)?)?;
        result = result.f_add(&lost)?.f_clamp(0.0, 1.0)?;
    }
    if parameters.original_colors == original_colors::LUMA {
        result = keep_chroma(&result, frame)?;
    }
    if parameters.strength < 1.0 {
        result = frame.f_lerp(&result, parameters.strength)?;
    }
    Ok(result.f_to_device(Device::Cpu)?)
}
