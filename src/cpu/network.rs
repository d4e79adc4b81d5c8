//! Selection networks: comparators that find one of a window's sorted values, for a whole row of windows at a time.
//!
//! Columns are sorted first, then merged pairwise into ever wider parts of the window. Neighboring windows share
//! columns and parts, which are computed once (after A. Adams, "Fast Median Filters Using Separable Sorting Networks",
//! ACM TOG 40, 2021). Comparators that the selected value does not depend on are removed.

use multiversion::multiversion;

use super::sample::Sample;
use super::strip::{BLOCK, first_aligned};

/// The windows that a network is run for at a time, so that its rows of values stay in the L1 cache.
const CHUNK: usize = 8 * BLOCK;

/// A row of values, read at an offset.
#[derive(Clone, Copy)]
struct Wire {
    /// The number of the row of values: first the window's rows, then two for each comparator, its minima and its
    /// maxima.
    value: usize,
    /// The offset, in pixels to the right.
    shift: usize,
}

/// Computes the minima and the maxima of two wires.
struct Comparator {
    inputs: [Wire; 2],
}

/// A comparator in a compiled network. Its rows of values are in slots, which are reused.
struct Step {
    /// The slot and the shift of each input.
    inputs: [(usize, usize); 2],
    /// The slots of the minima and of the maxima.
    results: [usize; 2],
    /// The results that are needed.
    needed: Needed,
    /// The number of pixels beyond the last window for which the results are needed.
    extent: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Needed {
    Both,
    Min,
    Max,
}

/// A compiled network.
pub(super) struct Network {
    steps: Vec<Step>,
    /// The number of slots. The first ones hold the windows' rows.
    slots: usize,
    /// The slot that holds the selected values at the end.
    result: usize,
    /// The number of columns to the right of a window's first one.
    reach: usize,
}

impl Network {
    /// The network that finds the `rank`-th smallest value of windows of `size` x `size`.
    pub(super) fn new(size: usize, rank: usize) -> Self {
        let mut builder = Builder { rows: size, comparators: Vec::new() };
        let column = builder.sort((0..size).map(|value| Wire { value, shift: 0 }).collect());
        let window = builder.merge_columns(column, size);
        builder.compile(window[rank])
    }

