//! Films whose motion is known: what is carried along, what is let go of, and what is not touched.

mod common;

use common::picture;
use style_engine::losses::{Distance, GramDivisor, Target, gram};
use style_engine::pooling::Pooling;
use style_engine::random::Random;
use style_engine::session::Session;
use style_engine_interface::{Parameters, original_colors, warm_start};
use tch::{Device, Kind, Tensor};

const HEIGHT: i64 = 96;
const WIDTH: i64 = 128;
const STEPS: i32 = 4;

fn session(warm_start: u32) -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    let parameters = Parameters { warm_start, iterations: STEPS, ..Parameters::default() };
    session.set_parameters(parameters, "", "").unwrap();
    session.set_styles(&[(style(9), 1.0)]).unwrap();
    session
}

/// A picture of strokes.
fn style(seed: i64) -> Tensor {
    picture(seed, 24, 32).upsample_bilinear2d([HEIGHT, WIDTH], false, None, None)
}

/// A large scene with shapes of many sizes, of which a film shows parts.
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
    // libtorch's own generator is shared by tests that run side by side.
    let noise = Random(seed).normal(frame.numel() as i64).unwrap().view_as(frame);
    (frame + noise * sigma).clamp(0.0, 1.0)
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.stylize(frame, &mut |_| true).unwrap()
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).square().mean(Kind::Float).double_value(&[])
}

