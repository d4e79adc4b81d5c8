// Puts the components back into a frame and mixes it with the original. One invocation makes a quad; z is the plane.
//
// params: the filtered frame's share, in 256ths.
//
// A sample's source is one of these, or SOURCE_COMPONENT + the index of a component.
const SOURCE_ORIGINAL: u32 = 0u;
const SOURCE_NEUTRAL: u32 = 1u;
const SOURCE_COMPONENT: u32 = 2u;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let plane = frame.planes[id.z];
    if id.x >= plane.pitch || id.y >= plane.height {
        return;
    }
    let index = plane.offset + id.y * plane.pitch + id.x;
    var quad = base_quad(index);
    // Which period of samples it is, and which place in it.
    var group = id.x * 4u / plane.period;
    var place = id.x * 4u % plane.period;
    for (var i = 0u; i < 4u; i++) {
        quad[i] = result(plane, quad[i], group, place, id.y);
        place++;
        if place == plane.period {
            place = 0u;
            group++;
        }
    }
    write_quad(index, quad);
}

// What becomes of `original` at this place of row y.
fn result(plane: Plane, original: u32, group: u32, place: u32, y: u32) -> u32 {
    let source = plane.sources[place];
    if source == SOURCE_ORIGINAL {
        return original;
    }
    var filtered = frame.middle;
    if source != SOURCE_NEUTRAL {
        let c = frame.components[source - SOURCE_COMPONENT];
        // Packed 4:2:2 has two samples of luma in a period.
        let x = select(group, group * 2u + place / 2u, c.frame_step < plane.period);
        let column = min(x, c.width - 1u);
        filtered = src_quad(index_of(c, i32(column / 4u), i32(y)))[column % 4u];
    }
    let before = original >> frame.shift;
    return ((before * (256u - params[0]) + filtered * params[0] + 128u) >> 8u) << frame.shift;
}
