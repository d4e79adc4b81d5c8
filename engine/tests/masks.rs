//! Tests masks that divide frames among styles or models.

use std::path::Path;

mod common;

use common::picture;
use style_engine::Error;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Parameters, precision, style_loss, warm_start};
use tch::{Device, Kind, Tensor};

const SIZE: [i64; 2] = [64, 96];

/// A picture of one color, with a little noise.
fn colored(seed: i64, color: [f32; 3]) -> Tensor {
    picture(seed, 64, 64) * 0.15 + Tensor::from_slice(&color).view([1, 3, 1, 1]) * 0.8
}

fn session(styles: &[Tensor], parameters: Parameters) -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    session.set_parameters(Parameters { first_iterations: 40, ..parameters }, "", "").unwrap();
    let style = |(region, picture): (usize, &Tensor)| Style { picture: picture.shallow_clone(), weight: 1.0, region };
    let styles: Vec<_> = styles.iter().enumerate().map(style).collect();
    session.set_styles(&styles).unwrap();
    session
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap()
}

/// 1 in these columns, at the frame's size or another.
fn columns(size: [i64; 2], begin: i64, end: i64) -> Tensor {
    let mask = Tensor::zeros([1, 1, size[0], size[1]], (Kind::Float, Device::Cpu));
    let _ = mask.narrow(3, begin, end - begin).fill_(1.0);
    mask
}

/// The mean color of some columns.
fn mean(picture: &Tensor, begin: i64, end: i64) -> [f64; 3] {
    let columns = picture.narrow(3, begin, end - begin).mean_dim([0i64, 2, 3].as_slice(), false, Kind::Float);
    Vec::<f64>::try_from(columns.to_kind(Kind::Double)).unwrap().try_into().unwrap()
}

#[test]
fn each_region_gets_its_own_style() {
    let styles = [colored(1, [0.9, 0.1, 0.1]), colored(2, [0.1, 0.2, 0.9])];
    let frame = picture(5, SIZE[0], SIZE[1]);
    let mut session = session(&styles, Parameters::default());
    session.set_masks(&[columns(SIZE, 0, 48)]).unwrap();
    let painted = paint(&mut session, &frame);
    let (left, right) = (mean(&painted, 0, 44), mean(&painted, 52, 96));
    assert!(left[0] > left[2] + 0.3 && right[2] > right[0] + 0.3, "{left:?} {right:?}");

    // The regions change places: both are painted anew, though the frame stands still.
    session.set_masks(&[columns(SIZE, 48, 96)]).unwrap();
    let mut moved = painted;
    for _ in 0..12 {
        moved = paint(&mut session, &frame);
    }
    let (left, right) = (mean(&moved, 0, 44), mean(&moved, 52, 96));
    assert!(right[0] > right[2] + 0.2 && left[2] > left[0] + 0.2, "{left:?} {right:?}");

    // Without masks the styles are mixed everywhere.
    session.set_masks(&[]).unwrap();
    session.reset();
    let mixed = paint(&mut session, &frame);
    let (left, right) = (mean(&mixed, 0, 44), mean(&mixed, 52, 96));
    assert!((left[0] - left[2]).abs() < 0.2 && (right[0] - right[2]).abs() < 0.2, "{left:?} {right:?}");
}

#[test]
fn a_mask_of_ones_gives_the_first_style_alone() {
    let styles = [picture(9, 50, 70), picture(10, 60, 60)];
    let frame = picture(5, SIZE[0], SIZE[1]);
    let alone = paint(&mut session(&styles[..1], Parameters::default()), &frame);
    let mut divided = session(&styles, Parameters::default());
    // Of another size than the frame.
    divided.set_masks(&[columns([7, 5], 0, 5)]).unwrap();
    let error = (paint(&mut divided, &frame) - &alone).abs().mean(Kind::Float).double_value(&[]);
    assert!(error < 2e-3, "{error}");
    divided.set_masks(&[columns([7, 5], 0, 2)]).unwrap();
    divided.reset();
    let error = (paint(&mut divided, &frame) - &alone).abs().mean(Kind::Float).double_value(&[]);
    assert!(error > 2e-2, "{error}");
}

