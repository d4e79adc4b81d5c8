// The mean over a box of fractional radius, along rows or columns, with the integer weights of Pillow's BoxBlur.c.
// One invocation makes SEGMENT samples of a row, or of four neighbouring columns, moving a running sum along.
//
// Parameters: whole radius, weight of a sample inside, weight of the one beyond either end (both in 2^-24).

const SEGMENT: u32 = 32u;

@compute @workgroup_size(8, 16)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.x * SEGMENT;
    if begin >= c.width || id.y >= c.height {
        return;
    }
    let radius = i32(param(0u));
    let y = i32(id.y);
    var sum = 0u;
    for (var d = -radius; d <= radius; d++) {
        sum += sample_at(c, i32(begin) + d, y);
    }
    for (var x = begin; x < min(begin + SEGMENT, c.width); x += 4u) {
        var quad = vec4(0u);
        for (var i = 0u; i < 4u; i++) {
            let centre = i32(x + i);
            let before = sample_at(c, centre - radius - 1, y);
            let after = sample_at(c, centre + radius + 1, y);
            quad[i] = weighted(vec4(sum), vec4(before + after)).x;
            sum += after - sample_at(c, centre - radius, y);
        }
        store(c, x >> 2u, id.y, quad);
    }
}

@compute @workgroup_size(64, 2)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.y * SEGMENT;
    if id.x >= c.pitch || begin >= c.height {
        return;
    }
    let radius = i32(param(0u));
    var sum = vec4(0u);
    for (var d = -radius; d <= radius; d++) {
        sum += column_samples(c, id.x, i32(begin) + d);
    }
    for (var y = begin; y < min(begin + SEGMENT, c.height); y++) {
        let before = column_samples(c, id.x, i32(y) - radius - 1);
        let after = column_samples(c, id.x, i32(y) + radius + 1);
        store(c, id.x, y, weighted(sum, before + after));
        sum += after - column_samples(c, id.x, i32(y) - radius);
    }
}

// The sum of a window's samples and that of its ends, each by its weight.
fn weighted(inside: vec4<u32>, ends: vec4<u32>) -> vec4<u32> {
    if wide {
        // The lower byte of either sum by itself: their products would not fit into 32 bits.
        let low = (inside & vec4(255u)) * param(1u) + (ends & vec4(255u)) * param(2u) + vec4(1u << 23u);
        let high = (inside >> vec4(8u)) * param(1u) + (ends >> vec4(8u)) * param(2u);
        return (high + (low >> vec4(8u))) >> vec4(16u);
    }
    return (inside * param(1u) + ends * param(2u) + vec4(1u << 23u)) >> vec4(24u);
}
