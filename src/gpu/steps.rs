//! The steps that a plan's passes are made of on a GPU.

use std::sync::Arc;

use super::shaders::{
    BOX_HORIZONTAL, BOX_VERTICAL, CONVOLVE, EXTREME_HORIZONTAL, EXTREME_VERTICAL, MODE, RANK, Shader, UNSHARP,
};
use crate::filters::{Axis, Margins, Op, Outside, Pass, Plan, last_rank};
use crate::layout::Depth;

/// A shader run over each filtered component.
pub(super) struct Step {
    pub(super) code: Code,
    /// The operation's own parameters.
    pub(super) params: Vec<u32>,
    /// How far its window reaches into what lies outside the plane.
    pub(super) reach: Margins,
    /// What lies there.
    pub(super) outside: Outside,
    /// Where the samples stay those that the filter began with.
    pub(super) keep: Margins,
}

/// What a step runs.
pub(super) enum Code {
    /// A shader of our own, with the values of its constants.
    Own(&'static Shader, Vec<u32>),
    /// A user's.
    User(Arc<str>),
}

/// Each filter's steps.
pub(super) fn steps(plan: &Plan, depth: Depth) -> Vec<Vec<Step>> {
    let of_pass = |pass| of_pass(pass, depth);
    plan.filters.iter().map(|filter| filter.passes.iter().flat_map(of_pass).collect()).collect()
}

fn of_pass(pass: &Pass, depth: Depth) -> Vec<Step> {
    let Pass { outside, keep, .. } = *pass;
    let reach = pass.op.reach();
    let step = |shader, constants, params| Step { code: Code::Own(shader, constants), params, reach, outside, keep };
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
            let turned = if rank == 0 { 0 } else { depth.max() };
            let along = |shader, reach| Step { reach, ..step(shader, vec![size], vec![turned]) };
            let rows = along(&EXTREME_HORIZONTAL, Margins::symmetric(size / 2, 0));
            let columns = along(&EXTREME_VERTICAL, Margins::symmetric(0, size / 2));
            vec![Step { keep: Margins::default(), ..rows }, columns]
        }
        &Op::Rank { size, rank } => vec![step(&RANK, vec![size], vec![rank])],
        &Op::Mode { radius } => {
            let ends = u32::from(outside == Outside::Nothing);
            vec![step(&MODE, vec![radius.saturating_mul(2).saturating_add(1)], vec![ends])]
        }
        Op::Unsharp { percent, threshold } => {
            let limit = i32::MAX.checked_div(percent.saturating_abs()).unwrap_or(i32::MAX);
            let params = [*percent, limit, *threshold].map(i32::cast_unsigned).to_vec();
            vec![step(&UNSHARP, vec![], params)]
        }
        Op::Shader(text) => {
            vec![Step { code: Code::User(text.clone()), params: vec![outside as u32], reach, outside, keep }]
        }
    }
}
