//! A procedural landscape in motion: the demo's default clip.
//!
//! Clouds drift over mountains, a wood and a lakeside village while the camera pans; balloons and a sailing boat cross
//! in front. Lengths are in picture heights: y runs from 0 (top) to 1 (bottom), x counts from the center.

use painting::noise::{Rgb, bytes, fbm, length, lerp, mix, noise, random, rgb, ridges, scale, smoothstep};

const SUN: (f32, f32) = (0.52, 0.13);
const SHORE: f32 = 0.62;
/// Where the boat meets the water.
const WATERLINE: f32 = 0.79;

/// Position, half width, wall height, wall color and roof color.
type House = (f32, f32, f32, u32, u32);
const HOUSES: [House; 8] = [
    (-0.76, 0.045, 0.04, 0xf0e2c8, 0xb5482e),
    (-0.63, 0.036, 0.055, 0xe8c98a, 0x8f3b2a),
    (-0.26, 0.048, 0.044, 0xd98f6a, 0x7d3527),
    (-0.13, 0.018, 0.115, 0xf4ead6, 0x3f6a66),
    (-0.065, 0.05, 0.055, 0xf4ead6, 0xb04a30),
    (0.24, 0.036, 0.046, 0xc8d4c0, 0xa3452f),
    (0.32, 0.045, 0.036, 0xf2dca6, 0x7a4a3a),
    (0.69, 0.04, 0.05, 0xe9e4da, 0xb0502f),
];

/// Draws the scene at `time` seconds (0..6) as packed RGB, `width` x `height` pixels, rows top-down.
pub fn render(time: f64, width: usize, height: usize) -> Vec<u8> {
    let pixel = 1.0 / height.max(1) as f32;
    let scene = Scene { time: time as f32, sway: (1.9 * time).sin() as f32, pixel };
    let mut picture = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        for column in 0..width {
            let x = (column as f32 + 0.5 - 0.5 * width as f32) * pixel;
            picture.extend(bytes(scene.view(x, (row as f32 + 0.5) * pixel)));
        }
    }
    picture
}

/// A color, premultiplied by its coverage of the pixel (0..1).
#[derive(Clone, Copy)]
struct Layer {
    color: Rgb,
    cover: f32,
}

impl Layer {
    const CLEAR: Self = Self { color: [0.0; 3], cover: 0.0 };

    fn new(color: Rgb, cover: f32) -> Self {
        Self { color: scale(color, cover), cover }
    }

    fn over(self, below: Self) -> Self {
        let rest = 1.0 - self.cover;
        let color = std::array::from_fn(|i| self.color[i] + below.color[i] * rest);
        Self { color, cover: self.cover + below.cover * rest }
    }
}

/// A layer of the scene, and the y coordinate above which it is never visible.
type Band = (f32, fn(&Scene, f32, f32) -> Layer);
/// Nearest first.
const FOREGROUND: [Band; 4] = [(0.8, Scene::bank), (0.4, Scene::boat), (SHORE, Scene::lake), (0.0, Scene::land)];
/// The layers that the lake reflects, nearest first.
const LAND: [Band; 6] = [
    (0.0, Scene::balloons),
    (0.44, Scene::village),
    (0.4, Scene::meadow),
    (0.36, Scene::wood),
    (0.1, Scene::mountains),
    (0.0, Scene::sky),
];

struct Scene {
    time: f32,
    /// The sway of the balloons and the boat, -1..1.
    sway: f32,
    /// The width of a pixel.
    pixel: f32,
}

impl Scene {
    fn view(&self, x: f32, y: f32) -> Rgb {
        let vignette = 1.05 - 0.16 * (x * x + (y - 0.5) * (y - 0.5));
        scale(self.pile(&FOREGROUND, x, y).color, vignette)
    }

    fn land(&self, x: f32, y: f32) -> Layer {
        self.pile(&LAND, x, y)
    }

    /// Composites layers, nearest first; hidden layers are not drawn.
    fn pile(&self, bands: &[Band], x: f32, y: f32) -> Layer {
        let mut seen = Layer::CLEAR;
        for (_, layer) in bands.iter().filter(|(top, _)| y >= *top) {
            seen = seen.over(layer(self, x, y));
            if seen.cover > 0.99 {
                break;
            }
        }
        seen
    }

