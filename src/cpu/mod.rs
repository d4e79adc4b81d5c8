//! The CPU backend: the shaders' arithmetic in safe Rust, on all cores. Each operation is in a file named like its
//! shader and gives the same bytes.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the frame's layout and the filter's reach. If one is wrong, the panic becomes an \
              error of the element, which is better than a wrong picture. Fuzzing tests overflows."
)]

mod box_blur;
mod box_mean;
mod channel_view;
mod column_histograms;
mod convolve;
mod division;
mod histogram;
mod median;
mod min_max;
mod mode;
mod network;
mod program;
mod rank;
mod sample;
mod strip;
mod unsharp;
mod words;

pub use program::Program;
