//! The built-in network for people must give the masks of the original one. person.png is a drawn figure, and person-mask.png
//! the original network's mask of it; tools/person/convert.py made both.

use std::path::Path;

use style_engine::frame::{Depth, Frame};
use style_engine::session::Session;
use tch::{Kind, Tensor};

fn picture(name: &str) -> image::DynamicImage {
    image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)).unwrap()
}

/// The mask of a picture, `(1, 1, H, W)`.
fn found(picture: &image::RgbaImage) -> Tensor {
    let size = [picture.height(), picture.width()].map(|side| side as usize);
    let frame = Frame::new(picture, size, 4 * size[1], Depth::Bits8).unwrap();
    Session::new(None, "cpu").unwrap().find_person(&frame).unwrap()
}

#[test]
fn the_mask_is_that_of_the_original_network() {
    let own = found(&picture("person.png").into_rgba8());
    let original = picture("person-mask.png").into_luma8();
    let original = Tensor::from_slice(&original).view([1, 1, 256, 256]).to_kind(Kind::Float) / 255.0;
    // The engine rounds certainties near 0 and 1.
    let clear = ((&original - 0.05) / 0.9).clamp(0.0, 1.0);
    let error = (&own - clear).abs().max().double_value(&[]);
    // The original's levels are rounded to 8 bits.
    assert!(error < 0.6 / 255.0 + 1e-3, "{error}");
    let covered = original.ge(0.5).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
    assert!((0.2..0.6).contains(&covered), "the figure is found: {covered}");
}

#[test]
fn nothing_is_found_where_nobody_is() {
    let wall = image::RgbaImage::from_pixel(320, 200, image::Rgba([120, 140, 130, 255]));
    let covered = found(&wall).ge(0.5).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
    assert!(covered < 0.02, "{covered}");
}