    /// The coverage of a pixel by a shape whose edge is at `distance` (negative inside).
    fn cover(&self, distance: f32) -> f32 {
        (0.5 - distance / self.pixel).clamp(0.0, 1.0)
    }

    fn shape(&self, color: Rgb, distance: f32) -> Layer {
        Layer::new(color, self.cover(distance))
    }

    /// The x coordinate in a layer that the camera pans past at `speed` picture heights a second.
    fn pan(&self, x: f32, speed: f32) -> f32 {
        x + speed * (self.time - 3.0)
    }

    fn sky(&self, x: f32, y: f32) -> Layer {
        let air = mix(rgb(0x2b66b0), rgb(0xa9cfe6), smoothstep(0.0, 0.35, y));
        let air = mix(air, rgb(0xf9d6a6), smoothstep(0.15, 0.5, y));
        let from_sun = length(x - SUN.0, y - SUN.1);
        let glow = (-5.0 * from_sun).exp();
        let air = mix(air, rgb(0xffe9b8), 0.8 * glow);
        let air = mix(air, rgb(0xfffbea), smoothstep(0.054, 0.044, from_sun));

        // The clouds lie on a ceiling that meets the ground far behind the mountains.
        let depth = 0.22 / (0.72 - y).max(0.05);
        let (u, v) = (self.pan(x, 0.02) * depth * 8.0 + 0.16 * self.time, depth * 7.0 - 0.1 * self.time);
        let density = fbm(u, v, 5) + 0.06;
        let sunward = fbm(u + 0.15, v + 0.2, 2) + 0.06;
        let cloud = mix(rgb(0x8190b0), rgb(0xfff5e2), smoothstep(-0.15, 0.25, density - 0.8 * sunward));
        let thickness = 0.94 * smoothstep(0.0, 0.2, density) * (1.0 - glow);
        Layer::new(mix(air, cloud, thickness), 1.0)
    }

    fn mountains(&self, x: f32, y: f32) -> Layer {
        let near = self.range(self.pan(x, 0.022) + 4.0, y, 0.46, 0.23, 0.12);
        near.over(self.range(self.pan(x, 0.012), y, 0.36, 0.26, 0.42))
    }

    fn range(&self, x: f32, y: f32, foot: f32, rise: f32, haze: f32) -> Layer {
        if y < foot - rise {
            return Layer::CLEAR;
        }
        let crest = foot - rise * ridges(x * 1.6, foot * 9.0, 4);
        if y < crest - self.pixel {
            return Layer::CLEAR;
        }
        let relief = |x: f32, y: f32| ridges(x * 9.0 + y * 5.0, y * 8.0 + foot, 3);
        let here = relief(x, y);
        let grain = 0.3 * noise(x * 75.0 + y * 40.0, y * 60.0);
        let light = smoothstep(-0.35, 0.4, relief(x - 0.006, y + 0.005) - here + grain);
        let rock = mix(rgb(0x2c3350), rgb(0xcaa27e), light);
        let snow = mix(rgb(0x7f9acb), rgb(0xfffaf0), light);
        let snowy = smoothstep(0.015, -0.015, y - foot + 0.1 - 0.1 * (here + grain));
        let mist = (haze + 0.5 * smoothstep(foot - 0.08, foot + 0.15, y)).min(0.9);
        self.shape(mix(mix(rock, snow, snowy), rgb(0xb9c9dc), mist), crest - y)
    }

    fn wood(&self, x: f32, y: f32) -> Layer {
        let x = self.pan(x, 0.035);
        let top = hillside(x) - 0.012 * ridges(x * 45.0, 1.5, 2);
        if y < top - self.pixel {
            return Layer::CLEAR;
        }
        let canopy = |x: f32, y: f32| ridges(x * 42.0, y * 64.0, 2);
        let here = canopy(x, y);
        let light = 0.5 + 0.5 * here + 0.6 * (here - canopy(x + 0.003, y - 0.004));
        let leaf = mix(rgb(0x47733a), rgb(0xbd7a2c), smoothstep(-0.1, 0.8, noise(x * 9.0, y * 16.0)));
        let color = mix(rgb(0x14301f), leaf, light.clamp(0.0, 1.2));
        self.shape(mix(color, rgb(0xc3cfd4), 0.15), top - y)
    }

