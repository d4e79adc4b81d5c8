// The functions that a user's shader may call. It is concatenated with frame.wgsl, shade.wgsl and the user's text.
//
// Parameters: the border mode (`BorderMode` in src/filters/border.rs).

struct UserState {
    // Set to 1 if an invocation exceeded the loop limit.
    runaway: atomic<u32>,
    // The frame's time in the stream, in seconds.
    seconds: f32,
}

@group(0) @binding(5) var<storage, read_write> user_state: UserState;

// The maximum number of iterations of all loops together for one sample, as in src/gpu/user.rs. Mesa's software drivers
// silently leave a loop after twice as many.
const MAX_LOOP_ITERATIONS: u32 = 32768u;
var<private> loop_iterations: u32;

// Returns whether a loop may continue: src/gpu/user.rs inserts a call at the start of each loop's body. It must be the
// first function of the module, since any other may call it.
fn loop_guard() -> bool {
    loop_iterations++;
    if loop_iterations > MAX_LOOP_ITERATIONS {
        atomicStore(&user_state.runaway, 1u);
        return false;
    }
    return true;
}

// The sample at (x, y) of a component's plane, 0 to 1. Outside the plane it follows the property `border`.
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
    let samples = src_vec4(index_of(c, column / 4, row));
    return f32(samples[column % 4]) / f32(frame.max_value);
}

// The size of a component's plane, in samples; 0 if there is no such component.
fn width(component: u32) -> i32 {
    return i32(frame.components[min(component, 3u)].width);
}

fn height(component: u32) -> i32 {
    return i32(frame.components[min(component, 3u)].height);
}

// The frame's time in the stream, in seconds.
fn seconds() -> f32 {
    return user_state.seconds;
}
