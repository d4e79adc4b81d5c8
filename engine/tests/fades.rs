//! Tests fades of styles and models, whose weights change from frame to frame.

use std::path::Path;

mod common;

use common::picture;
use style_engine::losses::{Distance, GramDivisor, Target, gram};
use style_engine::networks::builtin;
use style_engine::pooling::Pooling;
use style_engine::session::{ModelShare, Session};
use style_engine::styles::Style;
use style_engine_interface::{Parameters, precision};
use tch::{Device, Kind, Tensor};

const SIZE: [i64; 2] = [96, 128];

/// Two styles that differ in colors and in strokes.
fn styles() -> [Tensor; 2] {
    let color = |color: [f32; 3]| Tensor::from_slice(&color).view([1, 3, 1, 1]);
    let coarse = picture(9, 24, 32).upsample_bilinear2d(SIZE, false, None, None);
    [coarse * 0.6 + color([0.4, 0.2, 0.0]), picture(31, SIZE[0], SIZE[1]) * 0.6 + color([0.0, 0.1, 0.4])]
}

/// The styles with `part` of the second one, in the same memory each time.
fn shares(styles: &[Tensor; 2], part: f64) -> [Style; 2] {
    let style = |index: usize, weight| Style { picture: styles[index].shallow_clone(), weight, region: 0 };
    [style(0, 1.0 - part), style(1, part)]
}

fn session(styles: &[Style], parameters: Parameters) -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    session.set_parameters(parameters, "", "").unwrap();
    session.set_styles(styles).unwrap();
    session
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap()
}

/// A film whose camera moves 3 pixels per frame to the right, 1 down.
fn film(frames: i64) -> Vec<Tensor> {
    let layer = |seed, side| (picture(seed, side, side) - 0.5).upsample_bicubic2d([256, 400], false, None, None);
    let scene = (layer(1, 8) * 0.5 + layer(2, 24) * 0.4 + layer(3, 64) * 0.3 + 0.5).clamp(0.0, 1.0);
    (0..frames).map(|index| scene.narrow(2, index, SIZE[0]).narrow(3, 3 * index, SIZE[1]).contiguous()).collect()
}

/// The distance of a picture's Gram matrices from a style's.
fn distance(painted: &Tensor, style: &Tensor) -> f64 {
    let network = builtin::network(Device::Cpu).unwrap();
    let input = network.input.on(Device::Cpu).unwrap();
    let layers: Vec<_> = ["relu1_1", "relu2_1", "relu3_1"].map(|name| network.feature_layer(name).unwrap()).into();
    let matrices = |picture: &Tensor| -> Vec<Tensor> {
        let features = network.features(&input.apply(picture).unwrap(), &layers, Pooling::Max).unwrap();
        features.iter().map(|features| gram(features, GramDivisor::Positions).unwrap()).collect()
    };
    let loss = |(wanted, painted): (Tensor, Tensor)| {
        Target::new(wanted, Distance::Normalized, 1).unwrap().distance(&painted).unwrap().double_value(&[])
    };
    matrices(style).into_iter().zip(matrices(painted)).map(loss).sum()
}

/// How much the paint of a moving film flickers from one frame to the next, apart from its mean color, which a fade changes.
fn flicker(pair: &[Tensor]) -> f64 {
    let inner = |frame: &Tensor, x: i64, y: i64| {
        let inner = frame.narrow(2, 8 + y, 80).narrow(3, 8 + x, 110);
        &inner - inner.mean_dim([2i64, 3].as_slice(), true, Kind::Float)
    };
    (inner(&pair[0], 3, 1) - inner(&pair[1], 0, 0)).square().mean(Kind::Float).double_value(&[])
}

