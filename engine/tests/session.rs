//! Tests the engine's sessions.

mod common;

use std::time::Duration;

use common::{picture, scratch, write_network};
use style_engine::Error;
use style_engine::frame::{Depth, Frame};
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Parameters, original_colors, precision, recipe};
use tch::{Device, Kind, Tensor};

const FIRST: i32 = 30;
const NEXT: i32 = 5;

fn parameters() -> Parameters {
    Parameters { first_iterations: FIRST, iterations: NEXT, ..Parameters::default() }
}

fn session() -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    session.set_parameters(parameters(), "", "").unwrap();
    session.set_styles(&[Style { picture: picture(9, 50, 70), weight: 1.0, region: 0 }]).unwrap();
    session
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap()
}

/// Repaints a picture as a frame of 8 bits: its colors, `(1, 3, H, W)` in 0..1.
fn stylize(session: &mut Session, picture: &Tensor) -> Tensor {
    let (_, _, height, width) = picture.size4().unwrap();
    let alpha = Tensor::ones([1, 1, height, width], (Kind::Float, Device::Cpu));
    let rgba = (Tensor::cat(&[picture, &alpha], 1) * 255).round().to_kind(Kind::Uint8).permute([0, 2, 3, 1]);
    let rgba = Vec::<u8>::try_from(rgba.contiguous().flatten(0, -1)).unwrap();
    let frame = Frame::new(&rgba, [height, width].map(|side| side as usize), 4 * width as usize, Depth::Bits8).unwrap();
    let mut result = vec![0; rgba.len()];
    session.stylize(&frame, &mut result, &mut |_| true).unwrap();
    let result = Tensor::from_slice(&result).view([1, height, width, 4]).permute([0, 3, 1, 2]).narrow(1, 0, 3);
    result.to_kind(Kind::Float) / 255
}

#[test]
fn results_are_reproducible() {
    let film = [picture(1, 40, 60), picture(2, 40, 60)];
    let run = || {
        let mut session = session();
        film.each_ref().map(|frame| paint(&mut session, frame))
    };
    for (first, second) in run().iter().zip(run()) {
        assert!(first.allclose(&second, 0.0, 1e-4, false));
    }
}

#[test]
fn frames_are_painted_at_the_size_that_is_set() {
    for (size, (height, width)) in [(0, (33, 47)), (24, (33, 47)), (64, (33, 47)), (0, (1, 1)), (8, (100, 3))] {
        let mut session = session();
        session.set_parameters(Parameters { size, first_iterations: 3, ..parameters() }, "", "").unwrap();
        let longest = if size == 0 { height.max(width) } else { i64::from(size).min(height.max(width)) };
        let frame = picture(1, height, width);
        assert!(!stylize(&mut session, &frame).allclose(&frame, 0.0, 0.05, false));
        let stats = session.stats();
        assert_eq!(i64::from(stats.width.max(stats.height)), longest);
    }
}

#[test]
fn a_still_picture_keeps_its_paint() {
    let still = picture(1, 48, 64);
    let mut session = session();
    let difference = |a: &Tensor, b: &Tensor| (a - b).square().mean(Kind::Float).double_value(&[]);
    let first = paint(&mut session, &still);
    let mut last = first.shallow_clone();
    for _ in 0..20 {
        let next = paint(&mut session, &still);
        assert!(difference(&next, &last) < difference(&first, &still) * 0.1, "the paint flickers");
        last = next;
    }
    assert!(difference(&last, &still) > difference(&first, &still) * 0.3, "the paint fades");
}

#[test]
fn reset_makes_the_next_frame_a_first_frame() {
    let mut session = session();
    let frame = picture(1, 32, 32);
    let first = paint(&mut session, &frame);
    let _ = paint(&mut session, &frame);
    assert_eq!(session.stats().steps as i32, NEXT);
    session.reset();
    assert!(paint(&mut session, &frame).allclose(&first, 0.0, 1e-4, false));
    assert_eq!((session.stats().steps as i32, session.stats().frames), (FIRST, 3));
}

#[test]
fn the_time_limit_limits_the_number_of_steps() {
    let mut session = session();
    let frame = picture(1, 48, 64);
    session.set_time_limits(Some(Duration::from_nanos(1)), Some(Duration::from_nanos(1)));
    for _ in 0..3 {
        let _ = paint(&mut session, &frame);
        assert_eq!(session.stats().steps, 1, "at least one step is made");
    }
    session.set_time_limits(Some(Duration::from_secs(3600)), None);
    let _ = paint(&mut session, &frame);
    assert!(session.stats().steps as i32 > NEXT, "missing steps are made later");
    session.reset();
    let _ = paint(&mut session, &frame);
    assert_eq!(session.stats().steps as i32, FIRST, "there is time for all steps");
    session.set_time_limits(None, None);
    session.reset();
    let _ = paint(&mut session, &frame);
    assert_eq!(session.stats().steps as i32, FIRST);
}

