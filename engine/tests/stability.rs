//! Tests warm starts on films whose motion is known: paint must follow motion, and must be replaced or kept where
//! needed.

mod common;

use std::time::Duration;

use common::picture;
use style_engine::losses::{Distance, GramDivisor, Target, gram};
use style_engine::networks::builtin;
use style_engine::pooling::Pooling;
use style_engine::random::Random;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Parameters, original_colors, warm_start};
use tch::{Device, Kind, Tensor};

const HEIGHT: i64 = 96;
const WIDTH: i64 = 128;
const STEPS: i32 = 4;

fn session(warm_start: u32) -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    let parameters = Parameters { warm_start, iterations: STEPS, ..Parameters::default() };
    session.set_parameters(parameters, "", "").unwrap();
    session.set_styles(&[Style { picture: style(9), weight: 1.0, region: 0 }]).unwrap();
    session
}

/// A style picture of smooth shapes.
fn style(seed: i64) -> Tensor {
    picture(seed, 24, 32).upsample_bilinear2d([HEIGHT, WIDTH], false, None, None)
}

/// A large scene with shapes of many sizes. The films show parts of it.
fn scene(seed: i64) -> Tensor {
    let layer = |index: i64, side: i64| {
        let noise = picture(seed * 10 + index, side, side) - 0.5;
        noise.upsample_bicubic2d([256, 320], false, None, None)
    };
    (layer(1, 8) * 0.5 + layer(2, 24) * 0.4 + layer(3, 64) * 0.3 + 0.5).clamp(0.0, 1.0)
}

fn part(scene: &Tensor, x: i64, y: i64) -> Tensor {
    scene.narrow(2, y, HEIGHT).narrow(3, x, WIDTH)
}

fn noisy(frame: &Tensor, seed: u64, sigma: f64) -> Tensor {
    // Not libtorch's generator, which tests that run in parallel share.
    let noise = Random(seed).normal(frame.numel() as i64).unwrap().view_as(frame);
    (frame + noise * sigma).clamp(0.0, 1.0)
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap()
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).square().mean(Kind::Float).double_value(&[])
}

/// The style loss of the built-in network's layers.
fn style_loss(painted: &Tensor) -> f64 {
    let network = &builtin::network(Device::Cpu).unwrap();
    let input = network.input.on(Device::Cpu).unwrap();
    let layers: Vec<_> = ["relu1_1", "relu2_1", "relu3_1"].map(|name| network.feature_layer(name).unwrap()).into();
    let matrices = |picture: &Tensor| -> Vec<Tensor> {
        let features = network.features(&input.apply(picture).unwrap(), &layers, Pooling::Max).unwrap();
        features.iter().map(|features| gram(features, GramDivisor::Positions).unwrap()).collect()
    };
    let loss = |(wanted, painted): (Tensor, Tensor)| {
        Target::new(wanted, Distance::Normalized, 1).unwrap().distance(&painted).unwrap().double_value(&[])
    };
    matrices(&style(9)).into_iter().zip(matrices(painted)).map(loss).sum()
}

#[test]
#[ignore = "takes long"]
fn paint_follows_the_motion() {
    let scene = scene(1);
    // The camera moves 3 pixels per frame to the right, 1 down.
    let film: Vec<_> = (0..12).map(|index| part(&scene, 3 * index, index)).collect();
    let flicker = |kind: u32| {
        let mut session = session(kind);
        let painted: Vec<_> = film.iter().map(|frame| paint(&mut session, frame)).collect();
        let pair = |pair: &[Tensor]| {
            let inner = |frame: &Tensor, x: i64, y: i64| frame.narrow(2, 8 + y, 80).narrow(3, 8 + x, 110);
            difference(&inner(&pair[0], 3, 1), &inner(&pair[1], 0, 0))
        };
        painted.windows(2).skip(2).map(pair).sum::<f64>() / 9.0
    };
    let [flow, previous, none] = [warm_start::FLOW, warm_start::PREVIOUS, warm_start::NONE].map(flicker);
    assert!(flow * 3.0 < previous && flow * 3.0 < none, "{flow} {previous} {none}");
}

