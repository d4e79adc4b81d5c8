//! What happens where a window leaves the plane.

/// The border a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Samples whose window leaves the plane are copied.
    Copy,
    /// Beyond the edge, one of these.
    Outside(Outside),
}

/// What a window sees outside the plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Outside {
    /// The plane's edge samples continue.
    #[default]
    Clamp = 0,
    /// Zeros.
    Zero = 1,
    /// The plane mirrored at its edge samples, which come once: `c b | a b c`.
    Mirror = 2,
    /// Nothing: the window ends at the edge. Only the mode filter can do with fewer samples.
    Nothing = 3,
}

impl Outside {
    /// Which of `length` samples is seen at `position`; nothing stands for a zero.
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

/// How far something reaches from a sample, or from a plane's edges, in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// Samples to the left.
    pub left: u32,
    /// Samples to the right.
    pub right: u32,
    /// Rows upwards.
    pub up: u32,
    /// Rows downwards.
    pub down: u32,
}

impl Margins {
    /// The same to either side, and up and down.
    pub fn symmetric(x: u32, y: u32) -> Self {
        Self { left: x, right: x, up: y, down: y }
    }

    /// The larger of the two to each side.
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
    /// What the passes of a filter with this reach see, and what its last one leaves as it was.
    pub(super) fn resolve(self, reach: Margins) -> (Outside, Margins) {
        match self {
            Self::Copy => (Outside::Clamp, reach),
            Self::Outside(outside) => (outside, Margins::default()),
        }
    }
}
