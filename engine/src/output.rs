//! The size at which a frame is painted, and the conversion of the result back to the frame's own size.

use style_engine_interface::{Parameters, original_colors};
use tch::{Device, Tensor};

use crate::Result;
use crate::color::{gray, keep_chroma};
use crate::size::{resize, scaled, size_of, stretch};

/// The size to paint at: `size`, height then width, with its longer side limited to `longest` (0: no limit).
pub(crate) fn working_size(size: [i64; 2], longest: i64) -> [i64; 2] {
    if longest == 0 || size[0].max(size[1]) <= longest { size } else { scaled(size, longest) }
}

/// The finished frame, on the CPU and at the size of `frame`. `picture` was painted from `content`, the frame at the
/// working size. All are `(1, 3, H, W)` in 0..1.
pub(crate) fn finish(picture: &Tensor, content: &Tensor, frame: &Tensor, parameters: &Parameters) -> Result<Tensor> {
    let size = size_of(frame)?;
    let mut result = resize(picture, size)?;
    if size_of(content)? != size {
        // The detail that was lost at the smaller size is restored from the frame, in brightness only.
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
