//! Pooling, which halves features between blocks.
#![expect(unsafe_code, reason = "calls C++ functions on tensors' memory")]

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

/// The kind of pooling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The maximum of 2 x 2, with which VGG was trained.
    #[default]
    Max,
    /// The mean of 2 x 2 (L. Gatys, A. Ecker, M. Bethge, CVPR 2016, section 2).
    Average,
}

/// A record of a pooling, for its gradient.
pub(crate) struct Pooled {
    input: Tensor,
    /// The positions of the maxima, if libtorch computed them.
    indices: Option<Tensor>,
}

impl Pooling {
    /// Pools the output of a ReLU, `(N, C, H, W) -> (N, C, H / 2, W / 2)`, rounded down.
    pub(crate) fn apply(self, x: &Tensor) -> Result<(Tensor, Pooled)> {
        let input = x.shallow_clone();
        Ok(match self {
            Self::Max if is_supported(x) => (max(x)?, Pooled { input, indices: None }),
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

    /// The gradient at the input of the ReLU before the pooling, from the gradient at the pooling's output.
    pub(crate) fn back(self, pooled: &Pooled, gradient: &Tensor) -> Result<Tensor> {
        let Pooled { input, indices } = pooled;
        let at_input = match (self, indices) {
            (Self::Max, None) => return max_back(input, gradient),
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

/// The shape of channels-last pictures, as in max.cpp.
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

/// Whether max.cpp supports the tensor. Autograd does not support max.cpp.
fn is_supported(x: &Tensor) -> bool {
    x.device() == Device::Cpu && [Kind::Float, Kind::BFloat16].contains(&x.kind()) && !x.requires_grad()
}

/// The bytes of a number.
fn bytes(kind: Kind) -> i64 {
    if kind == Kind::BFloat16 { 2 } else { 4 }
}

fn max(x: &Tensor) -> Result<Tensor> {
    let x = channels_last(x, x.kind())?;
    let shape = Shape::of(&x)?;
    let pooled = [shape.pictures, shape.height / 2, shape.width / 2, shape.channels];
    let pooled = Tensor::f_empty(pooled, (x.kind(), Device::Cpu))?.f_permute([0, 3, 1, 2])?;
    // SAFETY: both tensors are on the CPU, channels last, and have this shape and this number of bytes per number.
    unsafe { style_engine_pooling_max(&raw const shape, bytes(x.kind()), x.data_ptr(), pooled.data_ptr()) };
    Ok(pooled)
}

fn max_back(x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let x = channels_last(x, x.kind())?;
    let shape = Shape::of(&x)?;
    let Shape { pictures, height, width, channels } = shape;
    let gradient = channels_last(&gradient.f_expand([pictures, channels, height / 2, width / 2], false)?, x.kind())?;
    // With odd sizes, the last row or column is not pooled and its gradient is not written.
    let is_all_pooled = height % 2 == 0 && width % 2 == 0;
    let at_x = if is_all_pooled { x.f_empty_like()? } else { x.f_zeros_like()? };
    let (from, to) = (gradient.data_ptr(), at_x.data_ptr());
    // SAFETY: as above; the gradient has the shape of the output of `max`.
    unsafe { style_engine_pooling_max_back(&raw const shape, bytes(x.kind()), x.data_ptr(), from, to) };
    Ok(at_x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn maxima_and_gradients_are_libtorchs() {
        for (kind, [height, width]) in [(Kind::Float, [6, 8]), (Kind::BFloat16, [6, 8]), (Kind::BFloat16, [7, 9])] {
            let noise = |seed, size: [i64; 4]| {
                let noise = Random(seed).uniform(size.iter().product()).unwrap().view(&size[..]);
                channels_last(&noise, kind).unwrap()
            };
            // Half of the values are 0 and the others are few integers, so that ties occur.
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