#[test]
fn paint_goes_steadily_from_one_style_to_another() {
    const BEFORE: i64 = 8;
    const FADE: i64 = 20;
    let styles = styles();
    let mut session = session(&shares(&styles, 0.0), Parameters::default());
    let painted: Vec<_> = (0..)
        .zip(film(BEFORE + FADE + 8))
        .map(|(index, frame)| {
            let part = (index - BEFORE).clamp(0, FADE) as f64 / FADE as f64;
            session.set_styles(&shares(&styles, part)).unwrap();
            paint(&mut session, &frame)
        })
        .collect();
    let [first, second] = styles.each_ref().map(|style| {
        let distances: Vec<_> = painted.iter().map(|painted| distance(painted, style)).collect();
        (0..=FADE as usize / 4).map(|step| distances[BEFORE as usize + 4 * step]).collect::<Vec<_>>()
    });
    assert!(first.windows(2).all(|pair| pair[1] > pair[0]), "away from the first: {first:?}");
    assert!(second.windows(2).all(|pair| pair[1] < pair[0]), "towards the second: {second:?}");
    let (last, reference) = (painted.last().unwrap(), {
        let mut other = self::session(&shares(&styles, 1.0), Parameters::default());
        paint(&mut other, film(BEFORE + FADE + 8).last().unwrap())
    });
    let (reached, from_scratch) = (distance(last, &styles[1]), distance(&reference, &styles[1]));
    assert!(reached < 2.0 * from_scratch, "{reached}, from scratch {from_scratch}");

    let flickers: Vec<_> = painted.windows(2).map(flicker).collect();
    let mean = |range: std::ops::Range<i64>| {
        range.clone().map(|index| flickers[index as usize]).sum::<f64>() / (range.end - range.start) as f64
    };
    let (outside, during) = (mean(3..BEFORE - 1), mean(BEFORE..BEFORE + FADE));
    assert!(during < 2.0 * outside, "{during}, outside of the fade {outside}");
}

#[test]
fn a_still_picture_fades_too_and_then_rests() {
    let styles = styles();
    let frame = film(1).remove(0);
    let mut session = session(&shares(&styles, 0.0), Parameters::default());
    for _ in 0..10 {
        let _ = paint(&mut session, &frame);
    }
    let before = distance(&paint(&mut session, &frame), &styles[1]);
    for step in 1..=10 {
        session.set_styles(&shares(&styles, f64::from(step) / 10.0)).unwrap();
        let _ = paint(&mut session, &frame);
        assert!(session.stats().steps > 0, "step {step}");
    }
    let after = distance(&paint(&mut session, &frame), &styles[1]);
    assert!(after < 0.3 * before, "{before} -> {after}");
    let steps = |session: &mut Session| {
        let _ = paint(session, &frame);
        session.stats().steps
    };
    assert!((0..20).any(|_| steps(&mut session) == 0), "it takes no steps once it is done");
}

#[test]
fn weights_that_change_give_the_same_targets_as_weights_that_were_there() {
    let styles = styles();
    let frame = film(1).remove(0);
    let parameters = Parameters { first_iterations: 10, ..Parameters::default() };
    let fresh = paint(&mut session(&shares(&styles, 0.3), parameters), &frame);
    let mut changed = session(&shares(&styles, 0.0), parameters);
    let first = paint(&mut changed, &frame);
    changed.set_styles(&shares(&styles, 0.3)).unwrap();
    changed.reset();
    let error = (paint(&mut changed, &frame) - &fresh).abs().max().double_value(&[]);
    assert!(error < 1e-4, "{error}");
    assert!((first - fresh).abs().max().double_value(&[]) > 0.05);
}

#[test]
fn models_are_mixed_by_their_weights_and_run_only_with_a_share() {
    let names = ["starry-night", "the-scream"].map(Path::new);
    let frame = film(1).remove(0);
    let parameters = Parameters { precision: precision::F32, temporal_weight: 0.0, ..Parameters::default() };
    let mut session = Session::of_models(&names[..1], "cpu").unwrap();
    session.set_parameters(parameters, "", "").unwrap();
    let mut painted = |weights: &[f64]| {
        let share = |(path, weight): (&'static Path, &f64)| ModelShare { path, weight: *weight, region: 0 };
        session.set_models(&names.into_iter().zip(weights).map(share).collect::<Vec<_>>()).unwrap();
        (paint(&mut session, &frame), session.stats().steps)
    };
    let ((first, alone), (second, _)) = (painted(&[1.0]), painted(&[0.0, 1.0]));
    assert_eq!(alone, 1);
    for part in [0.0, 0.2, 0.5, 0.9] {
        let (mixed, steps) = painted(&[1.0 - part, part]);
        let error = (mixed - (&first + (&second - &first) * part)).abs().max().double_value(&[]);
        assert!(error < 1e-4 && steps == if part == 0.0 { 1 } else { 2 }, "{part}: {error}, {steps} passes");
    }
    let missing = ModelShare { path: Path::new("missing.pth"), weight: 1.0, region: 0 };
    assert!(session.set_models(&[missing]).is_err());
    assert!(session.network().contains("the-scream"), "the models before stay: {}", session.network());
    assert!(session.set_models(&[]).is_err());
}
