//! Convolution kernels: Pillow's fixed ones, and the user's own.

use super::{Border, Filter, FilterError, Margins, Op};
use crate::layout::Depth;

/// The longest side of a kernel.
pub(super) const MAX_SIDE: usize = 63;

/// Which way the kernel's rows are laid over the picture.
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
    /// Its fraction cut off, as by NumPy's conversion to integers.
    Down,
}

/// A convolution: `clip(offset + sum of coefficients * samples / scale)`, rounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Columns of the kernel.
    pub cols: usize,
    /// Coefficients, row by row.
    coefficients: Vec<f32>,
    /// What they are divided by.
    scale: f32,
    /// Which way the rows go.
    order: KernelOrder,
    /// Added to every sum, in 255ths of the largest value.
    offset: f32,
    /// How the sum is rounded.
    rounding: Rounding,
}

/// How a kernel is computed: `clip((start + sum of coefficients * samples) * reciprocal)`, truncated. In f32, each row of
/// the kernel is summed from left to right, and the rows are added to the start in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Coefficients, row by row.
    pub coefficients: Vec<f32>,
    /// What a sum begins with.
    pub start: f32,
    /// What it is multiplied by at the end.
    pub reciprocal: f32,
    /// Whether the coefficients are integers, and no sum is rounded, in whatever order it is taken.
    pub exact: bool,
}

impl Kernel {
    /// Reads a kernel's text: rows parted by `;`, numbers by spaces or commas.
    ///
    /// `scale` divides the coefficients; 0 stands for their sum, or 1 where that is 0.
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

    /// Whether a sum over samples of any depth may leave f32. Of infinities no two backends make the same.
    fn overflows(&self) -> bool {
        const DEEPEST: f32 = u16::MAX as f32;
        let coefficients = self.coefficients.iter().map(|c| (c / self.scale).abs()).sum::<f32>();
        let largest = coefficients * DEEPEST + self.offset.abs() * DEEPEST / 255.0;
        !largest.is_finite() || !self.scale.is_finite()
    }

    fn new(cols: usize, coefficients: &[f64], scale: f64, offset: f64, order: KernelOrder) -> Self {
        // The sum is taken in f64, as Pillow does.
        let sum: f64 = coefficients.iter().sum();
        let scale = [scale, sum].into_iter().find(|&s| s != 0.0).unwrap_or(1.0) as f32;
        let coefficients = coefficients.iter().map(|&c| c as f32).collect();
        Self { cols, coefficients, scale, order, offset: offset as f32, rounding: Rounding::HalfUp }
    }

    /// Rows of the kernel.
    pub fn rows(&self) -> usize {
        self.coefficients.len().checked_div(self.cols).unwrap_or(0)
    }

    /// How many rows below the sample the row is that this row of the kernel weighs.
    pub fn row_offset(&self, row: usize) -> isize {
        let from_anchor = (row as isize).saturating_sub_unsigned(self.rows() / 2);
        match self.order {
            KernelOrder::TopDown => from_anchor,
            KernelOrder::BottomUp => from_anchor.saturating_neg(),
        }
    }

    /// How to compute it for samples of this depth: exactly where its numbers are integers and that is how it is meant,
    /// else with Pillow's roundings.
    pub fn weights(&self, depth: Depth) -> Weights {
        self.integers(depth).unwrap_or_else(|| Weights {
            coefficients: self.coefficients.iter().map(|c| c / self.scale).collect(),
            // Added in f64, as Pillow does.
            start: (f64::from(self.offset_at(depth)) + self.added()) as f32,
            reciprocal: 1.0,
            exact: false,
        })
    }

    /// What rounds a sum once it is truncated. To cut off a fraction, nothing but what f32 may have lost.
    fn added(&self) -> f64 {
        match self.rounding {
            Rounding::HalfUp => 0.5,
            Rounding::Down => 1.0 / 1024.0,
        }
    }

    fn offset_at(&self, depth: Depth) -> f32 {
        (f64::from(self.offset) * f64::from(depth.max()) / 255.0) as f32
    }

