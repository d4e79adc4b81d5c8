//! Measures painted pictures with a network that did not paint them, and prints a line of JSON for each; for
//! `scripts/bench`.
//!
//! `judge WIDTH HEIGHT PAINTED CONTENT STYLE_WIDTH STYLE_HEIGHT STYLE [weights=FILE] [every=N] [uncovered=FILE]`: the
//! files contain R, G, B bytes without headers; PAINTED and CONTENT have one or more frames. For every Nth frame, the
//! line has
//!
//! - `gram`, `moments`, `sliced`: distances from the style, averaged over relu1_1, relu2_1 and relu3_1. `gram` compares
//!   Gram matrices, `moments` means and covariances: squared differences, relative to the style's squares. `sliced` is
//!   the squared Wasserstein distance of projections on random directions (F. Pitie, A. Kokaram, R. Dahyot, ICCV 2005),
//!   relative to the style's squares;
//! - `content`: the squared difference from the content at relu3_1, relative to the content's square;
//! - `nearest`: the median, over positions at relu3_1, of the cosine distance to the nearest of the style's features.
//!   The style's mean is subtracted first.
//!
//! `uncovered` has a byte per pixel for each frame, which is 1 in the area to examine. The line then also has
//! `uncovered`: the area's number of positions at relu3_1; `as_near`: the share of them that are as near to the style
//! as 95% of the other positions; `uncovered_nearest`: the median of their distances.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use style_engine::losses::{Distance, FeatureSums, GramDivisor, Statistics, Target};
use style_engine::networks::builtin;
use style_engine::networks::vgg::{FeatureLayer, Vgg};
use style_engine::pooling::Pooling;
use style_engine::random::Random;
use style_engine::weights;
use tch::{Device, Kind, Tensor};

type Outcome<T> = Result<T, Box<dyn Error>>;

const LAYERS: [&str; 3] = ["relu1_1", "relu2_1", "relu3_1"];
const DIRECTIONS: i64 = 64;
/// For `as_near`: the quantile of the other positions' distances.
const QUANTILE: f64 = 0.95;
/// The maximum number of style features that a position is compared with.
const MAX_FEATURES: i64 = 8192;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, painted, content, style_width, style_height, style, options @ ..] = arguments.as_slice() else {
        return Err("usage: see the top of tools/src/bin/judge.rs".into());
    };
    let options: HashMap<&str, &str> = options.iter().filter_map(|option| option.split_once('=')).collect();
    let every = options.get("every").map_or(Ok(1), |every| every.parse())?;
    let (width, height) = (width.parse::<i64>()?, height.parse::<i64>()?);
    let (painted, content, style) = (fs::read(painted)?, fs::read(content)?, fs::read(style)?);
    let uncovered = options.get("uncovered").map(fs::read).transpose()?;

    let _no_gradients = tch::no_grad_guard();
    let network = match options.get("weights") {
        Some(path) => weights::load(Path::new(path), Device::Cpu)?,
        None => builtin::network(Device::Cpu)?,
    };
    let judge = Judge::new(network, &picture(&style, style_height.parse()?, style_width.parse()?))?;
    let size = (3 * height * width) as usize;
    let frames = painted.chunks_exact(size).zip(content.chunks_exact(size));
    for (index, (painted, content)) in frames.enumerate().skip(every - 1).step_by(every) {
        let features = judge.features(&picture(painted, height, width))?;
        let mut line = format!("\"frame\": {}", index + 1);
        for (name, value) in judge.losses(&features, &judge.features(&picture(content, height, width))?)? {
            line += &format!(", \"{name}\": {value:.6}");
        }
        let pixels = size / 3;
        let mask = uncovered.as_ref().and_then(|bytes| bytes.get(index * pixels..(index + 1) * pixels));
        for (name, value) in judge.nearest(&features[2], mask.map(|mask| (mask, height, width)))? {
            line += &format!(", \"{name}\": {value:.4}");
        }
        println!("{{{line}}}");
    }
    Ok(())
}

struct Judge {
    network: Vgg,
    layers: Vec<FeatureLayer>,
    style: Vec<Tensor>,
}

impl Judge {
    fn new(network: Vgg, style: &Tensor) -> Outcome<Self> {
        let layers = LAYERS.iter().filter_map(|name| network.feature_layer(name)).collect();
        let mut judge = Self { network, layers, style: Vec::new() };
        judge.style = judge.features(style)?;
        if judge.style.len() < LAYERS.len() {
            return Err(format!("the network must have {}", LAYERS.join(", ")).into());
        }
        Ok(judge)
    }

    fn features(&self, picture: &Tensor) -> Outcome<Vec<Tensor>> {
        let fed = self.network.input.on(self.network.device)?.apply(picture)?;
        Ok(self.network.features(&fed, &self.layers, Pooling::Max)?)
    }

