//! A frame as the shaders see it: the structs of `shaders/frame.wgsl` and `shaders/user.wgsl`.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::filters::{Margins, Plan, Treatment};
use crate::layout::{Depth, Layout};

/// A frame has at most this many components, and planes.
const MAX: usize = 4;

pub(super) const SOURCE_ORIGINAL: u32 = 0;
pub(super) const SOURCE_NEUTRAL: u32 = 1;
pub(super) const SOURCE_COMPONENT: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Component {
    pub(super) frame_step: u32,
    pub(super) offset: u32,
    pub(super) pitch: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) quads: u32,
    pub(super) unused: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Plane {
    pub(super) offset: u32,
    pub(super) pitch: u32,
    pub(super) height: u32,
    pub(super) period: u32,
    pub(super) sources: [u32; MAX],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Frame {
    pub(super) components: [Component; MAX],
    pub(super) planes: [Plane; MAX],
    pub(super) largest: u32,
    pub(super) middle: u32,
    pub(super) shift: u32,
    pub(super) zero: u32,
}

/// The time, and whether a user's shader had to be stopped.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Live {
    pub(super) runaway: u32,
    pub(super) seconds: f32,
}

/// The frame as the shaders see it, and the sizes that follow from it.
pub(super) struct Geometry {
    pub(super) uniforms: Frame,
    /// How many of `uniforms.components` are filtered.
    components: usize,
    /// How many of `uniforms.planes` there are.
    planes: usize,
    /// Bytes of the frame.
    pub(super) frame_bytes: u64,
    /// Bytes of all filtered components' planes.
    pub(super) component_bytes: u64,
    /// Whether the frame's planes are its components' planes, so that nothing needs to be unpacked or packed.
    pub(super) planar: bool,
    /// Of a planar frame, the bytes that are not filtered.
    pub(super) kept: Vec<Range<u64>>,
}

impl Geometry {
    /// The components that are filtered.
    pub(super) fn components(&self) -> &[Component] {
        self.uniforms.components.get(..self.components).unwrap_or_default()
    }

    /// The planes that there are.
    pub(super) fn planes(&self) -> &[Plane] {
        self.uniforms.planes.get(..self.planes).unwrap_or_default()
    }

    /// The geometry for passes whose windows reach no further than `reach`.
    pub(super) fn new(layout: &Layout, plan: &Plan, reach: Margins) -> Self {
        let depth = layout.depth;
        let planar = is_planar(layout, plan);
        let mut uniforms = Frame { largest: depth.max(), middle: depth.gray(), shift: depth.shift, ..Frame::default() };
        let mut in_frame = Space::new(if planar { reach } else { Margins::default() });
        for (plane, of_layout) in uniforms.planes.iter_mut().zip(&layout.planes) {
            let quads = of_layout.row_bytes.div_ceil(quad_bytes(depth)) as u32;
            (plane.offset, plane.pitch) = in_frame.place(quads, of_layout.height);
            plane.height = of_layout.height as u32;
            plane.period = 1;
        }

        let bytes = |quads: u32| u64::from(quads).saturating_mul(quad_bytes(depth) as u64);
        let mut filtered = Vec::new();
        let mut in_components = Space::new(reach);
        let mut kept = Vec::new();
        for of_layout in &layout.components {
            let Some(plane) = uniforms.planes.get_mut(of_layout.plane) else { continue };
            let step = of_layout.step as u32;
            plane.period = plane.period.max(step);
            let source = match plan.treatment(of_layout.kind) {
                Treatment::Keep => {
                    // The last row may lack its margin.
                    let last_row = plane.pitch.saturating_mul(plane.height.saturating_sub(1));
                    let end = plane.offset.saturating_add(last_row).saturating_add(quads(of_layout.width));
                    kept.push(bytes(plane.offset)..bytes(end));
                    SOURCE_ORIGINAL
                }
                Treatment::Neutral => SOURCE_NEUTRAL,
                Treatment::Filter => {
                    let (offset, pitch) = match planar {
                        true => (plane.offset, plane.pitch),
                        false => in_components.place(quads(of_layout.width), of_layout.height),
                    };
                    let source = SOURCE_COMPONENT.saturating_add(filtered.len() as u32);
                    filtered.push(Component {
                        frame_step: step,
                        offset,
                        pitch,
                        width: of_layout.width as u32,
                        height: of_layout.height as u32,
                        quads: quads(of_layout.width),
                        unused: [0; 2],
                    });
                    source
                }
            };
            // A component with a step of 2 beside one of 4 (YUY2) comes twice in a period.
            for of_sample in plane.sources.iter_mut().skip(of_layout.offset).step_by(of_layout.step) {
                *of_sample = source;
            }
        }
        for (component, filtered) in uniforms.components.iter_mut().zip(&filtered) {
            *component = *filtered;
        }
        let in_components = if planar { &in_frame } else { &in_components };
        Self {
            uniforms,
            components: filtered.len(),
            planes: layout.planes.len(),
            frame_bytes: bytes(in_frame.quads),
            component_bytes: bytes(in_components.quads),
            planar,
            kept: if planar { kept } else { Vec::new() },
        }
    }
}

/// Whether each component has a plane of its own, which its filtered samples replace.
fn is_planar(layout: &Layout, plan: &Plan) -> bool {
    let filtered = plan.filters.iter().any(|filter| !filter.passes.is_empty());
    let replaced = layout
        .components
        .iter()
        .all(|component| component.step == 1 && plan.treatment(component.kind) != Treatment::Neutral);
    filtered && replaced && layout.depth.shift == 0 && plan.mix == 256
}

/// Where planes with margins are placed in a buffer, in quads.
struct Space {
    left: u32,
    right: u32,
    up: u32,
    down: u32,
    /// How many are taken.
    quads: u32,
}

impl Space {
    fn new(margins: Margins) -> Self {
        let Margins { left, right, up, down } = margins;
        Self { left: left.div_ceil(4), right: right.div_ceil(4), up, down, quads: 0 }
    }

    /// A plane's first quad, and quads from row to row. What passes 32 bits is larger than any device's buffers.
    fn place(&mut self, width: u32, height: usize) -> (u32, u32) {
        let pitch = self.left.saturating_add(width).saturating_add(self.right);
        let above = self.up.saturating_mul(pitch);
        let offset = self.quads.saturating_add(above).saturating_add(self.left);
        let rows = self.up.saturating_add(height as u32).saturating_add(self.down);
        self.quads = self.quads.saturating_add(pitch.saturating_mul(rows));
        (offset, pitch)
    }
}

fn quads(samples: usize) -> u32 {
    samples.div_ceil(4) as u32
}

/// The bytes of four samples, which the shaders handle together.
pub(super) fn quad_bytes(depth: Depth) -> usize {
    depth.bytes().saturating_mul(4)
}
