//! The losses that recipes put together. Each is a number, `()`.

use tch::{Kind, Tensor};

use crate::Result;

/// Keeps a target of zeros from dividing by zero.
const EPSILON: f64 = 1e-12;

/// What a Gram matrix is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GramDivisor {
    /// Nothing.
    One,
    /// The positions that it sums over, `H W`.
    Positions,
    /// The features, `C H W`.
    Features,
}

/// Tiles that Gram matrices are taken of, one of each: what holds for each tile, holds everywhere in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Side by side along height and width.
    pub tiles: [i64; 2],
    /// How far the grid is moved along them, in tiles, 0..1: what leaves at one end comes in at the other.
    pub shift: [f64; 2],
}

/// No tile is smaller than this, in pixels: it would hold less than a stroke.
const LEAST_TILE: i64 = 48;

impl Grid {
    /// The whole picture as one tile.
    pub const WHOLE: Self = Self { tiles: [1, 1], shift: [0.0, 0.0] };

    /// For a picture of this height and width that is part of a frame of that: squares, so many along the frame's shorter
    /// side; 1: the picture as one tile.
    pub fn new(size: [i64; 2], frame: [i64; 2], along_shorter: i64) -> Self {
        if along_shorter == 1 {
            return Self::WHOLE;
        }
        let side = (frame[0].min(frame[1]) / along_shorter).max(LEAST_TILE) as f64;
        Self { tiles: size.map(|length| ((length as f64 / side).round() as i64).max(1)), ..Self::WHOLE }
    }

    /// Features `(1, C, H, W)`, cut into tiles: `(tiles, positions, C)`.
    fn cut(&self, features: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = features.size4()?;
        if *self == Self::WHOLE {
            return Ok(features.f_permute([0, 2, 3, 1])?.f_reshape([1, height * width, channels])?);
        }
        let [rows, columns] = self.axes([height, width]);
        let tiles = [rows.tiles * columns.tiles, rows.side * columns.side, channels];
        let cut = Tensor::f_empty(tiles, (features.kind(), features.device()))?;
        for (features, mut cut) in pieces(&rows, &columns, features, &cut)? {
            cut.f_copy_(&features)?;
        }
        Ok(cut)
    }

    /// Adds to features the product of tiles that are cut like them, `(tiles, positions, C)`, with `(tiles, C, C)`.
    fn add_product(&self, cut: &Tensor, factors: &Tensor, features: &mut Tensor) -> Result<()> {
        let (_, channels, height, width) = features.size4()?;
        if *self == Self::WHOLE {
            let mut sums = features.f_permute([0, 2, 3, 1])?.f_reshape([1, height * width, channels])?;
            *features = sums.f_baddbmm_(cut, factors)?.f_view([1, height, width, channels])?.f_permute([0, 3, 1, 2])?;
            return Ok(());
        }
        let [rows, columns] = self.axes([height, width]);
        for (mut features, product) in pieces(&rows, &columns, features, &cut.f_bmm(factors)?)? {
            let _ = features.f_add_(&product)?;
        }
        Ok(())
    }

    fn axes(&self, size: [i64; 2]) -> [Axis; 2] {
        let axis = |tiles: i64, shift: f64, length: i64| {
            let tiles = tiles.min(length);
            let side = length / tiles;
            // What is left over lies before and after.
            let begin = (shift * (length - tiles * side + 1) as f64) as i64;
            Axis { begin, tiles, side, shift: (shift * side as f64) as i64 }
        };
        let Self { tiles, shift } = self;
        [axis(tiles[0], shift[0], size[0]), axis(tiles[1], shift[1], size[1])]
    }
}

/// A grid's lines along one dimension, in positions.
struct Axis {
    /// Where tiles begin.
    begin: i64,
    /// How many there are, and how long each is.
    tiles: i64,
    side: i64,
    /// How far they are moved.
    shift: i64,
}

/// A run of tiles' parts that keep together when a grid is moved: so many tiles, and positions of each, that lie from here in
/// the features and from there in the grid.
struct Run {
    tiles: i64,
    positions: i64,
    from: [i64; 2],
    to: [i64; 2],
}

impl Axis {
    fn runs(&self) -> impl Iterator<Item = Run> {
        let Self { tiles, side, shift, .. } = *self;
        let kept = Run { tiles, positions: side - shift, from: [0, 0], to: [0, shift] };
        let moved_on = Run { tiles: tiles - 1, positions: shift, from: [0, side - shift], to: [1, 0] };
        let around = Run { tiles: 1, positions: shift, from: [tiles - 1, side - shift], to: [0, 0] };
        [kept, moved_on, around].into_iter().filter(|run| run.tiles > 0 && run.positions > 0)
    }
}

