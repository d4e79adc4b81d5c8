//! The translation of a plan's passes to shaders and their parameters.

use std::sync::Arc;

use super::shaders::{
    BOX_HORIZONTAL, BOX_VERTICAL, CONVOLVE, MIN_MAX_HORIZONTAL, MIN_MAX_VERTICAL, MODE, RANK, Shader, UNSHARP,
};
use crate::filters::{Axis, BorderMode, Margins, Op, Pass, Plan, last_rank};
use crate::layout::Depth;

/// A shader that runs on every filtered component.
pub(super) struct Step {
    pub(super) code: Code,
    /// The operation's own parameters.
    pub(super) params: Vec<u32>,
    /// The window's reach.
    pub(super) reach: Margins,
    /// The samples that the window reads outside the plane.
    pub(super) border_mode: BorderMode,
    /// The border in which samples keep the values from before the filter's first pass.
    pub(super) untouched: Margins,
}

/// A step's shader.
pub(super) enum Code {
    /// A built-in shader, with the values of its constants.
    BuiltIn(&'static Shader, Vec<u32>),
    /// A user's WGSL.
    User(Arc<str>),
}

/// The steps of each filter of a plan.
pub(super) fn steps(plan: &Plan, depth: Depth) -> Vec<Vec<Step>> {
    let steps_of = |pass| steps_of(pass, depth);
    plan.filters.iter().map(|filter| filter.passes.iter().flat_map(steps_of).collect()).collect()
}

fn steps_of(pass: &Pass, depth: Depth) -> Vec<Step> {
    let Pass { border_mode, untouched, .. } = *pass;
    let reach = pass.op.reach();
    let step = |shader, constants, params| Step {
        code: Code::BuiltIn(shader, constants),
        params,
        reach,
        border_mode,
        untouched,
    };
    match &pass.op {
        Op::Convolve(kernel) => {
            let weights = kernel.weights(depth);
            let bottom_up = u32::from(kernel.row_offset(0) > 0);
            let floats = [weights.start, weights.reciprocal].into_iter().chain(weights.coefficients);
            let params = [bottom_up].into_iter().chain(floats.map(f32::to_bits)).collect();
            vec![step(&CONVOLVE, vec![kernel.cols as u32, kernel.rows() as u32], params)]
        }
        Op::BoxBlur(axis, weights) => {
            let shader = match axis {
                Axis::Horizontal => &BOX_HORIZONTAL,
                Axis::Vertical => &BOX_VERTICAL,
            };
            vec![step(shader, vec![], vec![weights.radius, weights.inner, weights.edge])]
        }
        &Op::Rank { size, rank } if rank == 0 || rank == last_rank(size) => {
            let flip = if rank == 0 { 0 } else { depth.max() };
            let along = |shader, reach| Step { reach, ..step(shader, vec![size], vec![flip]) };
            let rows = along(&MIN_MAX_HORIZONTAL, Margins::symmetric(size / 2, 0));
            let columns = along(&MIN_MAX_VERTICAL, Margins::symmetric(0, size / 2));
            vec![Step { untouched: Margins::default(), ..rows }, columns]
        }
        &Op::Rank { size, rank } => vec![step(&RANK, vec![size], vec![rank])],
        &Op::Mode { radius } => {
            let is_truncated = u32::from(border_mode == BorderMode::Truncate);
            vec![step(&MODE, vec![radius.saturating_mul(2).saturating_add(1)], vec![is_truncated])]
        }
        &Op::Unsharp { percent, threshold } => {
            let limit = i32::MAX.checked_div(percent.saturating_abs()).unwrap_or(i32::MAX);
            let params = [percent, limit, depth.largest_difference(threshold)].map(i32::cast_unsigned).to_vec();
            vec![step(&UNSHARP, vec![], params)]
        }
        Op::Shader(text) => {
            vec![Step {
                code: Code::User(text.clone()),
                params: vec![border_mode as u32],
                reach,
                border_mode,
                untouched,
            }]
        }
    }
}
