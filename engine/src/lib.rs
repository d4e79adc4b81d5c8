//! Style transfer on video frames by optimising the picture against VGG features.
//!
//! L. Gatys, A. Ecker, M. Bethge, "Image Style Transfer Using Convolutional Neural Networks" (CVPR 2016), made to
//! follow a film: each frame starts from the result of the last. Tensors are `(N, C, H, W)`; pictures are RGB in 0..1.

pub mod adam;
pub mod builtin;
pub mod device;
mod error;
mod ffi;
pub mod losses;
pub mod session;
pub mod vgg;
pub mod weights;

pub use error::{Error, Result};
