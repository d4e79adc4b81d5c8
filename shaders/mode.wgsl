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
    let own = sample_at(c, x, y);
    if wide {
        return most_frequent_wide(c, first, last, own);
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
    var winner = own;
    for (var value = 0u; value < 256u; value++) {
        if histogram[value] > most {
            most = histogram[value];
            winner = value;
        }
    }
    return winner;
}

// A histogram would have too many values: counts each sample of the window by comparing it with every one.
fn most_frequent_wide(c: Component, first: vec2<i32>, last: vec2<i32>, own: u32) -> u32 {
    var most = 2u;
    var winner = own;
    for (var row = first.y; row <= last.y; row++) {
        for (var column = first.x; column <= last.x; column++) {
            let value = sample_at(c, column, row);
            let count = count_of(c, first, last, value);
            if count > most || (count == most && count > 2u && value < winner) {
                most = count;
                winner = value;
            }
        }
    }
    return winner;
}

fn count_of(c: Component, first: vec2<i32>, last: vec2<i32>, value: u32) -> u32 {
    var count = 0u;
    for (var row = first.y; row <= last.y; row++) {
        for (var column = first.x; column <= last.x; column++) {
            count += u32(sample_at(c, column, row) == value);
        }
    }
    return count;
}
