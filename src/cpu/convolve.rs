//! Convolution, with the order of operations and the roundings of Pillow's `Filter.c`.

use multiversion::multiversion;

use super::division::{Division, greatest_common_divisor};
use super::sample::Sample;
use super::strip::{BLOCK, RowsMut, Strip, blocks};
use crate::filters::{Kernel, Weights};
use crate::layout::Depth;

/// The samples that are processed at a time as floats, so that these stay in the L1 cache.
const CHUNK: usize = 8 * BLOCK;

/// A non-zero coefficient of the kernel.
struct Tap<K> {
    row: usize,
    col: usize,
    coefficient: K,
}

/// A kernel prepared for samples of one depth.
pub(super) struct Convolution {
    kernel: Kernel,
    weights: Weights,
    depth: Depth,
    method: Method,
}

/// How sums are computed: the fastest of these that gives Pillow's result.
enum Method {
    /// Integers whose sum fits in 16 bits. The second value is added to the sum, which is then divided.
    Int16(Vec<Tap<i16>>, i16, Division),
    /// A column times a row of integers: sums over columns are summed over rows, exactly, in whichever order.
    Separable { column: Vec<f32>, row: Vec<f32> },
    /// Groups of integers; each group's sum fits in 16 bits.
    Int16Groups(Vec<Vec<Tap<i16>>>),
    /// Floats, one group for each row.
    Floats(Vec<Vec<Tap<f32>>>),
}

impl Convolution {
    pub(super) fn new(kernel: &Kernel, depth: Depth) -> Self {
        let weights = kernel.weights(depth);
        let taps = taps(&weights, kernel.cols);
        let groups = if depth == Depth::default() { int16_groups(&weights, &taps) } else { None };
        let method = match (groups, int16_division(&weights)) {
            (Some(mut groups), Some((start, division))) if groups.len() == 1 => {
                Method::Int16(groups.remove(0), start, division)
            }
            _ if let Some((column, row)) = separate(&weights, kernel.cols) => Method::Separable { column, row },
            (Some(groups), _) => Method::Int16Groups(groups),
            (None, _) => Method::Floats(taps),
        };
        Self { kernel: kernel.clone(), weights, depth, method }
    }

    pub(super) fn run<T: Sample>(&self, src: &Strip<T>, dst: &mut RowsMut<T>) {
        let Self { kernel, weights, depth, method } = self;
        let channels = src.layout().size.channels;
        let mut samples = Vec::new();
        for y in dst.layout().rows.clone() {
            let row_at = |row| src.wide_row(y as isize + kernel.row_offset(row), kernel.reach().left);
            let rows: Vec<_> = (0..kernel.rows()).map(row_at).collect();
            dst.write(y, |result| match method {
                Method::Int16(taps, start, division) => sum_int16(&rows, channels, taps, *start, *division, result),
                Method::Separable { column, row } => {
                    sum_separately(&rows, channels, [column, row], weights, depth.max(), &mut samples, result);
                }
                Method::Int16Groups(groups) => sum_int16_groups(&rows, channels, groups, weights, result),
                Method::Floats(taps) => sum_floats(&rows, channels, taps, weights, depth.max(), &mut samples, result),
            });
        }
    }
}

/// The number that is added to a 16-bit sum, and the division of the result.
fn int16_division(weights: &Weights) -> Option<(i16, Division)> {
    let (scale, start) = ((1.0 / weights.reciprocal).round(), weights.start.floor());
    // Sums beyond 16 bits are saturated. The result must be 255 or more, as it would be without saturation.
    if !weights.exact || start.abs() > f32::from(i16::MAX) || scale * 256.0 > f32::from(i16::MAX) {
        return None;
    }
    Some((start as i16, Division::by(scale as u32, 256 * scale as u32)?))
}

/// The column and the row of integers whose product is the kernel, if there are such, and sums are exact.
fn separate(weights: &Weights, cols: usize) -> Option<(Vec<f32>, Vec<f32>)> {
    let rows = || weights.coefficients.chunks(cols);
    let pivot = rows().find(|row| row.iter().any(|&number| number != 0.0)).filter(|_| weights.exact)?;
    let divisor = pivot.iter().fold(0, |divisor, &number| greatest_common_divisor(divisor, number as i64)) as f32;
    let row: Vec<_> = pivot.iter().map(|number| number / divisor).collect();
    let first = row.iter().position(|&number| number != 0.0)?;
    let column: Vec<_> = rows().map(|numbers| numbers[first] / row[first]).collect();
    let is_product = rows().zip(&column).all(|(numbers, factor)| {
        factor.fract() == 0.0 && numbers.iter().zip(&row).all(|(number, of_row)| *number == of_row * factor)
    });
    is_product.then_some((column, row))
}

/// The taps, one group for each row of the kernel.
fn taps(weights: &Weights, cols: usize) -> Vec<Vec<Tap<f32>>> {
    let of_row = |(row, coefficients): (usize, &[f32])| {
        let taps = coefficients.iter().enumerate().filter(|&(_, &coefficient)| coefficient != 0.0);
        taps.map(|(col, &coefficient)| Tap { row, col, coefficient }).collect()
    };
    weights.coefficients.chunks(cols).enumerate().map(of_row).collect()
}

