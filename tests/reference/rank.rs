//! The filters that sort or count the samples of a window, as Pillow's RankFilter.c and ModeFilter.c do.

use std::collections::BTreeMap;

use crate::plane::{Border, Outside, Plane, Reach};

/// The `rank`-th smallest sample of each window, from 0.
pub fn rank(plane: &Plane, size: usize, rank: usize, border: Border) -> Plane {
    let reach = Reach::symmetric(size / 2, size / 2);
    plane.filtered(border, reach, |plane, outside| {
        plane.with(|x, y| {
            let mut window = plane.window(x, y, reach, outside);
            window.sort_unstable();
            window[rank]
        })
    })
}

/// The most frequent sample of each window, the smallest of several; the sample itself if none occurs three times. As
/// in Pillow, windows end at the plane's border, unless a border is set.
pub fn mode(plane: &Plane, size: usize, border: Option<Border>) -> Plane {
    let reach = Reach::symmetric(size / 2, size / 2);
    let filter = |plane: &Plane, outside| {
        plane.with(|x, y| {
            let mut counts = BTreeMap::new();
            for sample in plane.window(x, y, reach, outside) {
                *counts.entry(sample).or_insert(0) += 1;
            }
            let largest = counts.values().copied().max().unwrap_or(0);
            let winner = counts.into_iter().find(|&(_, count)| count == largest && count > 2);
            winner.map_or(plane.at(x, y), |(sample, _)| sample)
        })
    };
    match border {
        Some(border) => plane.filtered(border, reach, filter),
        None => filter(plane, Outside::Nothing),
    }
}
