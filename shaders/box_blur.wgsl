// The mean over a box of fractional radius, along rows or columns, with the integer weights of Pillow's BoxBlur.c.
// One invocation computes SEGMENT samples of a row, or of four neighboring columns, with a running sum.
//
// Parameters: the integer part of the radius; in units of 2^-24, the weight of each sample up to that radius, and the
// weight of the next sample on either side.

const SEGMENT: u32 = 32u;

@compute @workgroup_size(8, 16)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.x * (SEGMENT / 4u);
    if begin >= c.vec4s || id.y >= c.height {
        return;
    }
    let y = i32(id.y);
    let radius = param(0u);
    // For the samples that leave the window and those that enter it: the distance to their vec4, and the lane of the
    // first.
    let back = radius / 4u + 1u;
    let leaving_first = back * 4u - radius - 1u;
    let ahead = (radius + 1u) / 4u;
    let entering_first = (radius + 1u) % 4u;
    var leaving_index = index_of(c, i32(begin) - i32(back), y);
    var entering_index = index_of(c, i32(begin + ahead), y);
    var leaving_low = src_vec4(leaving_index);
    var entering_low = src_vec4(entering_index);

    var sum = 0u;
    for (var index = leaving_index; index <= entering_index; index++) {
        // Positions before the window wrap around to large numbers.
        let positions = vec4((index - leaving_index) * 4u) + vec4(0u, 1u, 2u, 3u) - vec4(leaving_first + 1u);
        sum += dot(select(vec4(0u), src_vec4(index), positions <= vec4(2u * radius)), vec4(1u));
    }
    for (var x4 = begin; x4 < min(begin + SEGMENT / 4u, c.vec4s); x4++) {
        leaving_index++;
        entering_index++;
        let leaving_high = src_vec4(leaving_index);
        let entering_high = src_vec4(entering_index);
        let before = extract4(leaving_low, leaving_high, leaving_first);
        let after = extract4(entering_low, entering_high, entering_first);
        let change = after - extract4(leaving_low, leaving_high, leaving_first + 1u);
        let two = change.x + change.y;
        store(c, x4, id.y, weighted(vec4(sum) + vec4(0u, change.x, two, two + change.z), before + after));
        sum += two + change.z + change.w;
        leaving_low = leaving_high;
        entering_low = entering_high;
    }
}

@compute @workgroup_size(64, 2)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.y * SEGMENT;
    if id.x >= c.vec4s || begin >= c.height {
        return;
    }
    let radius = i32(param(0u));
    var leaving_index = index_of(c, i32(id.x), i32(begin) - radius);
    var entering_index = index_of(c, i32(id.x), i32(begin) + radius + 1);
    var before = src_vec4(leaving_index - c.pitch);
    var sum = vec4(0u);
    for (var index = leaving_index; index < entering_index; index += c.pitch) {
        sum += src_vec4(index);
    }
    for (var y = begin; y < min(begin + SEGMENT, c.height); y++) {
        let leaving = src_vec4(leaving_index);
        let after = src_vec4(entering_index);
        store(c, id.x, y, weighted(sum, before + after));
        sum += after - leaving;
        before = leaving;
        leaving_index += c.pitch;
        entering_index += c.pitch;
    }
}

// The weighted mean, rounded, from the sum of the inner samples and the sum of the two outer ones.
fn weighted(inside: vec4<u32>, ends: vec4<u32>) -> vec4<u32> {
    if wide {
        // The lower bytes of the sums separately, since the products would overflow 32 bits.
        let low = (inside & vec4(255u)) * param(1u) + (ends & vec4(255u)) * param(2u) + vec4(1u << 23u);
        let high = (inside >> vec4(8u)) * param(1u) + (ends >> vec4(8u)) * param(2u);
        return (high + (low >> vec4(8u))) >> vec4(16u);
    }
    return (inside * param(1u) + ends * param(2u) + vec4(1u << 23u)) >> vec4(24u);
}
