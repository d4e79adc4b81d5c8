// Gathers each component of a frame into a plane of its own. One invocation takes four periods of a plane's samples.
//
// params: the plane.

override period: u32;

// The four periods.
var<private> quads: array<vec4<u32>, 4>;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let plane = frame.planes[params[0]];
    if id.x * period >= plane.pitch || id.y >= plane.height {
        return;
    }
    for (var i = 0u; i < period; i++) {
        quads[i] = base_quad(plane.offset + id.y * plane.pitch + id.x * period + i) >> vec4(frame.shift);
    }
    // Not a loop: with the places known, compilers keep the periods in registers.
    take_out(plane, 0u, id.xy);
    if period > 1u {
        take_out(plane, 1u, id.xy);
    }
    if period > 2u {
        take_out(plane, 2u, id.xy);
    }
    if period > 3u {
        take_out(plane, 3u, id.xy);
    }
}

// Writes the samples at this place of the four periods to their component's plane.
fn take_out(plane: Plane, place: u32, at: vec2<u32>) {
    let source = plane.sources[place];
    if source < SOURCE_COMPONENT {
        return;
    }
    let c = frame.components[source - SOURCE_COMPONENT];
    let values = samples_at(place);
    if c.frame_step == period {
        write_inside(c, at.x, at.y, values);
    } else if place < c.frame_step {
        // The luma of packed 4:2:2 comes twice in a period.
        let others = samples_at(place + 2u);
        write_inside(c, at.x * 2u, at.y, vec4(values.x, others.x, values.y, others.y));
        write_inside(c, at.x * 2u + 1u, at.y, vec4(values.z, others.z, values.w, others.w));
    }
}

// The samples at this place of the four periods.
fn samples_at(place: u32) -> vec4<u32> {
    var values = vec4(0u);
    for (var i = 0u; i < 4u; i++) {
        let at = i * period + place;
        values[i] = quads[at / 4u][at % 4u];
    }
    return values;
}

fn write_inside(c: Component, quad: u32, y: u32, values: vec4<u32>) {
    if quad < c.quads {
        write_quad(index_of(c, i32(quad), i32(y)), values);
    }
}
