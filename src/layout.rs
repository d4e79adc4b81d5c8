//! How a raw frame's bytes make up its components.
//!
//! A component (R, G, B, A, Y, U, V) is a grid of samples at a fixed distance from each other: planar, semi-planar
//! and packed formats differ only in those distances. Nothing here knows GStreamer.

/// The kind of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentKind {
    /// R, G, B, grey or luma: an amount of light.
    Intensity,
    /// U or V: a colour difference, grey at 128.
    Chroma,
    /// Opacity.
    Alpha,
}

/// How a sample lies in memory: in one byte, or in two, the lower first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Bits that count.
    pub bits: u32,
    /// Bits below them.
    pub shift: u32,
}

impl Depth {
    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    /// The largest value.
    pub fn max(self) -> u32 {
        u32::MAX.checked_shr(u32::BITS.saturating_sub(self.bits)).unwrap_or(0)
    }

    /// The value that means no colour difference.
    pub fn gray(self) -> u32 {
        1u32.checked_shl(self.bits.saturating_sub(1)).unwrap_or(0)
    }
}

impl Default for Depth {
    fn default() -> Self {
        Self { bits: 8, shift: 0 }
    }
}

/// A grid of samples in a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The kind of its samples.
    pub kind: ComponentKind,
    /// The plane they lie in.
    pub plane: usize,
    /// Samples of any component from a row's start to the first of this one.
    pub offset: usize,
    /// Samples of any component from one of this one to its right neighbour.
    pub step: usize,
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// A plane's size, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Bytes of a row.
    pub row_bytes: usize,
    /// Rows.
    pub height: usize,
}

/// A frame's planes and components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The planes, in the format's order.
    pub planes: Vec<Plane>,
    /// The components, in the format's order.
    pub components: Vec<Component>,
    /// How each sample lies in memory.
    pub depth: Depth,
    /// The frame's size.
    pub width: usize,
    /// The frame's size.
    pub height: usize,
    /// Bytes of a frame in GStreamer's own layout.
    pub bytes: usize,
}

/// A plane's bytes in memory.
pub struct PlaneBytes<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

/// A plane's bytes in memory, to be written.
pub struct PlaneBytesMut<'a> {
    /// The bytes.
    pub data: &'a mut [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

impl Layout {
    /// The layout of a grey frame.
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

    /// The layout of some of the frame's rows.
    pub fn of(&self, rows: Rows) -> Self {
        let mut layout = self.clone();
        layout.planes.iter_mut().for_each(|plane| plane.height = rows.count(plane.height));
        layout.components.iter_mut().for_each(|component| component.height = rows.count(component.height));
        layout
    }
}

/// Some of a frame's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// Every one.
    All,
    /// Those of the field that begins with the first.
    Top,
    /// Those of the other field.
    Bottom,
}

impl Rows {
    /// The number of these rows in a frame of `all` rows.
    pub fn count(self, all: usize) -> usize {
        match self {
            Self::All => all,
            Self::Top => all.div_ceil(2),
            Self::Bottom => all / 2,
        }
    }

    /// The first row, and the distance to the next one.
    pub fn first_and_step(self) -> (usize, usize) {
        match self {
            Self::All => (0, 1),
            Self::Top => (0, 2),
            Self::Bottom => (1, 2),
        }
    }
}