/// The parts of features `(1, C, H, W)`, and of tiles cut from them, that belong together: in place, of the same shape.
fn pieces(rows: &Axis, columns: &Axis, features: &Tensor, cut: &Tensor) -> Result<Vec<(Tensor, Tensor)>> {
    let (_, channels, _, _) = features.size4()?;
    let features = features.f_permute([0, 2, 3, 1])?.f_select(0, 0)?;
    let features = features
        .f_narrow(0, rows.begin, rows.tiles * rows.side)?
        .f_narrow(1, columns.begin, columns.tiles * columns.side)?
        .f_view([rows.tiles, rows.side, columns.tiles, columns.side, channels])?;
    let cut = cut.f_view([rows.tiles, columns.tiles, rows.side, columns.side, channels])?.f_permute([0, 2, 1, 3, 4])?;
    let part = |values: &Tensor, axis: i64, at: [i64; 2], run: &Run| -> Result<Tensor> {
        Ok(values.f_narrow(axis, at[0], run.tiles)?.f_narrow(axis + 1, at[1], run.positions)?)
    };
    let mut pieces = Vec::new();
    for row in rows.runs() {
        let (features, cut) = (part(&features, 0, row.from, &row)?, part(&cut, 0, row.to, &row)?);
        for column in columns.runs() {
            pieces.push((part(&features, 2, column.from, &column)?, part(&cut, 2, column.to, &column)?));
        }
    }
    Ok(pieces)
}

impl GramDivisor {
    /// For tiles `(tiles, positions, C)`.
    fn of(self, cut: &Tensor) -> Result<f64> {
        let (_, positions, channels) = cut.size3()?;
        Ok(match self {
            Self::One => 1.0,
            Self::Positions => positions as f64,
            Self::Features => (channels * positions) as f64,
        })
    }
}

/// The Gram matrices of the tiles of features `(1, C, H, W)`: `F F^T`, `(tiles, C, C)`, divided; in 32 bits.
pub fn grams(features: &Tensor, grid: &Grid, divisor: GramDivisor) -> Result<Tensor> {
    products(&grid.cut(features)?, divisor)
}

fn products(cut: &Tensor, divisor: GramDivisor) -> Result<Tensor> {
    // bf16 reaches as far as 32 bits do, and its sums are rounded once; f16 would overflow.
    let factors = if cut.kind() == Kind::BFloat16 { cut.shallow_clone() } else { cut.f_to_kind(Kind::Float)? };
    let sums = factors.f_transpose(1, 2)?.f_bmm(&factors)?.f_to_kind(Kind::Float)?;
    Ok(sums.f_div_scalar(divisor.of(cut)?)?)
}

/// How far the Gram matrices of features `(1, C, H, W)` are from a target; so many times its gradient is added.
pub(crate) fn pull_grams(
    features: &Tensor,
    grid: &Grid,
    divisor: GramDivisor,
    target: &Target,
    weight: f64,
    gradient: &mut Tensor,
) -> Result<Tensor> {
    let cut = grid.cut(features)?;
    let grams = products(&cut, divisor)?;
    let mut at_grams = grams.f_zeros_like()?;
    // A change of F changes F F^T by dF F^T + F dF^T, and what these are weighed with is symmetric.
    let distance = target.pull(&grams, 2.0 * weight / divisor.of(&cut)?, &mut at_grams)?;
    grid.add_product(&cut, &at_grams.f_to_kind(cut.kind())?, gradient)?;
    Ok(distance)
}

/// How far features, or Gram matrices, are from a target `t`; `d` is their difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// `sum(d^2) / sum(t^2)`: 0 where they agree, about 1 for nothing in common. It means the same at every resolution
    /// and with every network.
    Relative,
    /// `mean(d^2)`.
    MeanSquare,
    /// `sum(d^2)`.
    SumSquare,
    /// `sum(d^2) / (4 N^2 M^2)` with N the picture's 3 channels and M its positions: as Keras' example reads L. Gatys,
    /// A. Ecker, M. Bethge (CVPR 2016, equation 4), where they are the features'.
    Gatys,
}

/// What a distance is measured to.
pub struct Target {
    value: Tensor,
    /// What sums of squares are divided by.
    divisor: Tensor,
}

