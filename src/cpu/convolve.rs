//! A weighted sum of the neighbourhood, in the order and with the roundings of Pillow's `Filter.c`.

use multiversion::multiversion;

use super::plane::Plane;
use crate::filters::{Kernel, KernelOrder, Outside};
use crate::frame::Depth;

pub(super) fn convolve(kernel: &Kernel, outside: Outside, src: &Plane, dst: &mut Plane) {
    let (cols, rows) = (kernel.cols, kernel.rows());
    let width = src.width;
    let offset = kernel.rounding_offset(Depth::default());
    dst.write_rows(|y, result| {
        let mut samples = Vec::new();
        let mut sums = vec![offset; width];
        let mut row_sums = vec![0.0f32; width];
        for (j, coefficients) in kernel.coefficients.chunks(cols).enumerate() {
            let dy = match kernel.order {
                KernelOrder::TopDown => j as isize - (rows / 2) as isize,
                KernelOrder::BottomUp => (rows / 2) as isize - j as isize,
            };
            let extended = src.extended_row(y as isize + dy, cols / 2, cols - 1 - cols / 2, outside);
            samples.clear();
            samples.extend(extended.iter().map(|&sample| f32::from(sample)));
            add_row(coefficients, &samples, &mut row_sums, &mut sums);
        }
        for (sample, sum) in result.iter_mut().zip(&sums) {
            *sample = *sum as u8;
        }
    });
}

/// Adds a row of the kernel to each sum, summed from left to right first.
#[multiversion(targets("x86_64+avx2"))]
fn add_row(coefficients: &[f32], samples: &[f32], row_sums: &mut [f32], sums: &mut [f32]) {
    row_sums.fill(0.0);
    // A tap of zero adds nothing.
    for (i, &coefficient) in coefficients.iter().enumerate().filter(|&(_, &coefficient)| coefficient != 0.0) {
        for (sum, sample) in row_sums.iter_mut().zip(&samples[i..]) {
            *sum += sample * coefficient;
        }
    }
    for (sum, row_sum) in sums.iter_mut().zip(row_sums) {
        *sum += *row_sum;
    }
}