#[test]
fn an_uncovered_area_is_painted_like_the_rest() {
    let (scene, other) = (scene(1), scene(2));
    // A cover slides off the right half within 8 frames; 6 more frames follow.
    let frame = |index: i64| {
        let edge = (WIDTH / 2 + 8 * index).min(WIDTH);
        let (open, cover) = (part(&scene, 0, 0), part(&other, 64 - 8 * index.min(8), 0));
        Tensor::cat(&[open.narrow(3, 0, edge), cover.narrow(3, edge, WIDTH - edge)], 3)
    };
    let mut painter = session(warm_start::FLOW);
    let mut last = Tensor::new();
    for index in 0..14 {
        last = paint(&mut painter, &frame(index));
    }
    let mut other = session(warm_start::FLOW);
    let from_scratch = paint(&mut other, &frame(13));
    let half = |painted: &Tensor, x: i64| style_loss(&painted.narrow(3, x, WIDTH / 2));
    let (disoccluded, reference) = (half(&last, WIDTH / 2), half(&from_scratch, WIDTH / 2));
    let unpainted = half(&frame(13), WIDTH / 2);
    assert!(disoccluded < 0.25 * unpainted, "{disoccluded}, from scratch {reference}, unpainted {unpainted}");
}

#[test]
fn after_a_cut_the_scene_is_painted_from_scratch() {
    let mut session = session(warm_start::FLOW);
    let _ = paint(&mut session, &part(&scene(1), 0, 0));
    let _ = paint(&mut session, &part(&scene(1), 2, 0));
    assert!(session.stats().steps < 3 * STEPS as u32 + 1, "{}", session.stats().steps);
    let other = part(&scene(5), 60, 50);
    let after = paint(&mut session, &other);
    assert_eq!(session.stats().steps, 120);
    session.reset();
    assert!(after.allclose(&paint(&mut session, &other), 0.0, 1e-3, false), "paint of the old scene is left");

    let parameters = Parameters { scene_threshold: 1.0, iterations: STEPS, ..Parameters::default() };
    session.set_parameters(parameters, "", "").unwrap();
    let _ = paint(&mut session, &part(&scene(1), 0, 0));
    assert!(session.stats().steps <= 3 * STEPS as u32, "a threshold of 1 turns cut detection off");
}

#[test]
fn under_a_time_limit_a_cut_takes_no_more_steps_than_what_is_uncovered() {
    let limited = || {
        let mut session = session(warm_start::FLOW);
        session.set_time_limits(Some(Duration::from_secs(3600)), None);
        session
    };
    let before = part(&scene(1), 0, 0) * 0.4;
    // Returns the style loss at the end, relative to that from scratch.
    let loss_after_cut = |other: i64| {
        let other = part(&scene(other), 60, 50);
        let mut session = limited();
        let _ = paint(&mut session, &before);
        let mut losses = Vec::new();
        for _ in 0..8 {
            losses.push(style_loss(&paint(&mut session, &other)));
            assert!(session.stats().steps <= 3 * STEPS as u32, "{}", session.stats().steps);
        }
        let from_scratch = style_loss(&paint(&mut limited(), &other));
        let unpainted = style_loss(&other);
        assert!(losses[0] < 0.2 * unpainted, "{losses:?}, unpainted {unpainted}");
        losses[7] / from_scratch
    };
    // Rounding changes the loss of a single cut by half, so the mean of four is compared. Even that is 1.2 on some processors
    // and 1.5 on others.
    let ratios = [5, 6, 7, 8].map(loss_after_cut);
    assert!(ratios.iter().sum::<f64>() / 4.0 < 2.0, "{ratios:?}");
}

#[test]
fn a_still_scene_is_not_painted_again() {
    let mut session = session(warm_start::FLOW);
    let still = part(&scene(1), 0, 0);
    let first = paint(&mut session, &noisy(&still, 0, 0.01));
    for seed in 1..500 {
        let next = paint(&mut session, &noisy(&still, seed, 0.01));
        assert_eq!(session.stats().steps, 0, "frame {seed}");
        assert!(difference(&next, &first) == 0.0, "the paint changes slowly");
    }
}

#[test]
fn still_areas_keep_their_paint_when_something_else_moves() {
    let mut session = session(warm_start::FLOW);
    let (behind, front) = (part(&scene(1), 0, 0), scene(3));
    let frame = |index: i64| {
        let frame = behind.copy();
        frame.narrow(2, 60, 30).narrow(3, 80 + 2 * index, 24).copy_(&front.narrow(2, 0, 30).narrow(3, 0, 24));
        noisy(&frame, index as u64, 0.01)
    };
    let first = paint(&mut session, &frame(0));
    let mut last = Tensor::new();
    for index in 1..8 {
        last = paint(&mut session, &frame(index));
        assert!(session.stats().steps >= STEPS as u32);
    }
    let far = |painted: &Tensor| painted.narrow(3, 0, 48);
    assert!(difference(&far(&last), &far(&first)) < 1e-6, "the paint of a still area changes");
    let near = |painted: &Tensor| painted.narrow(2, 60, 30).narrow(3, 80, 24);
    assert!(difference(&near(&last), &near(&first)) > 1e-3, "the moving object is not painted again");
}

