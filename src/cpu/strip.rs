//! Row strips: some rows of a channel view with a halo, the samples that windows read around them. A strip is small
//! enough to stay in a core's cache.

use std::ops::Range;

use super::sample::Sample;
use crate::filters::{BorderMode, Margins};

/// Operations process blocks of this many samples, in vector registers. Rows are padded to whole blocks.
pub(super) const BLOCK: usize = 64;

/// `count` blocks of a row, from sample `at` on. If they are sliced before a loop, the loop needs no bounds checks.
#[inline(always)]
pub(super) fn blocks<T>(row: &[T], at: usize, count: usize) -> &[[T; BLOCK]] {
    &row[at..].as_chunks().0[..count]
}

/// The first index at which blocks are aligned to cache lines.
pub(super) fn first_aligned<T>(samples: &[T]) -> usize {
    samples.as_ptr().align_offset(BLOCK)
}

/// The size of a channel view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// The samples of a row, of all channels together.
    pub(super) width: usize,
    /// The number of rows.
    pub(super) height: usize,
    /// The number of interleaved channels.
    pub(super) channels: usize,
}

/// The positions of a strip's rows in a slice of samples.
#[derive(Clone, Default)]
pub(super) struct StripLayout {
    /// The size of the whole view.
    pub(super) size: Size,
    /// The rows that the strip holds.
    pub(super) rows: Range<usize>,
    /// The samples that windows read outside the view, and the windows' reach.
    border_mode: BorderMode,
    reach: Margins,
    /// The samples before the view's first column in each row.
    left: usize,
    /// The samples from one row to the next.
    stride: usize,
    /// The index of the first row's first sample.
    begin: usize,
}

impl StripLayout {
    /// The index of the first sample of row `y`, halo included.
    fn row_start(&self, y: usize) -> usize {
        self.begin + (y - self.rows.start) * self.stride
    }
}

/// A row strip with its halo.
#[derive(Default)]
pub(super) struct Strip<T> {
    layout: StripLayout,
    samples: Vec<T>,
    /// A row of zeros, including its halo.
    zeros: Vec<T>,
}

impl<T: Sample> Strip<T> {
    /// Prepares the strip for `rows` of a view, which will be read by windows of this reach.
    pub(super) fn set_layout(&mut self, size: Size, rows: Range<usize>, reach: Margins, border_mode: BorderMode) {
        let left = (reach.left as usize * size.channels).next_multiple_of(BLOCK);
        let right = reach.right as usize * size.channels;
        // Two more blocks: reads of whole blocks, and of whole blocks at an offset, pass the end of the row.
        let stride = (left + size.width + right).next_multiple_of(BLOCK) + 2 * BLOCK;
        self.samples.resize(stride * rows.len() + BLOCK, T::default());
        self.zeros.resize(stride, T::default());
        self.layout = StripLayout { size, rows, border_mode, reach, left, stride, begin: first_aligned(&self.samples) };
    }

    pub(super) fn layout(&self) -> &StripLayout {
        &self.layout
    }

    pub(super) fn border_mode(&self) -> BorderMode {
        self.layout.border_mode
    }

    /// Row `y` of the view, without its halo.
    pub(super) fn row(&self, y: usize) -> &[T] {
        &self.samples[self.layout.row_start(y) + self.layout.left..][..self.layout.size.width]
    }

    /// Row `y`, which may be outside the view, starting `reach` pixels left of the view's first column.
    pub(super) fn wide_row(&self, y: isize, reach: u32) -> &[T] {
        let StripLayout { size, left, stride, .. } = self.layout;
        let skip = left - reach as usize * size.channels;
        match self.layout.border_mode.resolve(y, size.height) {
            Some(y) => &self.samples[self.layout.row_start(y) + skip..][..stride - skip],
            None => &self.zeros[skip..],
        }
    }

    /// The rows, for writing.
    pub(super) fn rows_mut(&mut self) -> RowsMut<'_, T> {
        RowsMut { layout: self.layout.clone(), samples: &mut self.samples }
    }
}

/// Rows for writing: a strip's, or rows of the output frame itself.
pub(super) struct RowsMut<'a, T> {
    layout: StripLayout,
    samples: &'a mut [T],
}

impl<'a, T: Sample> RowsMut<'a, T> {
    /// These rows of a frame; `samples` starts with the first. `None` if their width is not a multiple of [`BLOCK`].
    pub(super) fn of_frame(size: Size, rows: Range<usize>, samples: &'a mut [T], stride: usize) -> Option<Self> {
        size.width
            .is_multiple_of(BLOCK)
            .then(|| Self { layout: StripLayout { size, rows, stride, ..StripLayout::default() }, samples })
    }

    pub(super) fn layout(&self) -> &StripLayout {
        &self.layout
    }

    /// Writes row `y`: `write` fills it, in whole blocks, then its halo is computed.
    pub(super) fn write(&mut self, y: usize, write: impl FnOnce(&mut [T])) {
        write(self.row_mut(y));
        self.write_halo_of(y);
    }

    /// Row `y`, in whole blocks. The caller must call [`Self::write_halo`] afterwards.
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [T] {
        let blocks = self.layout.size.width.next_multiple_of(BLOCK);
        let at = self.layout.row_start(y) + self.layout.left;
        &mut self.samples[at..][..blocks]
    }

    /// Writes the left and right halo of every row.
    pub(super) fn write_halo(&mut self) {
        self.layout.rows.clone().for_each(|y| self.write_halo_of(y));
    }

    fn write_halo_of(&mut self, y: usize) {
        let StripLayout { size: Size { width, channels, .. }, border_mode, reach, left, .. } = self.layout;
        let row = &mut self.samples[self.layout.row_start(y)..];
        let pixels = (width / channels) as isize;
        let (on_left, on_right) = (reach.left as isize, reach.right as isize);
        let index = |pixel: isize| (left as isize + pixel * channels as isize) as usize;
        for outer in (-on_left..0).chain(pixels..pixels + on_right) {
            let inner = border_mode.resolve(outer, pixels as usize);
            for channel in 0..channels {
                let sample = inner.map(|inner| row[index(inner as isize) + channel]);
                row[index(outer) + channel] = sample.unwrap_or_default();
            }
        }
    }

    /// Copies a border of the view from `base`.
    pub(super) fn restore_border(&mut self, margins: Margins, base: &Strip<T>) {
        if margins == Margins::default() {
            return;
        }
        let Size { width, height, channels } = self.layout.size;
        let left = (margins.left as usize * channels).min(width);
        let right = width.saturating_sub(margins.right as usize * channels).max(left);
        for y in self.layout.rows.clone() {
            let (row, before) = (&mut self.row_mut(y)[..width], base.row(y));
            if y < margins.up as usize || y + margins.down as usize >= height {
                row.copy_from_slice(before);
            } else {
                row[..left].copy_from_slice(&before[..left]);
                row[right..].copy_from_slice(&before[right..]);
            }
        }
        self.write_halo();
    }
}

/// The rows of a view that windows at `rows` read.
pub(super) fn rows_read(rows: Range<usize>, reach: Margins, border_mode: BorderMode, height: usize) -> Range<usize> {
    let (first, last) = (rows.start as isize - reach.up as isize, rows.end as isize + reach.down as isize);
    let (start, end) = (rows.start, rows.end);
    let around = (first..start as isize).chain(end as isize..last).filter_map(|y| border_mode.resolve(y, height));
    around.fold(rows, |read, y| read.start.min(y)..read.end.max(y + 1))
}
