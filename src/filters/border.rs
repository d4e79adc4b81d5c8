//! Borders: what happens if a window leaves the plane.

/// The border a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Samples whose window leaves the plane are copied.
    Copy,
    /// Every sample is filtered, with these samples outside the plane.
    Extend(BorderMode),
}

/// The samples that a window reads outside the plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum BorderMode {
    /// The nearest edge sample: `a a | a b c`.
    #[default]
    Clamp = 0,
    /// Zeros.
    Zero = 1,
    /// The plane mirrored at its edge samples, which are not repeated: `c b | a b c`.
    Mirror = 2,
    /// No samples: the window is truncated at the edge. Only the mode filter accepts fewer samples.
    Truncate = 3,
}

impl BorderMode {
    /// The index, below `length`, of the sample that a window reads at `position`; `None` means zero.
    pub fn resolve(self, position: isize, length: usize) -> Option<usize> {
        let last = (length as isize).saturating_sub(1);
        let inside = (0..=last).contains(&position);
        match self {
            _ if inside => Some(position as usize),
            Self::Zero => None,
            Self::Mirror if last > 0 => {
                let period = (last as usize).saturating_mul(2);
                let distance = position.unsigned_abs().checked_rem(period)?;
                Some(distance.min(period.saturating_sub(distance)))
            }
            _ => Some(position.clamp(0, last) as usize),
        }
    }
}

/// Distances to the four sides, in samples and rows: the reach of a window around its sample, or a plane's border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// Samples on the left.
    pub left: u32,
    /// Samples on the right.
    pub right: u32,
    /// Rows above.
    pub up: u32,
    /// Rows below.
    pub down: u32,
}

impl Margins {
    /// `x` samples on the left and right, `y` rows above and below.
    pub fn symmetric(x: u32, y: u32) -> Self {
        Self { left: x, right: x, up: y, down: y }
    }

    /// The larger distance on each side.
    pub fn max(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            right: self.right.max(other.right),
            up: self.up.max(other.up),
            down: self.down.max(other.down),
        }
    }
}

impl Border {
    /// For a filter with this reach: the border mode of its passes, and the border that its last pass leaves untouched.
    pub(super) fn resolve(self, reach: Margins) -> (BorderMode, Margins) {
        match self {
            Self::Copy => (BorderMode::Clamp, reach),
            Self::Extend(border_mode) => (border_mode, Margins::default()),
        }
    }
}