    fn meadow(&self, x: f32, y: f32) -> Layer {
        let x = self.pan(x, 0.035);
        let top = hillside(x) + 0.07 + 0.03 * noise(x * 6.0, 2.5);
        if y < top - self.pixel {
            return Layer::CLEAR;
        }
        let strips = noise(x * 3.0, y * 16.0) + 0.3 * noise(x * 90.0, y * 160.0);
        let color = mix(rgb(0x7d9a4c), rgb(0xd5c57a), smoothstep(-0.3, 0.4, strips));
        self.shape(color, top - y)
    }

    fn village(&self, x: f32, y: f32) -> Layer {
        let (x, up) = (self.pan(x, 0.05), SHORE - y);
        if up < 0.008 {
            let pebbles = 0.5 + 0.4 * noise(x * 150.0, up * 300.0);
            return Layer::new(mix(rgb(0x4a4038), rgb(0xd3c09c), pebbles), 1.0);
        }
        let bushes = if up < 0.05 { self.trees(x, up, 0.13, 0.02) } else { Layer::CLEAR };
        let near = HOUSES.iter().filter(|(place, half, ..)| (x - place).abs() < 1.3 * half);
        let houses = near.fold(bushes, |seen, house| seen.over(self.house(x - house.0, up - 0.004, house)));
        houses.over(self.trees(x + 0.4, up - 0.01, 0.075, 0.06))
    }

    /// A row of trees, one for every `spacing`, their roots at height 0.
    fn trees(&self, x: f32, up: f32, spacing: f32, size: f32) -> Layer {
        let mut seen = Layer::CLEAR;
        let cell = (x / spacing).floor() as i32;
        for cell in cell - 1..=cell + 1 {
            let chance = |salt| random(cell, (size * 1e4) as i32 + salt);
            let radius = size * lerp(0.5, 1.0, chance(0));
            let slimness = lerp(1.0, 2.4, chance(4) * chance(4));
            let (side, rise) = (x - (cell as f32 + chance(1)) * spacing, up - radius * 1.3);
            let distance = 0.8 * length(side * slimness, rise * 0.8) - radius * 0.7;
            if distance > 0.2 * radius && side.abs() > 0.004 {
                continue;
            }
            let leaves = ridges(x * 90.0 + chance(2) * 50.0, up * 90.0, 2);
            let light = 0.45 + 0.4 * (side * slimness + rise) / radius + 0.45 * leaves;
            let leaf = mix(rgb(0x5f8f35), rgb(0xd0842a), chance(3) * chance(3));
            let crown = mix(rgb(0x12301c), leaf, light.clamp(0.0, 1.3));
            let trunk = self.shape(rgb(0x3b2a20), side.abs().max(up - radius) - 0.0025);
            seen = seen.over(self.shape(crown, distance - 0.12 * radius * leaves)).over(trunk);
        }
        seen
    }

    fn house(&self, x: f32, up: f32, &(_, half, wall, paint, tiles): &House) -> Layer {
        let roof = convex(x, up, &[(-1.15 * half, wall), (0.0, wall + 0.8 * half + 0.012), (1.15 * half, wall)]);
        let courses = 0.9 + 0.2 * (up * 900.0).sin() + 0.2 * noise(x * 400.0, up * 300.0);
        let (column, row) = (x / 0.017, up / 0.023);
        let pane = (column - column.round()).abs().max((row - row.floor() - 0.55).abs());
        let frame = (x.abs() - half + 0.007).max(up - wall + 0.005);
        let window = self.cover(((pane - 0.27) * 0.017).max(frame));
        let plaster = scale(rgb(paint), 0.84 + 4.0 * x + 0.12 * noise(x * 200.0, up * 200.0));
        let front = self.shape(mix(plaster, rgb(0x2c3442), window), (x.abs() - half).max(up - wall));
        self.shape(scale(rgb(tiles), courses), roof).over(front)
    }

