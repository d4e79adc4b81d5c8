//! Tests dreams of films: what is kept of them from frame to frame.

mod common;

use common::dreams::{SIZE, content, difference, guide, paint, parameters, session};
use common::picture;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Camera, Parameters, original_colors, warm_start};
use tch::{Kind, Tensor};

#[test]
fn without_steps_the_last_dream_fades_by_the_temporal_weight() {
    let frame = content();
    for (temporal_weight, kept) in [(-1.0, 0.9), (1.0, 0.5), (0.0, 0.0)] {
        let mut session = session(Parameters { temporal_weight, ..parameters() });
        let first = paint(&mut session, &frame);
        assert!(difference(&first, &frame) > 0.02);
        let second = paint(&mut session, &frame);
        assert!(difference(&second, &(&frame + (&first - &frame) * kept)) < 1e-5, "{temporal_weight}");
    }
}

#[test]
fn the_last_dream_rides_along_the_flow_and_less_of_it_into_uncovered_places() {
    const SHIFT: i64 = 6;
    // Pixels that enter the frame get what lies this far inside.
    const BEYOND: i64 = 64;
    let scene = picture(2, 64, 128) * 0.8 + 0.1;
    let (before, after) = (scene.narrow(3, SHIFT, 96), scene.narrow(3, 0, 96));
    let mut session = session(parameters());
    let first = paint(&mut session, &before);
    let back = Tensor::zeros([1, 2, 64, 96], (Kind::Float, tch::Device::Cpu));
    let _ = back.narrow(1, 0, 1).fill_(-SHIFT);
    let second = session.paint(&after, Some([back.copy(), -back]), &mut |_| true).unwrap();
    let moved = |picture: &Tensor| picture.narrow(3, 0, 96 - SHIFT);
    let expected = after.narrow(3, SHIFT, 96 - SHIFT) + (moved(&first) - moved(&before)) * 0.9;
    assert!(difference(&second.narrow(3, SHIFT, 96 - SHIFT), &expected) < 1e-3);
    let uncovered = |picture: &Tensor, from: i64| picture.narrow(3, from, SHIFT - 1);
    let inside = uncovered(&(&first - &before), BEYOND - SHIFT);
    let expected = (uncovered(&after, 0) + inside * (0.9 * 0.7)).clamp(0.0, 1.0);
    assert!(difference(&uncovered(&second, 0), &expected) < 1e-3);
}

#[test]
fn what_moves_has_a_steady_dream() {
    // The scene moves by whole pixels, so that the dream of each frame can be compared with the one before.
    const SHIFT: i64 = 3;
    let scene = picture(2, 64, 160) * 0.8 + 0.1;
    let frame = |index: i64| scene.narrow(3, SHIFT * index, 96);
    let error = |warm_start| {
        let moving = Parameters { first_iterations: 10, iterations: 1, warm_start, ..parameters() };
        let mut session = session(moving);
        let dreams: Vec<_> = (0..12).map(|index| paint(&mut session, &frame(index))).collect();
        let inside = |picture: &Tensor, from: i64| picture.narrow(3, from, 80);
        let change = |pair: &[Tensor]| {
            (inside(&pair[0], SHIFT + 8) - inside(&pair[1], 8)).square().mean(Kind::Float).double_value(&[])
        };
        dreams.windows(2).map(change).sum::<f64>()
    };
    let (along, apart) = (error(warm_start::FLOW), error(warm_start::NONE));
    assert!(along < apart / 10.0, "{along} {apart}");
}

#[test]
fn uncovered_places_are_no_holes() {
    // The lower half of the frame is another one from the second frame on.
    let (before, other) = (picture(2, 64, 96) * 0.8 + 0.1, picture(7, 64, 96) * 0.8 + 0.1);
    let after = Tensor::cat(&[before.narrow(2, 0, 32), other.narrow(2, 32, 32)], 2);
    let still = Parameters { first_iterations: 10, iterations: 1, scene_threshold: 1.0, ..parameters() };
    let strength = |session: &mut Session| {
        let change = paint(session, &after) - &after;
        change.narrow(2, 40, 24).abs().mean(Kind::Float).double_value(&[])
    };
    let whole = strength(&mut session(still));
    let mut session = session(still);
    let _ = paint(&mut session, &before);
    let strengths: Vec<_> = (0..6).map(|_| strength(&mut session) / whole).collect();
    assert!(strengths.iter().all(|strength| (0.5..1.3).contains(strength)), "{strengths:?}");
}

