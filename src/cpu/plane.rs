//! A component as a plane of its own, and what lies around it.

use rayon::prelude::*;

use crate::filters::{Margins, Outside};

/// Samples row by row, without padding.
#[derive(Clone, Default)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<u8>,
}

impl Plane {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, samples: vec![0; width * height] }
    }

    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.width..][..self.width]
    }

    /// Row `y`, wherever that is; nothing stands for zeros.
    pub(super) fn row_at(&self, y: isize, outside: Outside) -> Option<&[u8]> {
        resolve(y, self.height, outside).map(|y| self.row(y))
    }

    /// Row `y`, wherever that is, with `before` and `after` samples more, as they are outside.
    pub(super) fn extended_row(&self, y: isize, before: usize, after: usize, outside: Outside) -> Vec<u8> {
        let Some(row) = self.row_at(y, outside) else { return vec![0; before + self.width + after] };
        let at = |position: isize| resolve(position, self.width, outside).map_or(0, |x| row[x]);
        let mut extended = Vec::with_capacity(before + self.width + after);
        extended.extend((-(before as isize)..0).map(at));
        extended.extend_from_slice(row);
        extended.extend((self.width as isize..(self.width + after) as isize).map(at));
        extended
    }

    /// Writes each row with `write`, on all cores.
    pub(super) fn write_rows(&mut self, write: impl Fn(usize, &mut [u8]) + Sync) {
        self.samples.par_chunks_mut(self.width).enumerate().for_each(|(y, row)| write(y, row));
    }

    /// Puts back the samples of `base` at the edges.
    pub(super) fn keep(&mut self, margins: Margins, base: &Self) {
        let Margins { left, right, up, down } = margins;
        let (width, height) = (self.width, self.height);
        let left = (left as usize).min(width);
        let right = width.saturating_sub(right as usize).max(left);
        if margins != Margins::default() {
            self.write_rows(|y, row| {
                let before = base.row(y);
                if y < up as usize || y + down as usize >= height {
                    row.copy_from_slice(before);
                } else {
                    row[..left].copy_from_slice(&before[..left]);
                    row[right..].copy_from_slice(&before[right..]);
                }
            });
        }
    }
}

/// Which of `length` samples stands at `position`; nothing stands for a zero.
pub(super) fn resolve(position: isize, length: usize, outside: Outside) -> Option<usize> {
    let last = length as isize - 1;
    let inside = (0..=last).contains(&position);
    match outside {
        _ if inside => Some(position as usize),
        Outside::Zero => None,
        Outside::Mirror if last > 0 => {
            let distance = position.unsigned_abs() % (2 * last as usize);
            Some(distance.min(2 * last as usize - distance))
        }
        _ => Some(position.clamp(0, last) as usize),
    }
}
