//! What is made once for frames of a size, and needed for each.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::sampling::centres;
use super::smoothing::window_sum;
use crate::Result;

/// What is needed again and again for frames of a size.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Cached {
    /// The matrix, `(length, length)`, that takes each place to the mean of a window around it; see [`super::smoothing::smooth`].
    Tent { length: i64, octaves: u32, kind: Kind },
    /// What [`window_sum`] is multiplied by, each place by its own, to give means.
    TentShare { length: i64, octaves: u32, dimension: i64 },
    /// The centres of every such pixel of a picture of this height and width, `(1, 2, h, w)`, x then y, which go from -1 to 1.
    Centres { size: [i64; 2], every: i64 },
    /// By what motion in pixels is multiplied to be in these units, `(1, 2, 1, 1)`.
    Scale { size: [i64; 2] },
}

thread_local! {
    /// What was made before.
    static CACHE: RefCell<HashMap<(Cached, Device), Tensor>> = RefCell::default();
}

/// So many are kept, for frames of two sizes or three.
const MAX_CACHED: usize = 128;

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
                let places = Tensor::f_arange(length, options)?;
                let apart = places.f_unsqueeze(1)?.f_sub(&places)?.f_abs()?;
                let weights = apart.f_rsub_scalar(f64::from(1 << octaves))?.f_clamp_min(0.0)?;
                weights.f_div(&weights.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)?.f_to_kind(kind)?
            }
            Self::TentShare { length, octaves, dimension } => {
                let shape = if dimension == 3 { [1, 1, 1, length] } else { [1, 1, length, 1] };
                window_sum(&Tensor::f_ones(shape, options)?, dimension, octaves)?.f_reciprocal()?
            }
            Self::Centres { size: [height, width], every } => {
                let [x, y] = [width, height].map(|pixels| centres(pixels, device));
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
