//! Networks of exchanges that select one of a window's sorted values, for a whole row of windows at a time.
//!
//! Columns are sorted first, then merged two by two into ever wider parts of the window. Neighbouring windows share
//! columns and parts, which are computed once (after A. Adams, "Fast Median Filters Using Separable Sorting Networks",
//! ACM TOG 40, 2021). Exchanges that the value asked for does not depend on are left out.

use multiversion::multiversion;

use super::band::{BLOCK, first_aligned};
use super::sample::Sample;

/// Windows that a network is run for at a time, so that its rows of values stay in the nearest cache.
const CHUNK: usize = 8 * BLOCK;

/// A row of values, seen some pixels further right.
#[derive(Clone, Copy)]
struct Operand {
    value: usize,
    shift: usize,
}

/// The smaller and the larger of two values each. The values are numbered: first the window's rows, then the smaller and
/// the larger of each exchange.
struct Exchange {
    operands: [Operand; 2],
}

/// An exchange as it is run, on rows of values in slots.
struct Step {
    /// Where the operands are, and by how many pixels they are shifted.
    operands: [(usize, usize); 2],
    /// Where the smaller and the larger values go.
    results: [usize; 2],
    /// Which of them are needed.
    needed: Needed,
    /// How many pixels further than the windows the results are needed.
    extent: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Needed {
    Both,
    Smaller,
    Larger,
}

/// A network ready to run.
pub(super) struct Network {
    steps: Vec<Step>,
    /// How many slots there are; the first ones hold the rows that the windows see.
    slots: usize,
    /// The slot that holds the values asked for in the end.
    result: usize,
    /// How far the windows reach to the right of their first column.
    reach: usize,
}

impl Network {
    /// The network that finds the `rank`-th smallest value of windows of `size` x `size`.
    pub(super) fn new(size: usize, rank: usize) -> Self {
        let mut builder = Builder { rows: size, exchanges: Vec::new() };
        let column = builder.sort((0..size).map(|value| Operand { value, shift: 0 }).collect());
        let window = builder.widen(column, size);
        builder.compile(window[rank])
    }

    /// Finds the value of each window; `rows` begin with the first window's first column.
    pub(super) fn run<T: Sample>(&self, rows: &[&[T]], channels: usize, slots: &mut Vec<Vec<T>>, result: &mut [T]) {
        slots.resize_with(self.slots, Vec::new);
        slots.iter_mut().for_each(|slot| slot.resize(CHUNK + self.reach * channels + 2 * BLOCK, T::default()));
        for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
            let seen = result.len() + self.reach * channels;
            for (slot, row) in slots.iter_mut().zip(rows) {
                aligned_mut(slot)[..seen].copy_from_slice(&row[chunk * CHUNK..][..seen]);
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
        let [(a, a_shift), (b, b_shift)] = step.operands;
        let [low, high] = step.results;
        // A value may meet itself, some pixels further right.
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
        let operands = a.iter().zip(b).take(blocks);
        match step.needed {
            Needed::Both => {
                for (((a, b), low), high) in operands.zip(low).zip(high) {
                    (*low, *high) = (smaller(a, b), larger(a, b));
                }
            }
            Needed::Smaller => operands.zip(low).for_each(|((a, b), low)| *low = smaller(a, b)),
            Needed::Larger => operands.zip(high).for_each(|((a, b), high)| *high = larger(a, b)),
        }
    }
}

#[inline(always)]
fn smaller<T: Sample>(a: &[T; BLOCK], b: &[T; BLOCK]) -> [T; BLOCK] {
    std::array::from_fn(|x| a[x].min(b[x]))
}

#[inline(always)]
fn larger<T: Sample>(a: &[T; BLOCK], b: &[T; BLOCK]) -> [T; BLOCK] {
    std::array::from_fn(|x| a[x].max(b[x]))
}

fn aligned<T>(slot: &[T]) -> &[T] {
    &slot[first_aligned(slot)..]
}

fn aligned_mut<T>(slot: &mut [T]) -> &mut [T] {
    let begin = first_aligned(slot);
    &mut slot[begin..]
}

/// A network being put together.
struct Builder {
    /// Rows of the window, which are the first values.
    rows: usize,
    exchanges: Vec<Exchange>,
}

impl Builder {
    fn sort(&mut self, mut values: Vec<Operand>) -> Vec<Operand> {
        if values.len() < 2 {
            return values;
        }
        let second = values.split_off(values.len() / 2);
        let (first, second) = (self.sort(values), self.sort(second));
        self.merge(first, second)
    }

