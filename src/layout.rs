//! The layout of a raw frame: the positions of its components' samples.
//!
//! A component (R, G, B, A, Y, U, V) is a grid of samples with a fixed step: planar, semi-planar and packed formats
//! differ only in offsets and steps. This module does not depend on GStreamer.

/// The kind of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentKind {
    /// R, G, B, gray or luma.
    Intensity,
    /// U or V: a color difference, whose middle value is gray.
    Chroma,
    /// Opacity.
    Alpha,
}

/// The format of a sample in memory: one byte, or two bytes in little-endian order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The bits of a value, 8 to 16.
    pub bits: u32,
    /// The unused bits below the value.
    pub shift: u32,
    /// Whether values of more than 8 bits are those of 8 bits times a power of two, as in YUV of limited range, whose black
    /// and white are 16 and 235 of 8 bits. Else the largest values agree.
    pub is_limited: bool,
}

impl Depth {
    /// The bytes of a sample, 1 or 2.
    pub fn bytes(self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    /// The largest value.
    pub fn max(self) -> u32 {
        u32::MAX.checked_shr(u32::BITS.saturating_sub(self.bits)).unwrap_or(0)
    }

    /// A number of 8-bit levels in this depth's own levels.
    pub fn levels(self, of_8_bits: f64) -> f64 {
        let largest = if self.is_limited { 256.0 } else { 255.0 };
        let own_largest = if self.is_limited { self.max().saturating_add(1) } else { self.max() };
        of_8_bits * f64::from(own_largest) / largest
    }

    /// The largest difference between two values that is not larger than this number of 8-bit levels.
    pub fn largest_difference(self, of_8_bits: i32) -> i32 {
        self.levels(of_8_bits.into()).floor() as i32
    }

    /// The chroma value of gray.
    pub fn gray(self) -> u32 {
        1u32.checked_shl(self.bits.saturating_sub(1)).unwrap_or(0)
    }
}

impl Default for Depth {
    fn default() -> Self {
        Self { bits: 8, shift: 0, is_limited: false }
    }
}

/// A grid of samples in a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The kind of its samples.
    pub kind: ComponentKind,
    /// The index of its plane.
    pub plane: usize,
    /// The distance from a row's start to the first sample, in samples.
    pub offset: usize,
    /// The distance from one sample to its right neighbor, in samples.
    pub step: usize,
    /// The samples of a row.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
}

/// A plane's size, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// The bytes of a row.
    pub row_bytes: usize,
    /// The number of rows.
    pub height: usize,
}

/// A frame's planes and components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The planes, in the format's order.
    pub planes: Vec<Plane>,
    /// The components, in the format's order.
    pub components: Vec<Component>,
    /// The format of all samples.
    pub depth: Depth,
    /// The frame's width, in pixels.
    pub width: usize,
    /// The frame's height, in pixels.
    pub height: usize,
    /// The size of a frame with GStreamer's default strides and offsets, in bytes.
    pub bytes: usize,
}

/// A plane's bytes in memory.
pub struct PlaneBytes<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// The bytes from one row to the next.
    pub stride: usize,
}

/// A plane's bytes in memory, for writing.
pub struct PlaneBytesMut<'a> {
    /// The bytes.
    pub data: &'a mut [u8],
    /// The bytes from one row to the next.
    pub stride: usize,
}

impl Layout {
    /// The layout of an 8-bit gray frame.
    pub fn gray(width: usize, height: usize) -> Self {
        let component = Component { kind: ComponentKind::Intensity, plane: 0, offset: 0, step: 1, width, height };
        Self {
            planes: vec![Plane { row_bytes: width, height }],
            components: vec![component],
            depth: Depth::default(),
            width,
            height,
            bytes: width.saturating_mul(height),
        }
    }

    /// The layout of only these rows of the frame.
    pub fn of(&self, rows: Rows) -> Self {
        let mut layout = self.clone();
        layout.planes.iter_mut().for_each(|plane| plane.height = rows.count(plane.height));
        layout.components.iter_mut().for_each(|component| component.height = rows.count(component.height));
        layout
    }
}

/// All rows of a frame, or those of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// All rows.
    All,
    /// The top field: rows 0, 2, 4, ...
    Top,
    /// The bottom field: rows 1, 3, 5, ...
    Bottom,
}

impl Rows {
    /// The number of these rows in a frame of `height` rows.
    pub fn count(self, height: usize) -> usize {
        match self {
            Self::All => height,
            Self::Top => height.div_ceil(2),
            Self::Bottom => height / 2,
        }
    }

    /// The first row, and the distance from one row to the next.
    pub fn first_and_step(self) -> (usize, usize) {
        match self {
            Self::All => (0, 1),
            Self::Top => (0, 2),
            Self::Bottom => (1, 2),
        }
    }
}
