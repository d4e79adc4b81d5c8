//! The medians of 3 x 3 and 5 x 5 windows, computed in vector registers.

use multiversion::multiversion;

use super::sample::Sample;
use super::strip::BLOCK;

/// The windows that are processed at a time, so that their columns stay in the L1 cache.
const CHUNK: usize = 8 * BLOCK;

/// A row of medians of 9. After the columns are sorted, the median of each window is the median of three values: the
/// maximum of the columns' minima, the median of their medians and the minimum of their maxima (A. Paeth, "Median
/// Finding on a 3 x 3 Grid", Graphics Gems, 1990).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn median_of_9<T: Sample>(rows: &[&[T]], channels: usize, result: &mut [T]) {
    let in_window = |index: usize, at| block(rows[index % 3], at + index / 3 * channels);
    map_blocks(result.len(), in_window, &mut [result], |[a, b, c, d, e, f, g, h, i]: [T; 9]| {
        let [mut first, mut second, mut third] = [[a, b, c], [d, e, f], [g, h, i]];
        sort_3(&mut first);
        sort_3(&mut second);
        sort_3(&mut third);
        let mut middle = [first[1], second[1], third[1]];
        sort_3(&mut middle);
        let largest_low = first[0].max(second[0]).max(third[0]);
        let smallest_high = first[2].min(second[2]).min(third[2]);
        let mut candidates = [largest_low, middle[1], smallest_high];
        sort_3(&mut candidates);
        [candidates[1]]
    });
}

/// The samples of a row that a chunk's windows read, with up to 4 channels per pixel.
const ROW_LENGTH: usize = CHUNK + 3 * BLOCK;

/// The sorted values of each column of a chunk, and of each pair of neighboring columns. Aligned so that no block is
/// split between two cache lines.
#[repr(align(64))]
pub(super) struct Columns<T> {
    single: [[T; ROW_LENGTH]; 5],
    pairs: [[T; ROW_LENGTH]; 10],
}

impl<T: Sample> Default for Columns<T> {
    fn default() -> Self {
        Self { single: [[T::default(); ROW_LENGTH]; 5], pairs: [[T::default(); ROW_LENGTH]; 10] }
    }
}

/// A row of medians of 25. Columns are sorted, then merged into sorted pairs of columns, and both are shared by all
/// windows that contain them. A window is two pairs and a column; its median is selected from the few values that can
/// be the median.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn median_of_25<T: Sample>(
    rows: &[&[T]],
    channels: usize,
    Columns { single, pairs }: &mut Columns<T>,
    result: &mut [T],
) {
    let Ok(rows) = <[&[T]; 5]>::try_from(rows) else { return };
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        let rows = rows.map(|row| &row[chunk * CHUNK..]);
        let length = result.len() + 4 * channels;
        map_blocks(
            length,
            |row, at| block(rows[row], at),
            single,
            |mut column: [T; 5]| {
                sort_5(&mut column);
                column
            },
        );
        let in_column = |index: usize, at| block(&single[index % 5], at + index / 5 * channels);
        map_blocks(length - channels, in_column, pairs, |mut pair: [T; 10]| {
            merge_5(&mut pair);
            MERGED_5.map(|index| pair[index])
        });
        let in_window = |index: usize, at| match index {
            0..20 => block(&pairs[index % 10], at + index / 10 * 2 * channels),
            _ => block(&single[index - 20], at + 4 * channels),
        };
        map_blocks(result.len(), in_window, &mut [result], |mut window: [T; 25]| {
            merge_10(&mut window);
            let pairs = MERGED_10.map(|index| window[index]);
            let column = &window[20..];
            // The 13th smallest of the pairs' 20 values and the column's 5. `largest` is the largest of the 13 smallest
            // values if `from_column` of them are from the column; the true number gives the minimum.
            let largest = |from_column: usize| pairs[5 - from_column].max(column[from_column - 1]);
            [pairs[5].min(largest(1)).min(largest(2)).min(largest(3)).min(largest(4)).min(largest(5))]
        });
    }
}

/// A block of a row.
#[inline(always)]
fn block<T>(row: &[T], at: usize) -> &[T; BLOCK] {
    &row[at..][..BLOCK].as_chunks().0[0]
}

/// Applies `map` to each position of the inputs and writes the results to `outputs`, block by block.
#[inline(always)]
fn map_blocks<'a, T: Sample, const I: usize, const O: usize>(
    length: usize,
    input: impl Fn(usize, usize) -> &'a [T; BLOCK],
    outputs: &mut [impl AsMut<[T]>; O],
    map: impl Fn([T; I]) -> [T; O],
) {
    for at in (0..length).step_by(BLOCK) {
        let inputs: [_; I] = std::array::from_fn(|index| input(index, at));
        let mut results = [[T::default(); BLOCK]; O];
        for x in 0..BLOCK {
            let values = map(std::array::from_fn(|index| inputs[index][x]));
            for (result, value) in results.iter_mut().zip(values) {
                result[x] = value;
            }
        }
        for (output, result) in outputs.iter_mut().zip(&results) {
            output.as_mut()[at..][..BLOCK].copy_from_slice(result);
        }
    }
}

/// A function that compares the values of each pair and swaps them if the second is smaller. The comparators are
/// expanded by a macro, since compilers do not unroll a loop over them.
macro_rules! network {
    ($(#[$doc:meta])* $name:ident, $count:literal: $(($low:literal, $high:literal)),* $(,)?) => {
        $(#[$doc])*
        #[inline(always)]
        fn $name<T: Sample>(values: &mut [T; $count]) {
            $((values[$low], values[$high]) =
                (values[$low].min(values[$high]), values[$low].max(values[$high]));)*
        }
    };
}

network!(sort_3, 3: (0, 1), (1, 2), (0, 1));
network!(sort_5, 5: (0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3));
network!(
    /// Merges two sorted lists of 5 (K. Batcher, "Sorting Networks and Their Applications", AFIPS 1968). The result is
    /// in the order of `MERGED_5`.
    merge_5, 10: (0, 5), (1, 6), (2, 7), (3, 8), (4, 9), (4, 5), (2, 4), (3, 6), (7, 5), (1, 2), (3, 4), (6, 7), (8, 5)
);
const MERGED_5: [usize; 10] = [0, 1, 2, 3, 4, 6, 7, 8, 5, 9];
network!(
    /// Merges the first 10 and the next 10 of 25 values, both sorted, only as far as needed for the 8th to the 13th
    /// smallest, which end up at `MERGED_10`.
    merge_10, 25:
    (0, 10), (1, 11), (2, 12), (3, 13), (4, 14), (5, 15), (6, 16), (7, 17), (8, 18), (9, 19), (8, 10), (9, 11), (4, 8),
    (5, 9), (6, 12), (7, 13), (14, 10), (15, 11), (6, 8), (7, 9), (12, 14), (13, 15), (7, 8), (9, 12), (13, 14),
);
const MERGED_10: [usize; 6] = [7, 8, 9, 12, 13, 14];
