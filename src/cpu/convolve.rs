//! A weighted sum of the neighbourhood, in the order and with the roundings of Pillow's `Filter.c`.

use multiversion::multiversion;

use super::band::{BLOCK, Band, blocks};
use super::sample::Sample;
use crate::filters::{Kernel, Weights};
use crate::frame::Depth;

/// Samples that are worked on at a time in floats, so that these stay in the nearest cache.
const CHUNK: usize = 8 * BLOCK;

/// A coefficient that is not zero.
struct Tap<K> {
    /// The kernel's row.
    row: usize,
    /// Samples from the row's start.
    at: usize,
    coefficient: K,
}

pub(super) fn convolve<T: Sample>(kernel: &Kernel, depth: Depth, src: &Band<T>, dst: &mut Band<T>) {
    let weights = kernel.weights(depth);
    let rows_taps = taps(&weights, kernel.cols, src.size.channels);
    let small = if depth == Depth::default() { small_groups(&weights, &rows_taps) } else { None };
    let division = Division::of(&weights);
    for y in dst.rows.clone() {
        let row_at = |row| src.wide_row(y as isize + kernel.row_offset(row), kernel.reach().left);
        let rows: Vec<_> = (0..kernel.rows()).map(row_at).collect();
        dst.write_row(y, |result| match (small.as_deref(), &division) {
            (Some([group]), Some(division)) => in_16_bits(&rows, group, division, result),
            (Some(groups), _) => in_groups(&rows, groups, &weights, result),
            (None, _) => in_floats(&rows, &rows_taps, &weights, depth.max(), result),
        });
    }
}

/// An exact division of sums that fit into 16 bits: `floor((sum + start) / scale)` of those from 0 to 255 is
/// `(sum + start) * multiplier >> 16 >> shift` (T. Granlund, P. Montgomery, "Division by Invariant Integers using
/// Multiplication", PLDI 1994).
struct Division {
    start: i16,
    /// None where there is nothing to divide by.
    multiplier: Option<u16>,
    shift: u32,
}

impl Division {
    fn of(weights: &Weights) -> Option<Self> {
        let (scale, start) = ((1.0 / weights.reciprocal).round(), weights.start.floor());
        // Sums beyond 16 bits are saturated, which must mean the same as 255.
        if !weights.exact || start.abs() > f32::from(i16::MAX) || scale * 256.0 > f32::from(i16::MAX) {
            return None;
        }
        let (scale, start) = (scale as u32, start as i16);
        if scale == 1 {
            return Some(Self { start, multiplier: None, shift: 0 });
        }
        let shift = scale.ilog2() - u32::from(scale.is_power_of_two());
        let multiplier = (1u32 << (16 + shift)).div_ceil(scale);
        let excess = multiplier * scale - (1 << (16 + shift));
        let multiplier = u16::try_from(multiplier).ok()?;
        (256 * scale * excess < 1 << (16 + shift)).then_some(Self { start, multiplier: Some(multiplier), shift })
    }
}

/// The taps, a group for each row.
fn taps(weights: &Weights, cols: usize, channels: usize) -> Vec<Vec<Tap<f32>>> {
    let of_row = |(row, coefficients): (usize, &[f32])| {
        let taps = coefficients.iter().enumerate().filter(|&(_, &coefficient)| coefficient != 0.0);
        taps.map(|(col, &coefficient)| Tap { row, at: col * channels, coefficient }).collect()
    };
    weights.coefficients.chunks(cols).enumerate().map(of_row).collect()
}

