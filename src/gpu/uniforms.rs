//! What the shaders know of a frame: `struct Frame` of `shaders/frame.wgsl`.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::filters::{Margins, Plan, Treatment};
use crate::frame::{Depth, Layout};

/// A frame has at most this many components, and planes.
const MAX: usize = 4;

const SOURCE_ORIGINAL: u32 = 0;
const SOURCE_NEUTRAL: u32 = 1;
const SOURCE_COMPONENT: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Component {
    frame_step: u32,
    offset: u32,
    pitch: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) quads: u32,
    unused: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Plane {
    pub(super) offset: u32,
    pub(super) pitch: u32,
    pub(super) height: u32,
    pub(super) period: u32,
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
    /// The geometry for passes whose windows reach no further than `reach`.
    pub(super) fn new(layout: &Layout, plan: &Plan, reach: Margins) -> Self {
        let depth = layout.depth;
        let planar = is_planar(layout, plan);
        let mut uniforms = Frame { largest: depth.max(), middle: depth.grey(), shift: depth.shift, ..Frame::default() };
        let mut in_frame = Space::new(if planar { reach } else { Margins::default() });
        for (plane, of_layout) in uniforms.planes.iter_mut().zip(&layout.planes) {
            let samples = of_layout.row_bytes / depth.bytes();
            (plane.offset, plane.pitch) = in_frame.place(samples, of_layout.height);
            plane.height = of_layout.height as u32;
            plane.period = 1;
        }

        let quad_bytes = quad_bytes(depth) as u64;
        let mut components = 0;
        let mut in_components = Space::new(reach);
        let mut kept = Vec::new();
        for of_layout in &layout.components {
            let plane = &mut uniforms.planes[of_layout.plane];
            let step = of_layout.step as u32;
            plane.period = plane.period.max(step);
            let source = match plan.treatment(of_layout.meaning) {
                Treatment::Keep => {
                    // The last row may lack its margin.
                    let rows_before = plane.height.saturating_sub(1);
                    let quads = plane.pitch * rows_before + quads(of_layout.width) * (plane.height - rows_before);
                    kept.push(u64::from(plane.offset) * quad_bytes..u64::from(plane.offset + quads) * quad_bytes);
                    SOURCE_ORIGINAL
                }
                Treatment::Neutral => SOURCE_NEUTRAL,
                Treatment::Filter => {
                    let (offset, pitch) = match planar {
                        true => (plane.offset, plane.pitch),
                        false => in_components.place(of_layout.width, of_layout.height),
                    };
                    uniforms.components[components] = Component {
                        frame_step: step,
                        offset,
                        pitch,
                        width: of_layout.width as u32,
                        height: of_layout.height as u32,
                        quads: quads(of_layout.width),
                        unused: [0; 2],
                    };
                    components += 1;
                    SOURCE_COMPONENT + components as u32 - 1
                }
            };
            // A component with a step of 2 beside one of 4 (YUY2) comes twice in a period.
            for sample in (of_layout.offset..MAX).step_by(of_layout.step) {
                plane.sources[sample] = source;
            }
        }
        let in_components = if planar { &in_frame } else { &in_components };
        Self {
            uniforms,
            components,
            planes: layout.planes.len(),
            frame_bytes: u64::from(in_frame.quads) * quad_bytes,
            component_bytes: u64::from(in_components.quads) * quad_bytes,
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
        .all(|component| component.step == 1 && plan.treatment(component.meaning) != Treatment::Neutral);
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

    /// A plane's first quad, and quads from row to row.
    fn place(&mut self, width: usize, height: usize) -> (u32, u32) {
        let pitch = self.left + quads(width) + self.right;
        let offset = self.quads + self.up * pitch + self.left;
        self.quads += pitch * (self.up + height as u32 + self.down);
        (offset, pitch)
    }
}

fn quads(samples: usize) -> u32 {
    samples.div_ceil(4) as u32
}

/// The bytes of four samples, which the shaders handle together.
pub(super) fn quad_bytes(depth: Depth) -> usize {
    4 * depth.bytes()
}
