// A weighted sum of the neighbourhood, in the order and with the roundings of Pillow's Filter.c: each row of the
// kernel is summed from left to right, and the rows are added to the start in turn. One invocation makes four samples.
//
// Parameters: 1 where row 0 weighs the lower row; f32: what a sum begins with, what it is multiplied by at the end, the
// coefficients (`Weights` in src/filters/kernel.rs).

// The kernel's size: its loops can be unrolled.
override cols: u32;
override rows: u32;

// a * b rounded to f32 before anything is added: a driver could fuse it with the addition, had it not to pass through
// an integer operation whose operand the compiler cannot know.
fn rounded_product(a: vec4<f32>, b: f32) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(a * b) ^ vec4(frame.zero));
}

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.quads || id.y >= c.height {
        return;
    }
    let bottom_up = param(0u) == 1u;
    // The window's first sample is one of the four of its first quad.
    let left = (cols / 2u + 3u) / 4u;
    let first = left * 4u - cols / 2u;

    var sum = vec4(bitcast<f32>(param(1u)));
    for (var j = 0u; j < rows; j++) {
        let dy = select(i32(j) - i32(rows / 2u), i32(rows / 2u) - i32(j), bottom_up);
        var index = index_of(c, i32(id.x) - i32(left), i32(id.y) + dy);
        var low = src_quad(index);
        var high = low;
        var row = vec4(0.0);
        for (var i = 0u; i < cols; i++) {
            let place = (first + i) % 4u;
            if i == 0u || place == 0u {
                low = select(high, low, i == 0u);
                index++;
                high = src_quad(index);
            }
            let coefficient = bitcast<f32>(param(3u + j * cols + i));
            row += rounded_product(vec4<f32>(four_of(low, high, place)), coefficient);
        }
        sum += row;
    }
    let scaled = sum * bitcast<f32>(param(2u));
    store(c, id.x, id.y, vec4<u32>(clamp(scaled, vec4(0.0), vec4(f32(frame.largest)))));
}