/// Integer taps in groups whose sums fit into 16 bits; none where the coefficients are no small integers.
fn small_groups(weights: &Weights, taps: &[Vec<Tap<f32>>]) -> Option<Vec<Vec<Tap<i16>>>> {
    const LARGEST_SUM: f32 = (i16::MAX as u32 / u8::MAX as u32) as f32;
    let mut groups = vec![Vec::new()];
    let mut sum = 0.0;
    for &Tap { row, at, coefficient } in taps.iter().flatten() {
        if !weights.exact || coefficient.abs() > LARGEST_SUM {
            return None;
        }
        sum += coefficient.abs();
        if sum > LARGEST_SUM {
            groups.push(Vec::new());
            sum = coefficient.abs();
        }
        groups.last_mut()?.push(Tap { row, at, coefficient: coefficient as i16 });
    }
    Some(groups)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn in_floats<T: Sample>(rows: &[&[T]], taps: &[Vec<Tap<f32>>], weights: &Weights, max: u32, result: &mut [T]) {
    let reach = taps.iter().flatten().map(|tap| tap.at).max().unwrap_or(0);
    // Converted well before they are read: a load that overlaps stores of a moment ago has to wait for them.
    let mut samples = vec![vec![0.0; CHUNK + reach]; rows.len()];
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        for (samples, row) in samples.iter_mut().zip(rows) {
            for (sample, from) in samples[..result.len() + reach].iter_mut().zip(&row[chunk * CHUNK..]) {
                *sample = from.value() as f32;
            }
        }
        let result = result.as_chunks_mut::<BLOCK>().0;
        let seen = |tap: &Tap<f32>| (blocks(&samples[tap.row], tap.at, result.len()), tap.coefficient);
        let taps: Vec<Vec<_>> = taps.iter().map(|taps| taps.iter().map(seen).collect()).collect();
        for (block, result) in result.iter_mut().enumerate() {
            let mut sums = [weights.start; BLOCK];
            for taps in &taps {
                let mut row_sums = [0.0; BLOCK];
                for &(samples, coefficient) in taps {
                    for (sum, sample) in row_sums.iter_mut().zip(&samples[block]) {
                        *sum += sample * coefficient;
                    }
                }
                for (sum, row_sum) in sums.iter_mut().zip(&row_sums) {
                    *sum += row_sum;
                }
            }
            finish(&sums, weights, max, result);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn in_groups<T: Sample>(rows: &[&[T]], groups: &[Vec<Tap<i16>>], weights: &Weights, result: &mut [T]) {
    let result = result.as_chunks_mut::<BLOCK>().0;
    let groups: Vec<_> = groups.iter().map(|group| seen(rows, group, result.len())).collect();
    for (block, result) in result.iter_mut().enumerate() {
        let mut sums = [weights.start; BLOCK];
        for group in &groups {
            for (sum, &group_sum) in sums.iter_mut().zip(&sum_up(group, block)) {
                *sum += f32::from(group_sum);
            }
        }
        finish(&sums, weights, u8::MAX.into(), result);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn in_16_bits<T: Sample>(rows: &[&[T]], group: &[Tap<i16>], division: &Division, result: &mut [T]) {
    let Division { start, multiplier, shift } = *division;
    let result = result.as_chunks_mut::<BLOCK>().0;
    let group = seen(rows, group, result.len());
    for (block, result) in result.iter_mut().enumerate() {
        let sums = sum_up(&group, block).map(|sum| sum.saturating_add(start).max(0) as u16);
        let quotients = match multiplier {
            Some(multiplier) => sums.map(|sum| ((u32::from(sum) * u32::from(multiplier)) >> 16) as u16 >> shift),
            None => sums,
        };
        *result = quotients.map(|quotient| T::new(quotient.min(u8::MAX.into()).into()));
    }
}

/// What each tap sees of the rows, with its coefficient.
fn seen<'a, T>(rows: &[&'a [T]], group: &[Tap<i16>], count: usize) -> Vec<(&'a [[T; BLOCK]], i16)> {
    group.iter().map(|tap| (blocks(rows[tap.row], tap.at, count), tap.coefficient)).collect()
}

/// The sums of a block, none of which leaves 16 bits.
#[inline(always)]
fn sum_up<T: Sample>(group: &[(&[[T; BLOCK]], i16)], block: usize) -> [i16; BLOCK] {
    let mut sums = [0i16; BLOCK];
    for &(samples, coefficient) in group {
        for (sum, sample) in sums.iter_mut().zip(&samples[block]) {
            *sum = sum.wrapping_add((sample.value() as i16).wrapping_mul(coefficient));
        }
    }
    sums
}

#[inline(always)]
fn finish<T: Sample>(sums: &[f32; BLOCK], weights: &Weights, max: u32, result: &mut [T]) {
    for (sample, sum) in result.iter_mut().zip(sums) {
        *sample = T::new(truncate((sum * weights.reciprocal).clamp(0.0, max as f32)));
    }
}

/// The whole part of a number from 0 to 65535; a cast, which minds all numbers, compiles to no vector instruction.
#[inline(always)]
fn truncate(number: f32) -> u32 {
    // Among numbers this large, neighbours are 1 apart.
    const LARGE: f32 = (1 << 23) as f32;
    let nearest = (number + LARGE) - LARGE;
    let whole = if nearest > number { nearest - 1.0 } else { nearest };
    (whole + LARGE).to_bits() & 0xffff
}
