//! A procedural oil painting: a swirling sky over hills and a wheat field, in thick curved strokes.
//!
//! Every region of the picture has a stream function: brush strokes follow its contour lines and take their colors
//! from its bands. Lengths are in picture heights; x counts from the center.

pub mod noise;

use noise::{Rgb, bytes, fbm, length, lerp, mix, noise, rgb, scale, smoothstep};

/// Supersampling: canvas pixels per picture pixel and axis, so that bristles are fine and edges smooth.
const FINENESS: usize = 2;
/// Whirls in the sky: center x and y, radius, strength, and the size of the light in the center.
const WHIRLS: [[f32; 5]; 5] = [
    [0.36, 0.22, 0.17, 2.6, 0.175],
    [-0.28, 0.27, 0.17, 2.2, 0.07],
    [0.04, 0.44, 0.09, -1.3, 0.045],
    [-0.58, 0.12, 0.12, -1.5, 0.06],
    [0.62, 0.46, 0.1, 1.2, 0.04],
];
/// Brushes in order of use: width, stroke length, and how many times they cover the canvas.
const BRUSHES: [[f32; 3]; 4] = [[0.06, 0.35, 9.0], [0.034, 0.26, 3.0], [0.022, 0.18, 2.5], [0.013, 0.12, 0.8]];
const SUNLIGHT: [u32; 5] = [0xfffbe0, 0xffe873, 0xfbbd2c, 0xf08a1d, 0xf6d98a];
const SKY: [u32; 6] = [0x14235e, 0x1f3f9e, 0x2f6fc4, 0x39a3b5, 0xa9dccb, 0x2b57b4];
const HILLS: [u32; 5] = [0x12224f, 0x1f4b6e, 0x2d7a6a, 0x24306b, 0x571f35];
const FIELD: [u32; 6] = [0xe8b02e, 0xf6d860, 0xc9791f, 0x8e2a1c, 0xe9962b, 0x7d8a2c];

/// Paints `width` x `height` pixels of packed RGB, rows top-down. The picture is always the same.
pub fn paint(width: usize, height: usize) -> Vec<u8> {
    let mut canvas = Canvas::new(width * FINENESS, height * FINENESS);
    let mut dice = Dice(0x5eed_1234_abcd_9876);
    let aspect = width as f32 / height.max(1) as f32;
    for [brush, length, coats] in BRUSHES {
        for _ in 0..(coats * aspect / (brush * length)) as usize {
            let start = (aspect * dice.between(-0.6, 0.6), dice.between(-0.1, 1.1));
            let light = dice.between(0.82, 1.2);
            let color = Region::at(start).color(start).map(|c| c * light + dice.between(-0.05, 0.05));
            let length = length * dice.between(0.5, 1.2) * dice.between(-1.0, 1.0).signum();
            let path = trace(start, length, canvas.spacing());
            canvas.stroke(&path, brush * dice.between(0.7, 1.3), color, dice.between(0.0, 999.0));
        }
    }
    canvas.photograph()
}

type Point = (f32, f32);

#[derive(Clone, Copy, PartialEq)]
enum Region {
    Sky,
    Hills,
    Field,
}

impl Region {
    fn at((x, y): Point) -> Self {
        let skyline = 0.58 + 0.1 * noise(x * 2.6, 3.5) + 0.02 * noise(x * 9.0, 8.5);
        if y > 0.71 + 0.02 * (x * 5.0).sin() {
            Self::Field
        } else if y > skyline {
            Self::Hills
        } else {
            Self::Sky
        }
    }

    fn stream(self, (x, y): Point) -> f32 {
        match self {
            Self::Sky => {
                let pull =
                    |&[cx, cy, radius, strength, _]: &[f32; 5]| strength * (-length(x - cx, y - cy) / radius).exp();
                2.4 * y + 0.5 * fbm(x * 2.0, y * 3.0, 2) + WHIRLS.iter().map(pull).sum::<f32>()
            }
            Self::Hills => y * 9.0 + 1.6 * noise(x * 3.5, y * 2.0),
            Self::Field => (x + 0.12) / (y - 0.56) + 0.5 * noise(x * 3.0, y * 5.0),
        }
    }

    fn color(self, point: Point) -> Rgb {
        let stream = self.stream(point);
        match self {
            Self::Sky => {
                let lights = WHIRLS.map(|[x, y, _, _, size]| length(point.0 - x, point.1 - y) / size);
                let light = lights.into_iter().fold(f32::MAX, f32::min);
                let halo = blend(&SUNLIGHT, (light * 4.0).min(3.9));
                mix(halo, blend(&SKY, stream * 4.0), smoothstep(0.65, 1.1, light))
            }
            Self::Hills => blend(&HILLS, stream * 2.0),
            Self::Field => blend(&FIELD, stream * 2.5),
        }
    }
}

