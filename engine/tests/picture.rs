//! Compares a painted picture with picture.png, which was painted before: a change that paints otherwise is noticed, even
//! if the losses stay the same.
//!
//! If a change is intended, `cp target/tmp/engine-picture/painted.png engine/tests/picture.png` makes the picture anew.

mod common;

use std::path::{Path, PathBuf};

use common::{picture, scratch};
use image::RgbImage;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Parameters, precision};
use tch::Kind;

const HEIGHT: i64 = 64;
const WIDTH: i64 = 96;

/// The maximum mean difference from picture.png, in levels. Other CPUs round differently, which each step amplifies:
/// without AVX, the difference is 0.3. After one step less, it is 1.2.
const TOLERANCE: f64 = 0.5;

/// Paints a picture with the built-in network; returns its file.
fn paint(name: &str, steps: i32) -> PathBuf {
    let mut session = Session::new(None, "cpu").unwrap();
    let parameters = Parameters { first_iterations: steps, precision: precision::F32, ..Parameters::default() };
    session.set_parameters(parameters, "", "").unwrap();
    session.set_styles(&[Style { picture: picture(9, HEIGHT, WIDTH), weight: 1.0, region: 0 }]).unwrap();
    let painted = session.paint(&picture(1, HEIGHT, WIDTH), None, &mut |_| true).unwrap();

    let levels = (painted * 255.0).round().to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]).flatten(0, -1);
    let path = scratch("picture").join(name);
    let levels = Vec::try_from(levels).unwrap();
    RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, levels).unwrap().save(&path).unwrap();
    path
}

/// Compares a file with the picture that is kept.
fn compare(path: &Path) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/picture.png");
    let [kept, painted] = [&kept, path].map(|path| image::open(path).unwrap().into_rgb8());
    assert_eq!(painted.dimensions(), kept.dimensions());
    let differences = painted.iter().zip(kept.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let difference = differences.sum::<f64>() / kept.len() as f64;
    assert!(difference < TOLERANCE, "{} differs by {difference} levels on average", path.display());
}

#[test]
fn a_picture_is_painted_as_before() {
    compare(&paint("painted.png", 20));
}

#[test]
#[should_panic(expected = "one-step-less.png differs by")]
fn one_step_less_is_noticed() {
    compare(&paint("one-step-less.png", 19));
}
