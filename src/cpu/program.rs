//! A plan made ready for frames of one layout.

use rayon::prelude::*;

use super::plane::Plane;
use super::{box_blur, convolve, mode, rank, unsharp};
use crate::filters::{Op, Pass, Plan, Treatment};
use crate::frame::{Component, Layout, PlaneBytes, PlaneBytesMut};

/// A plan on the CPU, with the planes its frames pass through.
pub struct Program {
    layout: Layout,
    plan: Plan,
    /// What a filter began with, what the pass before wrote, and what the pass writes.
    base: Plane,
    src: Plane,
    dst: Plane,
}

impl Program {
    /// Prepares `plan` for frames of `layout`.
    pub fn new(layout: Layout, plan: &Plan) -> Self {
        let [base, src, dst] = Default::default();
        Self { layout, plan: plan.clone(), base, src, dst }
    }

    /// Runs `plan` from the next frame on.
    pub fn set_plan(&mut self, plan: &Plan) {
        self.plan = plan.clone();
    }

    /// Filters a frame: reads the planes of `source`, writes those of `target`.
    pub fn run(&mut self, source: &[PlaneBytes], target: &mut [PlaneBytesMut]) {
        for ((plane, from), to) in self.layout.planes.iter().zip(source).zip(target.iter_mut()) {
            let rows = to.data.par_chunks_mut(to.stride).zip(from.data.par_chunks(from.stride)).take(plane.height);
            rows.for_each(|(to, from)| to[..plane.row_bytes].copy_from_slice(&from[..plane.row_bytes]));
        }
        for index in 0..self.layout.components.len() {
            let component = self.layout.components[index];
            let target = &mut target[component.plane];
            match self.plan.treatment(component.meaning) {
                Treatment::Keep => {}
                Treatment::Neutral => {
                    let grey = vec![128; component.width];
                    mix(&component, target, self.plan.mix, |_| &grey);
                }
                Treatment::Filter => {
                    self.unpack(&component, &source[component.plane]);
                    self.filter();
                    mix(&component, target, self.plan.mix, |y| self.src.row(y));
                }
            }
        }
    }

    /// Gathers a component into a plane of its own.
    fn unpack(&mut self, component: &Component, source: &PlaneBytes) {
        let (width, height) = (component.width, component.height);
        if (self.src.width, self.src.height) != (width, height) {
            [self.base, self.src, self.dst] = std::array::from_fn(|_| Plane::new(width, height));
        }
        self.src.write_rows(|y, row| {
            let bytes = &source.data[y * source.stride + component.offset..];
            if component.step == 1 {
                row.copy_from_slice(&bytes[..width]);
                return;
            }
            let samples = bytes.iter().step_by(component.step);
            for (sample, &byte) in row.iter_mut().zip(samples) {
                *sample = byte;
            }
        });
    }

    /// Filters `src`, where the result is left.
    fn filter(&mut self) {
        for filter in &self.plan.filters {
            let Some((first, others)) = filter.passes.split_first() else { continue };
            apply(first, &self.src, &self.src, &mut self.dst);
            std::mem::swap(&mut self.src, &mut self.dst);
            // What the filter began with is now in `dst`, and lasts until its end in `base`.
            if !others.is_empty() {
                std::mem::swap(&mut self.base, &mut self.dst);
            }
            for pass in others {
                apply(pass, &self.base, &self.src, &mut self.dst);
                std::mem::swap(&mut self.src, &mut self.dst);
            }
        }
    }
}

fn apply(pass: &Pass, base: &Plane, src: &Plane, dst: &mut Plane) {
    let outside = pass.outside;
    match &pass.op {
        Op::Convolve(kernel) => convolve::convolve(kernel, outside, src, dst),
        Op::BoxBlur(axis, weights) => box_blur::box_blur(*axis, *weights, outside, src, dst),
        Op::Rank { size, rank } => rank::rank(*size, *rank, outside, src, dst),
        Op::Mode { radius } => mode::mode(*radius, outside, src, dst),
        Op::Unsharp { percent, threshold } => unsharp::unsharp(*percent, *threshold, base, src, dst),
    }
    dst.keep(pass.keep, base);
}

/// Puts a component back, where the original already stands; `share` is the share of its rows, `filtered`, in 256ths.
fn mix<'a>(component: &Component, target: &mut PlaneBytesMut, share: u32, filtered: impl Fn(usize) -> &'a [u8] + Sync) {
    let rows = target.data.par_chunks_mut(target.stride).take(component.height).enumerate();
    rows.for_each(|(y, row)| {
        let row = &mut row[component.offset..];
        let filtered = filtered(y);
        if share == 256 && component.step == 1 {
            row[..filtered.len()].copy_from_slice(filtered);
            return;
        }
        for (byte, &sample) in row.iter_mut().step_by(component.step).zip(filtered) {
            let sum = u32::from(*byte) * (256 - share) + u32::from(sample) * share;
            *byte = ((sum + 128) >> 8) as u8;
        }
    });
}
