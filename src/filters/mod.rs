//! What to compute: each filter as data, a list of passes over planes of samples.
//!
//! Nothing here knows GStreamer or the GPU. A new filter is a function that returns passes of operations that exist; a
//! new operation is a variant of [`Op`], a shader in `shaders/` and a function in `src/cpu`.

mod blur;
mod border;
mod kernel;
mod rank;

pub use blur::{BoxWeights, box_blur, gaussian_blur, unsharp_mask};
pub use border::{Border, Margins, Outside};
pub use kernel::{FixedKernel, Kernel, KernelOrder, Rounding, Weights};
pub use rank::{last_rank, max, median, min, mode, rank};

use std::sync::Arc;

use crate::layout::ComponentKind;

/// What happens to a frame: filters one after the other, on some of its components.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The filters, in order.
    pub filters: Vec<Filter>,
    /// What becomes of the chroma planes of a YUV frame.
    pub chroma: Chroma,
    /// Whether alpha is filtered like the colours.
    pub alpha: bool,
    /// The filtered frame's share of the result, in 256ths; the rest is the original.
    pub mix: u32,
}

/// A filter ready to run: passes in order, each from plane to plane. Samples between them are rounded, as in Pillow.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The passes.
    pub passes: Vec<Pass>,
    /// Whether a flat area keeps its level: such a filter makes sense on colour differences, too.
    pub keeps_level: bool,
}

/// One pass over every sample of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// What it computes.
    pub op: Op,
    /// What the window sees outside the plane.
    pub outside: Outside,
    /// Where the samples stay those that the filter began with.
    pub keep: Margins,
}

/// What a pass computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A weighted sum of the neighbourhood.
    Convolve(Kernel),
    /// The mean over a row or a column of samples, with a fractional radius.
    BoxBlur(Axis, BoxWeights),
    /// The `rank`-th smallest (from 0) of a `size` x `size` window.
    Rank {
        /// The window's side, odd.
        size: u32,
        /// Which of the sorted values.
        rank: u32,
    },
    /// The most frequent value of a window, the smallest of several; the sample itself where none comes three times.
    Mode {
        /// The window reaches this far from its middle.
        radius: u32,
    },
    /// What the filter began with, plus its difference from what the pass before made of it.
    Unsharp {
        /// The difference's weight, in hundredths.
        percent: i32,
        /// A difference must be larger than this to count, in 255ths of the largest value.
        threshold: i32,
    },
    /// A user's WGSL, which was checked. Only a GPU can run it.
    Shader(Arc<str>),
}

/// The direction of a one-dimensional pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Along rows.
    Horizontal,
    /// Along columns.
    Vertical,
}

/// What becomes of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It stays as it is.
    Keep,
    /// It is set to grey.
    Neutral,
    /// It is filtered.
    Filter,
}

/// What becomes of a YUV frame's chroma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chroma {
    /// Filtered like the luma, in its own planes.
    #[default]
    Filter,
    /// Left as it is.
    Keep,
    /// Set to grey.
    Neutral,
}

impl Op {
    /// How far its window reaches.
    pub fn reach(&self) -> Margins {
        match self {
            Self::Convolve(kernel) => kernel.reach(),
            Self::BoxBlur(Axis::Horizontal, weights) => Margins::symmetric(weights.radius.saturating_add(1), 0),
            Self::BoxBlur(Axis::Vertical, weights) => Margins::symmetric(0, weights.radius.saturating_add(1)),
            Self::Rank { size, .. } => Margins::symmetric(size / 2, size / 2),
            Self::Mode { radius } => Margins::symmetric(*radius, *radius),
            Self::Unsharp { .. } | Self::Shader(_) => Margins::default(),
        }
    }
}

impl Filter {
    /// Operations one after the other, which together reach as far as `reach`.
    fn new(ops: Vec<Op>, border: Border, reach: Margins) -> Self {
        let (outside, keep) = border.resolve(reach);
        let last = ops.len().saturating_sub(1);
        let passes = ops.into_iter().enumerate();
        let keep_at = |index| if index == last { keep } else { Margins::default() };
        let passes = passes.map(|(index, op)| Pass { op, outside, keep: keep_at(index) }).collect();
        Self { passes, keeps_level: true }
    }
}

/// A user's WGSL, which was checked.
pub fn shader(text: Arc<str>, border: Border) -> Filter {
    Filter::new(vec![Op::Shader(text)], border, Margins::default())
}

impl Plan {
    /// The treatment of a component of this kind.
    pub fn treatment(&self, kind: ComponentKind) -> Treatment {
        match (kind, self.chroma) {
            (ComponentKind::Alpha, _) if !self.alpha => Treatment::Keep,
            (ComponentKind::Chroma, Chroma::Keep) => Treatment::Keep,
            (ComponentKind::Chroma, Chroma::Neutral) => Treatment::Neutral,
            _ => Treatment::Filter,
        }
    }

    /// Whether only a GPU can do it.
    pub fn needs_gpu(&self) -> bool {
        let mut passes = self.filters.iter().flat_map(|filter| &filter.passes);
        passes.any(|pass| matches!(pass.op, Op::Shader(_)))
    }

    /// Whether frames come out as they went in.
    pub fn is_identity(&self) -> bool {
        self.filters.is_empty() || self.mix == 0
    }
}

/// A property's value that no filter can be made of.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum FilterError {
    /// The chain's text cannot be read, or sets something that cannot be set.
    #[error("{0}; give filters with their properties, like \"median, size=3; unsharp-mask, percent=200\"")]
    Chain(String),
    /// The kernel's text holds no number.
    #[error(
        "the kernel is empty; give rows parted by ';' and numbers by spaces or commas, like \"1 1 0; 1 1 -1; 0 -1 -1\""
    )]
    EmptyKernel,
    /// The shader's file cannot be read.
    #[error("shader-location={path} cannot be read: {reason}")]
    ShaderFile {
        /// As it was set.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The shader is not valid.
    #[error("the shader cannot be used: {0}")]
    Shader(String),
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
    /// Sums could be larger than what they are computed in.
    #[error("the kernel's numbers divided by scale, or offset, are too large: their sums must stay below 3.4e38")]
    KernelOverflows,
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
    /// A window of this size has fewer values.
    #[error("rank={rank} is too large; a window of size={size} has ranks 0 to {last}", last = rank::last_rank(*size))]
    RankTooLarge {
        /// The window's side.
        size: u32,
        /// Which of the sorted values was asked for.
        rank: u32,
    },
}