#[test]
fn a_camera_moves_the_last_picture_instead() {
    let frame = content();
    let camera = Camera { shift_x: 0.25, ..Camera::STILL };
    let mut session = session(Parameters { camera, temporal_weight: 1e12, ..parameters() });
    let first = paint(&mut session, &frame);
    let second = paint(&mut session, &(&frame * 0.5));
    // A quarter of the width is 23.5 pixels.
    let mean = (first.narrow(3, 9, 60) + first.narrow(3, 10, 60)) / 2;
    let moved = second.narrow(3, 33, 60);
    let error = (moved - &mean).abs().mean(Kind::Float).double_value(&[]);
    let unmoved = (second.narrow(3, 9, 60) - mean).abs().mean(Kind::Float).double_value(&[]);
    assert!(error < 0.02 && unmoved > 0.1, "{error} {unmoved}");
}

#[test]
fn still_scenes_have_still_dreams() {
    let mut session = session(Parameters { first_iterations: 10, iterations: 1, ..parameters() });
    let frame = content();
    let dreams: Vec<_> = (0..40).map(|_| paint(&mut session, &frame)).collect();
    let change = |index: usize| (&dreams[index] - &dreams[index - 1]).abs().mean(Kind::Float).double_value(&[]);
    assert!(change(39) < 0.5 * change(1) && change(39) < 0.003, "{} {}", change(1), change(39));
    let strength = |index: usize| (&dreams[index] - &frame).abs().mean(Kind::Float).double_value(&[]);
    assert!((0.6..1.5).contains(&(strength(39) / strength(0))), "{} {}", strength(0), strength(39));
}

#[test]
fn cuts_resets_and_warm_start_none_start_from_scratch() {
    let (frame, other) = (content(), picture(23, SIZE[0], SIZE[1]));
    let fresh = paint(&mut session(parameters()), &other);
    let mut after_cut = session(parameters());
    let _ = paint(&mut after_cut, &frame);
    assert_eq!(paint(&mut after_cut, &other), fresh, "a cut");
    after_cut.reset();
    assert_eq!(paint(&mut after_cut, &other), fresh, "a reset");
    let mut none = session(Parameters { warm_start: warm_start::NONE, ..parameters() });
    let _ = paint(&mut none, &other);
    assert_eq!(paint(&mut none, &other), fresh, "warm-start=none");
}

#[test]
fn sizes_may_change_and_colors_be_matched() {
    let mut session = session(Parameters { iterations: 1, ..parameters() });
    for size in [[40, 50], [64, 80], [1, 1], [3, 40]] {
        assert_eq!(paint(&mut session, &picture(1, size[0], size[1])).size(), [1, 3, size[0], size[1]]);
    }
    let frame = content();
    let mean = |picture: &Tensor| picture.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
    for (original_colors, least, most) in [(original_colors::NONE, 0.003, 1.0), (original_colors::MATCH, 0.0, 0.003)] {
        let first = Parameters { first_iterations: 10, original_colors, ..parameters() };
        session.set_parameters(first, "", "").unwrap();
        session.reset();
        let painted = paint(&mut session, &frame);
        let shift = difference(&mean(&painted), &mean(&frame));
        assert!((least..most).contains(&shift), "{original_colors}: {shift}");
    }
}

#[test]
fn the_recipe_may_change_and_others_need_a_style() {
    let frame = content();
    let mut session = session(parameters());
    let dream = paint(&mut session, &frame);
    let video = Parameters { first_iterations: 2, ..Parameters::default() };
    let error = session.set_parameters(video, "", "").unwrap_err().to_string();
    assert!(error.contains("need a style"), "{error}");
    assert!(difference(&paint(&mut session, &frame), &frame) > 0.02, "it dreams on");

    session.set_styles(&[Style { picture: guide(), weight: 1.0, region: 0 }]).unwrap();
    session.reset();
    let guided = paint(&mut session, &frame);
    assert!(difference(&guided, &dream) > 0.01, "the style is a guide");
    session.set_parameters(video, "", "").unwrap();
    let painted = paint(&mut session, &frame);
    assert_eq!(session.stats().steps, 2);
    assert!(session.stats().style_loss > 0.0 && difference(&painted, &guided) > 0.02);
    session.set_parameters(parameters(), "", "").unwrap();
    assert_eq!(paint(&mut session, &frame), guided, "from a style back to a dream");
    session.set_styles(&[]).unwrap();
    session.reset();
    assert_eq!(paint(&mut session, &frame), dream, "without a guide");
}
