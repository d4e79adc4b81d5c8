//! The most frequent value of each window, the smallest of several; the sample itself where none comes three times.

use multiversion::multiversion;

use super::plane::Plane;
use crate::filters::Outside;

/// Up to this radius each sample of a window is compared with each, for many windows at a time; further out, a
/// histogram moves along.
const COMPARED_RADIUS: usize = 2;

pub(super) fn mode(radius: u32, outside: Outside, src: &Plane, dst: &mut Plane) {
    let radius = radius as usize;
    let (width, height) = (src.width, src.height);
    dst.write_rows(|y, result| {
        let inside = y >= radius && y + radius < height && width > 2 * radius;
        if inside && radius <= COMPARED_RADIUS {
            // Where windows leave the row, the histogram knows what to do.
            moving_histogram(radius, outside, src, y, 0, &mut result[..radius]);
            moving_histogram(radius, outside, src, y, width - radius, &mut result[width - radius..]);
            let rows: Vec<_> = (y - radius..=y + radius).map(|row| src.row(row)).collect();
            compared(&rows, &mut result[radius..width - radius]);
        } else {
            moving_histogram(radius, outside, src, y, 0, result);
        }
    });
}

/// The windows of `rows`, none of which leaves them: each sample's count by comparing it with every other.
#[multiversion(targets("x86_64+avx2"))]
fn compared(rows: &[&[u8]], result: &mut [u8]) {
    const BLOCK: usize = 64;
    let size = rows.len();
    for begin in (0..result.len()).step_by(BLOCK) {
        let block = &mut result[begin..];
        let length = block.len().min(BLOCK);
        let windows: Vec<&[u8]> =
            rows.iter().flat_map(|row| (0..size).map(move |i| &row[begin + i..][..length])).collect();
        let mut winner = [0u8; BLOCK];
        winner[..length].copy_from_slice(windows[size * size / 2]);
        let mut most = [2u8; BLOCK];
        for own in &windows {
            let mut counts = [0u8; BLOCK];
            for other in &windows {
                for ((count, a), b) in counts.iter_mut().zip(*own).zip(*other) {
                    *count += u8::from(a == b);
                }
            }
            for (((count, value), most), winner) in counts.iter().zip(*own).zip(&mut most).zip(&mut winner) {
                let wins = *count > *most || (*count == *most && *count > 2 && *value < *winner);
                *winner = if wins { *value } else { *winner };
                *most = if wins { *count } else { *most };
            }
        }
        block[..length].copy_from_slice(&winner[..length]);
    }
}

/// The samples of row `y` from `begin` on, by a histogram that moves along.
fn moving_histogram(radius: usize, outside: Outside, src: &Plane, y: usize, begin: usize, result: &mut [u8]) {
    let whole = outside != Outside::Nothing;
    let (row, reach) = (y as isize, radius as isize);
    let rows: Vec<Vec<u8>> = (row - reach..=row + reach)
        .filter(|row| whole || (0..src.height as isize).contains(row))
        .map(|row| src.extended_row(row, radius, radius, outside))
        .collect();
    // The columns that count, in extended rows.
    let counts = |column: usize| whole || (radius..radius + src.width).contains(&column);
    let mut histogram = [0u32; 256];
    let count = |column: usize, histogram: &mut [u32; 256], change: fn(&mut u32)| {
        if counts(column) {
            rows.iter().for_each(|row| change(&mut histogram[usize::from(row[column])]));
        }
    };
    for column in begin..begin + 2 * radius {
        count(column, &mut histogram, |n| *n += 1);
    }
    for (x, result) in (begin..).zip(result) {
        count(x + 2 * radius, &mut histogram, |n| *n += 1);
        let (mut most, mut winner) = (2, src.row(y)[x]);
        for (value, &n) in (0..=255).zip(&histogram) {
            if n > most {
                (most, winner) = (n, value);
            }
        }
        *result = winner;
        count(x, &mut histogram, |n| *n -= 1);
    }
}