#[test]
fn another_size_continues_the_painting() {
    let mut session = session();
    let frame = picture(1, 48, 64);
    let first = stylize(&mut session, &frame);
    for (size, painted) in [(32, (32, 24)), (0, (64, 48))] {
        session.set_parameters(Parameters { size, ..parameters() }, "", "").unwrap();
        let result = stylize(&mut session, &frame);
        let stats = session.stats();
        assert_eq!((stats.width, stats.height), painted);
        assert!((stats.steps as i32) < FIRST, "not from scratch: {} steps", stats.steps);
        let [change, paint] = [&first, &frame].map(|other| (&result - other).abs().mean(Kind::Float).double_value(&[]));
        assert!(change < 0.75 * paint, "the paint stays: a change of {change}, {paint} from the frame");
    }
}

#[test]
fn with_one_step_per_frame_a_still_picture_is_painted_completely_after_a_while() {
    let still = picture(1, 48, 64);
    let mut unlimited = session();
    let _ = paint(&mut unlimited, &still);
    let mut session = session();
    session.set_time_limits(Some(Duration::from_nanos(1)), Some(Duration::from_nanos(1)));
    let _ = paint(&mut session, &still);
    let first = session.stats().style_loss;
    for _ in 0..60 {
        let _ = paint(&mut session, &still);
    }
    let [own, other] = [&session, &unlimited].map(|session| session.stats().style_loss);
    assert!(first > 2.0 * other, "one step is too good: {first}, {other}");
    assert!(own < other, "not as well painted as without a limit: {own}, {other}");
    assert_eq!(session.stats().steps, 0, "a finished picture gets no more steps");
}

#[test]
fn recipes_make_as_many_steps_as_their_programs() {
    let mut session = session();
    let steps = |session: &mut Session, recipe: u32, learning_rate: f64| {
        let parameters = Parameters { recipe, learning_rate, ..Parameters::default() };
        session.set_parameters(parameters, "relu2_1", "relu1_1, relu2_1").unwrap();
        session.reset();
        let _ = paint(session, &picture(1, 24, 32));
        session.stats().steps
    };
    assert_eq!(steps(&mut session, recipe::PYTORCH_TUTORIAL, -1.0), 300);
    assert_eq!(steps(&mut session, recipe::D2L, -1.0), 500);
    assert_eq!(steps(&mut session, recipe::KERAS, -1.0), 300);
    // With a learning rate of 0 the loss does not fall, so the recipe stops after its second 20 evaluations.
    assert_eq!(steps(&mut session, recipe::TORCH_EARLY_STOP, 0.0), 40);
}

#[test]
fn the_progress_callback_can_stop_a_frame() {
    let mut session = session();
    let mut reported = Vec::new();
    let result = session.paint(&picture(1, 24, 32), None, &mut |step| {
        reported.push((step.step, step.steps, step.is_first));
        step.step < 3
    });
    assert!(matches!(result, Err(Error::Stopped)));
    assert_eq!(reported, [1, 2, 3].map(|step| (step, FIRST as u32, true)));
    let _ = paint(&mut session, &picture(1, 24, 32));
    assert_eq!(session.stats().steps as i32, FIRST, "the next frame is a first frame");
}

#[test]
fn a_large_first_frame_is_painted_small_at_first() {
    let mut session = session();
    let frame = picture(1, 40, 800);
    let losses = |session: &mut Session| {
        let mut losses = Vec::new();
        let painted = session.paint(&frame, None, &mut |step| {
            losses.push(step.loss.double_value(&[]));
            true
        });
        assert_eq!(painted.unwrap().size(), [1, 3, 40, 800]);
        losses
    };
    let coarse_to_fine = losses(&mut session);
    assert_eq!(coarse_to_fine.len(), FIRST as usize);
    // The sizes 200, 400 and 800 get 10 of the 30 steps each. At each change of size, the loss jumps up.
    let parameters = Parameters { style_scale: 0.2, ..parameters() };
    session.set_parameters(parameters, "", "").unwrap();
    session.reset();
    let at_one_size = losses(&mut session);
    let jump = |losses: &[f64], step: usize| losses[step] / losses[step - 1];
    for step in [10, 20] {
        assert!(jump(&coarse_to_fine, step) > 1.0 && jump(&at_one_size, step) < 1.0, "{step}");
    }
    let falls = at_one_size.windows(2).skip(3).all(|pair| pair[1] < pair[0] * 1.1);
    assert!(falls, "with a small style, the frame must be painted at one size");
}

