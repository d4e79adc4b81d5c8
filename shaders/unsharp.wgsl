// What the filter began with, plus its difference from its blurred self where that is larger than a threshold.
// One invocation makes four samples.
//
// Parameters: i32 weight of the difference in hundredths, the largest difference that can be weighted, i32 threshold in
// 255ths of the largest value.

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.quads || id.y >= c.height {
        return;
    }
    let percent = bitcast<i32>(param(0u));
    let limit = vec4(bitcast<i32>(param(1u)));
    let most = i32(frame.largest);
    let threshold = bitcast<i32>(param(2u)) * most;
    let index = index_of(c, i32(id.x), i32(id.y));
    let before = vec4<i32>(base_quad(index));
    let difference = before - vec4<i32>(src_quad(index));
    let sharpened = clamp(before + clamp(difference, -limit, limit) * percent / 100, vec4(0), vec4(most));
    store(c, id.x, id.y, vec4<u32>(select(before, sharpened, abs(difference) * 255 > vec4(threshold))));
}
