// A Kuwahara filter: each sample becomes the mean of that one of the four squares around it which has the smallest
// variance. The result has patches of even color, as if painted (M. Kuwahara et al., "Processing of
// RI-Angiocardiographic Images", 1976).
//
//     convfilter filter=shader shader-location=examples/shaders/kuwahara.wgsl

const SIDE: i32 = 5;

fn shade(component: u32, x: i32, y: i32) -> f32 {
    var smoothest = vec2(0.0, 1e9);
    for (var square = 0; square < 4; square++) {
        let left = x - (square % 2) * (SIDE - 1);
        let top = y - (square / 2) * (SIDE - 1);
        let found = mean_and_variance(component, left, top);
        if found.y < smoothest.y {
            smoothest = found;
        }
    }
    return smoothest.x;
}

fn mean_and_variance(component: u32, left: i32, top: i32) -> vec2<f32> {
    var sum = 0.0;
    var squares = 0.0;
    for (var dy = 0; dy < SIDE; dy++) {
        for (var dx = 0; dx < SIDE; dx++) {
            let value = sample(component, left + dx, top + dy);
            sum += value;
            squares += value * value;
        }
    }
    let mean = sum / f32(SIDE * SIDE);
    return vec2(mean, squares / f32(SIDE * SIDE) - mean * mean);
}