    /// The sum of integers, whose quotient is rounded once: what a kernel of any size means. In the sizes that Pillow
    /// has, its own roundings must come to the same.
    fn integers(&self, depth: Depth) -> Option<Weights> {
        let (scale, offset) = (self.scale.abs(), self.offset_at(depth));
        let sign = self.scale.signum();
        // A quotient that is no whole number is this far from one. With a quarter of it added, the rounding errors of the
        // reciprocal and of the product with it do not matter.
        let gap = 1.0 / scale;
        let sums = depth.max() as f32 * self.coefficients.iter().map(|c| c.abs()).sum::<f32>();
        let rounded = if self.rounding == Rounding::HalfUp { scale / 2.0 } else { 0.0 };
        let start = scale * offset + rounded + 0.25;
        let largest = sums + start.abs();
        let whole = self.coefficients.iter().chain([&scale, &offset]).all(|number| number.fract() == 0.0);
        // f32 holds every quarter up to 2^22.
        let held = largest < (1 << 22) as f32 && (depth.max() as f32 + 1.0) * f32::EPSILON < gap / 4.0;
        let pillows = self.cols == self.rows() && [3, 5].contains(&self.cols) && self.rounding == Rounding::HalfUp;
        let exact = || {
            // A power of two makes every step of Pillow's exact. An odd divisor leaves no quotient at a half, where its
            // rounding errors would count.
            let roundings = self.cols as f32 + self.rows() as f32 + 3.0;
            let error = largest * gap * f32::EPSILON / 2.0 * roundings;
            scale.log2().fract() == 0.0 || (scale % 2.0 == 1.0 && error < gap / 4.0)
        };
        (whole && held && (!pillows || exact())).then(|| Weights {
            coefficients: self.coefficients.iter().map(|c| c * sign).collect(),
            start,
            reciprocal: 1.0 / scale,
            exact: true,
        })
    }

    /// How far the window reaches. The anchor of an even side is its element `side / 2`.
    pub fn reach(&self) -> Margins {
        let (cols, rows) = (self.cols as u32, self.rows() as u32);
        let (before, after) = (rows / 2, rows.saturating_sub(1) / 2);
        let (up, down) = match self.order {
            KernelOrder::TopDown => (before, after),
            KernelOrder::BottomUp => (after, before),
        };
        Margins { left: cols / 2, right: cols.saturating_sub(1) / 2, up, down }
    }

    /// This kernel as a filter.
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

/// One of Pillow's fixed kernels (`PIL/ImageFilter.py`), square.
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

    /// Those whose kernel is so.
    fn fixed_that(is_so: impl Fn(Kernel) -> bool) -> Vec<&'static str> {
        FIXED.iter().filter(|(_, fixed)| is_so(fixed.kernel())).map(|&(name, _)| name).collect()
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
    fn says_what_is_wrong() {
        assert_eq!(parse(" ; "), Err(FilterError::EmptyKernel));
        assert_eq!(parse("1 x"), Err(FilterError::NotANumber("x".into())));
        assert_eq!(parse("1 inf"), Err(FilterError::NotANumber("inf".into())));
        assert_eq!(parse("1e39"), Err(FilterError::KernelOverflows));
        assert_eq!(parse("1 2; 3"), Err(FilterError::RaggedKernel { row: 2, got: 1, expected: 2 }));
        assert_eq!(parse(&"1 ".repeat(64)), Err(FilterError::KernelTooLarge { rows: 1, cols: 64 }));
    }

    #[test]
    fn some_filters_shift_levels_or_find_edges() {
        let shifting = fixed_that(|kernel| !kernel.filter(Border::Copy).keeps_level);
        assert_eq!(shifting, ["contour", "emboss", "find-edges"]);
    }

    #[test]
    fn integers_are_summed_as_such_where_pillow_rounds_alike() {
        let is_exact = |kernel: &Kernel| kernel.weights(Depth::default()).exact;
        assert_eq!(fixed_that(|kernel| !is_exact(&kernel)), ["detail", "smooth-more"]);
        assert!(is_exact(&parse("1 2; 3 4").unwrap()), "no size of Pillow's");
        assert!(!is_exact(&parse("1 2.5 3").unwrap()));
    }

    #[test]
    fn an_even_side_reaches_further_back() {
        let kernel = parse("1 1; 1 1; 1 1; 1 1").unwrap();
        assert_eq!(kernel.reach(), Margins { left: 1, right: 0, up: 2, down: 1 });
    }
}
