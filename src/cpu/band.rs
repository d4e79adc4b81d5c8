//! Some rows of a sheet, with what windows see around them: few enough to stay in a core's cache.

use std::ops::Range;

use super::sample::Sample;
use crate::filters::{Margins, Outside};

/// Operations work on whole blocks of so many samples, in registers: rows end with room for them.
pub(super) const BLOCK: usize = 64;

/// So many blocks of a row, from a sample on. Looked up before a loop, they cost it no look at where the row ends.
#[inline(always)]
pub(super) fn blocks<T>(row: &[T], at: usize, count: usize) -> &[[T; BLOCK]] {
    &row[at..].as_chunks().0[..count]
}

/// Where a row of blocks is to begin, so that none is split between two lines of the cache.
pub(super) fn first_aligned<T>(samples: &[T]) -> usize {
    samples.as_ptr().align_offset(BLOCK)
}

/// The size of a sheet: samples of one component, or of several that lie interleaved in a plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Samples in a row, of all channels.
    pub(super) width: usize,
    /// Rows.
    pub(super) height: usize,
    /// Samples from one to its right neighbour.
    pub(super) channels: usize,
}

/// Where rows of a sheet lie among samples.
#[derive(Clone, Default)]
pub(super) struct Form {
    pub(super) size: Size,
    /// The rows that are there.
    pub(super) rows: Range<usize>,
    /// What windows see outside the sheet, and how far they reach.
    outside: Outside,
    reach: Margins,
    /// Samples from a row's start to the sheet's first column, and from row to row.
    left: usize,
    stride: usize,
    /// The first row's first sample.
    begin: usize,
}

impl Form {
    fn at(&self, y: usize) -> usize {
        self.begin + (y - self.rows.start) * self.stride
    }
}

/// Rows of a sheet.
#[derive(Default)]
pub(super) struct Band<T> {
    form: Form,
    samples: Vec<T>,
    /// A row of zeros, with its sides.
    zeros: Vec<T>,
}

impl<T: Sample> Band<T> {
    /// Makes room for `rows`, seen through windows that reach this far.
    pub(super) fn lay_out(&mut self, size: Size, rows: Range<usize>, reach: Margins, outside: Outside) {
        let left = (reach.left as usize * size.channels).next_multiple_of(BLOCK);
        let right = reach.right as usize * size.channels;
        // Windows of whole blocks of samples are read, and where they overlap again in whole blocks.
        let stride = (left + size.width + right).next_multiple_of(BLOCK) + 2 * BLOCK;
        self.samples.resize(stride * rows.len() + BLOCK, T::default());
        self.zeros.resize(stride, T::default());
        self.form = Form { size, rows, outside, reach, left, stride, begin: first_aligned(&self.samples) };
    }

    /// Where the rows lie.
    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    /// What windows see outside the sheet.
    pub(super) fn outside(&self) -> Outside {
        self.form.outside
    }

    /// Row `y` of the sheet.
    pub(super) fn row(&self, y: usize) -> &[T] {
        &self.samples[self.form.at(y) + self.form.left..][..self.form.size.width]
    }

    /// Row `y`, wherever that is, from `reach` samples left of the sheet on.
    pub(super) fn wide_row(&self, y: isize, reach: u32) -> &[T] {
        let Form { size, left, stride, .. } = self.form;
        let skip = left - reach as usize * size.channels;
        match self.form.outside.resolve(y, size.height) {
            Some(y) => &self.samples[self.form.at(y) + skip..][..stride - skip],
            None => &self.zeros[skip..],
        }
    }

    /// The rows, to be written.
    pub(super) fn rows_mut(&mut self) -> RowsMut<'_, T> {
        RowsMut { form: self.form.clone(), samples: &mut self.samples }
    }
}

/// Rows of a sheet to be written: a band's, or a frame's own.
pub(super) struct RowsMut<'a, T> {
    form: Form,
    samples: &'a mut [T],
}

impl<'a, T: Sample> RowsMut<'a, T> {
    /// The rows of a frame, whose first is that of `samples`; none where they do not end with a whole block.
    pub(super) fn of_frame(size: Size, rows: Range<usize>, samples: &'a mut [T], stride: usize) -> Option<Self> {
        size.width.is_multiple_of(BLOCK).then(|| Self { form: Form { size, rows, stride, ..Form::default() }, samples })
    }

    /// Where the rows lie.
    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    /// Writes row `y`, up to whole blocks, with `write`, and then what lies to its sides.
    pub(super) fn write(&mut self, y: usize, write: impl FnOnce(&mut [T])) {
        write(self.row_mut(y));
        self.write_sides_of(y);
    }

    /// Row `y` up to whole blocks, after which [`Self::write_sides`] is due.
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [T] {
        let blocks = self.form.size.width.next_multiple_of(BLOCK);
        let at = self.form.at(y) + self.form.left;
        &mut self.samples[at..][..blocks]
    }

    /// Writes what lies to the sides of every row.
    pub(super) fn write_sides(&mut self) {
        self.form.rows.clone().for_each(|y| self.write_sides_of(y));
    }

    fn write_sides_of(&mut self, y: usize) {
        let Form { size: Size { width, channels, .. }, outside, reach, left, .. } = self.form;
        let row = &mut self.samples[self.form.at(y)..];
        let pixels = (width / channels) as isize;
        let (before, after) = (reach.left as isize, reach.right as isize);
        let index = |pixel: isize| (left as isize + pixel * channels as isize) as usize;
        for outer in (-before..0).chain(pixels..pixels + after) {
            let inner = outside.resolve(outer, pixels as usize);
            for channel in 0..channels {
                let sample = inner.map(|inner| row[index(inner as isize) + channel]);
                row[index(outer) + channel] = sample.unwrap_or_default();
            }
        }
    }

    /// Puts back the samples of `base` at the sheet's edges.
    pub(super) fn keep(&mut self, margins: Margins, base: &Band<T>) {
        if margins == Margins::default() {
            return;
        }
        let Size { width, height, channels } = self.form.size;
        let left = (margins.left as usize * channels).min(width);
        let right = width.saturating_sub(margins.right as usize * channels).max(left);
        for y in self.form.rows.clone() {
            let (row, before) = (&mut self.row_mut(y)[..width], base.row(y));
            if y < margins.up as usize || y + margins.down as usize >= height {
                row.copy_from_slice(before);
            } else {
                row[..left].copy_from_slice(&before[..left]);
                row[right..].copy_from_slice(&before[right..]);
            }
        }
        self.write_sides();
    }
}

/// The rows of a sheet that windows see from `rows`.
pub(super) fn rows_seen(rows: Range<usize>, reach: Margins, outside: Outside, height: usize) -> Range<usize> {
    let (first, last) = (rows.start as isize - reach.up as isize, rows.end as isize + reach.down as isize);
    let seen = |y| outside.resolve(y, height);
    let (start, end) = (rows.start, rows.end);
    // Between the rows themselves nothing is new.
    let around = (first..start as isize).chain(end as isize..last).filter_map(seen);
    around.fold(rows, |seen, y| seen.start.min(y)..seen.end.max(y + 1))
}
