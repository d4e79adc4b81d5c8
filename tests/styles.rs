//! Tests of style files that are cut off, or of formats that styletransfer does not read.

use common::{scratch, start_error};
use image::{ImageFormat, RgbImage};

#[test]
#[ignore = "needs scripts/build"]
fn cut_jpegs_and_pictures_in_formats_of_phones_are_errors_that_name_them() {
    common::init();
    let folder = scratch("cut-styles");
    let mut whole = std::io::Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(200, 150, |x, y| image::Rgb([(x * y) as u8, (x * 3) as u8, (y * 5) as u8]));
    picture.write_to(&mut whole, ImageFormat::Jpeg).expect("memory");
    let whole = whole.into_inner();
    let error = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("written");
        let error = start_error(&format!("styletransfer device=cpu style={}", path.display()));
        assert!(error.matches(gst::ResourceError::Read), "{error:?}");
        assert!(error.message().contains(name), "{error}");
        error.message().to_owned()
    };
    for part in [whole.len() / 10, whole.len() / 2, whole.len() - 300, whole.len() - 2] {
        let message = error(&format!("cut-{part}.jpg"), &whole[..part]);
        assert!(message.contains("cut off"), "{message}");
    }
    let heic = error("phone.heic", &[b"\0\0\0\x1cftypheic", &[0; 40][..]].concat());
    assert!(heic.contains("HEIC") && heic.contains("convert it to PNG or JPEG"), "{heic}");
    // A name that lies about its format does not matter, and the format is named, too.
    let avif = error("web.png", &[b"\0\0\0\x1cftypavif", &[0; 40][..]].concat());
    assert!(avif.contains("AVIF"), "{avif}");
}