/// The style loss of the built-in network's layers.
fn style_loss(session: &Session, painted: &Tensor) -> f64 {
    let network = session.vgg();
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
fn paint_moves_with_what_it_lies_on() {
    let scene = scene(1);
    // 3 pixels a frame to the right, 1 down.
    let film: Vec<_> = (0..12).map(|index| part(&scene, 3 * index, index)).collect();
    let restlessness = |kind: u32| {
        let mut session = session(kind);
        let painted: Vec<_> = film.iter().map(|frame| paint(&mut session, frame)).collect();
        let pair = |pair: &[Tensor]| {
            let inner = |frame: &Tensor, x: i64, y: i64| frame.narrow(2, 8 + y, 80).narrow(3, 8 + x, 110);
            apart(&inner(&pair[0], 3, 1), &inner(&pair[1], 0, 0))
        };
        painted.windows(2).skip(2).map(pair).sum::<f64>() / 9.0
    };
    let [flow, previous, none] = [warm_start::FLOW, warm_start::PREVIOUS, warm_start::NONE].map(restlessness);
    assert!(flow * 3.0 < previous && flow * 3.0 < none, "{flow} {previous} {none}");
}

#[test]
fn what_is_uncovered_is_painted_like_the_rest() {
    let (scene, other) = (scene(1), scene(2));
    // A cover slides off the right half in 8 frames; 6 more follow.
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
    let afresh = paint(&mut other, &frame(13));
    let half = |painted: &Tensor, x: i64| style_loss(&other, &painted.narrow(3, x, WIDTH / 2));
    let (disoccluded, reference) = (half(&last, WIDTH / 2), half(&afresh, WIDTH / 2));
    let bare = half(&frame(13), WIDTH / 2);
    assert!(disoccluded < 0.25 * bare, "{disoccluded}, afresh {reference}, as filmed {bare}");
}

#[test]
fn a_cut_starts_afresh() {
    let mut session = session(warm_start::FLOW);
    let _ = paint(&mut session, &part(&scene(1), 0, 0));
    let _ = paint(&mut session, &part(&scene(1), 2, 0));
    assert!(session.stats().steps < 3 * STEPS as u32 + 1, "{}", session.stats().steps);
    let other = part(&scene(5), 60, 50);
    let after = paint(&mut session, &other);
    assert_eq!(session.stats().steps, 120);
    session.reset();
    assert!(after.allclose(&paint(&mut session, &other), 0.0, 1e-3, false), "something was taken over");

    let parameters = Parameters { scene_threshold: 1.0, iterations: STEPS, ..Parameters::default() };
    session.set_parameters(parameters, "", "").unwrap();
    let _ = paint(&mut session, &part(&scene(1), 0, 0));
    assert!(session.stats().steps <= 3 * STEPS as u32, "no cuts were asked for");
}

#[test]
fn what_is_still_is_left_alone() {
    let mut session = session(warm_start::FLOW);
    let still = part(&scene(1), 0, 0);
    let first = paint(&mut session, &noisy(&still, 0, 0.01));
    for seed in 1..500 {
        let next = paint(&mut session, &noisy(&still, seed, 0.01));
        assert_eq!(session.stats().steps, 0, "frame {seed}");
        assert!(apart(&next, &first) == 0.0, "it creeps");
    }
}

#[test]
fn where_a_scene_is_still_it_stays_when_something_moves() {
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
    assert!(apart(&far(&last), &far(&first)) < 1e-6, "what is far from it stays");
    let near = |painted: &Tensor| painted.narrow(2, 60, 30).narrow(3, 80, 24);
    assert!(apart(&near(&last), &near(&first)) > 1e-3, "what moves is painted again");
}

#[test]
fn noise_and_light_neither_darken_nor_wear_off() {
    let mut session = session(warm_start::FLOW);
    let still = part(&scene(1), 0, 0);
    let first = paint(&mut session, &still);
    let begin = style_loss(&session, &first);
    let mut last = first.shallow_clone();
    for index in 1..120 {
        // More noise than is taken for stillness, and light that goes up and down.
        let light = 1.0 + 0.05 * (f64::from(index) / 10.0).sin();
        last = paint(&mut session, &noisy(&(&still * light), index as u64, 0.025));
    }
    assert!(session.stats().steps > 0);
    let brightness = |painted: &Tensor| painted.mean(Kind::Float).double_value(&[]);
    assert!((brightness(&last) - brightness(&first)).abs() < 0.03);
    assert!(style_loss(&session, &last) < 1.5 * begin);
}

#[test]
fn a_new_style_takes_over_a_still_scene() {
    let mut painter = session(warm_start::FLOW);
    let still = part(&scene(1), 0, 0);
    let _ = paint(&mut painter, &still);
    let _ = paint(&mut painter, &still);
    assert_eq!(painter.stats().steps, 0);
    let first = paint(&mut painter, &still);
    painter.set_styles(&[(1.0 - style(9), 1.0)]).unwrap();
    let mut last = paint(&mut painter, &still);
    assert_eq!(painter.stats().steps, STEPS as u32, "it starts from the last result");
    for _ in 0..9 {
        last = paint(&mut painter, &still);
    }
    assert!(apart(&last, &first) > 1e-3, "the style has changed");
    let _ = paint(&mut painter, &still);
    assert_eq!(painter.stats().steps, 0, "then it is still again");
}

#[test]
fn a_slow_change_of_light_is_followed() {
    let scene = scene(1);
    // By so much each frame, less than noise; it also moves, lest it be still.
    let last = |brighter: f64| {
        let mut session = session(warm_start::FLOW);
        // Steps could find back to the content by themselves.
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
fn after_a_fade_the_scene_is_painted_as_if_there_had_been_none() {
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
        // Less than a second later.
        let last = (0..20).map(|_| paint(&mut session, &scene)).last().unwrap();
        let afresh = paint(&mut painter(), &scene);
        assert!(apart(&last, &afresh) < 1e-3, "{original_colors}: {}", apart(&last, &afresh));
        assert_eq!(session.stats().steps, 0, "then it is finished");
    }
}

#[test]
fn a_part_is_painted_as_part_of_the_whole() {
    // A region's worth of a frame moves; the rest's sums stand for the rest.
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
    // The style loss is the frame's, not the part's, which holds little of the style.
    let (first, last) = (style_losses[0], style_losses[5]);
    assert!((0.5..1.5).contains(&(last / first)), "{style_losses:?}");
}
