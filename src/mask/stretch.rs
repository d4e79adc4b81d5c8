//! Stretches masks to the size of frames: linearly where they are enlarged, by weighted means where they are reduced.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the sizes. If one is wrong, the panic becomes an error of the element."
)]

use rayon::prelude::*;

use super::Grid;
use super::grid::MIN_ROWS;

/// The values that a stretched value is made of: the first one's index, and their weights, which sum up to 1.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// A grid at another width and height.
pub fn stretch(grid: &Grid, [width, height]: [usize; 2]) -> Grid {
    if (grid.width, grid.height) == (width, height) {
        return grid.clone();
    }
    let (columns, rows) = (taps(grid.width, width), taps(grid.height, height));
    let mut wide = vec![0.0; width * grid.height];
    let input = grid.values.par_chunks(grid.width).zip(wide.par_chunks_mut(width));
    input.with_min_len(MIN_ROWS).for_each(|(from, to)| {
        to.iter_mut().zip(&columns).for_each(|(value, taps)| *value = taps.sum(|index| from[index]));
    });
    let mut values = vec![0.0; width * height];
    values.par_chunks_mut(width).zip(&rows).with_min_len(MIN_ROWS).for_each(|(to, taps)| {
        let row = |index: usize| &wide[index * width..][..width];
        let first = row(taps.first);
        to.copy_from_slice(first);
        // Row by row, as memory lies and as processors add many values at a time.
        for (index, weight) in taps.weights.iter().enumerate().skip(1) {
            let differences = row(taps.first + index).iter().zip(first).map(|(value, first)| value - first);
            to.iter_mut().zip(differences).for_each(|(value, difference)| *value += weight * difference);
        }
    });
    Grid { width, height, values }
}

impl Taps {
    /// The weighted sum. Where all values are the same, it is exactly this value.
    fn sum(&self, value: impl Fn(usize) -> f32) -> f32 {
        let first = value(self.first);
        let others = self.weights.iter().enumerate().skip(1);
        first + others.map(|(index, weight)| weight * (value(self.first + index) - first)).sum::<f32>()
    }
}

/// For each of `to` places, its taps among `from` values: a triangle, at least two values wide.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f32 / to as f32;
    let reach = scale.max(1.0);
    let at = |place: usize| {
        let center = (place as f32 + 0.5) * scale - 0.5;
        let first = (center - reach).ceil().max(0.0) as usize;
        let last = ((center + reach).floor() as usize).min(from - 1);
        let first = first.min(last);
        let weight = |index: usize| (1.0 - (index as f32 - center).abs() / reach).max(0.0);
        let counting: Vec<usize> = (first..=last).filter(|&index| weight(index) > 0.0).collect();
        let sum: f32 = counting.iter().map(|&index| weight(index)).sum();
        let first = counting.first().copied().unwrap_or(first);
        Taps { first, weights: counting.iter().map(|&index| weight(index) / sum).collect() }
    };
    (0..to).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32], width: usize) -> Vec<f32> {
        stretch(&Grid { width: values.len(), height: 1, values: values.into() }, [width, 2]).values[width..].into()
    }

    #[test]
    fn values_between_two_are_linear_and_means_are_weighted() {
        assert_eq!(row(&[0.0, 1.0], 4), [0.0, 0.25, 0.75, 1.0]);
        // Of three values at the edge, the last one weighs 0.25, the others 0.75.
        let halved = row(&[0.0, 0.0, 1.0, 1.0, 1.0, 1.0], 3);
        assert!((halved[0] - 0.25 / 1.75).abs() < 1e-6 && halved[1..] == [0.875, 1.0], "{halved:?}");
        assert_eq!(row(&[0.5], 3), [0.5; 3]);
    }

    #[test]
    fn equal_values_stay_exactly() {
        for (from, to) in [(3, 48), (5, 32), (100, 7), (1, 9), (31, 30)] {
            let grid = stretch(&Grid { width: from, height: from, values: vec![1.0; from * from] }, [to, to]);
            assert!(grid.values.iter().all(|&value| value == 1.0), "{from} to {to}");
        }
    }
}
