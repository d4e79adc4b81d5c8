//! Rank filters: one of the sorted values of a window.

use super::{Chroma, FilterError, Pass, Plan};

/// The middle value of each `size` x `size` window.
pub fn median(size: u32) -> Result<Plan, FilterError> {
    rank(size, size * size / 2)
}

fn rank(size: u32, rank: u32) -> Result<Plan, FilterError> {
    if size.is_multiple_of(2) {
        return Err(FilterError::EvenWindow(size));
    }
    Ok(Plan { passes: vec![Pass::Rank { size, rank }], chroma: Chroma::Filter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_window() {
        assert_eq!(median(5).unwrap().passes, [Pass::Rank { size: 5, rank: 12 }]);
        assert_eq!(median(4), Err(FilterError::EvenWindow(4)));
    }
}
