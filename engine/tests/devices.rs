//! Compares results on CUDA, or on the device that STYLEFILTER_TEST_DEVICE names, with the CPU's.

mod common;

use std::cmp::Ordering;

use common::picture;
use style_engine::normalization::Input;
use style_engine::objective::{Context, Objective};
use style_engine::recipes::Recipe;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine::targets::{content_targets, style_targets};
use style_engine::{device, networks::builtin, weights};
use style_engine_interface::{Parameters, precision, recipe};
use tch::{Device, Kind, Tensor};

/// The maximum relative difference of the losses, and of the gradients (by their norms). The order of sums differs, and
/// when two values are nearly equal, max pooling may pass the gradient to either. CUDA's convolutions also round to 10
/// bits (TF32), unless NVIDIA_TF32_OVERRIDE=0.
fn tolerances() -> [f64; 2] {
    match std::env::var("NVIDIA_TF32_OVERRIDE").as_deref() {
        Ok("0") => [1e-3, 1e-2],
        _ => [1e-2, 1e-1],
    }
}

/// The maximum relative difference of the losses of a film. Each step amplifies the rounding errors of the step before:
/// even on the CPU, one thread and two threads differ by two percent.
const FILM_TOLERANCE: f64 = 0.1;

fn other_device() -> String {
    std::env::var("STYLEFILTER_TEST_DEVICE").unwrap_or("cuda".into())
}

/// Collects differences that are too large, so that a failure shows all of them.
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

    fn check(&mut self, what: &str, difference: f64, tolerance: f64) {
        let line = format!("{what}, difference {difference:.1e}, tolerance {tolerance:.0e}");
        println!("{line}");
        // NaN must fail, too.
        if !matches!(difference.partial_cmp(&tolerance), Some(Ordering::Less | Ordering::Equal)) {
            self.lines.push(line);
        }
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.lines.is_empty(), "too different: {:#?}", self.lines);
    }
}

/// Evaluates a recipe on a device; returns the losses and the gradient.
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
#[ignore = "needs CUDA"]
fn losses_and_gradients_on_cuda_agree_with_the_cpus() {
    let name = other_device();
    let device = device::find(&name).unwrap_or_else(|error| panic!("{error}"));
    let [loss_tolerance, gradient_tolerance] = tolerances();
    let mut failures = Failures::of(&name);
    for (recipe, recipe_name) in
        [(recipe::VIDEO, "video"), (recipe::PYTORCH_TUTORIAL, "pytorch-tutorial"), (recipe::KERAS, "keras")]
    {
        // Only layers that the built-in network has.
        let recipe =
            Recipe::new(&Parameters { recipe, ..Parameters::default() }, "relu3_1", "relu1_1, relu2_1, relu3_1");
        let recipe = recipe.unwrap();
        let (expected, expected_gradient) = evaluate(&recipe, Device::Cpu);
        let (losses, gradient) = evaluate(&recipe, device);
        for ((kind, expected), loss) in ["weighted sum", "style", "content", "tv"].iter().zip(expected).zip(losses) {
            failures.compare(&format!("{recipe_name}: {kind}"), expected, loss, loss_tolerance);
        }
        let norm = |x: &Tensor| x.square().sum(Kind::Double).sqrt().double_value(&[]);
        let difference = norm(&(&gradient - &expected_gradient)) / norm(&expected_gradient);
        failures.check(&format!("{recipe_name}: gradient"), difference, gradient_tolerance);
    }
}

#[test]
#[ignore = "needs CUDA"]
fn the_losses_of_a_film_on_cuda_agree_with_the_cpus() {
    let name = other_device();
    let (height, width) = (135, 240);
    // A panning camera.
    let scene = picture(1, height, width + 12);
    let film = [0, 4, 8, 12].map(|x| scene.narrow(3, x, width));
    let [expected, losses] = ["cpu", name.as_str()].map(|device| {
        let mut session = Session::new(weights::find().as_deref(), device).unwrap();
        let parameters = Parameters { first_iterations: 40, precision: precision::F32, ..Parameters::default() };
        session.set_parameters(parameters, "", "").unwrap();
        session.set_styles(&[Style { picture: picture(9, height, width), weight: 1.0, region: 0 }]).unwrap();
        film.each_ref().map(|frame| {
            let result = session.paint(frame, None, &mut |_| true).unwrap();
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

#[test]
#[should_panic(expected = "difference 2.0e-1, tolerance 1e-1")]
fn a_difference_above_the_tolerance_is_noticed() {
    Failures::of("another device").compare("loss", 1.0, 1.2, 0.1);
}

#[test]
#[should_panic(expected = "difference NaN")]
fn a_loss_that_is_not_a_number_is_noticed() {
    Failures::of("another device").compare("loss", 1.0, f64::NAN, 0.1);
}
