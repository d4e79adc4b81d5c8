// Puts the components back into a frame and mixes it with the original. One invocation makes four periods of a plane's
// samples.
//
// params: the plane, the filtered frame's share in 256ths.

override period: u32;

// The four periods.
var<private> quads: array<vec4<u32>, 4>;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let plane = frame.planes[params[0]];
    if id.x * period >= plane.pitch || id.y >= plane.height {
        return;
    }
    let index = plane.offset + id.y * plane.pitch + id.x * period;
    for (var i = 0u; i < period; i++) {
        quads[i] = base_quad(index + i);
    }
    // Not a loop: with the places known, compilers keep the periods in registers.
    put_in(plane, 0u, id.xy);
    if period > 1u {
        put_in(plane, 1u, id.xy);
    }
    if period > 2u {
        put_in(plane, 2u, id.xy);
    }
    if period > 3u {
        put_in(plane, 3u, id.xy);
    }
    for (var i = 0u; i < period; i++) {
        if id.x * period + i < plane.pitch {
            write_quad(index + i, quads[i]);
        }
    }
}

// Writes the samples of this place of the four periods.
fn put_in(plane: Plane, place: u32, at: vec2<u32>) {
    let source = plane.sources[place];
    if source == SOURCE_NEUTRAL {
        mix_in(place, vec4(frame.middle));
    } else if source >= SOURCE_COMPONENT {
        mix_in(place, filtered(frame.components[source - SOURCE_COMPONENT], place, at));
    }
}

// The component's samples for this place of the four periods.
fn filtered(c: Component, place: u32, at: vec2<u32>) -> vec4<u32> {
    if c.frame_step == period {
        return src_quad(index_of(c, i32(at.x), i32(at.y)));
    }
    // The luma of packed 4:2:2 comes twice in a period.
    let index = index_of(c, i32(at.x * 2u), i32(at.y));
    let low = src_quad(index);
    let high = src_quad(index + 1u);
    return select(vec4(low.yw, high.yw), vec4(low.xz, high.xz), place < c.frame_step);
}

// Mixes these samples into this place of the four periods.
fn mix_in(place: u32, values: vec4<u32>) {
    for (var i = 0u; i < 4u; i++) {
        let at = i * period + place;
        let before = quads[at / 4u][at % 4u] >> frame.shift;
        let mixed = (before * (256u - params[1]) + values[i] * params[1] + 128u) >> 8u;
        quads[at / 4u][at % 4u] = mixed << frame.shift;
    }
}
