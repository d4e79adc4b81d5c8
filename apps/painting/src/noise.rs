//! Noise, interpolation and color arithmetic shared by the procedural pictures.

/// A color: red, green and blue, each in 0..1.
pub type Rgb = [f32; 3];

/// The color written `0xRRGGBB`.
pub fn rgb(hex: u32) -> Rgb {
    [16, 8, 0].map(|shift| ((hex >> shift) & 0xff) as f32 / 255.0)
}

/// The color as three bytes; channels outside 0..1 are clamped.
pub fn bytes(color: Rgb) -> [u8; 3] {
    color.map(|channel| (channel * 255.0 + 0.5) as u8)
}

/// The color with every channel multiplied by `factor`.
pub fn scale(color: Rgb, factor: f32) -> Rgb {
    color.map(|channel| channel * factor)
}

/// Linear interpolation from `a` (at 0) to `b` (at 1), channel by channel.
pub fn mix(a: Rgb, b: Rgb, amount: f32) -> Rgb {
    std::array::from_fn(|i| lerp(a[i], b[i], amount))
}

/// Linear interpolation from `a` (at 0) to `b` (at 1).
pub fn lerp(a: f32, b: f32, amount: f32) -> f32 {
    a + (b - a) * amount
}

/// Smooth step from 0 (at and before `start`) to 1 (at and after `end`).
pub fn smoothstep(start: f32, end: f32, x: f32) -> f32 {
    fade(((x - start) / (end - start)).clamp(0.0, 1.0))
}

/// Length of the vector (`x`, `y`).
pub fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// A fixed pseudo-random number in 0..1 for every lattice point.
pub fn random(x: i32, y: i32) -> f32 {
    (hash(x, y) >> 8) as f32 / (1 << 24) as f32
}

/// Gradient noise: smooth, about -1..1, with features one unit wide.
pub fn noise(x: f32, y: f32) -> f32 {
    let (column, row) = (floor(x), floor(y));
    let (dx, dy) = (x - column as f32, y - row as f32);
    let corner = |i: i32, j: i32| {
        let bits = hash(column + i, row + j);
        bits as i16 as f32 * (dx - i as f32) + (bits >> 16) as i16 as f32 * (dy - j as f32)
    };
    let (u, v) = (fade(dx), fade(dy));
    let top = lerp(corner(0, 0), corner(1, 0), u);
    let bottom = lerp(corner(0, 1), corner(1, 1), u);
    // The slopes are 16-bit numbers; their sum rarely exceeds this.
    lerp(top, bottom, v) / 20000.0
}

/// Sum of `octaves` of [`noise`], each half as large and half as strong as the last.
pub fn fbm(x: f32, y: f32, octaves: u32) -> f32 {
    fractal(x, y, octaves, |n| n)
}

/// Like [`fbm`], but folded into sharp crests: about -1..1, 1 on the crests.
pub fn ridges(x: f32, y: f32, octaves: u32) -> f32 {
    fractal(x, y, octaves, |n| 1.0 - 3.0 * n.abs())
}

fn fractal(mut x: f32, mut y: f32, octaves: u32, shape: impl Fn(f32) -> f32) -> f32 {
    let (mut sum, mut strength) = (0.0, 0.5);
    for _ in 0..octaves {
        sum += strength * shape(noise(x, y));
        // Rotating every octave keeps the lattices from coinciding.
        (x, y) = (1.6 * x + 1.2 * y + 7.3, 1.6 * y - 1.2 * x + 3.1);
        strength *= 0.5;
    }
    sum
}

fn fade(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

fn floor(x: f32) -> i32 {
    let truncated = x as i32;
    truncated - i32::from(x < truncated as f32)
}

/// A hash: multiplications by the leading bits of the golden ratio, the square root of two and e.
fn hash(x: i32, y: i32) -> u32 {
    let mut bits = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0xb504_f333);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0xadf8_5459);
    bits ^ (bits >> 16)
}
