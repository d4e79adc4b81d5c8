//! Convolution kernels: Pillow's fixed ones, and the user's own.

use super::{Border, Filter, FilterError, Margins, Op};
use crate::layout::Depth;

/// The maximum of a kernel's width and height.
pub(super) const MAX_SIDE: usize = 63;

/// The vertical order of a kernel's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelOrder {
    /// Row 0 weighs the upper row (NumPy, OpenCV, FFmpeg).
    TopDown,
    /// Row 0 weighs the lower row (Pillow).
    BottomUp,
}

/// How a sum becomes a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Rounded half up, as in Pillow.
    HalfUp,
    /// Truncated, as by NumPy's conversion to integers.
    Down,
}

/// A convolution: `clip(offset + sum of coefficients * samples / scale)`, rounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// The number of columns.
    pub cols: usize,
    /// The coefficients, row by row.
    coefficients: Vec<f32>,
    /// The divisor of the sum.
    scale: f32,
    order: KernelOrder,
    /// Added to every sum, in 8-bit levels.
    offset: f32,
    rounding: Rounding,
}

/// The numbers that a backend computes a kernel with: `clip((start + sum of coefficients * samples) * reciprocal)`,
/// truncated. In f32, each row of the kernel is summed from left to right, then the rows' sums are added to `start` one
/// after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The coefficients, row by row.
    pub coefficients: Vec<f32>,
    /// The initial value of the sum.
    pub start: f32,
    /// The factor of the sum.
    pub reciprocal: f32,
    /// Whether the coefficients are integers and f32 holds every sum exactly, in any order of summation.
    pub exact: bool,
}

impl Kernel {
    /// Reads a kernel's text: rows separated by `;`, numbers by spaces or commas.
    ///
    /// `scale` divides the coefficients; 0 stands for their sum, or for 1 if the sum is 0.
    pub fn parse(
        text: &str,
        scale: f64,
        offset: f64,
        order: KernelOrder,
        rounding: Rounding,
    ) -> Result<Self, FilterError> {
        let rows = text
            .trim_end_matches(|c: char| c == ';' || c.is_whitespace())
            .split(';')
            .map(parse_row)
            .collect::<Result<Vec<_>, _>>()?;
        let cols = rows.first().map_or(0, Vec::len);
        if cols == 0 {
            return Err(FilterError::EmptyKernel);
        }
        if let Some((row, number)) = rows.iter().zip(1..).find(|(row, _)| row.len() != cols) {
            return Err(FilterError::RaggedKernel { row: number, got: row.len(), expected: cols });
        }
        if cols.max(rows.len()) > MAX_SIDE {
            return Err(FilterError::KernelTooLarge { rows: rows.len(), cols });
        }
        let kernel = Self { rounding, ..Self::new(cols, &rows.concat(), scale, offset, order) };
        if kernel.overflows() {
            return Err(FilterError::KernelOverflows);
        }
        Ok(kernel)
    }

    /// Whether a sum over samples of any depth may overflow f32: the backends would not agree on infinities.
    fn overflows(&self) -> bool {
        const MAX_SAMPLE: f32 = u16::MAX as f32;
        let coefficients = self.coefficients.iter().map(|c| (c / self.scale).abs()).sum::<f32>();
        let max_sum = coefficients * MAX_SAMPLE + self.offset.abs() * MAX_SAMPLE / 255.0;
        !max_sum.is_finite() || !self.scale.is_finite()
    }

    fn new(cols: usize, coefficients: &[f64], scale: f64, offset: f64, order: KernelOrder) -> Self {
        // Pillow sums in f64.
        let sum: f64 = coefficients.iter().sum();
        let scale = [scale, sum].into_iter().find(|&s| s != 0.0).unwrap_or(1.0) as f32;
        let coefficients = coefficients.iter().map(|&c| c as f32).collect();
        Self { cols, coefficients, scale, order, offset: offset as f32, rounding: Rounding::HalfUp }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.coefficients.len().checked_div(self.cols).unwrap_or(0)
    }

    /// The distance in rows from the sample down to the row that this row of the kernel weighs; negative: up.
    pub fn row_offset(&self, row: usize) -> isize {
        let from_anchor = (row as isize).saturating_sub_unsigned(self.rows() / 2);
        match self.order {
            KernelOrder::TopDown => from_anchor,
            KernelOrder::BottomUp => from_anchor.saturating_neg(),
        }
    }

    /// The numbers for samples of this depth: exact integers if possible and if they give Pillow's result, else
    /// Pillow's own sequence of roundings.
    pub fn weights(&self, depth: Depth) -> Weights {
        self.integers(depth).unwrap_or_else(|| Weights {
            coefficients: self.coefficients.iter().map(|c| c / self.scale).collect(),
            // Pillow adds these two in f64.
            start: (f64::from(self.offset_at(depth)) + self.rounding_bias()) as f32,
            reciprocal: 1.0,
            exact: false,
        })
    }

