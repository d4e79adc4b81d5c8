//! How filters run without a GPU: the shaders' arithmetic in safe Rust, over all cores. Each operation has the name of
//! its shader, and gives the same bytes.

mod band;
mod box_blur;
mod convolve;
mod division;
mod extreme;
mod histogram;
mod median;
mod mode;
mod network;
mod program;
mod rank;
mod sample;
mod sheet;
mod unsharp;

pub use program::Program;
