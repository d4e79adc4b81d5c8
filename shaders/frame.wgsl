// The prelude of every shader: the layout of a frame, and access to its samples.
//
// Filters work on components (R, G, B, Y, U, V), each in its own plane. Samples are read and written four at a time, as
// a vec4. Four samples of one byte take one word, four of two bytes take two words; the first sample is in the lowest
// bits. Rows are padded to whole vec4s. Around each plane there is a border, which extend.wgsl fills, so that the other
// shaders can read beyond the plane's edges. unpack.wgsl makes the planes from a frame, pack.wgsl makes a frame from
// the planes. The structs have the layout of those in src/gpu/uniforms.rs. Positions along a row in vec4s are called
// x4.

// Whether samples take two bytes instead of one.
override wide = false;

struct Component {
    // The samples from one of this component to the next in the frame.
    frame_step: u32,
    // The first vec4 of its plane, and the vec4s from one row to the next.
    offset: u32,
    pitch: u32,
    // The size in samples, and the vec4s of a row.
    width: u32,
    height: u32,
    vec4s: u32,
    unused: vec2<u32>,
}

// A plane of the frame, which may interleave several components.
struct Plane {
    // The first vec4, and the vec4s from one row to the next.
    offset: u32,
    pitch: u32,
    height: u32,
    // The samples of a pixel group, after which the order of components repeats: RGBA has 4, YUY2 has 4, I420 has 1.
    group_size: u32,
    // For each sample of a group, one of CHANNEL_*.
    channel_map: vec4<u32>,
}

// The sample keeps its value, is set to gray, or is replaced by that of the component CHANNEL_FILTER + i.
const CHANNEL_KEEP: u32 = 0u;
const CHANNEL_NEUTRAL: u32 = 1u;
const CHANNEL_FILTER: u32 = 2u;

// The lane of alpha in unpack.wgsl and pack.wgsl if colors are not multiplied by it.
const NO_ALPHA: u32 = 4u;

struct Frame {
    components: array<Component, 4>,
    planes: array<Plane, 4>,
    // The largest sample value, and its highest bit, which is gray in chroma.
    max_value: u32,
    mid_value: u32,
    // The number of unused bits below a sample's value.
    shift: u32,
    // Always 0, but the compiler cannot know that.
    zero: u32,
}

@group(0) @binding(0) var<uniform> frame: Frame;
// For unpack.wgsl and pack.wgsl the input frame; for a filter's passes the input of its first pass.
@group(0) @binding(1) var<storage, read> base: array<u32>;
// The output of the previous pass.
@group(0) @binding(2) var<storage, read> src: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;
// The pass's parameters. Those of a filter's pass start with its untouched border: left, right, up, down.
@group(0) @binding(4) var<storage, read> params: array<u32>;

// A parameter of the operation itself.
fn param(index: u32) -> u32 {
    return params[4u + index];
}

const BORDER_ZERO: u32 = 1u;
const BORDER_MIRROR: u32 = 2u;

// The index of the sample that a window reads at `position` in a row or column of `length` samples; -1 means zero.
// `mode` is a `BorderMode` of src/filters/border.rs.
fn resolve(position: i32, length: i32, mode: u32) -> i32 {
    if position >= 0 && position < length {
        return position;
    }
    if mode == BORDER_ZERO {
        return -1;
    }
    if mode == BORDER_MIRROR && length > 1 {
        let period = 2 * (length - 1);
        let distance = abs(position) % period;
        return min(distance, period - distance);
    }
    return clamp(position, 0, length - 1);
}

// The index of a vec4 in the planes' buffer; it may be in the border of the plane.
fn index_of(c: Component, x4: i32, y: i32) -> u32 {
    return u32(i32(c.offset) + y * i32(c.pitch) + x4);
}

// Four samples of the input frame as they are in memory.
fn frame_vec4(index: u32) -> vec4<u32> {
    if wide {
        return unpack_u16(vec2(base[2u * index], base[2u * index + 1u]));
    }
    return unpack4xU8(base[index]);
}

// Values are limited to the largest one, since the frame itself may be a filter's input, and its unused upper bits may
// be set.
fn base_vec4(index: u32) -> vec4<u32> {
    return min(frame_vec4(index), vec4(frame.max_value));
}

fn src_vec4(index: u32) -> vec4<u32> {
    if wide {
        return min(unpack_u16(vec2(src[2u * index], src[2u * index + 1u])), vec4(frame.max_value));
    }
    return unpack4xU8(src[index]);
}

fn write_vec4(index: u32, values: vec4<u32>) {
    if wide {
        let words = values.xz | (values.yw << vec2(16u));
        dst[2u * index] = words.x;
        dst[2u * index + 1u] = words.y;
    } else {
        dst[index] = pack4xU8(values);
    }
}

fn unpack_u16(words: vec2<u32>) -> vec4<u32> {
    return vec4(words & vec2(0xffffu), words >> vec2(16u)).xzyw;
}

// Colors multiplied by alpha, rounded.
fn premultiplied(colors: vec4<u32>, alpha: vec4<u32>) -> vec4<u32> {
    return (colors * alpha + vec4(frame.max_value / 2u)) / vec4(frame.max_value);
}

// Four of the eight samples of two neighboring vec4s, starting at `first`, 0 to 4.
fn extract4(low: vec4<u32>, high: vec4<u32>, first: u32) -> vec4<u32> {
    switch first {
        case 0u: { return low; }
        case 1u: { return vec4(low.yzw, high.x); }
        case 2u: { return vec4(low.zw, high.xy); }
        case 3u: { return vec4(low.w, high.xyz); }
        default: { return high; }
    }
}

// Writes four results of a filter. Samples in the untouched border keep their original values.
fn store(c: Component, x4: u32, y: u32, values: vec4<u32>) {
    let index = index_of(c, i32(x4), i32(y));
    let xs = vec4(x4 * 4u) + vec4(0u, 1u, 2u, 3u);
    let untouched_row = y < params[2] || y + params[3] >= c.height;
    let untouched = (xs < vec4(params[0])) | (xs + vec4(params[1]) >= vec4(c.width)) | vec4(untouched_row);
    var result = values;
    if any(untouched) {
        result = select(values, base_vec4(index), untouched);
    }
    write_vec4(index, result);
}

// Windows up to this side are held in registers, row by row.
const SMALL_WINDOW: u32 = 5u;
var<private> window: array<vec4<u32>, SMALL_WINDOW * SMALL_WINDOW>;

// Reads the windows of four samples: each element of `window` has one sample of each of the four windows.
fn load_window(c: Component, at: vec2<u32>, size: u32) {
    let radius = size / 2u;
    for (var j = 0u; j < size; j++) {
        let index = index_of(c, i32(at.x), i32(at.y) + i32(j) - i32(radius));
        let before = src_vec4(index - 1u);
        let own = src_vec4(index);
        let after = src_vec4(index + 1u);
        for (var i = 0u; i < size; i++) {
            let lane = 4u + i - radius;
            window[j * size + i] = select(extract4(own, after, lane - 4u), extract4(before, own, lane), lane < 4u);
        }
    }
}
