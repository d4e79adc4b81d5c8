// A weighted sum of the neighbourhood, in the order and with the roundings of Pillow's Filter.c: each row of the
// kernel is summed from left to right, and the rows are added to the offset in turn. Samples whose window leaves the
// plane are copied. One invocation makes four samples.
//
// params: columns, rows, 1 where row 0 weighs the lower row, f32 offset + 0.5, then the f32 coefficients.

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
    let cols = i32(params[0]);
    let rows = i32(params[1]);
    let bottom_up = params[2] == 1u;

    var sum = vec4(bitcast<f32>(params[3]));
    for (var j = 0; j < rows; j++) {
        let dy = select(j - rows / 2, rows / 2 - j, bottom_up);
        var row = vec4(0.0);
        for (var i = 0; i < cols; i++) {
            let coefficient = bitcast<f32>(params[4 + j * cols + i]);
            row += rounded_product(vec4<f32>(samples(c, x + i - cols / 2, y + dy)), coefficient);
        }
        sum += row;
    }
    let filtered = vec4<u32>(clamp(sum, vec4(0.0), vec4(255.0)));

    // How far the window reaches to the left, right, up and down.
    let left = cols / 2;
    let right = cols - 1 - left;
    let up = select(rows / 2, rows - 1 - rows / 2, bottom_up);
    let down = rows - 1 - up;
    let xs = vec4(x) + vec4(0, 1, 2, 3);
    let fits = (xs >= vec4(left)) & (xs + vec4(right) < vec4(i32(c.width))) & vec4(y >= up && y + down < i32(c.height));
    let word = c.offset + id.y * c.pitch + id.x;
    dst[word] = pack4xU8(select(unpack4xU8(src[word]), filtered, fits));
}
