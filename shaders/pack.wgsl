// Writes the filtered components into a frame, mixed with the original. One invocation writes four pixel groups of a
// plane.
//
// params: the plane; the weight of the filtered frame, 0 to 256.

override group_size: u32;
// The sample of a group by which the others are multiplied, or NO_ALPHA.
override alpha_lane: u32;

// The samples of the four groups, one after the other.
var<private> samples: array<vec4<u32>, 4>;
// Alpha of the four groups, if the colors are multiplied by it.
var<private> alpha_before: vec4<u32>;
var<private> alpha_after: vec4<u32>;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let plane = frame.planes[params[0]];
    if id.x * group_size >= plane.pitch || id.y >= plane.height {
        return;
    }
    let index = plane.offset + id.y * plane.pitch + id.x * group_size;
    for (var i = 0u; i < group_size; i++) {
        samples[i] = frame_vec4(index + i);
    }
    if alpha_lane != NO_ALPHA {
        let c = frame.components[plane.channel_map[min(alpha_lane, 3u)] - CHANNEL_FILTER];
        alpha_before = samples_at(alpha_lane);
        alpha_after = mixed(alpha_before, filtered(c, alpha_lane, id.xy));
    }
    // Not a loop: with constant lanes, compilers keep the samples in registers.
    put_in(plane, 0u, id.xy);
    if group_size > 1u {
        put_in(plane, 1u, id.xy);
    }
    if group_size > 2u {
        put_in(plane, 2u, id.xy);
    }
    if group_size > 3u {
        put_in(plane, 3u, id.xy);
    }
    for (var i = 0u; i < group_size; i++) {
        if id.x * group_size + i < plane.pitch {
            write_vec4(index + i, samples[i]);
        }
    }
}

// Writes this lane of the four groups.
fn put_in(plane: Plane, lane: u32, at: vec2<u32>) {
    let channel = plane.channel_map[lane];
    if channel == CHANNEL_NEUTRAL {
        write_lane(lane, mixed(samples_at(lane), vec4(frame.mid_value)));
    } else if channel >= CHANNEL_FILTER {
        let values = filtered(frame.components[channel - CHANNEL_FILTER], lane, at);
        if alpha_lane == NO_ALPHA {
            write_lane(lane, mixed(samples_at(lane), values));
        } else if lane == alpha_lane {
            write_lane(lane, alpha_after);
        } else {
            let before = premultiplied(samples_at(lane), alpha_before);
            write_lane(lane, unpremultiplied(mixed(before, values), alpha_after));
        }
    }
}

// The component's filtered samples for this lane of the four groups.
fn filtered(c: Component, lane: u32, at: vec2<u32>) -> vec4<u32> {
    if c.frame_step == group_size {
        return src_vec4(index_of(c, i32(at.x), i32(at.y)));
    }
    // The luma of packed 4:2:2 occurs twice in a group.
    let index = index_of(c, i32(at.x * 2u), i32(at.y));
    let low = src_vec4(index);
    let high = src_vec4(index + 1u);
    return select(vec4(low.yw, high.yw), vec4(low.xz, high.xz), lane < c.frame_step);
}

// This lane of the four groups.
fn samples_at(lane: u32) -> vec4<u32> {
    var values = vec4(0u);
    for (var i = 0u; i < 4u; i++) {
        let at = i * group_size + lane;
        values[i] = samples[at / 4u][at % 4u] >> frame.shift;
    }
    return values;
}

fn write_lane(lane: u32, values: vec4<u32>) {
    for (var i = 0u; i < 4u; i++) {
        let at = i * group_size + lane;
        samples[at / 4u][at % 4u] = values[i] << frame.shift;
    }
}

// Filtered values mixed with those before.
fn mixed(before: vec4<u32>, values: vec4<u32>) -> vec4<u32> {
    return (before * (256u - params[1]) + values * params[1] + vec4(128u)) >> vec4(8u);
}

// Colors divided by alpha, rounded; 0 where they are transparent.
fn unpremultiplied(colors: vec4<u32>, alpha: vec4<u32>) -> vec4<u32> {
    let divided = (colors * frame.max_value + alpha / vec4(2u)) / max(alpha, vec4(1u));
    return select(min(divided, vec4(frame.max_value)), vec4(0u), alpha == vec4(0u));
}
