//! The sizes that a first frame is painted at, one after the other.

use crate::size::scaled;

/// At the coarsest size, frame and style have at least this longer side: smaller ones lose their content.
const MIN_SIDE: i64 = 96;

/// Up to `scales` sizes, each twice the one before, the last of which is `size`; the style is smaller by a factor.
pub(super) fn sizes(size: [i64; 2], style_scale: f64, scales: u32) -> Vec<[i64; 2]> {
    let longest = size[0].max(size[1]);
    let style_side = |halving: &u32| ((longest >> halving) as f64 * style_scale) as i64;
    let halvings = (1..scales).take_while(|halving| style_side(halving) >= MIN_SIDE).count() as u32;
    (0..=halvings).rev().map(|halving| if halving == 0 { size } else { scaled(size, longest >> halving) }).collect()
}

/// `steps`, divided among this number of sizes; the last one gets the remainder.
pub(super) fn shares(steps: u32, sizes: usize) -> Vec<u32> {
    let each = steps.checked_div(sizes as u32).unwrap_or(steps);
    let mut shares = vec![each; sizes];
    if let Some(last) = shares.last_mut() {
        *last += steps - each * sizes as u32;
    }
    shares
}
