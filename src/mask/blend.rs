//! Blends a frame and an element's result in the frame's own format: RGB, in which frames are painted, cannot hold every
//! sample of YUV.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the layout. If one is wrong, the panic becomes an error of the element."
)]

use std::ops::Range;

use gst_video::VideoFrameRef;
use gst_video::prelude::*;
use multiversion::multiversion;
use rayon::prelude::*;

use super::grid::MIN_ROWS;
use super::opacity::{Extent, Opacity, Run};
use crate::layout::{Component, ComponentKind, Depth, Layout};

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
        let Some(groups) = Groups::new(shares, components, plane.row_bytes / layout.depth.bytes()) else { continue };
        let rows = original.par_chunks(from).zip(result.par_chunks_mut(to)).take(plane.height).enumerate();
        rows.with_min_len(MIN_ROWS).for_each_init(
            || vec![0.0; groups.samples],
            |weights, (y, (before, after))| {
                for run in groups.runs(y) {
                    let samples = groups.samples_of(&run.samples);
                    let bytes = samples.start * layout.depth.bytes()..samples.end * layout.depth.bytes();
                    let (before, after) = (&before[bytes.clone()], &mut after[bytes]);
                    match run.extent {
                        Extent::None => after.copy_from_slice(before),
                        Extent::All if groups.takes_all => {}
                        _ => {
                            let weights = &mut weights[..samples.len()];
                            groups.weigh(y, &run.samples, weights);
                            match layout.depth.bytes() {
                                1 => blend_8_bits(before, after, weights),
                                _ => blend_16_bits(before, after, weights, layout.depth),
                            }
                        }
                    }
                }
            },
        );
    }
}

/// The samples of a plane's rows in groups, of which each has one sample of the component with the fewest.
struct Groups<'a> {
    shares: &'a Shares<'a>,
    components: Vec<&'a Component>,
    /// The component with the fewest samples.
    coarsest: &'a Component,
    /// Samples of a row.
    samples: usize,
    /// Whether an opaque group is taken from the result as it is.
    takes_all: bool,
    /// A row, if everything is opaque.
    whole: [Run; 1],
}

impl<'a> Groups<'a> {
    fn new(shares: &'a Shares, components: Vec<&'a Component>, samples: usize) -> Option<Self> {
        let coarsest = *components.iter().max_by_key(|component| component.step)?;
        let has_alpha = components.iter().any(|component| component.kind == ComponentKind::Alpha);
        let takes_all = shares.strength >= 1.0 && !(has_alpha && shares.keeps_alpha);
        let whole = [Run { samples: 0..coarsest.width, extent: Extent::All }];
        Some(Self { shares, components, coarsest, samples, takes_all, whole })
    }

    /// The runs of groups in row `y`.
    fn runs(&self, y: usize) -> &[Run] {
        self.shares.opacity.of(self.coarsest).map_or(&self.whole, |opacities| opacities.runs(y))
    }

    /// The samples of some groups. The last group may have fewer samples than others, or be followed by some more.
    fn samples_of(&self, groups: &Range<usize>) -> Range<usize> {
        let end = if groups.end == self.coarsest.width { self.samples } else { groups.end * self.coarsest.step };
        groups.start * self.coarsest.step..end
    }

    /// The shares of the samples of some groups in row `y`. What belongs to no component gets the share of the first one's
    /// samples.
    fn weigh(&self, y: usize, groups: &Range<usize>, weights: &mut [f32]) {
        let strength = self.shares.strength as f32;
        weights.fill(strength);
        for (index, component) in self.components.iter().enumerate() {
            let &&Component { kind, offset, step, width, .. } = component;
            if kind == ComponentKind::Alpha && self.shares.keeps_alpha {
                weights[offset..].iter_mut().step_by(step).for_each(|weight| *weight = 0.0);
            } else if let Some(opacities) = self.shares.opacity.of(component) {
                let places = self.coarsest.step / step;
                let own = groups.start * places..(groups.end * places).min(width);
                let shares = opacities.row(y)[own].iter().map(|opacity| opacity * strength);
                if index == 0 {
                    spread(weights, step, shares);
                } else if width != self.components[0].width {
                    weights[offset..].iter_mut().step_by(step).zip(shares).for_each(|(weight, share)| *weight = share);
                }
            }
        }
    }
}

/// Gives each share to `step` weights.
fn spread(weights: &mut [f32], step: usize, shares: impl Iterator<Item = f32>) {
    match step {
        1 => weights.iter_mut().zip(shares).for_each(|(weight, share)| *weight = share),
        4 => {
            let rest = weights.as_chunks_mut::<4>().0.iter_mut();
            rest.zip(shares).for_each(|(weights, share)| *weights = [share; 4]);
        }
        _ => weights.chunks_mut(step).zip(shares).for_each(|(weights, share)| weights.fill(share)),
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blend_8_bits(before: &[u8], after: &mut [u8], weights: &[f32]) {
    for ((&before, after), &weight) in before.iter().zip(after).zip(weights) {
        *after = between(before.into(), (*after).into(), weight) as u8;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blend_16_bits(before: &[u8], after: &mut [u8], weights: &[f32], Depth { shift, .. }: Depth) {
    let value = |bytes: [u8; 2]| f32::from(u16::from_le_bytes(bytes) >> shift);
    let samples = before.as_chunks().0.iter().zip(after.as_chunks_mut().0);
    for ((&before, after), &weight) in samples.zip(weights) {
        *after = ((between(value(before), value(*after), weight) as u16) << shift).to_le_bytes();
    }
}

/// Rounded to the nearest integer when it is cut off.
#[inline(always)]
fn between(before: f32, after: f32, weight: f32) -> f32 {
    before + (after - before) * weight + 0.5
}
