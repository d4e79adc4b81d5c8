//! Convolutions: in f32, step by step as in Pillow's Filter.c, or, for kernels of whole numbers that Pillow does not
//! have, exactly.

use crate::plane::{Border, Plane, Reach};

/// The values of the property `rounding`, except for `auto`.
#[derive(Clone, Copy, PartialEq)]
pub enum Rounding {
    HalfUp,
    Down,
}

/// A kernel, as the properties describe it.
#[derive(Clone)]
pub struct Kernel {
    pub rows: Vec<Vec<f64>>,
    pub scale: f64,
    /// In 255ths of the largest value.
    pub offset: f64,
    /// Whether the first row weighs the lowest samples, as in Pillow.
    pub is_bottom_up: bool,
    pub rounding: Rounding,
}

impl Kernel {
    /// The kernel with the properties' defaults: the scale is the sum, or 1 if the sum is 0.
    pub fn new(rows: Vec<Vec<f64>>) -> Self {
        let sum: f64 = rows.iter().flatten().sum();
        let scale = if sum == 0.0 { 1.0 } else { sum };
        Self { rows, scale, offset: 0.0, is_bottom_up: false, rounding: Rounding::HalfUp }
    }

    /// The kernel as the property's text.
    pub fn text(&self) -> String {
        let row = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        self.rows.iter().map(row).collect::<Vec<_>>().join("; ")
    }

    pub fn apply(&self, plane: &Plane, border: Border) -> Plane {
        // If a side is even, the kernel's element `side / 2` weighs the sample itself.
        let (height, width) = (self.rows.len(), self.rows[0].len());
        let (before, after) = (height / 2, (height - 1) / 2);
        let (up, down) = if self.is_bottom_up { (after, before) } else { (before, after) };
        let reach = Reach { left: width / 2, right: (width - 1) / 2, up, down };
        plane.filtered(border, reach, |plane, outside| {
            plane.with(|x, y| {
                let window = plane.window(x, y, reach, outside);
                // The samples that each row of the kernel weighs.
                let mut samples: Vec<_> = window.chunks(width).collect();
                if self.is_bottom_up {
                    samples.reverse();
                }
                if self.is_exact() { self.exact(&samples, plane) } else { self.in_f32(&samples, plane) }
            })
        })
    }

    /// Whether all numbers are whole, and Pillow has no such kernel.
    fn is_exact(&self) -> bool {
        let mut numbers = self.rows.iter().flatten().chain([&self.scale, &self.offset]);
        let sides = (self.rows.len(), self.rows[0].len());
        let is_pillows = [(3, 3), (5, 5)].contains(&sides) && self.rounding == Rounding::HalfUp;
        numbers.all(|number| number.fract() == 0.0) && !is_pillows
    }

    /// The quotient of whole numbers, rounded once.
    fn exact(&self, samples: &[&[i64]], &Plane { max, level: [level, of], .. }: &Plane) -> i64 {
        let numbers = self.rows.iter().flatten().map(|&number| number as i64);
        let sum: i64 = numbers.zip(samples.concat()).map(|(number, sample)| number * sample).sum();
        let (sign, scale) = (self.scale.signum() as i64, self.scale.abs() as i64);
        let sum = sign * sum + scale * self.offset as i64 * level / of;
        let quotient = match self.rounding {
            Rounding::HalfUp => (2 * sum + scale).div_euclid(2 * scale),
            Rounding::Down => sum.div_euclid(scale),
        };
        quotient.clamp(0, max)
    }

    /// Pillow divides the numbers by the scale first. It adds up each row from left to right, adds the rows to the
    /// offset one after the other, and truncates.
    fn in_f32(&self, samples: &[&[i64]], &Plane { max, level: [level, of], .. }: &Plane) -> i64 {
        let offset = (f64::from(self.offset as f32) * level as f64 / of as f64) as f32;
        let rounding = match self.rounding {
            Rounding::HalfUp => 0.5,
            // f32's errors may make a sum that should be a whole number slightly smaller.
            Rounding::Down => 1.0 / 1024.0,
        };
        let mut sum = (f64::from(offset) + rounding) as f32;
        for (numbers, samples) in self.rows.iter().zip(samples) {
            let mut row_sum = 0.0;
            for (&number, &sample) in numbers.iter().zip(*samples) {
                row_sum += number as f32 / self.scale as f32 * sample as f32;
            }
            sum += row_sum;
        }
        (sum as i64).clamp(0, max)
    }
}

/// Pillow's fixed kernels: name, scale, offset, numbers. All are square.
#[rustfmt::skip]
const FIXED: [(&str, f64, f64, &[i8]); 10] = [
    ("blur", 16.0, 0.0, &[1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
    ("contour", 1.0, 255.0, &[-1, -1, -1, -1, 8, -1, -1, -1, -1]),
    ("detail", 6.0, 0.0, &[0, -1, 0, -1, 10, -1, 0, -1, 0]),
    ("edge-enhance", 2.0, 0.0, &[-1, -1, -1, -1, 10, -1, -1, -1, -1]),
    ("edge-enhance-more", 1.0, 0.0, &[-1, -1, -1, -1, 9, -1, -1, -1, -1]),
    ("emboss", 1.0, 128.0, &[-1, 0, 0, 0, 1, 0, 0, 0, 0]),
    ("find-edges", 1.0, 0.0, &[-1, -1, -1, -1, 8, -1, -1, -1, -1]),
    ("smooth", 13.0, 0.0, &[1, 1, 1, 1, 5, 1, 1, 1, 1]),
    ("smooth-more", 100.0, 0.0, &[1, 1, 1, 1, 1, 1, 5, 5, 5, 1, 1, 5, 44, 5, 1, 1, 5, 5, 5, 1, 1, 1, 1, 1, 1]),
    ("sharpen", 16.0, 0.0, &[-2, -2, -2, -2, 32, -2, -2, -2, -2]),
];

/// The names of Pillow's fixed kernels.
pub fn fixed_names() -> impl Iterator<Item = &'static str> {
    FIXED.iter().map(|(name, ..)| *name)
}

/// The fixed kernel with this name.
pub fn fixed(name: &str) -> Kernel {
    let &(_, scale, offset, numbers) = FIXED.iter().find(|(own, ..)| *own == name).expect(name);
    let rows = numbers.chunks(numbers.len().isqrt()).map(|row| row.iter().map(|&number| number.into()).collect());
    Kernel { scale, offset, is_bottom_up: true, ..Kernel::new(rows.collect()) }
}
