//! Grids of opacities: a mask, or the opacities of a component's samples.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "Indices follow from the layout. If one is wrong, the panic becomes an error of the element."
)]

use gst_video::prelude::*;
use gst_video::{VideoColorRange, VideoFrameRef};
use rayon::prelude::*;

use crate::layout::{Component, Depth, Layout};

/// The minimum number of rows that a thread works on at a time.
pub(super) const MIN_ROWS: usize = 32;

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
        let mut values = vec![0.0; width * height];
        let rows = data.par_chunks(stride).zip(values.par_chunks_mut(width));
        rows.with_min_len(MIN_ROWS).for_each(|(row, values)| match (depth.bytes(), step) {
            // Compilers vectorize this loop for samples without gaps.
            (1, 1) => {
                values.iter_mut().zip(&row[offset..]).for_each(|(value, &sample)| *value = opacity(sample.into()))
            }
            (1, _) => {
                let samples = row[offset..].iter().step_by(step);
                values.iter_mut().zip(samples).for_each(|(value, &sample)| *value = opacity(sample.into()));
            }
            _ => {
                let samples = row.as_chunks().0[offset..].iter().step_by(step);
                let value = |&sample: &[u8; 2]| opacity((u16::from_le_bytes(sample) >> depth.shift).into());
                values.iter_mut().zip(samples).for_each(|(opacity, sample)| *opacity = value(sample));
            }
        });
        Self { width, height, values }
    }

    /// Turns shares of one size, which sum up to 1 or less in each place, into masks: each leaves its share where those before
    /// lie over it.
    pub fn lay_over(shares: &mut [Self]) {
        let mut rest = vec![1.0; shares.first().map_or(0, |first| first.values.len())];
        for share in shares {
            for (value, rest) in share.values.iter_mut().zip(&mut rest) {
                let share = *value;
                *value = if share < *rest { share / *rest } else { 1.0 };
                *rest = (*rest - share).max(0.0);
            }
        }
    }

    /// The union of grids of the same size.
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

    /// At a smaller width and height, by means.
    pub(super) fn reduced(&self, width: usize, height: usize) -> Self {
        let (x, y) = (self.width.div_ceil(width), self.height.div_ceil(height));
        let mut values = vec![0.0; width * height];
        let rows = self.values.par_chunks(self.width * y).zip(values.par_chunks_mut(width));
        rows.with_min_len(MIN_ROWS).for_each_init(
            || vec![0.0; self.width],
            |sums, (rows, means)| {
                sums.fill(0.0);
                for row in rows.chunks(self.width) {
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
                let rows = rows.len() / self.width;
                let groups = sums.chunks(x).map(|group| group.iter().sum::<f32>() / (group.len() * rows) as f32);
                means.iter_mut().zip(groups).for_each(|(mean, group)| *mean = group);
            },
        );
        Self { width, height, values }
    }

    /// A row.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..][..self.width]
    }
}
