//! The losses that recipes put together. Each is a number, `()`, that can be differentiated.

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

    /// `(1, C, H, W)`, cut into tiles: `(tiles, C, positions)`.
    fn cut(&self, features: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = features.size4()?;
        let tiles = [self.tiles[0].min(height), self.tiles[1].min(width)];
        let sides = [height / tiles[0], width / tiles[1]];
        let shift = [0, 1].map(|dimension| -((self.shift[dimension] * sides[dimension] as f64) as i64));
        let moved = if shift == [0, 0] { features.shallow_clone() } else { features.f_roll(shift, [2, 3])? };
        let even = moved.f_narrow(2, 0, tiles[0] * sides[0])?.f_narrow(3, 0, tiles[1] * sides[1])?;
        let apart = even.f_reshape([channels, tiles[0], sides[0], tiles[1], sides[1]])?.f_permute([1, 3, 0, 2, 4])?;
        Ok(apart.f_reshape([tiles[0] * tiles[1], channels, sides[0] * sides[1]])?)
    }
}

/// The Gram matrices of the tiles of features `(1, C, H, W)`: `F F^T`, `(tiles, C, C)`, divided.
pub fn grams(features: &Tensor, grid: &Grid, divisor: GramDivisor) -> Result<Tensor> {
    let flat = grid.cut(features)?;
    let (_, channels, positions) = flat.size3()?;
    let products = flat.f_matmul(&flat.f_transpose(1, 2)?)?;
    Ok(match divisor {
        GramDivisor::One => products,
        GramDivisor::Positions => products.f_div_scalar(positions)?,
        GramDivisor::Features => products.f_div_scalar(channels * positions)?,
    })
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
        let sum = x.f_sub(&self.value)?.f_square()?.f_sum(Kind::Float)?;
        Ok(sum.f_div_scalar(x.size()[0])?.f_div(&self.divisor)?)
    }
}

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
    /// Of `picture`; 0 where it has no neighbours.
    pub fn of(self, picture: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = picture.size4()?;
        let difference = |dimension: i64, length: i64| -> Result<Tensor> {
            let after = picture.f_narrow(dimension, length.min(1), (length - 1).max(0))?;
            Ok(after.f_sub(&picture.f_narrow(dimension, 0, (length - 1).max(0))?)?)
        };
        let (dy, dx) = (difference(2, height)?, difference(3, width)?);
        // A mean of nothing is not a number.
        let mean = |values: &Tensor| -> Result<Tensor> {
            Ok(values.f_sum(Kind::Float)?.f_div_scalar(values.numel().max(1) as i64)?)
        };
        Ok(match self {
            Self::MeanSquare => mean(&dx.f_square()?)?.f_add(&mean(&dy.f_square()?)?)?,
            Self::HalfMeanAbsolute => mean(&dx.f_abs()?)?.f_add(&mean(&dy.f_abs()?)?)?.f_div_scalar(2)?,
            Self::Power => {
                let dx = dx.f_narrow(2, 0, (height - 1).max(0))?.f_square()?;
                let dy = dy.f_narrow(3, 0, (width - 1).max(0))?.f_square()?;
                dx.f_add(&dy)?.f_pow_tensor_scalar(1.25)?.f_sum(Kind::Float)?
            }
        })
    }
}
