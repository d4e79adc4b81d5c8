// Writes around a plane, in place, what windows see outside it. One invocation makes a quad.
//
// params: what there is outside (src/filters/border.rs); how many quads to the left and to the right, and how many rows
// above and below, are needed.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let left = params[1];
    let right = params[2];
    let up = params[3];
    let down = params[4];
    // The row's last quad may be partly outside.
    let whole = select(c.quads, c.width / 4u, right > 0u);

    // First the rows above and below, corners included, then what stands beside the plane's own rows.
    let across = left + c.quads + right;
    let beside = left + right + c.quads - whole;
    let in_rows = (up + down) * across;
    var quad: i32;
    var y: i32;
    if id.x < in_rows {
        let row = id.x / across;
        quad = i32(id.x % across) - i32(left);
        y = i32(row) - i32(up) + select(0, i32(c.height), row >= up);
    } else {
        let index = id.x - in_rows;
        if beside == 0u || index / beside >= c.height {
            return;
        }
        let column = index % beside;
        quad = i32(column) - i32(left) + select(0, i32(whole), column >= left);
        y = i32(index / beside);
    }
    var values = vec4(0u);
    for (var i = 0; i < 4; i++) {
        values[i] = sample_at(c, quad * 4 + i, y);
    }
    write_quad(index_of(c, quad, y), values);
}

// The sample at (x, y), wherever that is.
fn sample_at(c: Component, x: i32, y: i32) -> u32 {
    let column = resolve(x, i32(c.width), params[0]);
    let row = resolve(y, i32(c.height), params[0]);
    if column < 0 || row < 0 {
        return 0u;
    }
    let index = index_of(c, column >> 2u, row);
    let place = u32(column) & 3u;
    if wide {
        return (dst[2u * index + (place >> 1u)] >> ((place & 1u) * 16u)) & 0xffffu;
    }
    return (dst[index] >> (place * 8u)) & 0xffu;
}