    /// The sorted values of `size` columns, from those of one.
    fn widen(&mut self, column: Vec<Operand>, size: usize) -> Vec<Operand> {
        let shifted = |values: &[Operand], by| -> Vec<_> {
            values.iter().map(|&Operand { value, shift }| Operand { value, shift: shift + by }).collect()
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

    /// One sorted list of two (K. Batcher, "Sorting Networks and Their Applications", AFIPS 1968: odd-even merging).
    fn merge(&mut self, first: Vec<Operand>, second: Vec<Operand>) -> Vec<Operand> {
        // Both are made equally long with nothings, which count as larger than any value.
        let half = first.len().max(second.len()).next_power_of_two();
        let padded = |values: Vec<Operand>| values.into_iter().map(Some).chain(std::iter::repeat(None)).take(half);
        let mut wires: Vec<_> = padded(first).chain(padded(second)).collect();
        for wire in 0..half {
            self.exchange(&mut wires, wire, wire + half);
        }
        let mut step = half / 2;
        while step > 0 {
            for wire in (step..2 * half - step).filter(|wire| wire / step % 2 == 1) {
                self.exchange(&mut wires, wire, wire + step);
            }
            step /= 2;
        }
        wires.into_iter().flatten().collect()
    }

    fn exchange(&mut self, wires: &mut [Option<Operand>], low: usize, high: usize) {
        match (wires[low], wires[high]) {
            (Some(a), Some(b)) => {
                let value = self.rows + 2 * self.exchanges.len();
                // A part shifted as a whole is the same part.
                let shift = a.shift.min(b.shift);
                let operands = [a, b].map(|operand| Operand { shift: operand.shift - shift, ..operand });
                self.exchanges.push(Exchange { operands });
                wires[low] = Some(Operand { value, shift });
                wires[high] = Some(Operand { value: value + 1, shift });
            }
            (None, Some(_)) => wires.swap(low, high),
            (_, None) => {}
        }
    }

    /// Leaves out what `result` does not depend on, and gives each value a slot for as long as it is needed.
    fn compile(self, result: Operand) -> Network {
        let values = self.rows + 2 * self.exchanges.len();
        // How many pixels further than the windows each value is needed, if it is; and after which exchange no more.
        let mut extents: Vec<Option<usize>> = vec![None; values];
        let mut last_uses = vec![usize::MAX; values];
        extents[result.value] = Some(result.shift);
        for (index, exchange) in self.exchanges.iter().enumerate().rev() {
            let value = self.rows + 2 * index;
            let Some(extent) = extents[value].max(extents[value + 1]) else { continue };
            for operand in exchange.operands {
                extents[operand.value] = extents[operand.value].max(Some(extent + operand.shift));
                if last_uses[operand.value] == usize::MAX && operand.value != result.value {
                    last_uses[operand.value] = index;
                }
            }
        }

        let mut steps = Vec::new();
        let mut places: Vec<usize> = (0..values).collect();
        let (mut free, mut slots) = (Vec::new(), self.rows);
        for (index, exchange) in self.exchanges.iter().enumerate() {
            let value = self.rows + 2 * index;
            let needed = match (extents[value], extents[value + 1]) {
                (Some(_), Some(_)) => Needed::Both,
                (Some(_), None) => Needed::Smaller,
                (None, Some(_)) => Needed::Larger,
                (None, None) => continue,
            };
            let operands = exchange.operands.map(|operand| (places[operand.value], operand.shift));
            let results = [value, value + 1].map(|value| {
                places[value] = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
                places[value]
            });
            let done = exchange.operands.iter().map(|operand| operand.value);
            let unneeded = [value, value + 1].into_iter().filter(|&value| extents[value].is_none());
            for value in done.filter(|&value| last_uses[value] == index).chain(unneeded) {
                if !free.contains(&places[value]) {
                    free.push(places[value]);
                }
            }
            let extent = extents[value].max(extents[value + 1]).unwrap_or(0);
            steps.push(Step { operands, results, needed, extent });
        }
        Network { steps, slots, result: places[result.value], reach: self.rows - 1 }
    }
}
