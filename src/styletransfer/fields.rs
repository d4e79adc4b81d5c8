//! Interlaced frames as pictures of one moment.

/// Replaces the rows of a frame's second field by the means of their neighbors, which are of the first field, so that the
/// frame shows one moment. `rows` are `stride` bytes apart and hold 8-bit samples, or 16-bit ones in little endian if
/// `is_deep`; `top_first` if the first field has row 0.
pub fn keep_first_field(rows: &mut [u8], stride: usize, is_deep: bool, top_first: bool) {
    let mean = if is_deep { means_of_16_bits } else { means_of_8_bits };
    let count = rows.len().checked_div(stride).unwrap_or(0);
    for second in (usize::from(top_first)..count).step_by(2) {
        let (before, rest) = rows.split_at_mut(second.saturating_mul(stride));
        let (row, after) = rest.split_at_mut(stride);
        let above = before.rchunks_exact(stride).next();
        let below = after.chunks_exact(stride).next();
        // The first and the last row have one neighbor.
        if let Some((above, below)) = above.or(below).zip(below.or(above)) {
            mean(row, above, below);
        }
    }
}

fn means_of_8_bits(row: &mut [u8], above: &[u8], below: &[u8]) {
    for ((sample, &above), &below) in row.iter_mut().zip(above).zip(below) {
        *sample = above.midpoint(below);
    }
}

fn means_of_16_bits(row: &mut [u8], above: &[u8], below: &[u8]) {
    let (row, _) = row.as_chunks_mut();
    for ((sample, &above), &below) in row.iter_mut().zip(above.as_chunks().0).zip(below.as_chunks().0) {
        *sample = u16::from_le_bytes(above).midpoint(u16::from_le_bytes(below)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_field_follows_the_first() {
        let mut rows = [10, 20, 99, 99, 30, 40, 99, 99];
        keep_first_field(&mut rows, 2, false, true);
        assert_eq!(rows, [10, 20, 20, 30, 30, 40, 30, 40]);
        let mut rows = [99, 99, 30, 40, 99, 99];
        keep_first_field(&mut rows, 2, false, false);
        assert_eq!(rows, [30, 40, 30, 40, 30, 40]);
        let mut rows = [0, 1, 99, 99, 2, 1];
        keep_first_field(&mut rows, 2, true, true);
        assert_eq!(rows, [0, 1, 1, 1, 2, 1]);
        let mut row = [99];
        keep_first_field(&mut row, 1, false, false);
        assert_eq!(row, [99], "there is no other row");
    }
}
