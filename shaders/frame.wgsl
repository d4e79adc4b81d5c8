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
// The frame as it came.
@group(0) @binding(1) var<storage, read> original: array<u32>;
// What the pass before wrote.
@group(0) @binding(2) var<storage, read> src: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;
// The pass's own parameters.
@group(0) @binding(4) var<storage, read> params: array<u32>;

fn original_byte(address: u32) -> u32 {
    return (original[address >> 2u] >> ((address & 3u) * 8u)) & 255u;
}

// The sample at (x, y), which must lie in the plane.
fn sample(c: Component, x: u32, y: u32) -> u32 {
    return (src[c.offset + y * c.pitch + (x >> 2u)] >> ((x & 3u) * 8u)) & 255u;
}

// The samples at x .. x + 3 of row y; outside the plane, its edge samples continue.
fn samples(c: Component, x: i32, y: i32) -> vec4<u32> {
    let row = u32(clamp(y, 0, i32(c.height) - 1));
    let last = i32(c.width) - 1;
    if x < 0 || x + 3 > last {
        let xs = vec4<u32>(clamp(vec4(x) + vec4(0, 1, 2, 3), vec4(0), vec4(last)));
        return vec4(sample(c, xs.x, row), sample(c, xs.y, row), sample(c, xs.z, row), sample(c, xs.w, row));
    }
    let word = c.offset + row * c.pitch + (u32(x) >> 2u);
    let shift = (u32(x) & 3u) * 8u;
    if shift == 0u {
        return unpack4xU8(src[word]);
    }
    return unpack4xU8((src[word] >> shift) | (src[word + 1u] << (32u - shift)));
}
