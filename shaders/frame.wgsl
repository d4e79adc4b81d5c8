// Put before every other shader: what a frame looks like, and how its samples are read.
//
// Filters work on components (R, G, B, Y, U, V), each a plane of its own, in quads: four samples in one word, or two to
// a word where they are wide, the first in the lowest bits. Rows are padded to whole quads. unpack.wgsl makes these
// planes from a frame, pack.wgsl a frame from them. The structs are laid out as in src/gpu/uniforms.rs.

// Whether samples take two bytes.
override wide = false;

struct Component {
    // In the frame: the first sample, samples of any component from row to row and from one of this one to the next.
    frame_offset: u32,
    frame_pitch: u32,
    frame_step: u32,
    // Its own plane: first quad, quads from row to row.
    offset: u32,
    pitch: u32,
    // In samples.
    width: u32,
    height: u32,
    unused: u32,
}

// A plane of the frame, which several components may share.
struct Plane {
    // First quad, quads from row to row.
    offset: u32,
    pitch: u32,
    height: u32,
    // The samples after which the order of components repeats, and the source of each of them (see pack.wgsl).
    period: u32,
    sources: vec4<u32>,
}

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
// The pass's parameters; a filter's begin with the five of `outside` and `keep` (src/filters/border.rs).
@group(0) @binding(4) var<storage, read> params: array<u32>;

const OUTSIDE_CLAMP: u32 = 0u;
const OUTSIDE_ZERO: u32 = 1u;
const OUTSIDE_MIRROR: u32 = 2u;
const OUTSIDE_NOTHING: u32 = 3u;

// The parameters of the operation itself.
fn param(index: u32) -> u32 {
    return params[5u + index];
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

// The sample of `base` at `address`, in samples.
fn base_sample(address: u32) -> u32 {
    if wide {
        return (base[address >> 1u] >> ((address & 1u) * 16u)) & 0xffffu;
    }
    return (base[address >> 2u] >> ((address & 3u) * 8u)) & 0xffu;
}

// The sample at (x, y), which must lie in the plane.
fn sample(c: Component, x: u32, y: u32) -> u32 {
    let address = (c.offset + y * c.pitch) * 4u + x;
    if wide {
        return (src[address >> 1u] >> ((address & 1u) * 16u)) & 0xffffu;
    }
    return (src[address >> 2u] >> ((address & 3u) * 8u)) & 0xffu;
}

// Which of `length` samples stands at `position`, or -1 for a zero.
fn resolve(position: i32, length: i32) -> i32 {
    if position >= 0 && position < length {
        return position;
    }
    if params[0] == OUTSIDE_ZERO {
        return -1;
    }
    if params[0] == OUTSIDE_MIRROR && length > 1 {
        let period = 2 * (length - 1);
        let distance = abs(position) % period;
        return min(distance, period - distance);
    }
    return clamp(position, 0, length - 1);
}

// The sample at (x, y), wherever that is.
fn sample_at(c: Component, x: i32, y: i32) -> u32 {
    let column = resolve(x, i32(c.width));
    let row = resolve(y, i32(c.height));
    if column < 0 || row < 0 {
        return 0u;
    }
    return sample(c, u32(column), u32(row));
}

// The samples at x .. x + 3 of row y, wherever they are.
fn samples(c: Component, x: i32, y: i32) -> vec4<u32> {
    if x < 0 || x + 3 >= i32(c.width) || y < 0 || y >= i32(c.height) {
        return vec4(sample_at(c, x, y), sample_at(c, x + 1, y), sample_at(c, x + 2, y), sample_at(c, x + 3, y));
    }
    let quad = c.offset + u32(y) * c.pitch + (u32(x) >> 2u);
    let first = src_quad(quad);
    switch u32(x) & 3u {
        case 1u: { return vec4(first.yzw, src_quad(quad + 1u).x); }
        case 2u: { return vec4(first.zw, src_quad(quad + 1u).xy); }
        case 3u: { return vec4(first.w, src_quad(quad + 1u).xyz); }
        default: { return first; }
    }
}

// The four samples of a quad of row y, which may lie above or below the plane.
fn column_samples(c: Component, quad: u32, y: i32) -> vec4<u32> {
    let row = resolve(y, i32(c.height));
    if row < 0 {
        return vec4(0u);
    }
    return src_quad(c.offset + u32(row) * c.pitch + quad);
}

// Writes the four samples of a quad of row y, but for those that the filter keeps.
fn store(c: Component, quad: u32, y: u32, values: vec4<u32>) {
    let xs = vec4(quad * 4u) + vec4(0u, 1u, 2u, 3u);
    let keep_row = y < params[3] || y + params[4] >= c.height;
    let keep = (xs < vec4(params[1])) | (xs + vec4(params[2]) >= vec4(c.width)) | vec4(keep_row);
    let index = c.offset + y * c.pitch + quad;
    write_quad(index, select(values, base_quad(index), keep));
}
