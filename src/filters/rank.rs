//! Rank filters, which select one of a window's sorted values, and the mode filter.

use super::{Border, Filter, FilterError, Margins, Op};

/// The rank of the largest value of a `size` x `size` window.
pub fn last_rank(size: u32) -> u32 {
    size.saturating_pow(2).saturating_sub(1)
}

/// The middle value of each `size` x `size` window.
pub fn median(size: u32, border: Border) -> Result<Filter, FilterError> {
    rank(size, last_rank(size) / 2, border)
}

/// The smallest value of each `size` x `size` window.
pub fn min(size: u32, border: Border) -> Result<Filter, FilterError> {
    rank(size, 0, border)
}

/// The largest value of each `size` x `size` window.
pub fn max(size: u32, border: Border) -> Result<Filter, FilterError> {
    rank(size, last_rank(size), border)
}

/// The `rank`-th smallest value, from 0, of each `size` x `size` window. `size` must be odd.
pub fn rank(size: u32, rank: u32, border: Border) -> Result<Filter, FilterError> {
    if size.is_multiple_of(2) {
        return Err(FilterError::EvenWindow(size));
    }
    if rank > last_rank(size) {
        return Err(FilterError::RankTooLarge { size, rank });
    }
    Ok(Filter::new(vec![Op::Rank { size, rank }], border, Margins::symmetric(size / 2, size / 2)))
}

/// The most frequent value of each window. An even size counts as the next odd one, as in Pillow.
pub fn mode(size: u32, border: Border) -> Filter {
    let radius = size / 2;
    Filter::new(vec![Op::Mode { radius }], border, Margins::symmetric(radius, radius))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_rank_are_checked() {
        assert_eq!(median(5, Border::Copy).unwrap().passes[0].op, Op::Rank { size: 5, rank: 12 });
        assert_eq!(max(3, Border::Copy).unwrap().passes[0].op, Op::Rank { size: 3, rank: 8 });
        assert_eq!(median(4, Border::Copy), Err(FilterError::EvenWindow(4)));
        assert_eq!(rank(3, 9, Border::Copy), Err(FilterError::RankTooLarge { size: 3, rank: 9 }));
    }
}
