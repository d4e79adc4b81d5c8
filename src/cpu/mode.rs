//! The most frequent value of each window, the smallest of several; the sample itself where none comes three times.

use super::plane::{Plane, extend};
use crate::filters::Outside;

pub(super) fn mode(radius: u32, outside: Outside, src: &Plane, dst: &mut Plane) {
    let radius = radius as usize;
    let (width, height) = (src.width, src.height);
    dst.write_rows(|y, result| {
        let whole = outside != Outside::Nothing;
        let (y, reach) = (y as isize, radius as isize);
        let rows: Vec<Vec<u8>> = (y - reach..=y + reach)
            .filter(|row| whole || (0..height as isize).contains(row))
            .map(|row| {
                let mut extended = Vec::new();
                extend(src.row_at(row, outside), radius, radius, outside, &mut extended, width);
                extended
            })
            .collect();
        // The columns that count, in extended rows.
        let counts = |column: usize| whole || (radius..radius + width).contains(&column);
        let mut histogram = [0u32; 256];
        let count = |column: usize, histogram: &mut [u32; 256], change: fn(&mut u32)| {
            if counts(column) {
                rows.iter().for_each(|row| change(&mut histogram[usize::from(row[column])]));
            }
        };
        for column in 0..2 * radius {
            count(column, &mut histogram, |n| *n += 1);
        }
        for (x, result) in result.iter_mut().enumerate() {
            count(x + 2 * radius, &mut histogram, |n| *n += 1);
            let own = src.row(y as usize)[x];
            let (mut most, mut winner) = (2, own);
            for (value, &n) in (0..=255).zip(&histogram) {
                if n > most {
                    (most, winner) = (n, value);
                }
            }
            *result = winner;
            count(x, &mut histogram, |n| *n -= 1);
        }
    });
}