    /// The number whose addition before truncation rounds a sum. For [`Rounding::Down`] it only makes up for f32's
    /// errors.
    fn rounding_bias(&self) -> f64 {
        match self.rounding {
            Rounding::HalfUp => 0.5,
            Rounding::Down => 1.0 / 1024.0,
        }
    }

    fn offset_at(&self, depth: Depth) -> f32 {
        depth.levels(self.offset.into()) as f32
    }

    /// Integer weights, whose sum is exact and whose quotient is rounded once: the mathematical result. `None` if they
    /// do not fit, or if Pillow, which has kernels of this size, rounds differently.
    fn integers(&self, depth: Depth) -> Option<Weights> {
        let (scale, offset) = (self.scale.abs(), self.offset_at(depth));
        let sign = self.scale.signum();
        // A quotient that is not an integer is at least this far from one. A quarter of it is added, so that the
        // rounding errors of the reciprocal and of the product cannot change the result.
        let gap = 1.0 / scale;
        let sums = depth.max() as f32 * self.coefficients.iter().map(|c| c.abs()).sum::<f32>();
        let rounded = if self.rounding == Rounding::HalfUp { scale / 2.0 } else { 0.0 };
        let start = scale * offset + rounded + 0.25;
        let max_sum = sums + start.abs();
        let are_integers = self.coefficients.iter().chain([&scale, &offset]).all(|number| number.fract() == 0.0);
        // f32 holds all multiples of 1/4 up to 2^22.
        let fit = max_sum < (1 << 22) as f32 && (depth.max() as f32 + 1.0) * f32::EPSILON < gap / 4.0;
        let exists_in_pillow =
            self.cols == self.rows() && [3, 5].contains(&self.cols) && self.rounding == Rounding::HalfUp;
        let pillow_agrees = || {
            // With a power of two, every step of Pillow's is exact. With an odd divisor, no quotient is at a half,
            // where Pillow's rounding errors would matter.
            let roundings = self.cols as f32 + self.rows() as f32 + 3.0;
            let error = max_sum * gap * f32::EPSILON / 2.0 * roundings;
            scale.log2().fract() == 0.0 || (scale % 2.0 == 1.0 && error < gap / 4.0)
        };
        (are_integers && fit && (!exists_in_pillow || pillow_agrees())).then(|| Weights {
            coefficients: self.coefficients.iter().map(|c| c * sign).collect(),
            start,
            reciprocal: 1.0 / scale,
            exact: true,
        })
    }

    /// The window's reach. If a side is even, the anchor is its element `side / 2`.
    pub fn reach(&self) -> Margins {
        let (cols, rows) = (self.cols as u32, self.rows() as u32);
        let (before, after) = (rows / 2, rows.saturating_sub(1) / 2);
        let (up, down) = match self.order {
            KernelOrder::TopDown => (before, after),
            KernelOrder::BottomUp => (after, before),
        };
        Margins { left: cols / 2, right: cols.saturating_sub(1) / 2, up, down }
    }

    /// A filter of one pass with this kernel.
    pub fn filter(self, border: Border) -> Filter {
        let gain = self.coefficients.iter().sum::<f32>() / self.scale;
        let keeps_level = self.offset == 0.0 && (gain - 1.0).abs() < 1e-3;
        let reach = self.reach();
        Filter { keeps_level, ..Filter::new(vec![Op::Convolve(self)], border, reach) }
    }
}

fn parse_row(row: &str) -> Result<Vec<f64>, FilterError> {
    row.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|number| !number.is_empty())
        .map(|number| match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(FilterError::NotANumber(number.to_owned())),
        })
        .collect()
}

/// One of Pillow's fixed kernels (`PIL/ImageFilter.py`); all are square.
pub struct FixedKernel {
    coefficients: &'static [i8],
    scale: f64,
    offset: f64,
}

impl FixedKernel {
    /// The kernel, in Pillow's row order.
    pub fn kernel(&self) -> Kernel {
        let coefficients: Vec<f64> = self.coefficients.iter().map(|&c| f64::from(c)).collect();
        let side = coefficients.len().isqrt();
        Kernel::new(side, &coefficients, self.scale, self.offset, KernelOrder::BottomUp)
    }
}

const fn fixed(scale: f64, offset: f64, coefficients: &'static [i8]) -> FixedKernel {
    FixedKernel { coefficients, scale, offset }
}

