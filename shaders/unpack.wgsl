// Gathers each component of a frame into a plane of its own. One invocation makes a quad.

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.pitch || id.y >= c.height {
        return;
    }
    let row = c.frame_offset + id.y * c.frame_pitch;
    var quad = vec4(0u);
    for (var i = 0u; i < 4u; i++) {
        let x = min(id.x * 4u + i, c.width - 1u);
        quad[i] = base_sample(row + x * c.frame_step) >> frame.shift;
    }
    write_quad(c.offset + id.y * c.pitch + id.x, quad);
}
