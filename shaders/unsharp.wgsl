// The unsharp mask: adds the difference from the blurred plane to the original where it exceeds a threshold.
// One invocation computes four samples.
//
// Parameters, all i32: the weight of the difference in hundredths; the largest difference whose product with the weight
// does not overflow; the largest difference that is not added.

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height {
        return;
    }
    let percent = bitcast<i32>(param(0u));
    let limit = vec4(bitcast<i32>(param(1u)));
    let max_value = i32(frame.max_value);
    let threshold = vec4(bitcast<i32>(param(2u)));
    let index = index_of(c, i32(id.x), i32(id.y));
    let before = vec4<i32>(base_vec4(index));
    let difference = before - vec4<i32>(src_vec4(index));
    let sharpened = clamp(before + clamp(difference, -limit, limit) * percent / 100, vec4(0), vec4(max_value));
    store(c, id.x, id.y, vec4<u32>(select(before, sharpened, abs(difference) > threshold)));
}
