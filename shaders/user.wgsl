// What a user's shader is given, and what calls it; put together with frame.wgsl and the user's text, which must have
//
//     fn shade(component: u32, x: i32, y: i32) -> f32
//
// Components are counted from 0, in the order R G B A, Y U V A, or grey alone, those that are filtered. Samples are from
// 0 to 1, whatever the format.
//
// Parameters: what is seen outside the planes (`Outside` in src/filters/border.rs).

struct Live {
    // Set once an invocation did not come to an end.
    runaway: atomic<u32>,
    // The frame's time in the stream.
    seconds: f32,
}

@group(0) @binding(5) var<storage, read_write> live: Live;

// The turns that all loops may take together for one sample, as in src/gpu/user.rs. Mesa's software drivers leave a loop
// in silence after twice as many.
const TURNS: u32 = 32768u;
var<private> turns: u32;

// Called at the beginning of each loop's body, which ends when this says no. It stands before all other functions, as
// they may call it (src/gpu/user.rs).
fn goes_on() -> bool {
    turns++;
    if turns > TURNS {
        atomicStore(&live.runaway, 1u);
        return false;
    }
    return true;
}

// The sample at (x, y) of a component's plane; outside the plane what `border` says.
fn sample(component: u32, x: i32, y: i32) -> f32 {
    let c = frame.components[min(component, 3u)];
    if c.width == 0u {
        return 0.0;
    }
    let column = resolve(x, i32(c.width), param(0u));
    let row = resolve(y, i32(c.height), param(0u));
    if column < 0 || row < 0 {
        return 0.0;
    }
    let quad = src_quad(index_of(c, column / 4, row));
    return f32(quad[column % 4]) / f32(frame.largest);
}

// The size of a component's plane, in samples; 0 where there is no such component.
fn width(component: u32) -> i32 {
    return i32(frame.components[min(component, 3u)].width);
}

fn height(component: u32) -> i32 {
    return i32(frame.components[min(component, 3u)].height);
}

// The frame's time in the stream.
fn seconds() -> f32 {
    return live.seconds;
}

@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = frame.components[id.z];
    if id.x >= c.quads || id.y >= c.height || atomicLoad(&live.runaway) != 0u {
        return;
    }
    var values = vec4(0u);
    for (var i = 0; i < 4; i++) {
        turns = 0u;
        let value = clamp(shade(id.z, i32(id.x) * 4 + i, i32(id.y)), 0.0, 1.0);
        values[i] = min(u32(value * f32(frame.largest) + 0.5), frame.largest);
    }
    store(c, id.x, id.y, values);
}
