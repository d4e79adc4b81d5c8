// Put before every other shader: what a frame looks like, and how its samples are read.
//
// Filters work on components (R, G, B, Y, U, V), each a plane of its own, in quads: four samples in one word, or two to
// a word where they are wide, the first in the lowest bits. Rows are padded to whole quads, and around each plane is
// room for what windows see outside it: extend.wgsl writes that, so that no other shader needs to know where a plane
// ends. unpack.wgsl makes the planes from a frame, pack.wgsl a frame from them. The structs are laid out as in
// src/gpu/uniforms.rs.

// Whether samples take two bytes.
override wide = false;

struct Component {
    // In the frame: samples of any component from one of this one to its neighbour.
    frame_step: u32,
    // Its own plane: first quad, quads from row to row.
    offset: u32,
    pitch: u32,
    // In samples, and a row in quads.
    width: u32,
    height: u32,
    quads: u32,
    unused: vec2<u32>,
}

// A plane of the frame, which several components may share.
struct Plane {
    // First quad, quads from row to row.
    offset: u32,
    pitch: u32,
    height: u32,
    // The samples after which the order of components repeats, and what becomes of each of them.
    period: u32,
    sources: vec4<u32>,
}

// What becomes of a sample: one of these, or SOURCE_COMPONENT + the index of the component that it is of.
const SOURCE_ORIGINAL: u32 = 0u;
const SOURCE_NEUTRAL: u32 = 1u;
const SOURCE_COMPONENT: u32 = 2u;

struct Frame {
    components: array<Component, 4>,
    planes: array<Plane, 4>,
    // The largest value, and the middle one, which is its highest bit alone.
    largest: u32,
    middle: u32,
    // The bits of a sample below those that count.
    shift: u32,
    // 0, which the compiler cannot know.
    zero: u32,
}

@group(0) @binding(0) var<uniform> frame: Frame;
// For unpack.wgsl and pack.wgsl the frame as it came; for a filter's passes the planes that it began with.
@group(0) @binding(1) var<storage, read> base: array<u32>;
// What the pass before wrote.
@group(0) @binding(2) var<storage, read> src: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;
// The pass's parameters; those of an operation begin with the margins in which it keeps what the filter began with.
@group(0) @binding(4) var<storage, read> params: array<u32>;

// The parameters of the operation itself.
fn param(index: u32) -> u32 {
    return params[4u + index];
}

const OUTSIDE_ZERO: u32 = 1u;
const OUTSIDE_MIRROR: u32 = 2u;

// Which of `length` samples is seen at `position`, where windows see `outside` (src/filters/border.rs) outside the plane;
// -1 for a zero.
fn resolve(position: i32, length: i32, outside: u32) -> i32 {
    if position >= 0 && position < length {
        return position;
    }
    if outside == OUTSIDE_ZERO {
        return -1;
    }
    if outside == OUTSIDE_MIRROR && length > 1 {
        let period = 2 * (length - 1);
        let distance = abs(position) % period;
        return min(distance, period - distance);
    }
    return clamp(position, 0, length - 1);
}

// Where in its plane's buffer a quad lies, or one beside the plane.
fn index_of(c: Component, quad: i32, y: i32) -> u32 {
    return u32(i32(c.offset) + y * i32(c.pitch) + quad);
}

fn base_quad(index: u32) -> vec4<u32> {
    if wide {
        return halves(vec2(base[2u * index], base[2u * index + 1u]));
    }
    return unpack4xU8(base[index]);
}

fn src_quad(index: u32) -> vec4<u32> {
    if wide {
        return halves(vec2(src[2u * index], src[2u * index + 1u]));
    }
    return unpack4xU8(src[index]);
}

fn write_quad(index: u32, values: vec4<u32>) {
    if wide {
        let words = values.xz | (values.yw << vec2(16u));
        dst[2u * index] = words.x;
        dst[2u * index + 1u] = words.y;
    } else {
        dst[index] = pack4xU8(values);
    }
}

fn halves(words: vec2<u32>) -> vec4<u32> {
    return vec4(words & vec2(0xffffu), words >> vec2(16u)).xzyw;
}

// Of the eight samples of two neighbouring quads the four from `first` on, which is 0 to 4.
fn four_of(low: vec4<u32>, high: vec4<u32>, first: u32) -> vec4<u32> {
    switch first {
        case 0u: { return low; }
        case 1u: { return vec4(low.yzw, high.x); }
        case 2u: { return vec4(low.zw, high.xy); }
        case 3u: { return vec4(low.w, high.xyz); }
        default: { return high; }
    }
}

// Writes a quad, but for those samples that the filter keeps.
fn store(c: Component, quad: u32, y: u32, values: vec4<u32>) {
    let index = index_of(c, i32(quad), i32(y));
    let xs = vec4(quad * 4u) + vec4(0u, 1u, 2u, 3u);
    let keep_row = y < params[2] || y + params[3] >= c.height;
    let keep = (xs < vec4(params[0])) | (xs + vec4(params[1]) >= vec4(c.width)) | vec4(keep_row);
    var result = values;
    if any(keep) {
        result = select(values, base_quad(index), keep);
    }
    write_quad(index, result);
}

// The windows of up to this side are held in registers, row by row.
const SMALL: u32 = 5u;
var<private> window: array<vec4<u32>, SMALL * SMALL>;

// Reads the windows of the four samples of a quad.
fn load_window(c: Component, at: vec2<u32>, size: u32) {
    let radius = size / 2u;
    for (var j = 0u; j < size; j++) {
        let index = index_of(c, i32(at.x), i32(at.y) + i32(j) - i32(radius));
        let before = src_quad(index - 1u);
        let own = src_quad(index);
        let after = src_quad(index + 1u);
        for (var i = 0u; i < size; i++) {
            let place = 4u + i - radius;
            window[j * size + i] = select(four_of(own, after, place - 4u), four_of(before, own, place), place < 4u);
        }
    }
}
