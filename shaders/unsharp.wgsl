// What the filter began with, plus its difference from its blurred self where that is larger than a threshold.
// One invocation makes four samples.
//
// Parameters: i32 weight of the difference in hundredths, i32 threshold.

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.pitch || id.y >= c.height {
        return;
    }
    let percent = bitcast<i32>(param(0u));
    let threshold = bitcast<i32>(param(1u));
    let word = c.offset + id.y * c.pitch + id.x;
    let before = vec4<i32>(unpack4xU8(base[word]));
    let difference = before - vec4<i32>(unpack4xU8(src[word]));
    let sharpened = clamp(before + difference * percent / 100, vec4(0), vec4(255));
    store(c, id.x, id.y, vec4<u32>(select(before, sharpened, abs(difference) > vec4(threshold))));
}
