//! Style transfer on video frames by optimizing the picture against VGG features.
//!
//! L. Gatys, A. Ecker, M. Bethge, "Image Style Transfer Using Convolutional Neural Networks" (CVPR 2016), made to
//! follow a film: each frame starts from the result of the last. Tensors are `(N, C, H, W)`; pictures are RGB in 0..1.
//!
//! Code that reads files or a caller's data ([`weights`], the C interface) uses only arithmetic that cannot overflow.
//! The rest works on numbers that were checked; the crate is built with overflow checks, whose panic becomes an error
//! of the frame.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod auto_size;
pub mod color;
mod convolution;
pub mod device;
mod error;
mod ffi;
pub mod flow;
pub mod frame;
mod instance_norm;
pub mod losses;
pub mod memory;
mod motion;
mod moving_masks;
pub mod networks;
pub mod normalization;
pub mod objective;
pub mod optimizers;
mod output;
mod painters;
mod parallel;
mod planes;
pub mod pooling;
mod progress;
pub mod random;
pub mod recipes;
mod region;
pub mod session;
mod size;
mod statistics;
mod step_budget;
mod style_masks;
pub mod styles;
pub mod targets;
mod warm_start;
pub mod weights;

pub use error::{Error, Result};