impl Target {
    /// Measures to `value`, for a picture of so many positions.
    pub fn new(value: Tensor, distance: Distance, positions: i64) -> Result<Self> {
        let number = |number: f64| Tensor::f_full([], number, (Kind::Float, value.device()));
        let divisor = match distance {
            Distance::Relative => value.f_square()?.f_sum(Kind::Float)?.f_add_scalar(EPSILON)?,
            Distance::MeanSquare => number(value.numel() as f64)?,
            Distance::SumSquare => number(1.0)?,
            Distance::Gatys => number((2.0 * 3.0 * positions as f64).powi(2))?,
        };
        Ok(Self { value, divisor })
    }

    /// How far `x`, `(N, ...)` for a value of `(1, ...)`, is from it: the mean over N.
    pub fn distance(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.measure(x)?.0)
    }

    /// The same; so many times its gradient at `x` is added.
    pub(crate) fn pull(&self, x: &Tensor, weight: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let (distance, apart, share) = self.measure(x)?;
        let _ = gradient.f_addcmul_(&apart, &share.f_reciprocal()?.f_mul_scalar(2.0 * weight)?)?;
        Ok(distance)
    }

    /// The distance, the differences, and what the sum of their squares was divided by.
    fn measure(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let apart = x.f_sub(&self.value)?;
        let tiles = x.size().first().copied().unwrap_or(1);
        let share = self.divisor.f_mul_scalar(tiles)?;
        let distance = apart.f_square()?.f_sum(Kind::Float)?.f_div(&share)?;
        Ok((distance, apart, share))
    }
}

/// The dimensions of a picture.
const HEIGHT: i64 = 2;
const WIDTH: i64 = 3;

/// How rough a picture `(1, C, H, W)` is, from the differences `dx` and `dy` between neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TotalVariation {
    /// `mean(dx^2) + mean(dy^2)`.
    MeanSquare,
    /// `(mean(|dx|) + mean(|dy|)) / 2`.
    HalfMeanAbsolute,
    /// `sum((dx^2 + dy^2)^1.25)`, over the positions that have both neighbours.
    Power,
}

impl TotalVariation {
    /// Of `picture`; 0 where it has no neighbours. So many times its gradient is added.
    pub fn pull(self, picture: &Tensor, weight: f64, gradient: &Tensor) -> Result<Tensor> {
        // What lies after each place, and each place that something lies after, along an axis.
        let after = |values: &Tensor, axis: i64| values.f_slice(axis, 1, None, 1);
        let before = |values: &Tensor, axis: i64| values.f_slice(axis, 0, -1, 1);
        let difference = |axis: i64| -> Result<Tensor> { Ok(after(picture, axis)?.f_sub(&before(picture, axis)?)?) };
        let differences = [difference(HEIGHT)?, difference(WIDTH)?];
        // A mean of nothing is not a number.
        let count = |values: &Tensor| values.numel().max(1) as f64;
        let (degree, slopes) = match self {
            Self::MeanSquare => {
                let slope = |difference: &Tensor| difference.f_mul_scalar(2.0 / count(difference));
                (2.0, [slope(&differences[0])?, slope(&differences[1])?])
            }
            Self::HalfMeanAbsolute => {
                let slope = |difference: &Tensor| difference.f_sign()?.f_div_scalar(2.0 * count(difference));
                (1.0, [slope(&differences[0])?, slope(&differences[1])?])
            }
            Self::Power => {
                let at_both = [before(&differences[0], WIDTH)?, before(&differences[1], HEIGHT)?];
                let square = at_both[0].f_square()?.f_add(&at_both[1].f_square()?)?;
                let share = square.f_pow_tensor_scalar(0.25)?.f_mul_scalar(2.5)?;
                let slope = |difference: &Tensor, at_both: &Tensor, other: i64| -> Result<Tensor> {
                    let slope = difference.f_zeros_like()?;
                    before(&slope, other)?.f_copy_(&at_both.f_mul(&share)?)?;
                    Ok(slope)
                };
                let of_height = slope(&differences[0], &at_both[0], WIDTH)?;
                (2.5, [of_height, slope(&differences[1], &at_both[1], HEIGHT)?])
            }
        };
        // What grows with a power of the differences is the sum of their slopes times themselves, by that power (Euler).
        let mut value = Tensor::f_zeros([], (Kind::Float, picture.device()))?;
        for (axis, (difference, slope)) in [HEIGHT, WIDTH].into_iter().zip(differences.iter().zip(&slopes)) {
            value = value.f_add(&difference.f_mul(slope)?.f_sum(Kind::Float)?.f_div_scalar(degree)?)?;
            let slope = slope.f_mul_scalar(weight)?;
            let _ = after(gradient, axis)?.f_add_(&slope)?;
            let _ = before(gradient, axis)?.f_sub_(&slope)?;
        }
        Ok(value)
    }
}