    fn balloons(&self, x: f32, y: f32) -> Layer {
        let near = self.balloon(x + 0.62 - 0.19 * self.time, y - 0.27 - 0.025 * self.sway, 0.125, 0xc8201e);
        near.over(self.balloon(x - 0.1 - 0.03 * self.time, y - 0.17 + 0.01 * self.sway, 0.045, 0x2a4fa8))
    }

    /// A balloon around the origin, its envelope of the given radius striped cream and `dye`.
    fn balloon(&self, x: f32, y: f32, radius: f32, dye: u32) -> Layer {
        let (u, v) = (x / radius, y / radius);
        if u.abs() > 1.1 || !(-1.1..2.1).contains(&v) {
            return Layer::CLEAR;
        }
        let wicker = scale(rgb(0x8a5a2b), 0.8 + 0.3 * (u * 60.0).sin() * (v * 60.0).sin());
        let basket = self.shape(wicker, radius * (u.abs() - 0.16).max((v - 1.82).abs() - 0.13));
        let ropes = (u.abs() - 0.15).abs().max((v - 1.5).abs() - 0.25) * radius - 0.0012;

        // A half sphere that narrows to the mouth below its widest line.
        let half = if v < 0.0 { (1.0 - v * v).max(0.0).sqrt() } else { 1.0 - v * v * (0.96 - 0.36 * v) };
        let edge = if v < 0.0 { length(u, v) - 1.0 } else { (0.8 * (u.abs() - half)).max(v - 1.25) };
        let across = (u / half.max(0.05)).clamp(-1.0, 1.0);
        let gore = across.asin() * 4.0;
        let stripe = smoothstep(-0.2, 0.2, (gore * 0.5 * std::f32::consts::PI).cos());
        let belt = smoothstep(0.16, 0.13, (v - 0.12).abs());
        let cloth = mix(rgb(dye), rgb(0xf6e7c4), (stripe - belt).abs());
        let folds = 0.93 + 0.07 * (gore * 6.0).cos();
        let light = lerp(0.45, 1.15, smoothstep(-1.2, 1.0, across * 0.8 - v * 0.7));
        let envelope = self.shape(scale(cloth, folds * light), edge * radius);
        basket.over(envelope).over(self.shape(rgb(0x3a2c22), ropes))
    }

    fn lake(&self, x: f32, y: f32) -> Layer {
        // Seen from just above the water, ripples shrink and flatten towards the far shore.
        let near = (y - SHORE) / (1.0 - SHORE) + 0.06;
        let (u, v) = (self.pan(x, 0.05) / near, 3.0 / near);
        let swell = fbm(u * 2.0 + 0.5 * self.time, v * 2.5 + 1.1 * self.time, 2);
        let chop = noise(u * 8.0 - 0.6 * self.time, v * 8.0 + 1.6 * self.time);
        let ripple = swell + 0.4 * chop;

        let above = (2.0 * SHORE - y + ripple * (0.01 + 0.05 * near)).min(SHORE - 0.002);
        let mirrored = self.land(x + 0.02 * ripple * near, above).color;
        let water = mix(mirrored, mix(rgb(0x1d5563), rgb(0x0c2f45), near), 0.22 + 0.3 * near);
        let boat = self.boat(x + 0.03 * ripple, 2.0 * WATERLINE - y + 0.04 * ripple);
        let water = mix(water, boat.over(Layer::new(water, 1.0)).color, 0.75);
        let glitter = smoothstep(0.25, 0.5, ripple - 3.0 * (x - SUN.0).abs() + 0.3);
        Layer::new(mix(water, rgb(0xfff1c9), 0.85 * glitter), 1.0)
    }