/// Pillow's ten fixed filters.
#[rustfmt::skip]
#[allow(missing_docs, reason = "they are Pillow's names")]
impl FixedKernel {
    pub const BLUR: Self = fixed(16.0, 0.0, &[
        1, 1, 1, 1, 1,
        1, 0, 0, 0, 1,
        1, 0, 0, 0, 1,
        1, 0, 0, 0, 1,
        1, 1, 1, 1, 1,
    ]);
    pub const CONTOUR: Self = fixed(1.0, 255.0, &[-1, -1, -1, -1, 8, -1, -1, -1, -1]);
    pub const DETAIL: Self = fixed(6.0, 0.0, &[0, -1, 0, -1, 10, -1, 0, -1, 0]);
    pub const EDGE_ENHANCE: Self = fixed(2.0, 0.0, &[-1, -1, -1, -1, 10, -1, -1, -1, -1]);
    pub const EDGE_ENHANCE_MORE: Self = fixed(1.0, 0.0, &[-1, -1, -1, -1, 9, -1, -1, -1, -1]);
    pub const EMBOSS: Self = fixed(1.0, 128.0, &[-1, 0, 0, 0, 1, 0, 0, 0, 0]);
    pub const FIND_EDGES: Self = fixed(1.0, 0.0, &[-1, -1, -1, -1, 8, -1, -1, -1, -1]);
    pub const SMOOTH: Self = fixed(13.0, 0.0, &[1, 1, 1, 1, 5, 1, 1, 1, 1]);
    pub const SMOOTH_MORE: Self = fixed(100.0, 0.0, &[
        1, 1,  1, 1, 1,
        1, 5,  5, 5, 1,
        1, 5, 44, 5, 1,
        1, 5,  5, 5, 1,
        1, 1,  1, 1, 1,
    ]);
    pub const SHARPEN: Self = fixed(16.0, 0.0, &[-2, -2, -2, -2, 32, -2, -2, -2, -2]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: [(&str, FixedKernel); 10] = [
        ("blur", FixedKernel::BLUR),
        ("contour", FixedKernel::CONTOUR),
        ("detail", FixedKernel::DETAIL),
        ("edge-enhance", FixedKernel::EDGE_ENHANCE),
        ("edge-enhance-more", FixedKernel::EDGE_ENHANCE_MORE),
        ("emboss", FixedKernel::EMBOSS),
        ("find-edges", FixedKernel::FIND_EDGES),
        ("smooth", FixedKernel::SMOOTH),
        ("smooth-more", FixedKernel::SMOOTH_MORE),
        ("sharpen", FixedKernel::SHARPEN),
    ];

    fn names_where(condition: impl Fn(Kernel) -> bool) -> Vec<&'static str> {
        FIXED.iter().filter(|(_, fixed)| condition(fixed.kernel())).map(|&(name, _)| name).collect()
    }

    fn parse(text: &str) -> Result<Kernel, FilterError> {
        Kernel::parse(text, 0.0, 0.0, KernelOrder::TopDown, Rounding::HalfUp)
    }

    #[test]
    fn reads_rows_and_columns() {
        let kernel = parse("1, 2 3;4 5,6;").unwrap();
        assert_eq!((kernel.rows(), kernel.cols), (2, 3));
        assert_eq!(kernel.coefficients, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(kernel.scale, 21.0);
    }

    #[test]
    fn a_sum_of_zero_leaves_the_coefficients() {
        assert_eq!(parse("-1 0 1").unwrap().scale, 1.0);
    }

    #[test]
    fn errors_name_the_cause() {
        assert_eq!(parse(" ; "), Err(FilterError::EmptyKernel));
        assert_eq!(parse("1 x"), Err(FilterError::NotANumber("x".into())));
        assert_eq!(parse("1 inf"), Err(FilterError::NotANumber("inf".into())));
        assert_eq!(parse("1e39"), Err(FilterError::KernelOverflows));
        assert_eq!(parse("1 2; 3"), Err(FilterError::RaggedKernel { row: 2, got: 1, expected: 2 }));
        assert_eq!(parse(&"1 ".repeat(64)), Err(FilterError::KernelTooLarge { rows: 1, cols: 64 }));
    }

    #[test]
    fn some_filters_shift_levels_or_find_edges() {
        let shifting = names_where(|kernel| !kernel.filter(Border::Copy).keeps_level);
        assert_eq!(shifting, ["contour", "emboss", "find-edges"]);
    }

    #[test]
    fn integer_kernels_are_exact_if_pillow_gives_the_same() {
        let is_exact = |kernel: &Kernel| kernel.weights(Depth::default()).exact;
        assert_eq!(names_where(|kernel| !is_exact(&kernel)), ["detail", "smooth-more"]);
        assert!(is_exact(&parse("1 2; 3 4").unwrap()), "Pillow has no kernels of this size");
        assert!(!is_exact(&parse("1 2.5 3").unwrap()));
    }

    #[test]
    fn an_even_side_reaches_further_left_and_up() {
        let kernel = parse("1 1; 1 1; 1 1; 1 1").unwrap();
        assert_eq!(kernel.reach(), Margins { left: 1, right: 0, up: 2, down: 1 });
    }
}
