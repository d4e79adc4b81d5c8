//! The smallest or the largest value of each window.

use multiversion::multiversion;

use super::band::{BLOCK, blocks};
use super::sample::Sample;

/// Windows that are worked on at a time: few enough for the nearest cache.
const CHUNK: usize = 32 * BLOCK;

/// So many rows of values are compared at a time.
const MOST_TAPS: usize = 5;

/// First down the columns, then along the row, in ever wider parts of the window. Parts may overlap.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn extreme<T: Sample, const LARGEST: bool>(
    rows: &[&[T]],
    channels: usize,
    slots: &mut Vec<Vec<T>>,
    result: &mut [T],
) {
    let size = rows.len();
    slots.resize_with(2, Vec::new);
    let [part, wider] = slots.as_mut_slice() else { return };
    for slot in [&mut *part, wider] {
        // What is read beyond the windows' own samples makes values that no window sees.
        slot.resize(CHUNK + 2 * size * channels + 2 * BLOCK, T::default());
    }
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        let length = (result.len() + (size - 1) * channels).next_multiple_of(BLOCK);
        let row = |index: usize| &rows[index][chunk * CHUNK..];
        let first = size.min(MOST_TAPS);
        pick::<T, LARGEST>(first, row, &mut part[..length]);
        for begin in (first..size).step_by(MOST_TAPS - 1) {
            let tap = |index: usize| if index == 0 { &part[..] } else { row(begin + index - 1) };
            pick::<T, LARGEST>((size - begin + 1).min(MOST_TAPS), tap, &mut wider[..length]);
            std::mem::swap(part, wider);
        }
        let mut covered = 1;
        while covered * MOST_TAPS < size {
            let tap = |index: usize| &part[index * covered * channels..];
            pick::<T, LARGEST>(MOST_TAPS, tap, &mut wider[..length]);
            std::mem::swap(part, wider);
            covered *= MOST_TAPS;
        }
        let tap = |index: usize| &part[(index * covered).min(size - covered) * channels..];
        pick::<T, LARGEST>(size.div_ceil(covered), tap, result);
    }
}

/// The smallest or the largest of so many rows of values.
#[inline(always)]
fn pick<'a, T: Sample, const LARGEST: bool>(count: usize, tap: impl Fn(usize) -> &'a [T], result: &mut [T]) {
    if count <= 3 {
        pick_of::<T, 3, LARGEST>(|index| tap(index.min(count - 1)), result);
    } else {
        pick_of::<T, MOST_TAPS, LARGEST>(|index| tap(index.min(count - 1)), result);
    }
}

#[inline(always)]
fn pick_of<'a, T: Sample, const N: usize, const LARGEST: bool>(tap: impl Fn(usize) -> &'a [T], result: &mut [T]) {
    let result = result.as_chunks_mut::<BLOCK>().0;
    let taps: [_; N] = std::array::from_fn(|index| blocks(tap(index), 0, result.len()));
    for (block, result) in result.iter_mut().enumerate() {
        let mut best = taps[0][block];
        for tap in &taps[1..] {
            for (best, &other) in best.iter_mut().zip(&tap[block]) {
                *best = if LARGEST { other.max(*best) } else { other.min(*best) };
            }
        }
        *result = best;
    }
}