/// Integer taps in groups whose sums fit in 16 bits; `None` if the coefficients are not small integers.
fn int16_groups(weights: &Weights, taps: &[Vec<Tap<f32>>]) -> Option<Vec<Vec<Tap<i16>>>> {
    const MAX_SUM: f32 = (i16::MAX as u32 / u8::MAX as u32) as f32;
    let mut groups = vec![Vec::new()];
    let mut sum = 0.0;
    for &Tap { row, col, coefficient } in taps.iter().flatten() {
        if !weights.exact || coefficient.abs() > MAX_SUM {
            return None;
        }
        sum += coefficient.abs();
        if sum > MAX_SUM {
            groups.push(Vec::new());
            sum = coefficient.abs();
        }
        groups.last_mut()?.push(Tap { row, col, coefficient: coefficient as i16 });
    }
    Some(groups)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sum_floats<T: Sample>(
    rows: &[&[T]],
    channels: usize,
    taps: &[Vec<Tap<f32>>],
    weights: &Weights,
    max: u32,
    samples: &mut Vec<Vec<f32>>,
    result: &mut [T],
) {
    let reach = taps.iter().flatten().map(|tap| tap.col * channels).max().unwrap_or(0);
    // A whole chunk is converted before it is read: loads that overlap recent stores would have to wait for them.
    samples.resize_with(rows.len(), || vec![0.0; CHUNK + reach]);
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        for (samples, row) in samples.iter_mut().zip(rows) {
            for (sample, from) in samples[..result.len() + reach].iter_mut().zip(&row[chunk * CHUNK..]) {
                *sample = from.value() as f32;
            }
        }
        let result = result.as_chunks_mut::<BLOCK>().0;
        let blocks_of = |tap: &Tap<f32>| (blocks(&samples[tap.row], tap.col * channels, result.len()), tap.coefficient);
        let taps: Vec<Vec<_>> = taps.iter().map(|taps| taps.iter().map(blocks_of).collect()).collect();
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
fn sum_separately<T: Sample>(
    rows: &[&[T]],
    channels: usize,
    [column, row]: [&Vec<f32>; 2],
    weights: &Weights,
    max: u32,
    samples: &mut Vec<Vec<f32>>,
    result: &mut [T],
) {
    let reach = (row.len() - 1) * channels;
    samples.resize_with(1, Vec::new);
    for (chunk, result) in result.chunks_mut(CHUNK).enumerate() {
        let column_sums = &mut samples[0];
        column_sums.clear();
        column_sums.resize(result.len() + reach, 0.0);
        for (row, &factor) in rows.iter().zip(column) {
            for (sum, sample) in column_sums.iter_mut().zip(&row[chunk * CHUNK..]) {
                *sum += sample.value() as f32 * factor;
            }
        }
        for (block, result) in result.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let mut sums = [weights.start; BLOCK];
            for (index, factor) in row.iter().enumerate() {
                let column_sums = &blocks(column_sums, block * BLOCK + index * channels, 1)[0];
                for (sum, column_sum) in sums.iter_mut().zip(column_sums) {
                    *sum += column_sum * factor;
                }
            }
            finish(&sums, weights, max, result);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sum_int16_groups<T: Sample>(
    rows: &[&[T]],
    channels: usize,
    groups: &[Vec<Tap<i16>>],
    weights: &Weights,
    result: &mut [T],
) {
    let result = result.as_chunks_mut::<BLOCK>().0;
    let groups: Vec<_> = groups.iter().map(|group| tap_blocks(rows, channels, group, result.len())).collect();
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
fn sum_int16<T: Sample>(
    rows: &[&[T]],
    channels: usize,
    taps: &[Tap<i16>],
    start: i16,
    division: Division,
    result: &mut [T],
) {
    let result = result.as_chunks_mut::<BLOCK>().0;
    let taps = tap_blocks(rows, channels, taps, result.len());
    for (block, result) in result.iter_mut().enumerate() {
        let mut sums = sum_up(&taps, block).map(|sum| sum.saturating_add(start).max(0));
        division.divide(&mut sums);
        *result = sums.map(|quotient| T::new(quotient.min(u8::MAX.into()) as u32));
    }
}

/// For each tap, the blocks that it weighs, and its coefficient.
fn tap_blocks<'a, T>(
    rows: &[&'a [T]],
    channels: usize,
    taps: &[Tap<i16>],
    count: usize,
) -> Vec<(&'a [[T; BLOCK]], i16)> {
    taps.iter().map(|tap| (blocks(rows[tap.row], tap.col * channels, count), tap.coefficient)).collect()
}

/// The sums of a block, which must fit in 16 bits.
#[inline(always)]
fn sum_up<T: Sample>(taps: &[(&[[T; BLOCK]], i16)], block: usize) -> [i16; BLOCK] {
    let mut sums = [0i16; BLOCK];
    for &(samples, coefficient) in taps {
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

/// Truncates a number from 0 to 65535. A cast, which must handle all numbers, does not compile to vector instructions.
#[inline(always)]
fn truncate(number: f32) -> u32 {
    // Floats from 2^23 on are integers, so an addition of this number rounds to an integer.
    const LARGE: f32 = (1 << 23) as f32;
    let nearest = (number + LARGE) - LARGE;
    let whole = if nearest > number { nearest - 1.0 } else { nearest };
    (whole + LARGE).to_bits() & 0xffff
}
