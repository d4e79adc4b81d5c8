// The smallest or largest sample of a window, along rows or columns. One invocation computes four samples.
//
// Parameters: the mask that samples are XORed with before and after: 0 for the smallest; the maximum value, which
// reverses the order of samples, for the largest.

// The window's length, odd.
override size: u32;

@compute @workgroup_size(32, 4)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height {
        return;
    }
    let flip = vec4(param(0u));
    let radius = size / 2u;
    let left = (radius + 3u) / 4u;
    let first = left * 4u - radius;
    var index = index_of(c, i32(id.x) - i32(left), i32(id.y));
    var low = vec4(0u);
    var high = src_vec4(index) ^ flip;
    var smallest = vec4(frame.max_value);
    for (var i = 0u; i < size; i++) {
        let lane = (first + i) % 4u;
        if i == 0u || lane == 0u {
            low = high;
            index++;
            high = src_vec4(index) ^ flip;
        }
        smallest = min(smallest, extract4(low, high, lane));
    }
    store(c, id.x, id.y, smallest ^ flip);
}

@compute @workgroup_size(32, 4)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height {
        return;
    }
    let flip = vec4(param(0u));
    var index = index_of(c, i32(id.x), i32(id.y) - i32(size / 2u));
    var smallest = vec4(frame.max_value);
    for (var i = 0u; i < size; i++) {
        smallest = min(smallest, src_vec4(index) ^ flip);
        index += c.pitch;
    }
    store(c, id.x, id.y, smallest ^ flip);
}
