// Puts the components back into a frame and mixes it with the original. One invocation makes one word; z is the plane.
//
// params: the filtered frame's share, in 256ths.
//
// A byte's source is one of these, or SOURCE_COMPONENT + the index of a component.
const SOURCE_ORIGINAL: u32 = 0u;
const SOURCE_NEUTRAL: u32 = 1u;
const SOURCE_COMPONENT: u32 = 2u;

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let plane = frame.planes[id.z];
    if id.x >= plane.pitch || id.y >= plane.height {
        return;
    }
    let address = plane.offset + id.y * plane.pitch + id.x;
    var word = 0u;
    for (var i = 0u; i < 4u; i++) {
        word |= source_byte(plane, address * 4u + i, id.x * 4u + i, id.y) << (i * 8u);
    }
    dst[address] = word;
}

// The byte at `address`, which is byte `column` of row y.
fn source_byte(plane: Plane, address: u32, column: u32, y: u32) -> u32 {
    let source = plane.sources[column % plane.period];
    let before = base_byte(address);
    if source == SOURCE_ORIGINAL {
        return before;
    }
    var filtered = 128u;
    if source != SOURCE_NEUTRAL {
        let c = frame.components[source - SOURCE_COMPONENT];
        filtered = sample(c, min(column / c.frame_step, c.width - 1u), y);
    }
    return (before * (256u - params[0]) + filtered * params[0] + 128u) >> 8u;
}
