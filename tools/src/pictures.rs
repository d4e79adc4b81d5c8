//! Training pictures: parts of a folder's pictures, and generated textures.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;

use style_engine::random::Random;
use tch::{Device, Kind, Tensor};

use crate::{Outcome, picture};

/// The shares of noise textures and of brush strokes among the pictures.
const TEXTURES: f32 = 0.1;
const STROKES: f32 = 0.2;

/// The source of training pictures.
pub struct Pictures(Vec<Tensor>);

impl Pictures {
    /// Reads all pictures of a folder.
    pub fn new(folder: &Path) -> Outcome<Self> {
        let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
        paths.sort();
        let mut pictures = Vec::new();
        for path in paths {
            pictures.push(picture::levels(&path)?);
        }
        if pictures.is_empty() { Err(format!("{}: no pictures", folder.display()).into()) } else { Ok(Self(pictures)) }
    }

    /// A random picture `(3, side, side)` in 0..1: a part of a picture, scaled, stretched, mirrored and recolored; or
    /// a generated texture.
    pub fn draw(&self, side: i64, random: &mut Random) -> Outcome<Tensor> {
        let kind = random.draw();
        let picture = if kind < TEXTURES {
            texture(side, random)?
        } else if kind < TEXTURES + STROKES {
            strokes(side, random)
        } else {
            self.part(side, random)?
        };
        recolored(&picture, random)
    }

    /// The middle of the first picture, `(1, 3, side, side)` in 0..1.
    pub fn first(&self, side: i64) -> Outcome<Tensor> {
        let first = self.0.first().ok_or("no pictures")?;
        let (_, height, width) = first.size3()?;
        let shorter = height.min(width);
        let middle = first.narrow(1, (height - shorter) / 2, shorter).narrow(2, (width - shorter) / 2, shorter);
        let middle = middle.to_kind(Kind::Float).unsqueeze(0) / 255;
        Ok(middle.internal_upsample_bilinear2d_aa([side, side], false, None, None))
    }

    /// A random part of a photograph, in most cases recolored: `(3, side, side)` in 0..1.
    pub fn photograph(&self, side: i64, random: &mut Random) -> Outcome<Tensor> {
        recolored(&self.part(side, random)?, random)
    }

    /// A random part of a photograph, scaled, stretched, mirrored and turned: `(3, side, side)` in 0..1.
    fn part(&self, side: i64, random: &mut Random) -> Outcome<Tensor> {
        let picture = &self.0[below(self.0.len() as i64, random) as usize];
        let (_, height, width) = picture.size3()?;
        // The scale is between an enlargement by 1.5 and the whole picture, uniform in the logarithm.
        let max_scale = height.min(width) as f64 / side as f64;
        let scale = (1.5 * max_scale).powf(f64::from(random.draw())) / 1.5;
        let stretch = 1.5f64.powf(f64::from(random.draw()) - 0.5);
        let span = |length: i64, stretch: f64| ((side as f64 * scale * stretch) as i64).clamp(2, length);
        let (rows, columns) = (span(height, stretch), span(width, 1.0 / stretch));
        let (top, left) = (below(height - rows + 1, random), below(width - columns + 1, random));
        let part = picture.narrow(1, top, rows).narrow(2, left, columns).to_kind(Kind::Float) / 255;
        let part = part.unsqueeze(0).internal_upsample_bilinear2d_aa([side, side], false, None, None).squeeze_dim(0);
        let part = if random.draw() < 0.5 { part.flip([2]) } else { part };
        Ok(if random.draw() < 0.5 { part.transpose(1, 2) } else { part })
    }
}

/// A random integer from 0 to `bound` - 1.
pub fn below(bound: i64, random: &mut Random) -> i64 {
    ((f64::from(random.draw()) * bound as f64) as i64).min(bound - 1)
}

/// Octaves of stretched noise with random strengths and a random contrast: `(3, side, side)` in 0..1.
fn texture(side: i64, random: &mut Random) -> Outcome<Tensor> {
    let mut sum = Tensor::zeros([1, 3, side, side], (Kind::Float, Device::Cpu));
    for octave in 1..7 {
        let (height, width) = ((1 << octave).min(side), (1i64 << below(7, random)).min(side));
        let noise = random.normal(3 * height * width)?.view([1, 3, height, width]);
        sum += noise.upsample_bilinear2d([side, side], false, None, None) * f64::from(random.draw());
    }
    let steepness = 10f64.powf(2.0 * f64::from(random.draw()));
    Ok((sum * steepness).sigmoid().squeeze_dim(0))
}

/// Overlapping brush strokes of one kind, whose direction changes across the picture: `(3, side, side)` in 0..1.
fn strokes(side: i64, random: &mut Random) -> Tensor {
    let between = |low: f64, high: f64, random: &mut Random| low * (high / low).powf(f64::from(random.draw()));
    let palette: Vec<[f32; 3]> = (0..6).map(|_| [0; 3].map(|_| random.draw())).collect();
    let line = Tensor::arange(side, (Kind::Float, Device::Cpu));
    let (length, width) = (between(3.0, 30.0, random), between(1.0, 8.0, random));
    let (sharpness, stripes) = (between(2.0, 30.0, random), between(0.1, 3.0, random));
    let (direction, turn) = (TAU * random.draw(), 0.1 * (random.draw() - 0.5));
    let mut picture = Tensor::zeros([3, side, side], (Kind::Float, Device::Cpu));
    let count = (1.5 * (side * side) as f64 / (length * width)).min(400.0) as usize;
    for _ in 0..count {
        let [x, y] = [0; 2].map(|_| random.draw() * side as f32);
        let (sin, cos) = f64::from(direction + turn * (x + y) + 0.4 * random.draw()).sin_cos();
        let (right, down) = ((&line - f64::from(x)).unsqueeze(0), (&line - f64::from(y)).unsqueeze(1));
        let (along, across) = (&right * cos + &down * sin, down * cos - right * sin);
        let inside: Tensor = 1.0 - (along / length).square() - (&across / width).square();
        let light = 1.0 + 0.3 * (across * stripes).sin();
        let color = Tensor::from_slice(&palette[below(palette.len() as i64, random) as usize]).view([3, 1, 1]);
        picture = picture.lerp_tensor(&(color * light), &(inside * sharpness).sigmoid());
    }
    picture.clamp(0.0, 1.0)
}

/// The picture with its channels mixed and permuted, and with another brightness and contrast.
fn recolored(picture: &Tensor, random: &mut Random) -> Outcome<Tensor> {
    if random.draw() < 0.4 {
        return Ok(picture.shallow_clone());
    }
    let turn = below(3, random);
    let mixing = Tensor::eye(3, (Kind::Float, Device::Cpu)).roll([turn], [0]) + random.normal(9)?.view([3, 3]) * 0.25;
    let gain = 0.5 + f64::from(random.draw());
    let shift = random.uniform(3)?.view([3, 1, 1]) * 0.4 - 0.2;
    let mixed = mixing.matmul(&(picture - 0.5).flatten(1, 2)).view_as(picture);
    Ok((mixed * gain + 0.5 + shift).clamp(0.0, 1.0))
}