/// The color at `position` along an endlessly repeating palette.
fn blend(palette: &[u32], position: f32) -> Rgb {
    let index = position.floor();
    let pick = |i: f32| rgb(palette[i.rem_euclid(palette.len() as f32) as usize]);
    let amount = smoothstep(0.3, 0.7, position - index);
    mix(pick(index), pick(index + 1.0), amount)
}

/// The contour line of the stream function from `start`, `length` long (backwards if negative) or to the region's end.
fn trace(start: Point, length: f32, step: f32) -> Vec<Point> {
    const NUDGE: f32 = 0.002;
    let region = Region::at(start);
    let follow = |&(x, y): &Point| {
        let here = region.stream((x, y));
        let (along, across) = (here - region.stream((x, y + NUDGE)), region.stream((x + NUDGE, y)) - here);
        let pace = step.copysign(length) / along.hypot(across).max(1e-6);
        Some((x + along * pace, y + across * pace))
    };
    let line = std::iter::successors(Some(start), follow).take((length.abs() / step) as usize);
    line.take_while(|&point| Region::at(point) == region).collect()
}

/// A canvas of wet paint: the color and thickness at each pixel.
struct Canvas {
    width: usize,
    height: usize,
    paint: Vec<(Rgb, f32)>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, paint: vec![(rgb(0x2a3f80), 0.0); width * height] }
    }

    /// Distance between bristles, and between the dabs along a stroke: close enough to leave no gaps.
    fn spacing(&self) -> f32 {
        0.6 / self.height.max(1) as f32
    }

    fn stroke(&mut self, path: &[Point], brush: f32, color: Rgb, seed: f32) {
        let bristles = (brush / self.spacing()) as i32;
        for (i, pair) in path.windows(2).enumerate() {
            let ((x, y), (next_x, next_y)) = (pair[0], pair[1]);
            let progress = i as f32 / path.len() as f32;
            for bristle in -bristles / 2..=bristles / 2 {
                let streak = noise(seed + bristle as f32 * 0.19, seed + i as f32 * 0.003);
                // The outer bristles start later and end earlier than the inner ones, with some variation.
                let outward = (2.0 * bristle as f32 / bristles as f32).powi(2);
                let late = 0.1 * outward + 0.08 * streak;
                if progress > late && progress < 0.97 - 1.5 * late {
                    let reach = bristle as f32;
                    let point = (x - (next_y - y) * reach, y + (next_x - x) * reach);
                    let ridge = 0.5 + 0.5 * streak + 0.3 * outward * outward;
                    self.dab(point, scale(color, 1.0 + 0.25 * streak), ridge);
                }
            }
        }
    }

    fn dab(&mut self, (x, y): Point, color: Rgb, thickness: f32) {
        let column = (x * self.height as f32 + self.width as f32 / 2.0).floor();
        let row = (y * self.height as f32).floor();
        if (0.0..self.width as f32).contains(&column) && (0.0..self.height as f32).contains(&row) {
            let spot = &mut self.paint[row as usize * self.width + column as usize];
            *spot = (mix(spot.0, color, 0.75), lerp(spot.1, thickness, 0.7));
        }
    }

    /// The canvas lit from the upper left, as packed RGB.
    fn photograph(&self) -> Vec<u8> {
        let (width, height) = (self.width / FINENESS, self.height / FINENESS);
        let pixel = |i: usize| {
            let (column, row) = (i % width * FINENESS, i / width * FINENESS);
            let spots = (0..FINENESS * FINENESS).map(|j| self.lit(column + j % FINENESS, row + j / FINENESS));
            let sum = spots.fold([0.0; 3], |sum, lit| std::array::from_fn(|c| sum[c] + lit[c]));
            bytes(scale(sum, 1.0 / (FINENESS * FINENESS) as f32))
        };
        (0..width * height).flat_map(pixel).collect()
    }

    fn lit(&self, x: usize, y: usize) -> Rgb {
        let spot = |x: usize, y: usize| self.paint[y.min(self.height - 1) * self.width + x.min(self.width - 1)];
        let slope = spot(x + 1, y + 1).1 - spot(x.saturating_sub(1), y.saturating_sub(1)).1;
        let color = scale(spot(x, y).0, 1.0 + 0.45 * slope);
        mix(color, [1.0; 3], 0.3 * smoothstep(0.3, 1.0, slope))
    }
}

/// A small pseudo-random number generator (xorshift).
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (high - low) * (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}
