// The most frequent value of each window, the smallest of several; the sample itself if no value occurs three times.
// One invocation computes four samples.
//
// Parameters: 1 if windows are truncated at the plane's edges, else 0.

// The window's side, odd.
override size: u32;

// Marks samples outside the plane: no sample has this value.
const TRUNCATED: u32 = 0xffffffffu;

var<private> histogram: array<u32, 256>;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height {
        return;
    }
    var values = vec4(0u);
    if size <= SMALL_WINDOW {
        values = most_frequent_of_small(c, id.xy);
    } else {
        for (var i = 0u; i < 4u; i++) {
            values[i] = most_frequent(c, vec2<i32>(vec2(id.x * 4u + i, id.y)));
        }
    }
    store(c, id.x, id.y, values);
}

// The modes of four small windows, by comparing each sample with every other.
fn most_frequent_of_small(c: Component, at: vec2<u32>) -> vec4<u32> {
    load_window(c, at, size);
    let radius = size / 2u;
    var winner = src_vec4(index_of(c, i32(at.x), i32(at.y)));
    if param(0u) == 1u {
        for (var i = 0u; i < size * size; i++) {
            let xs = vec4(at.x * 4u + i % size - radius) + vec4(0u, 1u, 2u, 3u);
            let y = at.y + i / size - radius;
            window[i] = select(vec4(TRUNCATED), window[i], (xs < vec4(c.width)) & vec4(y < c.height));
        }
    }
    var max_count = vec4(2u);
    for (var i = 0u; i < size * size; i++) {
        let value = window[i];
        var count = vec4(0u);
        for (var j = 0u; j < size * size; j++) {
            count += vec4<u32>(window[j] == value);
        }
        let wins = (value != vec4(TRUNCATED)) & more_frequent(count, value, max_count, winner);
        max_count = select(max_count, count, wins);
        winner = select(winner, value, wins);
    }
    return winner;
}

fn more_frequent(count: vec4<u32>, value: vec4<u32>, max_count: vec4<u32>, winner: vec4<u32>) -> vec4<bool> {
    return (count > max_count) | ((count == max_count) & (count > vec4(2u)) & (value < winner));
}

fn most_frequent(c: Component, at: vec2<i32>) -> u32 {
    let radius = i32(size / 2u);
    var first = at - radius;
    var last = at + radius;
    if param(0u) == 1u {
        first = max(first, vec2(0));
        last = min(last, vec2(i32(c.width), i32(c.height)) - 1);
    }
    let own = sample(c, at.x, at.y);
    if wide {
        return most_frequent_wide(c, first, last, own);
    }
    for (var value = 0; value < 256; value++) {
        histogram[value] = 0u;
    }
    for (var y = first.y; y <= last.y; y++) {
        for (var x = first.x; x <= last.x; x++) {
            histogram[sample(c, x, y)]++;
        }
    }
    var max_count = 2u;
    var winner = own;
    for (var value = 0u; value < 256u; value++) {
        if histogram[value] > max_count {
            max_count = histogram[value];
            winner = value;
        }
    }
    return winner;
}

// For samples of two bytes a histogram would be too large: compares each sample of the window with every other.
fn most_frequent_wide(c: Component, first: vec2<i32>, last: vec2<i32>, own: u32) -> u32 {
    var max_count = 2u;
    var winner = own;
    for (var y = first.y; y <= last.y; y++) {
        for (var x = first.x; x <= last.x; x++) {
            let value = sample(c, x, y);
            let count = count_of(c, first, last, value);
            if count > max_count || (count == max_count && count > 2u && value < winner) {
                max_count = count;
                winner = value;
            }
        }
    }
    return winner;
}

fn count_of(c: Component, first: vec2<i32>, last: vec2<i32>, value: u32) -> u32 {
    var count = 0u;
    for (var y = first.y; y <= last.y; y++) {
        for (var x = first.x; x <= last.x; x++) {
            count += u32(sample(c, x, y) == value);
        }
    }
    return count;
}

fn sample(c: Component, x: i32, y: i32) -> u32 {
    return src_vec4(index_of(c, x >> 2u, y))[u32(x) & 3u];
}
