//! Trains a feed-forward network that paints in the style of a picture: a file for the property `model`.
//!
//! `train STYLES PICTURES MODEL [NAME=VALUE ...]`: STYLES are pictures, separated by commas; PICTURES is a folder of
//! photographs, PNG and JPEG files. MODEL is written as safetensors with 16-bit numbers, with the command in its
//! metadata, and beside it every SAVE steps its state (`MODEL.training`) and a photograph that it paints
//! (`MODEL.png`). A second run of the same command goes on from there. The same `seed` gives the same network.
//!
//! The losses are the element's own: mean and covariance of features over a pyramid of the picture, content, total
//! variation; and the temporal loss between a photograph and the same one moved, with noise.
//!
//! | name | default | |
//! | --- | --- | --- |
//! | channels | 8 | channels of the first layer; the others have two and four times as many |
//! | blocks | 5 | residual blocks |
//! | steps | 20000 | |
//! | batch | 4 | photographs per step |
//! | side | 256 | width and height of the photographs, in pixels |
//! | style-side | 256 | the longer side of the style pictures, in pixels: strokes have this scale |
//! | content-weight, style-weight, tv-weight | -1 | as the element's properties; -1: its defaults |
//! | temporal-weight | 300 | |
//! | start | | a model of this shape to begin with, e.g. for another style: it learns much sooner than a new one |
//! | weights | | VGG weight file; the built-in network if not set |
//! | rate | 0.002 | Adam's initial learning rate |
//! | save | 500 | |
//! | seed | 1 | |
//! | device | auto | |

mod lesson;
mod network;
mod state;

use std::f64::consts::PI;
use std::path::{Path, PathBuf};

use lesson::Lesson;
use network::Layout;
use state::State;
use style_engine::random::Random;
use style_engine::{device, weights};
use tch::{Device, Kind, Tensor};
use tools::options::Options;
use tools::pictures::Pictures;
use tools::{Outcome, picture, replace};

/// The steps in which the learning rate rises to its value.
const WARM_UP: f64 = 100.0;

/// Distinguishes the random numbers of steps: any odd number.
const STRIDE: u64 = 0x2545_f491_4f6c_dd1d;

struct Settings {
    layout: Layout,
    start: Option<PathBuf>,
    steps: i64,
    batch: i64,
    side: i64,
    rate: f64,
    save: i64,
    seed: u64,
}

fn main() -> Outcome<()> {
    let options = Options::new(std::env::args().skip(1));
    let [styles, pictures, model] = options.files.as_slice() else {
        return Err(
            "usage: train STYLES PICTURES MODEL [NAME=VALUE ...]; tools/src/bin/train/main.rs describes the options"
                .into(),
        );
    };
    let device = device::find(options.text("device").unwrap_or("auto"))?;
    let settings = Settings {
        layout: Layout::new(options.number("channels", 8)?, options.number("blocks", 5)?),
        start: options.text("start").map(PathBuf::from),
        steps: options.number("steps", 20_000)?,
        batch: options.number("batch", 4)?,
        side: options.number("side", 256)?,
        rate: options.number("rate", 2e-3)?,
        save: options.number("save", 500)?,
        seed: options.number("seed", 1)?,
    };
    let styles = styles.split(',').map(|path| picture::read(Path::new(path))).collect::<Outcome<Vec<_>>>()?;
    let lesson = Lesson::new(&options, &styles, settings.side, device)?;
    let pictures = Pictures::new(Path::new(pictures))?;
    train(&settings, &lesson, &pictures, Path::new(model), &options.command, device)
}

fn train(
    settings: &Settings,
    lesson: &Lesson,
    pictures: &Pictures,
    model: &Path,
    command: &str,
    device: Device,
) -> Outcome<()> {
    let beside = |ending: &str| PathBuf::from(format!("{}.{ending}", model.display()));
    let layout = &settings.layout;
    let mut state = match State::open(&beside("training"), command, layout, device)? {
        Some(state) => state,
        None => State::new(match &settings.start {
            Some(path) => layout.read(path, device)?,
            None => layout.start(&mut Random(settings.seed))?.to_device(device),
        })?,
    };
    let provenance = format!("train {command}");
    let sample = pictures.first(settings.side)?.to_device(device);
    let mut averages = [0.0; 4];
    let first = state.steps();
    for step in first..settings.steps {
        let mut random = Random(settings.seed.wrapping_add(STRIDE.wrapping_mul(step as u64)));
        let draw = |_| Ok(pictures.photograph(settings.side, &mut random)?.unsqueeze(0));
        let contents = Tensor::cat(&(0..settings.batch).map(draw).collect::<Outcome<Vec<_>>>()?, 0).to_device(device);
        let parameters = state.parameters().set_requires_grad(true);
        let (surrogate, losses) = lesson.losses(&layout.network(&parameters)?, &contents, &mut random)?;
        let gradient = Tensor::f_run_backward(&[surrogate], &[&parameters], false, false)?.remove(0);
        state.step(&gradient, rate(settings, step))?;

        let number = (step - first + 1) as f64;
        for (average, loss) in averages.iter_mut().zip(losses) {
            *average += (loss - *average) / number.min(100.0);
        }
        if (step + 1) % settings.save == 0 || step + 1 == settings.steps {
            let [style, content, tv, temporal] = averages;
            println!(
                "{} of {}: style {style:.4}, content {content:.4}, tv {tv:.5}, temporal {temporal:.6}",
                step + 1,
                settings.steps
            );
            let _no_gradients = tch::no_grad_guard();
            let network = layout.network(&state.parameters())?;
            state.save(&beside("training"), command)?;
            let tensors = layout.tensors(&state.parameters(), Kind::Half)?;
            replace(model, |draft| Ok(weights::save_tensors(&tensors, draft, Some(&provenance))?))?;
            picture::write(&Tensor::cat(&[&sample, &lesson.paint(&network, &sample)?], 3), &beside("png"))?;
        }
    }
    Ok(())
}

/// The learning rate: a short warm-up, then half a cosine down to 0 (I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, equation
/// 5).
fn rate(settings: &Settings, step: i64) -> f64 {
    let done = step as f64 / settings.steps as f64;
    settings.rate * ((step + 1) as f64 / WARM_UP).min(1.0) * 0.5 * (1.0 + (PI * done).cos())
}
