// Writes the samples that windows read outside a plane, in place. One invocation writes a vec4.
//
// params: the border mode (`BorderMode` in src/filters/border.rs); the number of vec4s on the left and on the right,
// and of rows above and below.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    let left = params[1];
    let right = params[2];
    let up = params[3];
    let down = params[4];
    // The vec4s that are entirely inside: the last one may be partly outside.
    let inside = select(c.vec4s, c.width / 4u, right > 0u);

    // First the rows above and below, with the corners, then the vec4s to the sides of the plane's own rows.
    let across = left + c.vec4s + right;
    let beside = left + right + c.vec4s - inside;
    let in_rows = (up + down) * across;
    var x4: i32;
    var y: i32;
    if id.x < in_rows {
        let row = id.x / across;
        x4 = i32(id.x % across) - i32(left);
        y = i32(row) - i32(up) + select(0, i32(c.height), row >= up);
    } else {
        let index = id.x - in_rows;
        if beside == 0u || index / beside >= c.height {
            return;
        }
        let column = index % beside;
        x4 = i32(column) - i32(left) + select(0, i32(inside), column >= left);
        y = i32(index / beside);
    }
    var values = vec4(0u);
    for (var i = 0; i < 4; i++) {
        values[i] = sample_at(c, x4 * 4 + i, y);
    }
    write_vec4(index_of(c, x4, y), values);
}

// The sample that a window reads at (x, y), inside or outside the plane.
fn sample_at(c: Component, x: i32, y: i32) -> u32 {
    let column = resolve(x, i32(c.width), params[0]);
    let row = resolve(y, i32(c.height), params[0]);
    if column < 0 || row < 0 {
        return 0u;
    }
    let index = index_of(c, column >> 2u, row);
    let lane = u32(column) & 3u;
    if wide {
        return (dst[2u * index + (lane >> 1u)] >> ((lane & 1u) * 16u)) & 0xffffu;
    }
    return (dst[index] >> (lane * 8u)) & 0xffu;
}
