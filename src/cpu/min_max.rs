//! The smallest or the largest value of each window.

use multiversion::multiversion;

use super::sample::Sample;
use super::strip::{BLOCK, blocks};

/// The windows that are processed at a time: few enough for the L1 cache.
const CHUNK: usize = 32 * BLOCK;

/// The maximum number of slices that are compared at a time.
const MAX_INPUTS: usize = 5;

/// Computes a row of minima or maxima: first those of the columns, then, along the row, those of ever wider parts of
/// the window. Parts may overlap.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn min_max<T: Sample, const LARGEST: bool>(
    rows: &[&[T]],
    channels: usize,
    scratch: &mut Vec<Vec<T>>,
    result: &mut [T],
) {
    let size = rows.len();
    scratch.resize_with(2, Vec::new);
    let [part, wider] = scratch.as_mut_slice() else { return };
    for buffer in [&mut *part, wider] {
        // Whole blocks are read. The samples beyond those of the windows only affect values that no window uses.
        buffer.resize(CHUNK + 2 * size * channels + 2 * BLOCK, T::default());
    }
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        let length = (result.len() + (size - 1) * channels).next_multiple_of(BLOCK);
        let row = |index: usize| &rows[index][chunk * CHUNK..];
        let first = size.min(MAX_INPUTS);
        pick::<T, LARGEST>(first, row, &mut part[..length]);
        for begin in (first..size).step_by(MAX_INPUTS - 1) {
            let input = |index: usize| if index == 0 { &part[..] } else { row(begin + index - 1) };
            pick::<T, LARGEST>((size - begin + 1).min(MAX_INPUTS), input, &mut wider[..length]);
            std::mem::swap(part, wider);
        }
        let mut covered = 1;
        while covered * MAX_INPUTS < size {
            let input = |index: usize| &part[index * covered * channels..];
            pick::<T, LARGEST>(MAX_INPUTS, input, &mut wider[..length]);
            std::mem::swap(part, wider);
            covered *= MAX_INPUTS;
        }
        let input = |index: usize| &part[(index * covered).min(size - covered) * channels..];
        pick::<T, LARGEST>(size.div_ceil(covered), input, result);
    }
}

/// The smallest or the largest values of `count` slices, up to [`MAX_INPUTS`].
#[inline(always)]
fn pick<'a, T: Sample, const LARGEST: bool>(count: usize, input: impl Fn(usize) -> &'a [T], result: &mut [T]) {
    if count <= 3 {
        pick_of::<T, 3, LARGEST>(|index| input(index.min(count - 1)), result);
    } else {
        pick_of::<T, MAX_INPUTS, LARGEST>(|index| input(index.min(count - 1)), result);
    }
}

#[inline(always)]
fn pick_of<'a, T: Sample, const N: usize, const LARGEST: bool>(input: impl Fn(usize) -> &'a [T], result: &mut [T]) {
    let result = result.as_chunks_mut::<BLOCK>().0;
    let inputs: [_; N] = std::array::from_fn(|index| blocks(input(index), 0, result.len()));
    for (block, result) in result.iter_mut().enumerate() {
        let mut best = inputs[0][block];
        for input in &inputs[1..] {
            for (best, &other) in best.iter_mut().zip(&input[block]) {
                *best = if LARGEST { other.max(*best) } else { other.min(*best) };
            }
        }
        *result = best;
    }
}
