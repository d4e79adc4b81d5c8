//! The layout of a frame on the GPU: the structs of `shaders/frame.wgsl`, which documents their fields, and of
//! `shaders/user.wgsl`.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::filters::{Alpha, Margins, Plan, PlaneAction};
use crate::layout::{ComponentKind, Depth, Layout};

/// The maximum number of components, and of planes, of a frame.
const MAX: usize = 4;

pub(super) const NO_ALPHA: u32 = 4;
pub(super) const CHANNEL_KEEP: u32 = 0;
pub(super) const CHANNEL_NEUTRAL: u32 = 1;
pub(super) const CHANNEL_FILTER: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Component {
    pub(super) frame_step: u32,
    pub(super) offset: u32,
    pub(super) pitch: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) vec4s: u32,
    pub(super) unused: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Plane {
    pub(super) offset: u32,
    pub(super) pitch: u32,
    pub(super) height: u32,
    pub(super) group_size: u32,
    pub(super) channel_map: [u32; MAX],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct Frame {
    pub(super) components: [Component; MAX],
    pub(super) planes: [Plane; MAX],
    pub(super) max_value: u32,
    pub(super) mid_value: u32,
    pub(super) shift: u32,
    pub(super) zero: u32,
}

/// The state of a user's shader: whether it exceeded the loop limit, and the frame's time in the stream.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct UserState {
    pub(super) runaway: u32,
    pub(super) seconds: f32,
}

/// The layout of a frame on the GPU, and sizes that follow from it.
pub(super) struct Geometry {
    pub(super) uniforms: Frame,
    /// The number of used `uniforms.components`: those that are filtered.
    components: usize,
    /// The number of used `uniforms.planes`.
    planes: usize,
    /// The size of the frame.
    pub(super) frame_bytes: u64,
    /// The size of all filtered components' planes together.
    pub(super) component_bytes: u64,
    /// Whether the frame's planes are its components' planes, so that no unpacking or packing is needed.
    pub(super) planar: bool,
    /// The bytes of a planar frame that are not filtered.
    pub(super) unfiltered: Vec<Range<u64>>,
    /// The sample of a pixel group that is alpha, if colors are filtered multiplied by it, or [`NO_ALPHA`].
    pub(super) alpha_lane: u32,
}

impl Geometry {
    /// The filtered components.
    pub(super) fn components(&self) -> &[Component] {
        self.uniforms.components.get(..self.components).unwrap_or_default()
    }

    /// The frame's planes.
    pub(super) fn planes(&self) -> &[Plane] {
        self.uniforms.planes.get(..self.planes).unwrap_or_default()
    }

    /// The geometry for passes whose maximum reach is `reach`.
    pub(super) fn new(layout: &Layout, plan: &Plan, reach: Margins) -> Self {
        let depth = layout.depth;
        let planar = is_planar(layout, plan);
        let mut uniforms =
            Frame { max_value: depth.max(), mid_value: depth.gray(), shift: depth.shift, ..Frame::default() };
        let mut in_frame = PlaneAllocator::new(if planar { reach } else { Margins::default() });
        for (plane, of_layout) in uniforms.planes.iter_mut().zip(&layout.planes) {
            let vec4s = of_layout.row_bytes.div_ceil(vec4_bytes(depth)) as u32;
            (plane.offset, plane.pitch) = in_frame.allocate(vec4s, of_layout.height);
            plane.height = of_layout.height as u32;
            plane.group_size = 1;
        }

        let bytes = |vec4s: u32| u64::from(vec4s).saturating_mul(vec4_bytes(depth) as u64);
        let mut filtered = Vec::new();
        let mut in_components = PlaneAllocator::new(reach);
        let mut unfiltered = Vec::new();
        for of_layout in &layout.components {
            let Some(plane) = uniforms.planes.get_mut(of_layout.plane) else { continue };
            let step = of_layout.step as u32;
            plane.group_size = plane.group_size.max(step);
            let channel = match plan.action(of_layout.kind) {
                PlaneAction::Keep => {
                    // The last row may have no padding.
                    let last_row = plane.pitch.saturating_mul(plane.height.saturating_sub(1));
                    let end = plane.offset.saturating_add(last_row).saturating_add(vec4s(of_layout.width));
                    unfiltered.push(bytes(plane.offset)..bytes(end));
                    CHANNEL_KEEP
                }
                PlaneAction::Neutral => CHANNEL_NEUTRAL,
                PlaneAction::Filter => {
                    let (offset, pitch) = match planar {
                        true => (plane.offset, plane.pitch),
                        false => in_components.allocate(vec4s(of_layout.width), of_layout.height),
                    };
                    let channel = CHANNEL_FILTER.saturating_add(filtered.len() as u32);
                    filtered.push(Component {
                        frame_step: step,
                        offset,
                        pitch,
                        width: of_layout.width as u32,
                        height: of_layout.height as u32,
                        vec4s: vec4s(of_layout.width),
                        unused: [0; 2],
                    });
                    channel
                }
            };
            // The luma of YUY2 has a step of 2 and the chroma has a step of 4, so luma occurs twice in a group.
            for entry in plane.channel_map.iter_mut().skip(of_layout.offset).step_by(of_layout.step) {
                *entry = channel;
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
            frame_bytes: bytes(in_frame.vec4s),
            component_bytes: bytes(in_components.vec4s),
            planar,
            unfiltered: if planar { unfiltered } else { Vec::new() },
            alpha_lane: alpha_lane(layout, plan),
        }
    }
}

fn alpha_lane(layout: &Layout, plan: &Plan) -> u32 {
    let alpha = layout.components.iter().find(|component| component.kind == ComponentKind::Alpha);
    alpha.filter(|_| plan.alpha == Alpha::Premultiply).map_or(NO_ALPHA, |alpha| alpha.offset as u32)
}

/// Whether each component has its own plane, and filtered samples simply replace it.
fn is_planar(layout: &Layout, plan: &Plan) -> bool {
    let filtered = plan.filters.iter().any(|filter| !filter.passes.is_empty());
    let replaced = layout
        .components
        .iter()
        .all(|component| component.step == 1 && plan.action(component.kind) != PlaneAction::Neutral);
    filtered && replaced && layout.depth.shift == 0 && plan.mix == 256
}

/// Allocates planes with borders in a buffer. All sizes are in vec4s.
struct PlaneAllocator {
    left: u32,
    right: u32,
    up: u32,
    down: u32,
    /// The size of the buffer so far.
    vec4s: u32,
}

impl PlaneAllocator {
    fn new(margins: Margins) -> Self {
        let Margins { left, right, up, down } = margins;
        Self { left: left.div_ceil(4), right: right.div_ceil(4), up, down, vec4s: 0 }
    }

    /// Returns a plane's first vec4, and the vec4s from one row to the next. Sizes saturate at 32 bits: such buffers
    /// are too large for any device.
    fn allocate(&mut self, width: u32, height: usize) -> (u32, u32) {
        let pitch = self.left.saturating_add(width).saturating_add(self.right);
        let above = self.up.saturating_mul(pitch);
        let offset = self.vec4s.saturating_add(above).saturating_add(self.left);
        let rows = self.up.saturating_add(height as u32).saturating_add(self.down);
        self.vec4s = self.vec4s.saturating_add(pitch.saturating_mul(rows));
        (offset, pitch)
    }
}

fn vec4s(samples: usize) -> u32 {
    samples.div_ceil(4) as u32
}

/// The bytes of four samples, which the shaders process together.
pub(super) fn vec4_bytes(depth: Depth) -> usize {
    depth.bytes().saturating_mul(4)
}
