// Convolution, with the order of operations and the roundings of Pillow's Filter.c: each row of the kernel is summed
// from left to right, then the rows' sums are added to the start one after the other. One invocation computes four
// samples.
//
// Parameters: 1 if row 0 weighs the lower row, else 0; as f32: the initial value of the sum, the factor of the sum, the
// coefficients (`Weights` in src/filters/kernel.rs).

// The kernel's size, constant so that loops can be unrolled.
override cols: u32;
override rows: u32;

// a * b rounded to f32. The integer operation, whose operand the compiler cannot know, prevents drivers from fusing the
// product with a following addition.
fn rounded_product(a: vec4<f32>, b: f32) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(a * b) ^ vec4(frame.zero));
}

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.vec4s || id.y >= c.height {
        return;
    }
    let bottom_up = param(0u) == 1u;
    // The distance to the vec4 that contains the window's first sample, and that sample's lane.
    let left = (cols / 2u + 3u) / 4u;
    let first = left * 4u - cols / 2u;

    var sum = vec4(bitcast<f32>(param(1u)));
    for (var j = 0u; j < rows; j++) {
        let dy = select(i32(j) - i32(rows / 2u), i32(rows / 2u) - i32(j), bottom_up);
        var index = index_of(c, i32(id.x) - i32(left), i32(id.y) + dy);
        var low = src_vec4(index);
        var high = low;
        var row = vec4(0.0);
        for (var i = 0u; i < cols; i++) {
            let lane = (first + i) % 4u;
            if i == 0u || lane == 0u {
                low = select(high, low, i == 0u);
                index++;
                high = src_vec4(index);
            }
            let coefficient = bitcast<f32>(param(3u + j * cols + i));
            row += rounded_product(vec4<f32>(extract4(low, high, lane)), coefficient);
        }
        sum += row;
    }
    let scaled = sum * bitcast<f32>(param(2u));
    store(c, id.x, id.y, vec4<u32>(clamp(scaled, vec4(0.0), vec4(f32(frame.max_value)))));
}
