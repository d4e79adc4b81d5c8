//! Planes of samples, and what a window reads outside them.

/// One component of a frame.
#[derive(Clone)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    /// The largest value of a sample.
    pub max: i64,
    /// A level of 8 bits in the samples' own levels, as numerator and denominator.
    pub level: [i64; 2],
    /// The samples, row by row.
    pub samples: Vec<i64>,
}

/// The values of the property `border`, except for `auto`.
#[derive(Clone, Copy, PartialEq)]
pub enum Border {
    Copy,
    Clamp,
    Zero,
    Mirror,
}

/// What a window reads outside the plane.
#[derive(Clone, Copy)]
pub enum Outside {
    /// The nearest sample of the plane.
    Nearest,
    Zero,
    /// The plane, mirrored at its first and last samples.
    Mirrored,
    /// Nothing: the window has fewer samples.
    Nothing,
}

/// The reach of a window around its sample.
#[derive(Clone, Copy)]
pub struct Reach {
    pub left: usize,
    pub right: usize,
    pub up: usize,
    pub down: usize,
}

impl Reach {
    pub fn symmetric(x: usize, y: usize) -> Self {
        Self { left: x, right: x, up: y, down: y }
    }
}

impl Plane {
    /// A plane of this size with other samples, each computed from its position.
    pub fn with(&self, sample: impl Fn(isize, isize) -> i64) -> Self {
        let rows = 0..self.height as isize;
        let positions = rows.flat_map(|y| (0..self.width as isize).map(move |x| (x, y)));
        Self { samples: positions.map(|(x, y)| sample(x, y)).collect(), ..*self }
    }

    /// The sample at a position in the plane.
    pub fn at(&self, x: isize, y: isize) -> i64 {
        self.samples[y as usize * self.width + x as usize]
    }

    /// The sample that a window reads at any position.
    pub fn read(&self, x: isize, y: isize, outside: Outside) -> Option<i64> {
        let (width, height) = (self.width as isize, self.height as isize);
        match outside {
            _ if (0..width).contains(&x) && (0..height).contains(&y) => Some(self.at(x, y)),
            Outside::Nearest => Some(self.at(x.clamp(0, width - 1), y.clamp(0, height - 1))),
            Outside::Zero => Some(0),
            Outside::Mirrored => Some(self.at(mirrored(x, width), mirrored(y, height))),
            Outside::Nothing => None,
        }
    }

    /// The samples of the window at a position, row by row.
    pub fn window(&self, x: isize, y: isize, reach: Reach, outside: Outside) -> Vec<i64> {
        let Reach { left, right, up, down } = reach;
        let rows = y - up as isize..=y + down as isize;
        let columns = x - left as isize..=x + right as isize;
        rows.flat_map(|y| columns.clone().filter_map(move |x| self.read(x, y, outside))).collect()
    }

    /// The plane, filtered with this border. `reach` is that of the whole filter: `border=copy` keeps every sample whose
    /// window leaves the plane.
    pub fn filtered(&self, border: Border, reach: Reach, filter: impl Fn(&Self, Outside) -> Self) -> Self {
        match border {
            Border::Clamp => filter(self, Outside::Nearest),
            Border::Zero => filter(self, Outside::Zero),
            Border::Mirror => filter(self, Outside::Mirrored),
            Border::Copy => {
                let filtered = filter(self, Outside::Nearest);
                let (columns, rows) = (reach.left..self.width, reach.up..self.height);
                self.with(|x, y| {
                    let starts_inside = columns.contains(&(x as usize)) && rows.contains(&(y as usize));
                    let ends_inside = x as usize + reach.right < self.width && y as usize + reach.down < self.height;
                    if starts_inside && ends_inside { filtered.at(x, y) } else { self.at(x, y) }
                })
            }
        }
    }
}

/// The position in 0..length that a mirror at both ends shows at any position.
fn mirrored(mut position: isize, length: isize) -> isize {
    if length == 1 {
        return 0;
    }
    while !(0..length).contains(&position) {
        position = if position < 0 { -position } else { 2 * (length - 1) - position };
    }
    position
}
