//! What to compute: each filter as data, a list of passes over planes of 8-bit samples.
//!
//! Nothing here knows GStreamer or the GPU. A new filter is a function that returns a [`Plan`] of passes that exist;
//! a new kind of pass is a variant of [`Pass`] and a shader of the same name.

mod box_blur;
mod kernel;
mod rank;

pub use box_blur::{BoxWeights, box_blur, gaussian_blur};
pub use kernel::{FixedKernel, Kernel, KernelOrder};
pub use rank::median;

/// A filter ready to run: passes in order, each from plane to plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The passes; the samples between two of them are 8-bit, as in Pillow.
    pub passes: Vec<Pass>,
    /// What becomes of the chroma planes of a YUV frame.
    pub chroma: Chroma,
}

/// One pass over every sample of a plane.
#[derive(Clone, Debug, PartialEq)]
pub enum Pass {
    /// A weighted sum of the neighbourhood; samples whose window leaves the plane are copied.
    Convolve(Kernel),
    /// The mean over a row of samples, with a fractional radius; the plane's edge samples continue outwards.
    BoxBlur(Axis, BoxWeights),
    /// The `rank`-th smallest (from 0) of a `size` x `size` window; the plane's edge samples continue outwards.
    Rank {
        /// The window's side, odd.
        size: u32,
        /// Which of the sorted values.
        rank: u32,
    },
}

/// The direction of a one-dimensional pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Along rows.
    Horizontal,
    /// Along columns.
    Vertical,
}

/// What becomes of a YUV frame's chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chroma {
    /// Filtered like the luma, in its own planes.
    Filter,
    /// Set to grey: offsets and edges mean nothing on colour differences.
    Neutral,
}

/// A property's value that no filter can be made of.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum FilterError {
    /// The kernel's text holds no number.
    #[error(
        "the kernel is empty; give rows parted by ';' and numbers by spaces or commas, like \"1 1 0; 1 1 -1; 0 -1 -1\""
    )]
    EmptyKernel,
    /// A part of the kernel's text is no finite number.
    #[error("'{0}' in the kernel is not a number")]
    NotANumber(String),
    /// A row of the kernel is longer or shorter than the first.
    #[error("kernel row {row} has {got} numbers, the rows before it {expected}")]
    RaggedKernel {
        /// The row, counted from 1.
        row: usize,
        /// How many numbers it has.
        got: usize,
        /// How many the first row has.
        expected: usize,
    },
    /// The kernel is larger than any pass takes.
    #[error("the kernel is {rows} x {cols}, the largest is {max} x {max}", max = kernel::MAX_SIDE)]
    KernelTooLarge {
        /// Rows given.
        rows: usize,
        /// Columns given.
        cols: usize,
    },
    /// A rank filter's window has no middle sample.
    #[error("size={0} is even; a rank filter's window has an odd side")]
    EvenWindow(u32),
}
