// Copies each component of a frame into its own plane. One invocation reads four pixel groups of a plane.
//
// params: the plane.

override group_size: u32;
// The sample of a group by which the others are multiplied, or NO_ALPHA.
override alpha_lane: u32;

// The samples of the four groups, one after the other.
var<private> samples: array<vec4<u32>, 4>;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let plane = frame.planes[params[0]];
    if id.x * group_size >= plane.pitch || id.y >= plane.height {
        return;
    }
    for (var i = 0u; i < group_size; i++) {
        let in_memory = frame_vec4(plane.offset + id.y * plane.pitch + id.x * group_size + i);
        samples[i] = min(in_memory >> vec4(frame.shift), vec4(frame.max_value));
    }
    // Not a loop: with constant lanes, compilers keep the samples in registers.
    take_out(plane, 0u, id.xy);
    if group_size > 1u {
        take_out(plane, 1u, id.xy);
    }
    if group_size > 2u {
        take_out(plane, 2u, id.xy);
    }
    if group_size > 3u {
        take_out(plane, 3u, id.xy);
    }
}

// Writes this lane of the four groups to its component's plane.
fn take_out(plane: Plane, lane: u32, at: vec2<u32>) {
    let channel = plane.channel_map[lane];
    if channel < CHANNEL_FILTER {
        return;
    }
    let c = frame.components[channel - CHANNEL_FILTER];
    var values = samples_at(lane);
    if alpha_lane != NO_ALPHA && lane != alpha_lane {
        values = premultiplied(values, samples_at(alpha_lane));
    }
    if c.frame_step == group_size {
        write_inside(c, at.x, at.y, values);
    } else if lane < c.frame_step {
        // The luma of packed 4:2:2 occurs twice in a group.
        let others = samples_at(lane + 2u);
        write_inside(c, at.x * 2u, at.y, vec4(values.x, others.x, values.y, others.y));
        write_inside(c, at.x * 2u + 1u, at.y, vec4(values.z, others.z, values.w, others.w));
    }
}

// This lane of the four groups.
fn samples_at(lane: u32) -> vec4<u32> {
    var values = vec4(0u);
    for (var i = 0u; i < 4u; i++) {
        let at = i * group_size + lane;
        values[i] = samples[at / 4u][at % 4u];
    }
    return values;
}

fn write_inside(c: Component, x4: u32, y: u32, values: vec4<u32>) {
    if x4 < c.vec4s {
        write_vec4(index_of(c, i32(x4), i32(y)), values);
    }
}
