// The entry point of a user's shader, whose text must have
//
//     fn shade(component: u32, x: i32, y: i32) -> f32
//
// `component` is the index of a filtered component, in the order R G B A, Y U V A, or only gray. Samples are from 0 to
// 1 in every format.

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height || atomicLoad(&user_state.runaway) != 0u {
        return;
    }
    var values = vec4(0u);
    for (var i = 0; i < 4; i++) {
        loop_iterations = 0u;
        let value = clamp(shade(id.z, i32(id.x) * 4 + i, i32(id.y)), 0.0, 1.0);
        values[i] = min(u32(value * f32(frame.max_value) + 0.5), frame.max_value);
    }
    store(c, id.x, id.y, values);
}
