//! A cache of tensors that depend only on the size of frames.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::sampling::centers;
use super::smoothing::window_sum;
use crate::Result;

/// A cached tensor.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Cached {
    /// The matrix of means over tent-shaped windows, `(length, length)`; see [`super::smoothing::smooth`].
    Tent { length: i64, octaves: u32, kind: Kind },
    /// The factor of each position that turns a [`window_sum`] into a mean.
    TentFactor { length: i64, octaves: u32, dimension: i64 },
    /// The centers of every `every`-th pixel of a picture of this height and width, `(1, 2, h, w)`, x then y, in -1..1.
    Centers { size: [i64; 2], every: i64 },
    /// The factor that converts motion in pixels to these units, `(1, 2, 1, 1)`.
    Scale { size: [i64; 2] },
}

thread_local! {
    static CACHE: RefCell<HashMap<(Cached, Device), Tensor>> = RefCell::default();
}

/// The maximum number of cached tensors: enough for frames of two or three sizes.
const MAX_CACHED: usize = 128;

/// The tensor, from the cache if possible.
pub(super) fn cached(wanted: Cached, device: Device) -> Result<Tensor> {
    if let Some(found) = CACHE.with_borrow(|cache| cache.get(&(wanted, device)).map(Tensor::shallow_clone)) {
        return Ok(found);
    }
    let made = wanted.make(device)?;
    CACHE.with_borrow_mut(|cache| {
        if cache.len() == MAX_CACHED {
            cache.clear();
        }
        cache.insert((wanted, device), made.shallow_clone());
    });
    Ok(made)
}

impl Cached {
    fn make(self, device: Device) -> Result<Tensor> {
        let options = (Kind::Float, device);
        Ok(match self {
            Self::Tent { length, octaves, kind } => {
                let positions = Tensor::f_arange(length, options)?;
                let distances = positions.f_unsqueeze(1)?.f_sub(&positions)?.f_abs()?;
                let weights = distances.f_rsub_scalar(f64::from(1 << octaves))?.f_clamp_min(0.0)?;
                weights.f_div(&weights.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)?.f_to_kind(kind)?
            }
            Self::TentFactor { length, octaves, dimension } => {
                let shape = if dimension == 3 { [1, 1, 1, length] } else { [1, 1, length, 1] };
                window_sum(&Tensor::f_ones(shape, options)?, dimension, octaves)?.f_reciprocal()?
            }
            Self::Centers { size: [height, width], every } => {
                let [x, y] = [width, height].map(|pixels| centers(pixels, device));
                let (x, y) = (x?.f_slice(0, 0, None, every)?, y?.f_slice(0, 0, None, every)?);
                let size = [y.size1()?, x.size1()?];
                let (x, y) = (x.f_expand(size, false)?, y.f_unsqueeze(1)?.f_expand(size, false)?);
                Tensor::f_stack(&[x, y], 0)?.f_unsqueeze(0)?
            }
            Self::Scale { size: [height, width] } => {
                let scale = [2.0 / width as f32, 2.0 / height as f32];
                Tensor::f_from_slice(&scale)?.f_view([1, 2, 1, 1])?.f_to_device(device)?
            }
        })
    }
}
