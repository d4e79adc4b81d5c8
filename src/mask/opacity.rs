//! Opacities of a frame's pixels, and of its components' samples.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the layout. If one is wrong, the panic becomes an error of the element."
)]

use gst_video::prelude::*;
use gst_video::{VideoColorRange, VideoFrameRef};

use crate::layout::{Component, Depth, Layout};

/// Opacities, 0 to 1, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// In samples.
    pub width: usize,
    /// In samples.
    pub height: usize,
    /// The rows.
    pub values: Vec<f32>,
}

impl Grid {
    /// The brightness of a frame.
    pub fn of_luma(frame: &VideoFrameRef<&gst::BufferRef>) -> Self {
        let layout = Layout::new(frame.info());
        let component = |index: usize| Self::of_component(frame, layout.depth, &layout.components[index]);
        let mut luma = component(0);
        if frame.format_info().is_rgb() {
            let [green, blue] = [1, 2].map(component);
            for ((red, green), blue) in luma.values.iter_mut().zip(green.values).zip(blue.values) {
                let sums = [(299.0, *red), (587.0, green), (114.0, blue)];
                let sum: f64 = sums.map(|(weight, value)| weight * f64::from(value)).iter().sum();
                *red = (sum / 1000.0) as f32;
            }
        } else if frame.info().colorimetry().range() == VideoColorRange::Range16_235 {
            let (scale, max) = (2f32.powi(layout.depth.bits as i32 - 8), layout.depth.max() as f32);
            let [black, white] = [16.0, 235.0].map(|level| level * scale / max);
            for value in &mut luma.values {
                *value = ((*value - black) / (white - black)).clamp(0.0, 1.0);
            }
        }
        luma
    }

    /// The complements.
    pub fn inverted(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = 1.0 - *value);
        self
    }

    /// A component's samples as opacities.
    pub fn of_component(frame: &VideoFrameRef<&gst::BufferRef>, depth: Depth, component: &Component) -> Self {
        let &Component { plane, offset, step, width, height, .. } = component;
        let (data, stride) = (frame.planes_data()[plane], frame.plane_stride()[plane] as usize);
        let max = depth.max() as f32;
        let opacity = |sample: f32| sample / max;
        let mut values = Vec::with_capacity(width * height);
        for row in data.chunks(stride).take(height) {
            match depth.bytes() {
                1 => {
                    values.extend(row[offset..].iter().step_by(step).take(width).map(|&sample| opacity(sample.into())))
                }
                _ => {
                    let samples = row.as_chunks().0[offset..].iter().step_by(step).take(width);
                    values.extend(samples.map(|&sample| opacity((u16::from_le_bytes(sample) >> depth.shift).into())));
                }
            }
        }
        Self { width, height, values }
    }

    /// What any of these grids of one size covers.
    pub fn union(grids: &[Self]) -> Self {
        let Some((first, others)) = grids.split_first() else {
            return Self { width: 0, height: 0, values: Vec::new() };
        };
        let mut union = first.clone();
        for other in others {
            let both = union.values.iter_mut().zip(&other.values);
            both.for_each(|(value, other)| *value = 1.0 - (1.0 - *value) * (1.0 - other));
        }
        union
    }

    /// The means of `x` by `y` values, fewer at the end.
    fn reduced(&self, width: usize, height: usize) -> Self {
        let (x, y) = (self.width.div_ceil(width), self.height.div_ceil(height));
        let mut values = vec![0.0; width * height];
        for (row, sums) in self.values.chunks(self.width * y).zip(values.chunks_mut(width)) {
            let rows = row.len() / self.width;
            for line in row.chunks(self.width) {
                for (sum, values) in sums.iter_mut().zip(line.chunks(x)) {
                    *sum += values.iter().sum::<f32>() / (values.len() * rows) as f32;
                }
            }
        }
        Self { width, height, values }
    }

    /// A row.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..][..self.width]
    }
}

/// The opacities of all samples of a frame.
pub struct Opacity {
    /// One for each size of the frame's components; none if everything is opaque.
    grids: Vec<Grid>,
    is_empty: bool,
}

impl Opacity {
    /// Everything is opaque.
    pub fn full() -> Self {
        Self { grids: Vec::new(), is_empty: false }
    }

    /// From opacities at the frame's size.
    pub fn new(grid: Grid, layout: &Layout) -> Self {
        if grid.values.iter().all(|&value| value == 1.0) {
            return Self::full();
        }
        let is_empty = grid.values.iter().all(|&value| value == 0.0);
        let mut grids = vec![grid];
        for component in &layout.components {
            if !grids.iter().any(|grid| (grid.width, grid.height) == (component.width, component.height)) {
                grids.push(grids[0].reduced(component.width, component.height));
            }
        }
        Self { grids, is_empty }
    }

    /// Whether everything is opaque.
    pub fn is_full(&self) -> bool {
        self.grids.is_empty()
    }

    /// Whether everything is transparent.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The opacities of a component's samples; none if everything is opaque.
    pub fn of(&self, component: &Component) -> Option<&Grid> {
        self.grids.iter().find(|grid| (grid.width, grid.height) == (component.width, component.height))
    }
}
