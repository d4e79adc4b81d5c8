//! The GPU's arithmetic is the CPU's. Skipped where CUDA does not work, unless STYLEFILTER_TEST_DEVICE names the device.

mod common;

use std::cmp::Ordering;

use common::picture;
use style_engine::normalization::Input;
use style_engine::objective::{Context, Objective};
use style_engine::recipes::Recipe;
use style_engine::session::Session;
use style_engine::targets::{content_targets, style_targets};
use style_engine::{device, networks::builtin, weights};
use style_engine_interface::{Parameters, precision, recipe};
use tch::{Device, Kind, Tensor};

/// How far the losses may be apart, as shares of them, and the gradients, their difference's norm as a share of theirs.
/// Sums are taken in another order, and where two values are nearly equal their maximum's gradient goes to the one or the
/// other. CUDA's convolutions round to 10 bits besides, unless NVIDIA_TF32_OVERRIDE=0.
fn tolerances() -> [f64; 2] {
    match std::env::var("NVIDIA_TF32_OVERRIDE").as_deref() {
        Ok("0") => [1e-3, 1e-2],
        _ => [1e-2, 1e-1],
    }
}

/// How far the losses of a film may be apart: its steps start from each other's roundings, and on the CPU already one
/// thread comes two percent from two.
const FILM_TOLERANCE: f64 = 0.1;

fn other_device() -> Option<String> {
    let asked = std::env::var("STYLEFILTER_TEST_DEVICE").ok();
    let name = asked.clone().unwrap_or("cuda".into());
    match device::find(&name) {
        Ok(_) => Some(name),
        Err(error) if asked.is_none() => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Collects what is too far apart, so that a failure shows all the numbers.
struct Failures {
    device: String,
    lines: Vec<String>,
}

impl Failures {
    fn of(device: &str) -> Self {
        Self { device: device.to_owned(), lines: Vec::new() }
    }

    fn compare(&mut self, what: &str, cpu: f64, other: f64, tolerance: f64) {
        let what = format!("{what}: cpu {cpu:.6e}, {} {other:.6e}", self.device);
        self.check(&what, (cpu - other).abs() / cpu.abs(), tolerance);
    }

    fn check(&mut self, what: &str, apart: f64, tolerance: f64) {
        let line = format!("{what}, {apart:.1e} apart of {tolerance:.0e} allowed");
        println!("{line}");
        // Not a number fails, too.
        if !matches!(apart.partial_cmp(&tolerance), Some(Ordering::Less | Ordering::Equal)) {
            self.lines.push(line);
        }
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.lines.is_empty(), "too far apart: {:#?}", self.lines);
    }
}

/// The losses, and the gradient on the CPU.
fn evaluate(recipe: &Recipe, device: Device) -> ([f64; 4], Tensor) {
    let _no_gradients = tch::no_grad_guard();
    let network = match weights::find() {
        Some(path) => weights::load(&path, device).unwrap(),
        None => builtin::network(device).unwrap(),
    };
    let (height, width) = (135, 240);
    let input = recipe.input.unwrap_or(Input::ImageNet).on(device).unwrap();
    let fed = |seed| input.apply(&picture(seed, height, width).to_device(device)).unwrap();
    let style = style_targets(&network, recipe, &[(fed(9), 1.0)], [height, width]).unwrap();
    let content = content_targets(&network, recipe, &fed(1), [height, width]).unwrap();
    let objective = Objective::new(&network, recipe, &style, &content, Context::default()).unwrap();
    let start = picture(5, height, width).to_device(device);
    let (evaluation, losses) = objective.evaluate(&start, Some(&input)).unwrap();
    let losses = [evaluation.loss, losses.style, losses.content, losses.tv].map(|loss| loss.double_value(&[]));
    (losses, evaluation.gradient.to_device(Device::Cpu).to_kind(Kind::Double))
}

#[test]
fn losses_and_gradients_are_the_cpus() {
    let Some(name) = other_device() else { return };
    let device = device::find(&name).unwrap();
    let [loss_tolerance, gradient_tolerance] = tolerances();
    let mut failures = Failures::of(&name);
    for (recipe, recipe_name) in
        [(recipe::VIDEO, "video"), (recipe::PYTORCH_TUTORIAL, "pytorch-tutorial"), (recipe::KERAS, "keras")]
    {
        // Layers that even the built-in network has.
        let recipe =
            Recipe::new(&Parameters { recipe, ..Parameters::default() }, "relu3_1", "relu1_1, relu2_1, relu3_1");
        let recipe = recipe.unwrap();
        let (expected, expected_gradient) = evaluate(&recipe, Device::Cpu);
        let (losses, gradient) = evaluate(&recipe, device);
        for ((kind, expected), loss) in ["weighted sum", "style", "content", "tv"].iter().zip(expected).zip(losses) {
            failures.compare(&format!("{recipe_name}: {kind}"), expected, loss, loss_tolerance);
        }
        let norm = |x: &Tensor| x.square().sum(Kind::Double).sqrt().double_value(&[]);
        let apart = norm(&(&gradient - &expected_gradient)) / norm(&expected_gradient);
        failures.check(&format!("{recipe_name}: gradient"), apart, gradient_tolerance);
    }
}

#[test]
fn films_are_painted_as_on_the_cpu() {
    let Some(name) = other_device() else { return };
    let (height, width) = (135, 240);
    // A camera that pans.
    let scene = picture(1, height, width + 12);
    let film = [0, 4, 8, 12].map(|x| scene.narrow(3, x, width));
    let [expected, losses] = ["cpu", name.as_str()].map(|device| {
        let mut session = Session::new(weights::find().as_deref(), device).unwrap();
        let parameters = Parameters { first_iterations: 40, precision: precision::F32, ..Parameters::default() };
        session.set_parameters(parameters, "", "").unwrap();
        session.set_styles(&[(picture(9, height, width), 1.0)]).unwrap();
        film.each_ref().map(|frame| {
            let result = session.stylize(frame, &mut |_| true).unwrap();
            assert_eq!(result.size(), frame.size());
            let stats = session.stats();
            [stats.style_loss, stats.content_loss, stats.tv_loss]
        })
    });
    let mut failures = Failures::of(&name);
    for (index, (expected, losses)) in expected.iter().zip(&losses).enumerate() {
        for ((kind, &expected), &loss) in ["style", "content", "tv"].iter().zip(expected).zip(losses) {
            failures.compare(&format!("frame {}: {kind}", index + 1), expected, loss, FILM_TOLERANCE);
        }
    }
}
