//! How filters run without a GPU: the shaders' arithmetic in safe Rust, over all cores. Each operation has the name of
//! its shader, and gives the same bytes.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Kernels count in what the frame's layout and the filter's reach allow. Where one counts wrong, a looked-up \
              index ends as an element's error, and a skipped one would be a wrong picture. Fuzzing checks overflows."
)]

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
