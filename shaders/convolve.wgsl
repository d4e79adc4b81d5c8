// A weighted sum of the neighbourhood, in the order and with the roundings of Pillow's Filter.c: each row of the
// kernel is summed from left to right, and the rows are added to the offset in turn. One invocation makes four samples.
//
// Parameters: columns, rows, 1 where row 0 weighs the lower row, f32 offset + 0.5, then the f32 coefficients.

// a * b rounded to f32 before anything is added: a driver could fuse it with the addition, had it not to pass through
// an integer operation whose operand the compiler cannot know.
fn rounded_product(a: vec4<f32>, b: f32) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(a * b) ^ vec4(frame.zero));
}

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.pitch || id.y >= c.height {
        return;
    }
    let x = i32(id.x * 4u);
    let y = i32(id.y);
    let cols = i32(param(0u));
    let rows = i32(param(1u));
    let bottom_up = param(2u) == 1u;

    var sum = vec4(bitcast<f32>(param(3u)));
    for (var j = 0; j < rows; j++) {
        let dy = select(j - rows / 2, rows / 2 - j, bottom_up);
        var row = vec4(0.0);
        for (var i = 0; i < cols; i++) {
            let coefficient = bitcast<f32>(param(u32(4 + j * cols + i)));
            row += rounded_product(vec4<f32>(samples(c, x + i - cols / 2, y + dy)), coefficient);
        }
        sum += row;
    }
    store(c, id.x, id.y, vec4<u32>(clamp(sum, vec4(0.0), vec4(f32(frame.largest)))));
}
