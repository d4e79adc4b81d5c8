// Put before every other shader: what a frame looks like, and how its samples are read.
//
// Filters work on components (R, G, B, Y, U, V), each a plane of 8-bit samples of its own, four to a word, the first
// in the lowest byte, rows padded to whole words. unpack.wgsl makes these planes from a frame, pack.wgsl a frame from
// them. The structs are laid out as in src/gpu/uniforms.rs.

struct Component {
    // In the frame: byte offset of the first sample, bytes from row to row, bytes from sample to sample.
    frame_offset: u32,
    frame_pitch: u32,
    frame_step: u32,
    // Its own plane: first word, words from row to row.
    offset: u32,
    pitch: u32,
    // In samples.
    width: u32,
    height: u32,
    unused: u32,
}

// A plane of the frame, of which several components may share the bytes.
struct Plane {
    // First word, words from row to row.
    offset: u32,
    pitch: u32,
    height: u32,
    // The bytes after which the order of components repeats, and the source of each of them (see pack.wgsl).
    period: u32,
    sources: vec4<u32>,
}

struct Frame {
    components: array<Component, 4>,
    planes: array<Plane, 4>,
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

fn base_byte(address: u32) -> u32 {
    return (base[address >> 2u] >> ((address & 3u) * 8u)) & 255u;
}

// The sample at (x, y), which must lie in the plane.
fn sample(c: Component, x: u32, y: u32) -> u32 {
    return (src[c.offset + y * c.pitch + (x >> 2u)] >> ((x & 3u) * 8u)) & 255u;
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
    let word = c.offset + u32(y) * c.pitch + (u32(x) >> 2u);
    let shift = (u32(x) & 3u) * 8u;
    if shift == 0u {
        return unpack4xU8(src[word]);
    }
    return unpack4xU8((src[word] >> shift) | (src[word + 1u] << (32u - shift)));
}

// The four samples of a word of row y, which may lie above or below the plane.
fn column_samples(c: Component, word: u32, y: i32) -> vec4<u32> {
    let row = resolve(y, i32(c.height));
    if row < 0 {
        return vec4(0u);
    }
    return unpack4xU8(src[c.offset + u32(row) * c.pitch + word]);
}

// Writes the four samples of a word of row y, but for those that the filter keeps.
fn store(c: Component, word: u32, y: u32, values: vec4<u32>) {
    let xs = vec4(word * 4u) + vec4(0u, 1u, 2u, 3u);
    let keep_row = y < params[3] || y + params[4] >= c.height;
    let keep = (xs < vec4(params[1])) | (xs + vec4(params[2]) >= vec4(c.width)) | vec4(keep_row);
    let address = c.offset + y * c.pitch + word;
    dst[address] = pack4xU8(select(values, unpack4xU8(base[address]), keep));
}
