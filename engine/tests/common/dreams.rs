//! Shared by the tests of dreams.

use style_engine::session::Session;
use style_engine_interface::{Parameters, recipe};
use tch::Tensor;

use super::picture;

pub const SIZE: [i64; 2] = [67, 94];
pub const GUIDE_SIZE: [i64; 2] = [30, 40];

/// A frame.
pub fn content() -> Tensor {
    picture(1, SIZE[0], SIZE[1]) * 0.8 + 0.1
}

/// A guide.
pub fn guide() -> Tensor {
    picture(5, GUIDE_SIZE[0], GUIDE_SIZE[1])
}

/// A session with the built-in network.
pub fn session(parameters: Parameters) -> Session {
    let mut session = Session::new(None, "cpu").unwrap();
    session.set_parameters(parameters, "", "").unwrap();
    session
}

/// Those of small dreams.
pub fn parameters() -> Parameters {
    Parameters { recipe: recipe::DEEPDREAM, first_iterations: 3, iterations: 0, octaves: 2, ..Parameters::default() }
}

/// The dream of a frame.
pub fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap()
}

/// The largest difference between two pictures.
pub fn difference(one: &Tensor, other: &Tensor) -> f64 {
    (one - other).abs().max().double_value(&[])
}