#[test]
fn a_frame_that_no_mask_covers_keeps_its_content() {
    let styles = [colored(1, [0.9, 0.1, 0.1]), colored(2, [0.1, 0.2, 0.9])];
    let frame = picture(5, SIZE[0], SIZE[1]);
    let mut session = session(&styles, Parameters::default());
    session.set_masks(&[columns(SIZE, 0, 20), columns(SIZE, 76, 96)]).unwrap();
    let painted = paint(&mut session, &frame);
    let (before, after) = (mean(&frame, 40, 56), mean(&painted, 40, 56));
    for (before, after) in before.iter().zip(after) {
        assert!((before - after).abs() < 0.1, "{before} {after}");
    }
}

#[test]
fn masks_that_fit_neither_styles_nor_loss_are_refused() {
    let styles = [1, 2, 3].map(|seed| picture(seed, 50, 50));
    let mut session = session(&styles, Parameters::default());
    session.set_masks(&[columns(SIZE, 0, 20)]).unwrap();
    let error = session.paint(&picture(5, SIZE[0], SIZE[1]), None, &mut |_| true).unwrap_err();
    assert!(matches!(&error, Error::Settings(text) if text.contains("1, does not fit 3 styles")), "{error}");
    let sliced = Parameters { style_loss: style_loss::SLICED_WASSERSTEIN, ..Parameters::default() };
    session.set_masks(&[]).unwrap();
    session.set_parameters(sliced, "", "").unwrap();
    assert!(session.set_masks(&[columns(SIZE, 0, 20)]).is_err());
    session.set_parameters(Parameters::default(), "", "").unwrap();
    session.set_masks(&[columns(SIZE, 0, 20)]).unwrap();
    assert!(session.set_parameters(sliced, "", "").is_err());
}

/// The picture of a frame by these models, divided by these masks, and the number of their passes.
fn painted_by(models: &[&str], masks: &[Tensor], frame: &Tensor) -> (Tensor, u32) {
    let models: Vec<_> = models.iter().map(Path::new).collect();
    let mut session = Session::of_models(&models, "cpu").unwrap();
    let parameters = Parameters { precision: precision::F32, ..Parameters::default() };
    session.set_parameters(parameters, "", "").unwrap();
    session.set_masks(masks).unwrap();
    let mut passes = 0;
    let picture = session.paint(frame, None, &mut |step| {
        passes = step.step;
        true
    });
    (picture.unwrap(), passes)
}

#[test]
fn each_region_gets_its_own_model() {
    let models = ["starry-night", "the-scream"];
    let frame = picture(5, SIZE[0], SIZE[1]);
    let [first, second] = models.map(|model| painted_by(&[model], &[], &frame).0);
    let distance = |picture: &Tensor, expected: &Tensor| (picture - expected).abs().max().double_value(&[]);
    assert!(distance(&first, &second) > 0.2);

    let soft = Tensor::linspace(0.0, 1.0, SIZE[1], (Kind::Float, Device::Cpu)).view([1, 1, 1, -1]);
    let soft = soft.expand([1, 1, SIZE[0], SIZE[1]], false).contiguous();
    let (blended, passes) = painted_by(&models, &[soft.shallow_clone()], &frame);
    assert_eq!(passes, 2);
    assert!(distance(&blended, &(&second + (&first - &second) * &soft)) < 1e-4);
    let (mean, _) = painted_by(&models, &[], &frame);
    assert!(distance(&mean, &((&first + &second) / 2)) < 1e-4);

    // A model without a share does not paint.
    for (columns, expected) in [(columns(SIZE, 0, SIZE[1]), &first), (columns(SIZE, 0, 0), &second)] {
        let (alone, passes) = painted_by(&models, &[columns], &frame);
        assert!(passes == 1 && distance(&alone, expected) < 1e-4, "{passes}");
    }
}

