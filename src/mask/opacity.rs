//! The opacities of a frame's samples, and the runs of a row in which nothing or all of the result is taken: most masks have
//! soft edges only, and the rest of their frames is not computed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the layout. If one is wrong, the panic becomes an error of the element."
)]

use std::ops::Range;

use rayon::prelude::*;

use super::Grid;
use super::grid::MIN_ROWS;
use crate::layout::{Component, Layout};

/// The number of samples that are looked at together.
const BLOCK: usize = 32;

/// Samples side by side in a row.
pub struct Run {
    /// Their places.
    pub samples: Range<usize>,
    /// How opaque they are.
    pub extent: Extent,
}

/// How opaque samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Each is transparent.
    None,
    /// Each by its own share.
    Part,
    /// Each is opaque.
    All,
}

/// The opacities of components of one size.
pub struct Opacities {
    grid: Grid,
    /// The runs of each row.
    runs: Vec<Vec<Run>>,
}

/// The opacities of all samples of a frame.
pub struct Opacity {
    /// One for each size of the frame's components; none if everything is opaque.
    sizes: Vec<Opacities>,
    is_empty: bool,
}

impl Opacity {
    /// Everything is opaque.
    pub fn full() -> Self {
        Self { sizes: Vec::new(), is_empty: false }
    }

    /// From opacities at the frame's size.
    pub fn new(grid: Grid, layout: &Layout) -> Self {
        let whole = Opacities::new(grid);
        if whole.is(Extent::All) {
            return Self::full();
        }
        let is_empty = whole.is(Extent::None);
        let mut sizes = vec![whole];
        for component in &layout.components {
            if !sizes.iter().any(|size| size.fits(component)) {
                sizes.push(Opacities::new(sizes[0].grid.reduced(component.width, component.height)));
            }
        }
        Self { sizes, is_empty }
    }

    /// Whether everything is opaque.
    pub fn is_full(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Whether everything is transparent.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The opacities of a component's samples; none if everything is opaque.
    pub fn of(&self, component: &Component) -> Option<&Opacities> {
        self.sizes.iter().find(|size| size.fits(component))
    }
}

impl Opacities {
    fn new(grid: Grid) -> Self {
        let runs = grid.values.par_chunks(grid.width).with_min_len(MIN_ROWS).map(runs).collect();
        Self { grid, runs }
    }

    fn fits(&self, component: &Component) -> bool {
        (self.grid.width, self.grid.height) == (component.width, component.height)
    }

    /// Whether all rows are like this.
    fn is(&self, extent: Extent) -> bool {
        self.runs.iter().flatten().all(|run| run.extent == extent)
    }

    /// The opacities of row `y`.
    pub fn row(&self, y: usize) -> &[f32] {
        self.grid.row(y)
    }

    /// The runs of row `y`, from left to right.
    pub fn runs(&self, y: usize) -> &[Run] {
        &self.runs[y]
    }
}

/// The runs of a row.
fn runs(row: &[f32]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, block) in row.chunks(BLOCK).enumerate() {
        let count = |wanted: f32| block.iter().map(|&value| usize::from(value == wanted)).sum::<usize>();
        let extent = match (count(0.0), count(1.0)) {
            (zeros, _) if zeros == block.len() => Extent::None,
            (_, ones) if ones == block.len() => Extent::All,
            _ => Extent::Part,
        };
        let begin = index * BLOCK;
        match runs.last_mut() {
            Some(last) if last.extent == extent => last.samples.end = begin + block.len(),
            _ => runs.push(Run { samples: begin..begin + block.len(), extent }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_blocks_are_one_run() {
        let row: Vec<f32> = [vec![0.0; 70], vec![0.5; 3], vec![1.0; 91]].concat();
        let runs: Vec<_> = runs(&row).into_iter().map(|run| (run.samples, run.extent)).collect();
        assert_eq!(runs, [(0..64, Extent::None), (64..96, Extent::Part), (96..164, Extent::All)]);
    }
}
