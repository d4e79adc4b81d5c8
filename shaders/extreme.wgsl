// The smallest or largest sample of a window, along rows or columns. One invocation makes four samples.
//
// Parameters: 0 for the smallest; for the largest the largest value, which turns the order of the samples around.

// The window's length, odd.
override size: u32;

@compute @workgroup_size(32, 4)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.quads || id.y >= c.height {
        return;
    }
    let turned = vec4(param(0u));
    let radius = size / 2u;
    let left = (radius + 3u) / 4u;
    let first = left * 4u - radius;
    var index = index_of(c, i32(id.x) - i32(left), i32(id.y));
    var low = vec4(0u);
    var high = src_quad(index) ^ turned;
    var least = vec4(frame.largest);
    for (var i = 0u; i < size; i++) {
        let place = (first + i) % 4u;
        if i == 0u || place == 0u {
            low = high;
            index++;
            high = src_quad(index) ^ turned;
        }
        least = min(least, four_of(low, high, place));
    }
    store(c, id.x, id.y, least ^ turned);
}

@compute @workgroup_size(32, 4)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.quads || id.y >= c.height {
        return;
    }
    let turned = vec4(param(0u));
    var index = index_of(c, i32(id.x), i32(id.y) - i32(size / 2u));
    var least = vec4(frame.largest);
    for (var i = 0u; i < size; i++) {
        least = min(least, src_quad(index) ^ turned);
        index += c.pitch;
    }
    store(c, id.x, id.y, least ^ turned);
}
