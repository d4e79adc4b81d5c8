//! What halves features between blocks.
#![expect(unsafe_code, reason = "calls what is written in C++, on tensors' memory")]

use std::ffi::c_void;

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::convolution::channels_last;

unsafe extern "C" {
    fn style_engine_pooling_max(shape: *const Shape, bytes: i64, x: *const c_void, pooled: *mut c_void);
    fn style_engine_pooling_max_back(
        shape: *const Shape,
        bytes: i64,
        x: *const c_void,
        at_pooled: *const c_void,
        at_x: *mut c_void,
    );
}

/// What halves a block's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The largest of 2 x 2, which VGG was trained with.
    #[default]
    Max,
    /// Their mean (L. Gatys, A. Ecker, M. Bethge, CVPR 2016, section 2).
    Average,
}

/// What the way back through a pooling needs.
pub(crate) struct Pooled {
    input: Tensor,
    /// Where each largest value comes from, if libtorch found it.
    indices: Option<Tensor>,
}

impl Pooling {
    /// What a ReLU gives, `(N, C, H, W) -> (N, C, H / 2, W / 2)`, rounded down.
    pub(crate) fn apply(self, x: &Tensor) -> Result<(Tensor, Pooled)> {
        let input = x.shallow_clone();
        Ok(match self {
            Self::Max if is_own(x) => (largest(x)?, Pooled { input, indices: None }),
            Self::Max => {
                let (pooled, indices) = x.f_max_pool2d_with_indices([2, 2], [2, 2], [0, 0], [1, 1], false)?;
                (pooled, Pooled { input, indices: Some(indices) })
            }
            Self::Average => {
                let pooled = x.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None::<i64>)?;
                (pooled, Pooled { input, indices: None })
            }
        })
    }

    /// The gradient at its input, before the ReLU that this is from, from that at its result.
    pub(crate) fn back(self, pooled: &Pooled, gradient: &Tensor) -> Result<Tensor> {
        let Pooled { input, indices } = pooled;
        let at_input = match (self, indices) {
            (Self::Max, None) => return largest_back(input, gradient),
            (Self::Max, Some(indices)) => {
                input.f_max_pool2d_with_indices_backward(gradient, [2, 2], [2, 2], [0, 0], [1, 1], false, indices)?
            }
            (Self::Average, _) => {
                input.f_avg_pool2d_backward(gradient, [2, 2], [2, 2], [0, 0], false, true, None::<i64>)?
            }
        };
        Ok(input.f_threshold_backward(&at_input, 0)?)
    }
}

/// Pictures with channels side by side, as C++ has it.
#[repr(C)]
struct Shape {
    pictures: i64,
    height: i64,
    width: i64,
    channels: i64,
}

impl Shape {
    fn of(x: &Tensor) -> Result<Self> {
        let (pictures, channels, height, width) = x.size4()?;
        Ok(Self { pictures, height, width, channels })
    }
}

/// Whether the largest values are found here; libtorch's tape does not know how.
fn is_own(x: &Tensor) -> bool {
    x.device() == Device::Cpu && [Kind::Float, Kind::BFloat16].contains(&x.kind()) && !x.requires_grad()
}

fn bytes(kind: Kind) -> i64 {
    if kind == Kind::BFloat16 { 2 } else { 4 }
}

fn largest(x: &Tensor) -> Result<Tensor> {
    let x = channels_last(x, x.kind())?;
    let shape = Shape::of(&x)?;
    let pooled = [shape.pictures, shape.height / 2, shape.width / 2, shape.channels];
    let pooled = Tensor::f_empty(pooled, (x.kind(), Device::Cpu))?.f_permute([0, 3, 1, 2])?;
    // SAFETY: both tensors are the CPU's, of numbers of so many bytes that lie in memory as the shape tells.
    unsafe { style_engine_pooling_max(&raw const shape, bytes(x.kind()), x.data_ptr(), pooled.data_ptr()) };
    Ok(pooled)
}

fn largest_back(x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let x = channels_last(x, x.kind())?;
    let shape = Shape::of(&x)?;
    let Shape { pictures, height, width, channels } = shape;
    let gradient = channels_last(&gradient.f_expand([pictures, channels, height / 2, width / 2], false)?, x.kind())?;
    // What is not pooled, of odd sizes, is not written.
    let all_is_pooled = height % 2 == 0 && width % 2 == 0;
    let at_x = if all_is_pooled { x.f_empty_like()? } else { x.f_zeros_like()? };
    let (from, to) = (gradient.data_ptr(), at_x.data_ptr());
    // SAFETY: as above; the gradient is of the size that `largest` gives.
    unsafe { style_engine_pooling_max_back(&raw const shape, bytes(x.kind()), x.data_ptr(), from, to) };
    Ok(at_x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_largest_are_those_that_libtorch_finds_there_and_back() {
        for (kind, [height, width]) in [(Kind::Float, [6, 8]), (Kind::BFloat16, [6, 8]), (Kind::BFloat16, [7, 9])] {
            let noise = |seed, size: [i64; 4]| {
                let noise = Random(seed).uniform(size.iter().product()).unwrap().view(&size[..]);
                channels_last(&noise, kind).unwrap()
            };
            // Half of it 0, and the rest of few values: many places hold the same.
            let x = ((noise(1, [2, 24, height, width]) - 0.5) * 8.0).round().relu();
            let gradient = noise(2, [2, 24, height / 2, width / 2]) - 0.5;
            let (expected, indices) = x.max_pool2d_with_indices([2, 2], [2, 2], [0, 0], [1, 1], false);
            let pooled = Pooled { input: x.shallow_clone(), indices: Some(indices) };
            let expected_back = Pooling::Max.back(&pooled, &gradient).unwrap();

            let (own, pooled) = Pooling::Max.apply(&x).unwrap();
            assert!(pooled.indices.is_none());
            assert_eq!(own, expected, "{kind:?}, {height} x {width}");
            assert_eq!(Pooling::Max.back(&pooled, &gradient).unwrap(), expected_back, "{kind:?}, {height} x {width}");
        }
    }
}
