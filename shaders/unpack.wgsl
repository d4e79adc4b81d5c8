// Gathers each component of a frame into a plane of its own. One invocation makes a quad.

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.quads || id.y >= c.height {
        return;
    }
    let row = c.frame_offset + id.y * c.frame_pitch;
    var quad = vec4(0u);
    for (var i = 0u; i < 4u; i++) {
        let x = min(id.x * 4u + i, c.width - 1u);
        quad[i] = base_sample(row + x * c.frame_step) >> frame.shift;
    }
    write_quad(index_of(c, i32(id.x), i32(id.y)), quad);
}

// The sample of the frame at `address`, in samples.
fn base_sample(address: u32) -> u32 {
    if wide {
        return (base[address >> 1u] >> ((address & 1u) * 16u)) & 0xffffu;
    }
    return (base[address >> 2u] >> ((address & 3u) * 8u)) & 0xffu;
}
