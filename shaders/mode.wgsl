// The most frequent value of each window, the smallest of several; the sample itself where none comes three times.
// One invocation makes four samples.
//
// Parameters: how far the window reaches from its middle.

var<private> histogram: array<u32, 256>;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.pitch || id.y >= c.height {
        return;
    }
    var values = vec4(0u);
    for (var i = 0; i < 4; i++) {
        values[i] = most_frequent(c, i32(id.x) * 4 + i, i32(id.y));
    }
    store(c, id.x, id.y, values);
}

fn most_frequent(c: Component, x: i32, y: i32) -> u32 {
    let radius = i32(param(0u));
    var first = vec2(x, y) - radius;
    var last = vec2(x, y) + radius;
    if params[0] == OUTSIDE_NOTHING {
        first = max(first, vec2(0));
        last = min(last, vec2(i32(c.width), i32(c.height)) - 1);
    }
    for (var value = 0; value < 256; value++) {
        histogram[value] = 0u;
    }
    for (var row = first.y; row <= last.y; row++) {
        for (var column = first.x; column <= last.x; column++) {
            histogram[sample_at(c, column, row)]++;
        }
    }
    var most = 2u;
    var winner = sample_at(c, x, y);
    for (var value = 0u; value < 256u; value++) {
        if histogram[value] > most {
            most = histogram[value];
            winner = value;
        }
    }
    return winner;
}