#[test]
fn models_and_styles_that_do_not_fit_are_refused() {
    let models = ["starry-night", "the-scream"].map(Path::new);
    let frame = picture(5, SIZE[0], SIZE[1]);
    let mut session = Session::of_models(&models, "cpu").unwrap();
    session.set_masks(&[[0, 20], [20, 40], [40, 60]].map(|[begin, end]| columns(SIZE, begin, end))).unwrap();
    let error = session.paint(&frame, None, &mut |_| true).unwrap_err();
    assert!(matches!(&error, Error::Settings(text) if text.contains("3, does not fit 2 styles or models")), "{error}");
    let mut session = Session::starting_from(&models, None, "cpu").unwrap();
    let style = |region| Style { picture: picture(1 + region as i64, 50, 50), weight: 1.0, region };
    let error = session.set_styles(&[0, 1, 2].map(style)).unwrap_err();
    assert!(matches!(&error, Error::Settings(text) if text.contains("2 models do not fit 3 styles")), "{error}");
    session.set_styles(&[0, 1].map(style)).unwrap();
}

/// A scene in which a square moves four pixels a frame before a still background, and the square's mask.
fn scene(frame: i64) -> [Tensor; 2] {
    let (left, side) = (20 + 4 * frame, 48);
    let scene = picture(21, 96, 160);
    scene.narrow(2, 24, side).narrow(3, left, side).copy_(&(picture(22, side, side) * 0.6));
    let mask = Tensor::zeros([1, 1, 96, 160], (Kind::Float, Device::Cpu));
    let _ = mask.narrow(2, 24, side).narrow(3, left, side).fill_(1.0);
    [scene, mask]
}

/// The intersection of two masks over their union.
fn overlap(first: &Tensor, second: &Tensor) -> f64 {
    let [first, second] = [first, second].map(|mask| mask.ge(0.5));
    let count = |mask: Tensor| mask.to_kind(Kind::Float).sum(Kind::Float).double_value(&[]);
    count(first.logical_and(&second)) / count(first.logical_or(&second))
}

#[test]
fn a_mask_moves_along_with_what_it_covers() {
    let mut session = session(&[picture(9, 50, 70)], Parameters { iterations: 1, ..Parameters::default() });
    let [frame, first] = scene(0);
    let _ = paint(&mut session, &frame);
    assert!(session.move_mask(&first, 0).unwrap().is_none(), "a mask of the last frame stays");
    let mut mask = first.shallow_clone();
    for index in 1..6 {
        let [frame, truth] = scene(index);
        let _ = paint(&mut session, &frame);
        mask = session.move_mask(&mask, 1).unwrap().expect("the square moves");
        let [moved, still] = [&mask, &first].map(|mask| overlap(mask, &truth));
        assert!(moved > 0.9 && moved > still, "frame {index}: {moved}, unmoved {still}");
    }
    // A mask that comes late is moved through all frames since its own.
    let late = session.move_mask(&first, 5).unwrap().expect("the square has moved");
    let [.., truth] = scene(5);
    assert!(overlap(&late, &truth) > 0.9 && overlap(&first, &truth) < 0.6, "{}", overlap(&late, &truth));

    // After a cut nothing is known.
    let _ = paint(&mut session, &(picture(33, 96, 160) * 0.4 + 0.5));
    assert!(session.move_mask(&late, 1).unwrap().is_none());
}

#[test]
fn a_mask_stays_without_flow() {
    let parameters = Parameters { iterations: 1, warm_start: warm_start::PREVIOUS, ..Parameters::default() };
    let mut session = session(&[picture(9, 50, 70)], parameters);
    for index in 0..2 {
        let _ = paint(&mut session, &scene(index)[0]);
    }
    assert!(session.move_mask(&scene(0)[1], 1).unwrap().is_none());
}
