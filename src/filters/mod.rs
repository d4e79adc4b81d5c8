//! Filters as data: each is a list of passes over planes of samples.
//!
//! This module depends neither on GStreamer nor on a GPU. A new filter is a function that returns passes of existing
//! operations; a new operation is a variant of [`Op`], a shader in `shaders/` and a function in `src/cpu`.

mod blur;
mod border;
mod kernel;
mod rank;

pub use blur::{BoxWeights, box_blur, gaussian_blur, unsharp_mask};
pub use border::{Border, BorderMode, Margins};
pub use kernel::{FixedKernel, Kernel, KernelOrder, Rounding, Weights};
pub use rank::{last_rank, max, median, min, mode, rank};

use std::sync::Arc;

use crate::layout::ComponentKind;

/// The work for a frame: filters, applied one after the other to some of its components.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The filters, in order.
    pub filters: Vec<Filter>,
    /// The action on the chroma planes of a YUV frame.
    pub chroma: Chroma,
    /// The action on alpha.
    pub alpha: Alpha,
    /// The weight of the filtered frame in the result, 0 to 256; the original has the rest.
    pub mix: u32,
}

/// A filter: passes in order. Each writes a plane of whole samples, so the samples between passes are rounded, as in
/// Pillow.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The passes.
    pub passes: Vec<Pass>,
    /// Whether a flat area keeps its level. Only such a filter makes sense on chroma.
    pub keeps_level: bool,
}

/// One pass over every sample of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// The operation.
    pub op: Op,
    /// The samples that the window reads outside the plane.
    pub border_mode: BorderMode,
    /// The border in which samples keep the values from before the filter's first pass.
    pub untouched: Margins,
}

/// The operation of a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A weighted sum of the samples in a window.
    Convolve(Kernel),
    /// The mean over a row or a column of samples, with a fractional radius.
    BoxBlur(Axis, BoxWeights),
    /// The `rank`-th smallest (from 0) of a `size` x `size` window.
    Rank {
        /// The window's side, odd.
        size: u32,
        /// The index of the value in the sorted window, from 0.
        rank: u32,
    },
    /// The most frequent value of a window, the smallest of several; the sample itself if no value occurs three times.
    Mode {
        /// The window has `2 * radius + 1` rows and columns.
        radius: u32,
    },
    /// The plane from before the filter, plus its weighted difference from the previous pass's output.
    Unsharp {
        /// The difference's weight, in hundredths.
        percent: i32,
        /// Only differences larger than this are added, in 8-bit levels.
        threshold: i32,
    },
    /// A user's WGSL, already validated. Only a GPU can run it.
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

/// The action on a component's plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneAction {
    /// Copy it.
    Keep,
    /// Set it to gray, the middle value.
    Neutral,
    /// Filter it.
    Filter,
}

/// The action on alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alpha {
    /// Copy it.
    #[default]
    Keep,
    /// Filter it like the colors.
    Filter,
    /// Filter it, and the colors multiplied by it: the less of a color is seen, the less it counts.
    Premultiply,
}

/// The action on a YUV frame's chroma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chroma {
    /// Filter it like the luma, in its own planes.
    #[default]
    Filter,
    /// Copy it.
    Keep,
    /// Set it to gray.
    Neutral,
}

impl Op {
    /// The window's reach.
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
    /// A filter of these operations, one after the other, whose total reach is `reach`.
    fn new(ops: Vec<Op>, border: Border, reach: Margins) -> Self {
        let (border_mode, untouched) = border.resolve(reach);
        let last = ops.len().saturating_sub(1);
        let passes = ops.into_iter().enumerate();
        let untouched_at = |index| if index == last { untouched } else { Margins::default() };
        let passes = passes.map(|(index, op)| Pass { op, border_mode, untouched: untouched_at(index) }).collect();
        Self { passes, keeps_level: true }
    }
}

/// A user's WGSL as a filter; `text` must have been validated.
pub fn shader(text: Arc<str>, border: Border) -> Filter {
    Filter::new(vec![Op::Shader(text)], border, Margins::default())
}

impl Plan {
    /// The action on a component of this kind.
    pub fn action(&self, kind: ComponentKind) -> PlaneAction {
        match (kind, self.chroma) {
            (ComponentKind::Alpha, _) if self.alpha == Alpha::Keep => PlaneAction::Keep,
            (ComponentKind::Chroma, Chroma::Keep) => PlaneAction::Keep,
            (ComponentKind::Chroma, Chroma::Neutral) => PlaneAction::Neutral,
            _ => PlaneAction::Filter,
        }
    }

    /// Whether only a GPU can run it.
    pub fn needs_gpu(&self) -> bool {
        let mut passes = self.filters.iter().flat_map(|filter| &filter.passes);
        passes.any(|pass| matches!(pass.op, Op::Shader(_)))
    }

    /// Whether frames pass through unchanged.
    pub fn is_identity(&self) -> bool {
        self.filters.is_empty() || self.mix == 0
    }
}

/// Why the properties do not describe a valid filter.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum FilterError {
    /// The chain's text cannot be parsed, or sets an unknown property or an invalid value.
    #[error("{0}; a chain lists filters with their properties: \"median, size=3; unsharp-mask, percent=200\"")]
    Chain(String),
    /// The kernel's text contains no number.
    #[error("the kernel is empty; separate rows by ';' and numbers by spaces or commas: \"1 1 0; 1 1 -1; 0 -1 -1\"")]
    EmptyKernel,
    /// The shader's file cannot be read.
    #[error("shader-location={path} cannot be read: {reason}")]
    ShaderFile {
        /// The path, as the user set it.
        path: String,
        /// The operating system's message.
        reason: String,
    },
    /// The shader is not valid.
    #[error("the shader is invalid: {0}")]
    Shader(String),
    /// A part of the kernel's text is not a finite number.
    #[error("'{0}' in the kernel is not a number")]
    NotANumber(String),
    /// A row of the kernel is longer or shorter than the first.
    #[error("kernel row {row} has {got} numbers, but the rows before it have {expected}")]
    RaggedKernel {
        /// The row, counted from 1.
        row: usize,
        /// The number of its values.
        got: usize,
        /// The number of the first row's values.
        expected: usize,
    },
    /// Sums could overflow f32.
    #[error(
        "the kernel's numbers divided by scale, or the offset, are too large, or their sum, which divides them, is too \
        small: every sum must be below 3.4e38"
    )]
    KernelOverflows,
    /// The kernel is too large.
    #[error("the kernel is {rows} x {cols}; the maximum is {max} x {max}", max = kernel::MAX_SIDE)]
    KernelTooLarge {
        /// The number of rows.
        rows: usize,
        /// The number of columns.
        cols: usize,
    },
    /// The side of a rank filter's window is even, so it has no center.
    #[error("size={0} is even; the side of a rank filter's window must be odd")]
    EvenWindow(u32),
    /// A window of this size has fewer values.
    #[error("rank={rank} is too large; the maximum for size={size} is {last}", last = rank::last_rank(*size))]
    RankTooLarge {
        /// The window's side.
        size: u32,
        /// The rank that was set.
        rank: u32,
    },
}
