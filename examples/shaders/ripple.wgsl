// Waves that spread over the picture from its center.
//
//     convfilter filter=shader shader-location=examples/shaders/ripple.wgsl

fn shade(component: u32, x: i32, y: i32) -> f32 {
    let size = vec2(f32(width(component)), f32(height(component)));
    // In luma samples: chroma planes may be smaller.
    let scale = f32(width(0u)) / size.x;
    let from_center = (vec2(f32(x), f32(y)) - size / 2.0) * scale;
    let distance = max(length(from_center), 1.0);
    let height = 8.0 * sin(distance / 14.0 - 5.0 * seconds()) * smoothstep(0.0, 80.0, distance);
    return between(component, vec2(f32(x), f32(y)) + from_center / distance * height / scale);
}

// The value at a position between samples, by bilinear interpolation.
fn between(component: u32, place: vec2<f32>) -> f32 {
    let corner = vec2<i32>(floor(place));
    let share = fract(place);
    let upper = mix(sample(component, corner.x, corner.y), sample(component, corner.x + 1, corner.y), share.x);
    let lower = mix(sample(component, corner.x, corner.y + 1), sample(component, corner.x + 1, corner.y + 1), share.x);
    return mix(upper, lower, share.y);
}