#[test]
#[ignore = "takes long"]
fn noise_and_changes_of_light_keep_the_brightness_and_the_paint() {
    let mut session = session(warm_start::FLOW);
    let still = part(&scene(1), 0, 0);
    let first = paint(&mut session, &still);
    let begin = style_loss(&first);
    let mut last = first.shallow_clone();
    for index in 1..120 {
        // More noise than in a still scene, and light that varies.
        let light = 1.0 + 0.05 * (f64::from(index) / 10.0).sin();
        last = paint(&mut session, &noisy(&(&still * light), index as u64, 0.025));
    }
    assert!(session.stats().steps > 0);
    let brightness = |painted: &Tensor| painted.mean(Kind::Float).double_value(&[]);
    assert!((brightness(&last) - brightness(&first)).abs() < 0.03);
    assert!(style_loss(&last) < 1.5 * begin);
}

#[test]
fn a_new_style_replaces_the_paint_of_a_still_scene() {
    let mut painter = session(warm_start::FLOW);
    let still = part(&scene(1), 0, 0);
    let _ = paint(&mut painter, &still);
    let _ = paint(&mut painter, &still);
    assert_eq!(painter.stats().steps, 0);
    let first = paint(&mut painter, &still);
    painter.set_styles(&[Style { picture: 1.0 - style(9), weight: 1.0, region: 0 }]).unwrap();
    let mut last = paint(&mut painter, &still);
    assert_eq!(painter.stats().steps, STEPS as u32, "the frame starts from the last result");
    for _ in 0..9 {
        last = paint(&mut painter, &still);
    }
    assert!(difference(&last, &first) > 1e-3, "the paint is still in the old style");
    let _ = paint(&mut painter, &still);
    assert_eq!(painter.stats().steps, 0, "once painted, the scene is still again");
}

#[test]
fn a_slow_change_of_light_is_followed() {
    let scene = scene(1);
    // The brightness changes by less than the noise per frame. The camera moves, so that the scene is not still.
    let last = |brighter: f64| {
        let mut session = session(warm_start::FLOW);
        // No steps: they would correct the brightness by themselves.
        let parameters = Parameters { iterations: 0, ..Parameters::default() };
        session.set_parameters(parameters, "", "").unwrap();
        let frame = |index: i64| part(&scene, 2 * index, 0) * 0.6 + brighter * index as f64;
        let painted = (0..=20).map(|index| paint(&mut session, &frame(index))).last().unwrap();
        painted.mean(Kind::Float).double_value(&[])
    };
    let difference = last(0.01) - last(0.0);
    assert!((0.15..0.25).contains(&difference), "{difference}");
}

#[test]
#[ignore = "takes long"]
fn after_a_fade_the_scene_is_painted_as_from_scratch() {
    let scene = part(&scene(1), 0, 0);
    for original_colors in [original_colors::NONE, original_colors::MATCH] {
        let painter = || {
            let mut session = session(warm_start::FLOW);
            let parameters = Parameters { original_colors, iterations: STEPS, ..Parameters::default() };
            session.set_parameters(parameters, "", "").unwrap();
            session
        };
        let mut session = painter();
        for index in 0..=15 {
            let _ = paint(&mut session, &(&scene * (f64::from(index) / 15.0)));
        }
        // 20 frames are less than a second.
        let last = (0..20).map(|_| paint(&mut session, &scene)).last().unwrap();
        let from_scratch = paint(&mut painter(), &scene);
        assert!(difference(&last, &from_scratch) < 1e-3, "{original_colors}: {}", difference(&last, &from_scratch));
        assert_eq!(session.stats().steps, 0, "a finished scene gets no more steps");
    }
}

#[test]
fn a_region_is_painted_for_the_style_loss_of_the_whole_frame() {
    // Only a region of the frame moves and is painted. For the rest, the sums of its features are reused.
    let (behind, front) = (scene(1).narrow(3, 0, 320), scene(3));
    let frame = |index: i64| {
        let frame = behind.copy();
        frame.narrow(2, 10, 40).narrow(3, 10 + 2 * index, 40).copy_(&front.narrow(2, 0, 40).narrow(3, 0, 40));
        frame
    };
    let mut session = session(warm_start::FLOW);
    let mut style_losses = Vec::new();
    for index in 0..6 {
        let _ = paint(&mut session, &frame(index));
        style_losses.push(session.stats().style_loss);
    }
    // The reported style loss is the whole frame's. The region's alone would be much larger.
    let (first, last) = (style_losses[0], style_losses[5]);
    assert!((0.5..1.5).contains(&(last / first)), "{style_losses:?}");
}
