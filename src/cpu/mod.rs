//! How filters run without a GPU: the shaders' arithmetic in safe Rust, over all cores. Each operation has the name of
//! its shader, and gives the same bytes.

mod box_blur;
mod convolve;
mod mode;
mod plane;
mod program;
mod rank;
mod unsharp;

pub use program::Program;
