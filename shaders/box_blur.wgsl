// The mean over a box of fractional radius, along rows or columns, with the integer weights of Pillow's BoxBlur.c.
// One invocation makes SEGMENT samples of a row, or of four neighbouring columns, moving a running sum along.
//
// Parameters: whole radius, weight of a sample inside, weight of the one beyond either end (both in 2^-24).

const SEGMENT: u32 = 32u;

@compute @workgroup_size(8, 16)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.x * (SEGMENT / 4u);
    if begin >= c.quads || id.y >= c.height {
        return;
    }
    let y = i32(id.y);
    let radius = param(0u);
    // The samples that leave the window, and those that enter it: how many quads away, and which of that quad's is the first.
    let back = radius / 4u + 1u;
    let leaving_first = back * 4u - radius - 1u;
    let ahead = (radius + 1u) / 4u;
    let entering_first = (radius + 1u) % 4u;
    var leaving_index = index_of(c, i32(begin) - i32(back), y);
    var entering_index = index_of(c, i32(begin + ahead), y);
    var leaving_low = src_quad(leaving_index);
    var entering_low = src_quad(entering_index);

    var sum = 0u;
    for (var index = leaving_index; index <= entering_index; index++) {
        let places = vec4((index - leaving_index) * 4u) + vec4(0u, 1u, 2u, 3u) - vec4(leaving_first + 1u);
        sum += dot(select(vec4(0u), src_quad(index), places <= vec4(2u * radius)), vec4(1u));
    }
    for (var quad = begin; quad < min(begin + SEGMENT / 4u, c.quads); quad++) {
        leaving_index++;
        entering_index++;
        let leaving_high = src_quad(leaving_index);
        let entering_high = src_quad(entering_index);
        let before = four_of(leaving_low, leaving_high, leaving_first);
        let after = four_of(entering_low, entering_high, entering_first);
        let change = after - four_of(leaving_low, leaving_high, leaving_first + 1u);
        let two = change.x + change.y;
        store(c, quad, id.y, weighted(vec4(sum) + vec4(0u, change.x, two, two + change.z), before + after));
        sum += two + change.z + change.w;
        leaving_low = leaving_high;
        entering_low = entering_high;
    }
}

@compute @workgroup_size(64, 2)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let begin = id.y * SEGMENT;
    if id.x >= c.quads || begin >= c.height {
        return;
    }
    let radius = i32(param(0u));
    var leaving_index = index_of(c, i32(id.x), i32(begin) - radius);
    var entering_index = index_of(c, i32(id.x), i32(begin) + radius + 1);
    var before = src_quad(leaving_index - c.pitch);
    var sum = vec4(0u);
    for (var index = leaving_index; index < entering_index; index += c.pitch) {
        sum += src_quad(index);
    }
    for (var y = begin; y < min(begin + SEGMENT, c.height); y++) {
        let leaving = src_quad(leaving_index);
        let after = src_quad(entering_index);
        store(c, id.x, y, weighted(sum, before + after));
        sum += after - leaving;
        before = leaving;
        leaving_index += c.pitch;
        entering_index += c.pitch;
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