    fn losses(&self, painted: &[Tensor], content: &[Tensor]) -> Outcome<Vec<(&'static str, f64)>> {
        let share = 1.0 / self.layers.len() as f64;
        let (mut gram, mut moments, mut projected) = (0.0, 0.0, 0.0);
        for (painted, style) in painted.iter().zip(&self.style) {
            let sums = [FeatureSums::of(painted)?, FeatureSums::of(style)?];
            let distance = |statistics: Statistics| -> Outcome<f64> {
                let [painted, style] = [statistics.of(&sums[0])?, statistics.of(&sums[1])?];
                style.iter().zip(&painted).map(|(style, painted)| difference(painted, style)).sum()
            };
            gram += distance(Statistics::Gram(GramDivisor::Positions))? * share;
            moments += distance(Statistics::MeanCovariance)? * share;
            projected += sliced(painted, style)? * share;
        }
        let content = difference(&painted[2], &content[2])?;
        Ok(vec![("gram", gram), ("moments", moments), ("sliced", projected), ("content", content)])
    }

    /// The distances to the nearest style features. A mask is given with its height and width.
    fn nearest(&self, painted: &Tensor, mask: Option<(&[u8], i64, i64)>) -> Outcome<Vec<(&'static str, f64)>> {
        let style = rows(&self.style[2]);
        let mean = style.mean_dim([0].as_slice(), true, Kind::Float);
        let unit = |rows: &Tensor| {
            let centered = rows - &mean;
            let norm = centered.square().sum_dim_intlist([1].as_slice(), true, Kind::Float).sqrt() + 1e-6;
            centered / norm
        };
        let stride = style.size()[0] / MAX_FEATURES + 1;
        let style = unit(&style.slice(0, 0, None, stride));
        let parts: Vec<_> = unit(&rows(painted)).split(4096, 0);
        let nearest = |part: &Tensor| 1.0 - part.matmul(&style.transpose(0, 1)).amax([1i64].as_slice(), false);
        let distances = Tensor::cat(&parts.iter().map(nearest).collect::<Vec<_>>(), 0);
        let mut values = vec![("nearest", distances.median().double_value(&[]))];
        if let Some((mask, height, width)) = mask {
            let (_, _, rows, columns) = painted.size4()?;
            let mask = Tensor::from_slice(mask).view([1, 1, height, width]).to_kind(Kind::Float);
            let mask = mask.adaptive_avg_pool2d([rows, columns]).flatten(0, -1).ge(0.5);
            let count = mask.sum(Kind::Int64).int64_value(&[]);
            let (of_mask, others) = (distances.masked_select(&mask), distances.masked_select(&mask.logical_not()));
            values.push(("uncovered", count as f64));
            if count > 0 {
                let limit = others.quantile_scalar(QUANTILE, 0, false, "linear");
                let as_near = of_mask.le_tensor(&limit).mean(Kind::Float);
                values.push(("as_near", as_near.double_value(&[])));
                values.push(("uncovered_nearest", of_mask.median().double_value(&[])));
            }
        }
        Ok(values)
    }
}

/// The squared difference, relative to the square of the target.
fn difference(x: &Tensor, target: &Tensor) -> Outcome<f64> {
    Ok(Target::new(target.shallow_clone(), Distance::Normalized, 1)?.distance(x)?.double_value(&[]))
}

/// The squared sliced Wasserstein distance of features, relative to the mean square of the style's projections.
fn sliced(painted: &Tensor, style: &Tensor) -> Outcome<f64> {
    let (_, channels, _, _) = style.size4()?;
    let directions = Random(1).normal(channels * DIRECTIONS)?.view([channels, DIRECTIONS]);
    let norm = directions.square().sum_dim_intlist([0].as_slice(), true, Kind::Float).sqrt();
    let sorted = |features: &Tensor| rows(features).matmul(&(&directions / &norm)).transpose(0, 1).sort(1, false).0;
    let [painted, style] = [sorted(painted), sorted(style)];
    let positions = painted.size()[1];
    let style = style.unsqueeze(0).upsample_linear1d([positions], true, None).squeeze_dim(0);
    difference(&painted, &style)
}

/// Reshapes features `(1, C, H, W)` to `(H W, C)`.
fn rows(features: &Tensor) -> Tensor {
    features.squeeze_dim(0).flatten(1, 2).transpose(0, 1).contiguous()
}

/// Converts bytes to a picture `(1, 3, H, W)` in 0..1.
fn picture(bytes: &[u8], height: i64, width: i64) -> Tensor {
    Tensor::from_slice(bytes).view([1, height, width, 3]).permute([0, 3, 1, 2]).to_kind(Kind::Float) / 255
}
