// The mean over a box of fractional radius, along rows or columns, with the integer weights of Pillow's BoxBlur.c.
// One invocation makes SEGMENT samples of a row, or of four neighbouring columns, moving a running sum along.
//
// params: whole radius, weight of a sample inside, weight of the one beyond either end (both in 2^-24).

const SEGMENT: u32 = 32u;

@compute @workgroup_size(8, 16)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.x * SEGMENT;
    if begin >= c.width || id.y >= c.height {
        return;
    }
    let radius = i32(params[0]);
    var sum = 0u;
    for (var d = -radius; d <= radius; d++) {
        sum += clamped(c, i32(begin) + d, id.y);
    }
    for (var x = begin; x < min(begin + SEGMENT, c.width); x += 4u) {
        var word = vec4(0u);
        for (var i = 0u; i < 4u; i++) {
            let centre = i32(x + i);
            let before = clamped(c, centre - radius - 1, id.y);
            let after = clamped(c, centre + radius + 1, id.y);
            word[i] = weighted(vec4(sum), vec4(before + after)).x;
            sum += after - clamped(c, centre - radius, id.y);
        }
        dst[c.offset + id.y * c.pitch + (x >> 2u)] = pack4xU8(word);
    }
}

@compute @workgroup_size(64, 2)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.y * SEGMENT;
    if id.x >= c.pitch || begin >= c.height {
        return;
    }
    let radius = i32(params[0]);
    var sum = vec4(0u);
    for (var d = -radius; d <= radius; d++) {
        sum += column(c, id.x, i32(begin) + d);
    }
    for (var y = begin; y < min(begin + SEGMENT, c.height); y++) {
        let before = column(c, id.x, i32(y) - radius - 1);
        let after = column(c, id.x, i32(y) + radius + 1);
        dst[c.offset + y * c.pitch + id.x] = pack4xU8(weighted(sum, before + after));
        sum += after - column(c, id.x, i32(y) - radius);
    }
}

fn clamped(c: Component, x: i32, y: u32) -> u32 {
    return sample(c, u32(clamp(x, 0, i32(c.width) - 1)), y);
}

// The four samples of a word of row y.
fn column(c: Component, word: u32, y: i32) -> vec4<u32> {
    return unpack4xU8(src[c.offset + u32(clamp(y, 0, i32(c.height) - 1)) * c.pitch + word]);
}

fn weighted(inside: vec4<u32>, ends: vec4<u32>) -> vec4<u32> {
    return (inside * params[1] + ends * params[2] + vec4(1u << 23u)) >> vec4(24u);
}
