// A bilateral filter: it smooths noise and keeps edges, since neighbors with a different value have little weight
// (C. Tomasi, R. Manduchi, "Bilateral Filtering for Gray and Color Images", ICCV 1998).
//
//     convfilter filter=shader shader-location=examples/shaders/bilateral.wgsl

const RADIUS: i32 = 4;
const SPREAD_IN_SPACE: f32 = 2.5;
const SPREAD_IN_VALUE: f32 = 0.1;

fn shade(component: u32, x: i32, y: i32) -> f32 {
    let own = sample(component, x, y);
    var sum = 0.0;
    var weights = 0.0;
    for (var dy = -RADIUS; dy <= RADIUS; dy++) {
        for (var dx = -RADIUS; dx <= RADIUS; dx++) {
            let other = sample(component, x + dx, y + dy);
            let distance = length(vec2(f32(dx), f32(dy))) / SPREAD_IN_SPACE;
            let difference = (other - own) / SPREAD_IN_VALUE;
            let weight = exp(-0.5 * (distance * distance + difference * difference));
            sum += weight * other;
            weights += weight;
        }
    }
    return sum / weights;
}
