//! What the shaders know of a frame: `struct Frame` of `shaders/frame.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::filters::{Plan, Treatment};
use crate::frame::{Depth, Layout};

/// A frame has at most this many components, and planes.
const MAX: usize = 4;

const SOURCE_ORIGINAL: u32 = 0;
const SOURCE_NEUTRAL: u32 = 1;
const SOURCE_COMPONENT: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Component {
    frame_offset: u32,
    frame_pitch: u32,
    frame_step: u32,
    offset: u32,
    pub(super) pitch: u32,
    width: u32,
    pub(super) height: u32,
    unused: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Plane {
    pub(super) offset: u32,
    pub(super) pitch: u32,
    pub(super) height: u32,
    period: u32,
    sources: [u32; MAX],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Frame {
    pub(super) components: [Component; MAX],
    pub(super) planes: [Plane; MAX],
    largest: u32,
    middle: u32,
    shift: u32,
    zero: u32,
}

/// The frame as the shaders see it, and the sizes that follow from it.
pub(super) struct Geometry {
    pub(super) uniforms: Frame,
    /// How many of `uniforms.components` are filtered.
    pub(super) components: usize,
    /// How many of `uniforms.planes` there are.
    pub(super) planes: usize,
    /// Bytes of the frame, each row padded to whole quads.
    pub(super) frame_bytes: u64,
    /// Bytes of all filtered components' planes.
    pub(super) component_bytes: u64,
}

impl Geometry {
    pub(super) fn new(layout: &Layout, plan: &Plan) -> Self {
        let depth = layout.depth;
        let mut uniforms = Frame { largest: depth.max(), middle: depth.grey(), shift: depth.shift, ..Frame::default() };
        let mut frame_quads = 0;
        for (plane, of_layout) in uniforms.planes.iter_mut().zip(&layout.planes) {
            plane.offset = frame_quads;
            plane.pitch = quads(of_layout.row_bytes / depth.bytes());
            plane.height = of_layout.height as u32;
            plane.period = 1;
            frame_quads += plane.pitch * plane.height;
        }

        let mut components = 0;
        let mut component_quads = 0;
        for of_layout in &layout.components {
            let plane = &mut uniforms.planes[of_layout.plane];
            let step = of_layout.step as u32;
            plane.period = plane.period.max(step);
            let source = match plan.treatment(of_layout.meaning) {
                Treatment::Keep => SOURCE_ORIGINAL,
                Treatment::Neutral => SOURCE_NEUTRAL,
                Treatment::Filter => {
                    let component = &mut uniforms.components[components];
                    *component = Component {
                        frame_offset: plane.offset * 4 + of_layout.offset as u32,
                        frame_pitch: plane.pitch * 4,
                        frame_step: step,
                        offset: component_quads,
                        pitch: quads(of_layout.width),
                        width: of_layout.width as u32,
                        height: of_layout.height as u32,
                        unused: 0,
                    };
                    component_quads += component.pitch * component.height;
                    components += 1;
                    SOURCE_COMPONENT + components as u32 - 1
                }
            };
            // A component with a step of 2 beside one of 4 (YUY2) comes twice in a period.
            for sample in (of_layout.offset..MAX).step_by(of_layout.step) {
                plane.sources[sample] = source;
            }
        }
        let quad_bytes = quad_bytes(depth) as u64;
        Self {
            uniforms,
            components,
            planes: layout.planes.len(),
            frame_bytes: u64::from(frame_quads) * quad_bytes,
            component_bytes: u64::from(component_quads) * quad_bytes,
        }
    }
}

fn quads(samples: usize) -> u32 {
    samples.div_ceil(4) as u32
}

/// The bytes of four samples, which the shaders handle together.
pub(super) fn quad_bytes(depth: Depth) -> usize {
    4 * depth.bytes()
}