    fn boat(&self, x: f32, y: f32) -> Layer {
        // The bow points left; the balloon moves right.
        let (ahead, up) = (0.55 - 0.17 * self.time - x, WATERLINE - y);
        let (u, v) = (ahead - 0.06 * self.sway * up, up + 0.06 * self.sway * ahead);
        if ahead.abs() > 0.2 || !(0.0..0.4).contains(&up) {
            return Layer::CLEAR;
        }
        let canvas = |edge: f32| lerp(0.72, 1.1, smoothstep(0.0, 0.1, edge)) * (0.96 + 0.05 * (v * 200.0).sin());
        let jib = convex(u, v, &[(0.016, 0.3), (0.155, 0.06), (0.02, 0.075)]);
        let main = convex(u, v, &[(0.0, 0.34), (0.0, 0.07), (-0.135, 0.075)]);
        let mast = (u - 0.006).abs().max((v - 0.19).abs() - 0.16) - 0.003;
        let hull = convex(u, v, &[(-0.14, 0.045), (0.17, 0.055), (0.1, -0.03), (-0.12, -0.03)]);
        let planks = 0.9 + 0.12 * (v * 420.0).sin() + 0.1 * noise(u * 40.0, v * 300.0);
        let wood = mix(rgb(0x7a2f1d), rgb(0xf4ead8), smoothstep(0.006, 0.003, (v - 0.034).abs()));
        let deck = self.shape(scale(wood, planks), hull).over(self.shape(scale(rgb(0xe0662b), canvas(u)), jib));
        let rig = self.shape(rgb(0x4a3423), mast);
        deck.over(rig).over(self.shape(scale(rgb(0xfaf3e2), canvas(u + 0.12)), main))
    }

    /// The near bank: rows of swaying grass and poppies, the nearest row the tallest.
    fn bank(&self, x: f32, y: f32) -> Layer {
        let mut seen = Layer::CLEAR;
        for row in (0..5).rev() {
            let near = row as f32 / 4.0;
            let x = self.pan(x, 0.07 + 0.05 * near);
            let ground = 0.93 + 0.1 * near + 0.02 * noise(x * 3.0, 4.5) + 0.05 * (x * 2.2 + 0.2).cos();
            let tallest = lerp(0.045, 0.11, near);
            if seen.cover < 0.99 && y > ground - 1.2 * tallest {
                seen = seen.over(self.grass(x, ground - y, row, tallest));
            }
        }
        seen
    }

    fn grass(&self, x: f32, up: f32, row: i32, tallest: f32) -> Layer {
        let mut seen = Layer::CLEAR;
        let spacing = 0.13 * tallest;
        let cell = (x / spacing).floor() as i32;
        let gust = (self.time * 2.2 + x * 7.0).sin();
        for blade in cell - 3..=cell + 3 {
            let chance = |salt| random(blade, row * 8 + salt);
            let height = tallest * lerp(0.4, 1.0, chance(0));
            let bend = height * (0.5 * (chance(1) - 0.5) + 0.1 * gust);
            let (side, along) = (x - (blade as f32 + chance(2)) * spacing, up / height);
            if chance(3) > 0.88 {
                let head = length(side - bend, 1.3 * (up - height)) - 0.07 * tallest;
                seen = seen.over(self.shape(mix(rgb(0xf04a30), rgb(0x8f1414), -head / 0.01), head));
            }
            let edge = (side - bend * along * along).abs() - 0.045 * tallest * (1.0 - along);
            if edge < self.pixel && along < 1.0 {
                let tip = mix(rgb(0x5d7f26), rgb(0xd2c25a), chance(4));
                seen = seen.over(self.shape(mix(rgb(0x1c2d12), tip, along.clamp(0.15, 1.0)), edge));
            }
        }
        seen.over(self.shape(rgb(0x1c2d12), up))
    }
}

/// The height of the wooded hill's skyline.
fn hillside(x: f32) -> f32 {
    0.48 + 0.1 * noise(x * 1.7, 0.5)
}

/// Signed distance to a convex shape (negative inside), its corners in clockwise order as y grows upwards.
fn convex(x: f32, y: f32, corners: &[(f32, f32)]) -> f32 {
    let edges = corners.iter().zip(corners.iter().cycle().skip(1));
    let distances = edges.map(|(a, b)| {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        ((y - a.1) * dx - (x - a.0) * dy) / length(dx, dy)
    });
    distances.fold(f32::MIN, f32::max)
}