    /// Finds the value of each window; `rows` begin with the first window's first column.
    pub(super) fn run<T: Sample>(&self, rows: &[&[T]], channels: usize, slots: &mut Vec<Vec<T>>, result: &mut [T]) {
        slots.resize_with(self.slots, Vec::new);
        slots.iter_mut().for_each(|slot| slot.resize(CHUNK + self.reach * channels + 2 * BLOCK, T::default()));
        for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
            let read = result.len() + self.reach * channels;
            for (slot, row) in slots.iter_mut().zip(rows) {
                aligned_mut(slot)[..read].copy_from_slice(&row[chunk * CHUNK..][..read]);
            }
            run_steps(&self.steps, channels, slots, result.len());
            result.copy_from_slice(&aligned(&slots[self.result])[..result.len()]);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn run_steps<T: Sample>(steps: &[Step], channels: usize, slots: &mut [Vec<T>], length: usize) {
    for step in steps {
        let blocks = (length + step.extent * channels).div_ceil(BLOCK);
        let [(a, a_shift), (b, b_shift)] = step.inputs;
        let [low, high] = step.results;
        // Both inputs may be the same row of values, at different shifts.
        let (a, b, low, high) = if a == b {
            let Ok([a, low, high]) = slots.get_disjoint_mut([a, low, high]) else { continue };
            (aligned(a), aligned(a), low, high)
        } else {
            let Ok([a, b, low, high]) = slots.get_disjoint_mut([a, b, low, high]) else { continue };
            (aligned(a), aligned(b), low, high)
        };
        let a = a[a_shift * channels..].as_chunks::<BLOCK>().0;
        let b = b[b_shift * channels..].as_chunks::<BLOCK>().0;
        let [low, high] = [low, high].map(|slot| aligned_mut(slot).as_chunks_mut::<BLOCK>().0);
        let inputs = a.iter().zip(b).take(blocks);
        match step.needed {
            Needed::Both => {
                for (((a, b), low), high) in inputs.zip(low).zip(high) {
                    (*low, *high) = (min(a, b), max(a, b));
                }
            }
            Needed::Min => inputs.zip(low).for_each(|((a, b), low)| *low = min(a, b)),
            Needed::Max => inputs.zip(high).for_each(|((a, b), high)| *high = max(a, b)),
        }
    }
}

#[inline(always)]
fn min<T: Sample>(a: &[T; BLOCK], b: &[T; BLOCK]) -> [T; BLOCK] {
    std::array::from_fn(|x| a[x].min(b[x]))
}

#[inline(always)]
fn max<T: Sample>(a: &[T; BLOCK], b: &[T; BLOCK]) -> [T; BLOCK] {
    std::array::from_fn(|x| a[x].max(b[x]))
}

fn aligned<T>(slot: &[T]) -> &[T] {
    &slot[first_aligned(slot)..]
}

fn aligned_mut<T>(slot: &mut [T]) -> &mut [T] {
    let begin = first_aligned(slot);
    &mut slot[begin..]
}

/// Builds a network.
struct Builder {
    /// The window's rows, which are the first values.
    rows: usize,
    comparators: Vec<Comparator>,
}

impl Builder {
    /// Sorts wires by merging sorted halves.
    fn sort(&mut self, mut values: Vec<Wire>) -> Vec<Wire> {
        if values.len() < 2 {
            return values;
        }
        let second = values.split_off(values.len() / 2);
        let (first, second) = (self.sort(values), self.sort(second));
        self.merge(first, second)
    }

    /// Merges `size` copies of a sorted column, each one pixel further right, into a sorted window.
    fn merge_columns(&mut self, column: Vec<Wire>, size: usize) -> Vec<Wire> {
        let shifted = |values: &[Wire], by| -> Vec<_> {
            values.iter().map(|&Wire { value, shift }| Wire { value, shift: shift + by }).collect()
        };
        let (mut part, mut width) = (column, 1);
        let (mut window, mut covered) = (Vec::new(), 0);
        while covered < size {
            if size & width != 0 {
                window = self.merge(window, shifted(&part, covered));
                covered += width;
            }
            if covered < size {
                part = self.merge(part.clone(), shifted(&part, width));
                width *= 2;
            }
        }
        window
    }

    /// Merges two sorted lists (K. Batcher, "Sorting Networks and Their Applications", AFIPS 1968: odd-even merging).
    fn merge(&mut self, first: Vec<Wire>, second: Vec<Wire>) -> Vec<Wire> {
        // Both are padded to the same length with `None`, which counts as larger than any value.
        let half = first.len().max(second.len()).next_power_of_two();
        let padded = |values: Vec<Wire>| values.into_iter().map(Some).chain(std::iter::repeat(None)).take(half);
        let mut wires: Vec<_> = padded(first).chain(padded(second)).collect();
        for wire in 0..half {
            self.compare(&mut wires, wire, wire + half);
        }
        let mut step = half / 2;
        while step > 0 {
            for wire in (step..2 * half - step).filter(|wire| wire / step % 2 == 1) {
                self.compare(&mut wires, wire, wire + step);
            }
            step /= 2;
        }
        wires.into_iter().flatten().collect()
    }

    /// Adds a comparator that puts the smaller of two values on wire `low`.
    fn compare(&mut self, wires: &mut [Option<Wire>], low: usize, high: usize) {
        match (wires[low], wires[high]) {
            (Some(a), Some(b)) => {
                let value = self.rows + 2 * self.comparators.len();
                // A shift that both inputs have is moved to the outputs, so that they are computed once for all shifts.
                let shift = a.shift.min(b.shift);
                let inputs = [a, b].map(|wire| Wire { shift: wire.shift - shift, ..wire });
                self.comparators.push(Comparator { inputs });
                wires[low] = Some(Wire { value, shift });
                wires[high] = Some(Wire { value: value + 1, shift });
            }
            (None, Some(_)) => wires.swap(low, high),
            (_, None) => {}
        }
    }

    /// Removes comparators that `result` does not depend on, and assigns each value a slot for as long as it is needed.
    fn compile(self, result: Wire) -> Network {
        let values = self.rows + 2 * self.comparators.len();
        // The number of pixels beyond the last window for which each value is needed (`None`: not at all), and the
        // comparator that uses it last.
        let mut extents: Vec<Option<usize>> = vec![None; values];
        let mut last_uses = vec![usize::MAX; values];
        extents[result.value] = Some(result.shift);
        for (index, compare) in self.comparators.iter().enumerate().rev() {
            let value = self.rows + 2 * index;
            let Some(extent) = extents[value].max(extents[value + 1]) else { continue };
            for wire in compare.inputs {
                extents[wire.value] = extents[wire.value].max(Some(extent + wire.shift));
                if last_uses[wire.value] == usize::MAX && wire.value != result.value {
                    last_uses[wire.value] = index;
                }
            }
        }

        let mut steps = Vec::new();
        let mut places: Vec<usize> = (0..values).collect();
        let (mut free, mut slots) = (Vec::new(), self.rows);
        for (index, compare) in self.comparators.iter().enumerate() {
            let value = self.rows + 2 * index;
            let needed = match (extents[value], extents[value + 1]) {
                (Some(_), Some(_)) => Needed::Both,
                (Some(_), None) => Needed::Min,
                (None, Some(_)) => Needed::Max,
                (None, None) => continue,
            };
            let inputs = compare.inputs.map(|wire| (places[wire.value], wire.shift));
            let results = [value, value + 1].map(|value| {
                places[value] = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
                places[value]
            });
            let done = compare.inputs.iter().map(|wire| wire.value);
            let unneeded = [value, value + 1].into_iter().filter(|&value| extents[value].is_none());
            for value in done.filter(|&value| last_uses[value] == index).chain(unneeded) {
                if !free.contains(&places[value]) {
                    free.push(places[value]);
                }
            }
            let extent = extents[value].max(extents[value + 1]).unwrap_or(0);
            steps.push(Step { inputs, results, needed, extent });
        }
        Network { steps, slots, result: places[result.value], reach: self.rows - 1 }
    }
}
