//! Blends a frame and an element's result in the frame's own format: RGB, in which frames are painted, cannot hold every
//! sample of YUV.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the layout. If one is wrong, the panic becomes an error of the element."
)]

use gst_video::VideoFrameRef;
use gst_video::prelude::*;
use rayon::prelude::*;

use super::Opacity;
use crate::layout::{Component, ComponentKind, Depth, Layout};

/// The minimum number of rows that a thread blends at a time.
const MIN_ROWS: usize = 32;

/// The share of the result in each sample.
pub struct Shares<'a> {
    /// The opacity of each pixel.
    pub opacity: &'a Opacity,
    /// The opacity of all pixels.
    pub strength: f64,
    /// Whether the frame's alpha stays.
    pub keeps_alpha: bool,
}

/// Blends `result` with the frame that it was made from. Where the share is 0, the frame's bytes stay, those between
/// components too; where it is 1, the result's.
pub fn blend(
    layout: &Layout,
    shares: &Shares,
    original: &VideoFrameRef<&gst::BufferRef>,
    result: &mut VideoFrameRef<&mut gst::BufferRef>,
) {
    let has_alpha = layout.components.iter().any(|component| component.kind == ComponentKind::Alpha);
    if shares.opacity.is_full() && shares.strength >= 1.0 && !(has_alpha && shares.keeps_alpha) {
        return;
    }
    let strides = |strides: &[i32]| -> Vec<_> { strides.iter().map(|&stride| stride.max(1) as usize).collect() };
    let (from, to) = (strides(original.plane_stride()), strides(result.plane_stride()));
    let planes = original.planes_data().into_iter().zip(from).zip(result.planes_data_mut().into_iter().zip(to));
    for (index, (plane, ((original, from), (result, to)))) in layout.planes.iter().zip(planes).enumerate() {
        let components: Vec<_> = layout.components.iter().filter(|component| component.plane == index).collect();
        let samples = plane.row_bytes / layout.depth.bytes();
        let rows = original.par_chunks(from).zip(result.par_chunks_mut(to)).take(plane.height).enumerate();
        rows.with_min_len(MIN_ROWS).for_each_init(
            || vec![0.0; samples],
            |weights, (y, (before, after))| {
                shares.of_row(&components, y, weights);
                let (before, after) = (&before[..plane.row_bytes], &mut after[..plane.row_bytes]);
                match layout.depth.bytes() {
                    1 => blend_8_bits(before, after, weights),
                    _ => blend_16_bits(before, after, weights, layout.depth),
                }
            },
        );
    }
}

impl Shares<'_> {
    /// The shares of the samples in row `y` of a plane with these components. What belongs to none of them gets the share of
    /// the first one's samples.
    fn of_row(&self, components: &[&Component], y: usize, weights: &mut [f32]) {
        let strength = self.strength as f32;
        weights.fill(strength);
        for (index, component) in components.iter().enumerate() {
            let &&Component { kind, offset, step, width, .. } = component;
            if kind == ComponentKind::Alpha && self.keeps_alpha {
                weights[offset..].iter_mut().step_by(step).for_each(|weight| *weight = 0.0);
            } else if let Some(opacity) = self.opacity.of(component) {
                let shares = opacity.row(y).iter().map(|opacity| opacity * strength);
                if index == 0 {
                    weights.chunks_mut(step).zip(shares).for_each(|(weights, share)| weights.fill(share));
                } else if width != components[0].width {
                    weights[offset..].iter_mut().step_by(step).zip(shares).for_each(|(weight, share)| *weight = share);
                }
            }
        }
    }
}

fn blend_8_bits(before: &[u8], after: &mut [u8], weights: &[f32]) {
    for ((&before, after), &weight) in before.iter().zip(after).zip(weights) {
        *after = between(before.into(), (*after).into(), weight) as u8;
    }
}

fn blend_16_bits(before: &[u8], after: &mut [u8], weights: &[f32], Depth { shift, .. }: Depth) {
    let value = |bytes: [u8; 2]| f32::from(u16::from_le_bytes(bytes) >> shift);
    let samples = before.as_chunks().0.iter().zip(after.as_chunks_mut().0);
    for ((&before, after), &weight) in samples.zip(weights) {
        *after = ((between(value(before), value(*after), weight) as u16) << shift).to_le_bytes();
    }
}

/// Rounded to the nearest integer when it is cut off.
fn between(before: f32, after: f32, weight: f32) -> f32 {
    before + (after - before) * weight + 0.5
}