#[test]
fn color_matching_applies_from_the_next_frame_on() {
    let frame = picture(1, 40, 60);
    let style_loss = |original_colors| {
        let mut session = session();
        let _ = paint(&mut session, &frame);
        session.set_parameters(Parameters { original_colors, ..parameters() }, "", "").unwrap();
        let _ = paint(&mut session, &frame);
        assert_eq!(session.stats().steps as i32, NEXT);
        session.stats().style_loss
    };
    assert!((style_loss(original_colors::MATCH) / style_loss(original_colors::NONE) - 1.0).abs() > 0.01);
}

#[test]
fn numbers_out_of_their_ranges_are_refused() {
    let mut session = session();
    let of = |change: fn(&mut Parameters)| {
        let mut changed = parameters();
        change(&mut changed);
        changed
    };
    for (name, parameters) in [
        ("content_weight", of(|parameters| parameters.content_weight = 1e300)),
        ("style_weight", of(|parameters| parameters.style_weight = f64::NAN)),
        ("tv_weight", of(|parameters| parameters.tv_weight = f64::INFINITY)),
        ("temporal_weight", of(|parameters| parameters.temporal_weight = 1.1e12)),
        ("learning_rate", of(|parameters| parameters.learning_rate = 101.0)),
        ("scene_threshold", of(|parameters| parameters.scene_threshold = -0.1)),
        ("size", of(|parameters| parameters.size = i32::MAX)),
        ("style_scale", of(|parameters| parameters.style_scale = 0.0)),
    ] {
        let error = session.set_parameters(parameters, "", "").unwrap_err();
        assert!(matches!(&error, Error::Settings(words) if words.contains(name)), "{name}: {error}");
    }
    // The earlier parameters still apply.
    let _ = paint(&mut session, &picture(1, 24, 32));
}

#[test]
fn without_a_style_nothing_is_painted() {
    let mut session = Session::new(None, "cpu").unwrap();
    assert!(matches!(session.paint(&picture(1, 8, 8), None, &mut |_| true), Err(Error::NoStyle)));
}

#[test]
fn networks_of_any_depth_paint() {
    let folder = scratch("any-depth");
    for convs in [&[(0, 4)][..], &[(0, 4), (3, 4), (6, 8), (9, 8), (12, 8), (15, 8)]] {
        let path = folder.join("network.safetensors");
        write_network(&path, convs);
        let mut session = Session::new(Some(&path), "cpu").unwrap();
        session.set_parameters(parameters(), "", "").unwrap();
        session.set_styles(&[Style { picture: picture(9, 50, 70), weight: 1.0, region: 0 }]).unwrap();
        let frame = picture(1, 40, 60);
        assert!(!paint(&mut session, &frame).allclose(&frame, 0.0, 0.05, false));
        assert!(session.network().contains("network.safetensors"), "{}", session.network());
    }
}

#[test]
fn detail_that_is_lost_at_a_smaller_size_is_restored_from_the_frame() {
    let (height, width) = (96, 128);
    let frame = picture(1, height, width);
    let painted = |size: i32| {
        let mut session = session();
        session.set_parameters(Parameters { size, first_iterations: 10, ..Parameters::default() }, "", "").unwrap();
        stylize(&mut session, &frame)
    };
    // The part of the brightness that a picture of half the size cannot represent.
    let detail = |x: &Tensor| {
        let gray = x.mean_dim([1].as_slice(), true, Kind::Float);
        let small = gray.adaptive_avg_pool2d([height / 2, width / 2]);
        gray - small.upsample_bilinear2d([height, width], false, None, None)
    };
    let length = |x: &Tensor| x.square().sum(Kind::Float).sqrt().double_value(&[]);
    let (of_frame, of_small) = (detail(&frame), detail(&painted(64)));
    let alike = (&of_frame * &of_small).sum(Kind::Float).double_value(&[]) / length(&of_frame) / length(&of_small);
    assert!(alike > 0.8, "the detail is not the frame's: {alike}");
    assert!(length(&of_small) > 0.8 * length(&detail(&painted(0))), "there is less detail than at the full size");
}

#[test]
fn bf16_gives_nearly_the_same_losses_as_f32() {
    let film = [picture(1, 96, 128), picture(2, 96, 128)];
    let losses = |precision: u32| {
        let mut session = session();
        session
            .set_parameters(Parameters { precision, first_iterations: 20, ..Parameters::default() }, "", "")
            .unwrap();
        film.each_ref().map(|frame| {
            let _ = paint(&mut session, frame);
            [session.stats().style_loss, session.stats().content_loss]
        })
    };
    let ([exact, short], automatic) = ([precision::F32, precision::BF16].map(losses), losses(precision::AUTO));
    for (exact, short) in exact.iter().flatten().zip(short.iter().flatten()) {
        assert!((exact / short - 1.0).abs() < 0.1, "{exact} {short}");
    }
    assert_ne!(exact, short, "bf16 is not used");
    assert!(automatic == exact || automatic == short, "auto is neither f32 nor bf16");
}
