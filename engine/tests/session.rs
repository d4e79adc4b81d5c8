//! A film repainted by the engine itself.

mod common;

use common::{picture, scratch, write_network};
use style_engine::Error;
use style_engine::session::Session;
use style_engine_interface::Parameters;

const FIRST: u32 = 30;
const NEXT: u32 = 5;

fn parameters() -> Parameters {
    Parameters { first_iterations: FIRST, iterations: NEXT, ..Parameters::default() }
}

fn session() -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    session.set_parameters(parameters());
    session.set_style(&picture(9, 50, 70)).unwrap();
    session
}

#[test]
fn the_result_is_the_same_every_time() {
    let film = [picture(1, 40, 60), picture(2, 40, 60)];
    let run = || {
        let mut session = session();
        film.each_ref().map(|frame| session.stylize(frame).unwrap())
    };
    for (first, second) in run().iter().zip(run()) {
        assert!(first.allclose(&second, 0.0, 1e-4, false));
    }
}

#[test]
fn results_stay_in_range_and_size() {
    for (size, (height, width)) in [(0, (33, 47)), (24, (33, 47)), (64, (33, 47)), (0, (1, 1)), (8, (100, 3))] {
        let mut session = session();
        session.set_parameters(Parameters { size, first_iterations: 3, ..parameters() });
        let result = session.stylize(&picture(1, height, width)).unwrap();
        assert_eq!(result.size(), [1, 3, height, width]);
        assert!(result.min().double_value(&[]) >= 0.0 && result.max().double_value(&[]) <= 1.0);
    }
}

#[test]
fn a_still_picture_keeps_its_paint() {
    let still = picture(1, 48, 64);
    let mut session = session();
    let apart = |a: &tch::Tensor, b: &tch::Tensor| (a - b).square().mean(tch::Kind::Float).double_value(&[]);
    let first = session.stylize(&still).unwrap();
    let mut last = first.shallow_clone();
    for _ in 0..20 {
        let next = session.stylize(&still).unwrap();
        assert!(apart(&next, &last) < apart(&first, &still) * 0.1, "it flickers");
        last = next;
    }
    assert!(apart(&last, &still) > apart(&first, &still) * 0.3, "the paint wears off");
}

#[test]
fn reset_makes_the_next_frame_a_first_one() {
    let mut session = session();
    let frame = picture(1, 32, 32);
    let first = session.stylize(&frame).unwrap();
    let _ = session.stylize(&frame).unwrap();
    assert_eq!(session.stats().steps, NEXT);
    session.reset();
    assert!(session.stylize(&frame).unwrap().allclose(&first, 0.0, 1e-4, false));
    assert_eq!((session.stats().steps, session.stats().frames), (FIRST, 3));
}

#[test]
fn without_a_style_nothing_is_painted() {
    let mut session = Session::new(None, "cpu").unwrap();
    assert!(matches!(session.stylize(&picture(1, 8, 8)), Err(Error::NoStyle)));
}

#[test]
fn any_depth_of_network_paints() {
    let folder = scratch("any-depth");
    for convs in [&[(0, 4)][..], &[(0, 4), (3, 4), (6, 8), (9, 8), (12, 8), (15, 8)]] {
        let path = folder.join("network.safetensors");
        write_network(&path, convs);
        let mut session = Session::new(Some(&path), "cpu").unwrap();
        session.set_parameters(parameters());
        session.set_style(&picture(9, 50, 70)).unwrap();
        let frame = picture(1, 40, 60);
        assert!(!session.stylize(&frame).unwrap().allclose(&frame, 0.0, 0.05, false));
        assert!(session.network().contains("network.safetensors"), "{}", session.network());
    }
}
