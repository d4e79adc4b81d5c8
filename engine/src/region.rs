//! Rectangular regions of a frame, which can be painted separately.

use tch::Tensor;

use crate::Result;
use crate::size::size_of;

/// The minimum distance, in pixels, from what must be painted to a region's edges.
const MARGIN: i64 = 32;

/// Regions start and end at multiples of this many pixels. So features have the same positions as in the whole frame,
/// and few different sizes occur, for each of which libtorch prepares its convolutions.
const ALIGNMENT: i64 = 64;

/// A rectangle of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region {
    /// The frame's height and width.
    frame: [i64; 2],
    /// The first row and column, and the first ones past the end.
    begin: [i64; 2],
    end: [i64; 2],
}

impl Region {
    /// The whole of a frame of this height and width.
    pub fn whole(frame: [i64; 2]) -> Self {
        Self { frame, begin: [0, 0], end: frame }
    }

    /// The smallest region that contains all pixels of the mask `wanted`, `(1, 1, H, W)`, with a margin; the whole
    /// frame if the mask is empty.
    pub fn around(wanted: &Tensor) -> Result<Self> {
        let frame = size_of(wanted)?;
        // The begin and the end along an axis of this length; `other` is the dimension that is reduced.
        let ends = |length: i64, other: i64| -> Result<Option<(i64, i64)>> {
            let lines = Vec::<bool>::try_from(wanted.f_any_dim(other, false)?.f_flatten(0, -1)?)?;
            let (first, last) = (lines.iter().position(|&line| line), lines.iter().rposition(|&line| line));
            Ok(first.zip(last).map(|(first, last)| {
                let (begin, end) = (first as i64 - MARGIN, last as i64 + 1 + MARGIN);
                (begin.max(0) / ALIGNMENT * ALIGNMENT, ((end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT).min(length))
            }))
        };
        let [height, width] = frame;
        Ok(match (ends(height, 3)?, ends(width, 2)?) {
            (Some((top, bottom)), Some((left, right))) => Self { frame, begin: [top, left], end: [bottom, right] },
            _ => Self::whole(frame),
        })
    }

    /// Whether it is the whole frame.
    pub fn is_whole(&self) -> bool {
        self.size() == self.frame
    }

    /// Height and width.
    fn size(&self) -> [i64; 2] {
        [self.end[0] - self.begin[0], self.end[1] - self.begin[1]]
    }

    /// The fraction of the frame's pixels that it contains.
    pub fn share(&self) -> f64 {
        self.pixels() as f64 / self.frame.iter().product::<i64>() as f64
    }

    /// The number of its pixels.
    pub fn pixels(&self) -> i64 {
        self.size().iter().product()
    }

    /// This region of `values`, `(1, C, H, W)`, as a view.
    pub fn of(&self, values: &Tensor) -> Result<Tensor> {
        let [height, width] = self.size();
        Ok(values.f_narrow(2, self.begin[0], height)?.f_narrow(3, self.begin[1], width)?)
    }

    /// `whole`, with this region replaced by `part`.
    pub fn put(&self, part: &Tensor, whole: &Tensor) -> Result<Tensor> {
        if self.is_whole() {
            return Ok(part.shallow_clone());
        }
        let Self { begin, end, .. } = self;
        let rows = whole.f_narrow(2, begin[0], end[0] - begin[0])?.f_slice_scatter(part, 3, begin[1], end[1], 1)?;
        Ok(whole.f_slice_scatter(&rows, 2, begin[0], end[0], 1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn contains_the_mask_and_a_margin() {
        let wanted = Tensor::zeros([1, 1, 200, 300], (Kind::Bool, Device::Cpu));
        assert_eq!(Region::around(&wanted).unwrap(), Region::whole([200, 300]), "nothing is wanted");
        let _ = wanted.narrow(2, 100, 5).narrow(3, 280, 3).fill_(1);
        let region = Region::around(&wanted).unwrap();
        assert_eq!(region, Region { frame: [200, 300], begin: [64, 192], end: [192, 300] });
    }

    #[test]
    fn a_part_is_put_back_where_it_was() {
        let whole = Tensor::arange(2 * 200 * 300, (Kind::Float, Device::Cpu)).view([1, 2, 200, 300]);
        let region = Region { frame: [200, 300], begin: [64, 240], end: [144, 300] };
        let part = region.of(&whole).unwrap();
        assert_eq!(part.size(), [1, 2, 80, 60]);
        assert_eq!(region.put(&part, &whole).unwrap(), whole);
        let marked = region.put(&part.zeros_like(), &whole).unwrap();
        assert_eq!(region.of(&marked).unwrap().abs().max().double_value(&[]), 0.0);
        assert_eq!((&whole - &marked).ne(0).sum(Kind::Int64).int64_value(&[]), 2 * 80 * 60);
    }
}
