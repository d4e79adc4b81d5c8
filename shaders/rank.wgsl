// The rank-th smallest value of each window, found bit by bit: the largest value below which no more than `rank`
// samples lie. One invocation makes four samples.
//
// Parameters: the window's side (odd), rank (from 0).

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.pitch || id.y >= c.height {
        return;
    }
    let radius = i32(param(0u) / 2u);
    let rank = vec4(param(1u));
    let x = i32(id.x * 4u);
    let y = i32(id.y);

    var value = vec4(0u);
    for (var bit = frame.middle; bit > 0u; bit >>= 1u) {
        let candidate = value | vec4(bit);
        var below = vec4(0u);
        for (var dy = -radius; dy <= radius; dy++) {
            for (var dx = -radius; dx <= radius; dx++) {
                below += select(vec4(0u), vec4(1u), samples(c, x + dx, y + dy) < candidate);
            }
        }
        value = select(value, candidate, below <= rank);
    }
    store(c, id.x, id.y, value);
}
