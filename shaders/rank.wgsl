// The rank-th smallest value of each window, found bit by bit: it is the largest value such that at most `rank` samples
// are smaller. One invocation computes four samples.
//
// Parameters: the rank, from 0.

// The window's side, odd.
override size: u32;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height {
        return;
    }
    let rank = vec4(param(0u));
    if size <= SMALL_WINDOW {
        load_window(c, id.xy, size);
    }

    var value = vec4(0u);
    for (var bit = frame.mid_value; bit > 0u; bit >>= 1u) {
        let candidate = value | vec4(bit);
        var below = vec4(0u);
        if size <= SMALL_WINDOW {
            for (var i = 0u; i < size * size; i++) {
                below += vec4<u32>(window[i] < candidate);
            }
        } else {
            below = count_below(c, id.xy, candidate);
        }
        value = select(value, candidate, below <= rank);
    }
    store(c, id.x, id.y, value);
}

// The number of samples of each large window that are smaller than `candidate`.
fn count_below(c: Component, at: vec2<u32>, candidate: vec4<u32>) -> vec4<u32> {
    let radius = size / 2u;
    let left = (radius + 3u) / 4u;
    let first = left * 4u - radius;
    var below = vec4(0u);
    for (var j = 0u; j < size; j++) {
        var index = index_of(c, i32(at.x) - i32(left), i32(at.y) + i32(j) - i32(radius));
        var low = vec4(0u);
        var high = src_vec4(index);
        for (var i = 0u; i < size; i++) {
            let lane = (first + i) % 4u;
            if i == 0u || lane == 0u {
                low = high;
                index++;
                high = src_vec4(index);
            }
            below += vec4<u32>(extract4(low, high, lane) < candidate);
        }
    }
    return below;
}
