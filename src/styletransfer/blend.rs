//! What of a frame stays as it is: alpha, and the share of its samples that `strength` leaves. Both are taken from the
//! frame itself, in its own format: RGB, in which frames are painted, cannot hold every sample of YUV.

use gst_video::VideoFrameRef;
use gst_video::prelude::*;

use crate::layout::{ComponentKind, Depth, Layout};

/// Blends a painted frame with the frame that it was painted from.
pub fn blend(
    layout: &Layout,
    strength: f64,
    original: &VideoFrameRef<&gst::BufferRef>,
    painted: &mut VideoFrameRef<&mut gst::BufferRef>,
) {
    let alpha = layout.components.iter().find(|component| component.kind == ComponentKind::Alpha);
    if alpha.is_none() && strength >= 1.0 {
        return;
    }
    let strides = |strides: &[i32]| -> Vec<_> { strides.iter().map(|&stride| stride.max(1) as usize).collect() };
    let (from, to) = (strides(original.plane_stride()), strides(painted.plane_stride()));
    let planes = original.planes_data().into_iter().zip(from).zip(painted.planes_data_mut().into_iter().zip(to));
    for (plane, ((original, from), (painted, to))) in layout.planes.iter().zip(planes) {
        for (before, after) in original.chunks(from).zip(painted.chunks_mut(to)).take(plane.height) {
            let (before, after) = (before.get(..plane.row_bytes), after.get_mut(..plane.row_bytes));
            let weight = |index: usize| match alpha {
                Some(alpha) if index.checked_rem(alpha.step) == Some(alpha.offset) => 0.0,
                _ => strength as f32,
            };
            if let (Some(before), Some(after)) = (before, after) {
                match layout.depth.bytes() {
                    1 => blend_8_bits(before, after, weight),
                    _ => blend_16_bits(before, after, layout.depth, weight),
                }
            }
        }
    }
}

fn blend_8_bits(before: &[u8], after: &mut [u8], weight: impl Fn(usize) -> f32) {
    for (index, (&before, after)) in before.iter().zip(after).enumerate() {
        *after = between(before.into(), (*after).into(), weight(index)) as u8;
    }
}

fn blend_16_bits(before: &[u8], after: &mut [u8], Depth { shift, .. }: Depth, weight: impl Fn(usize) -> f32) {
    let value = |bytes: [u8; 2]| f32::from(u16::from_le_bytes(bytes).wrapping_shr(shift));
    for (index, (&before, after)) in before.as_chunks().0.iter().zip(after.as_chunks_mut().0).enumerate() {
        *after = (between(value(before), value(*after), weight(index)) as u16).wrapping_shl(shift).to_le_bytes();
    }
}

fn between(before: f32, after: f32, weight: f32) -> f32 {
    (before + (after - before) * weight).round()
}
