use std::io::Cursor;

use image::{ExtendedColorType, ImageFormat, Rgba, RgbaImage};

use super::*;

/// A picture with detail in every row.
fn detailed() -> DynamicImage {
    RgbaImage::from_fn(90, 70, |x, y| Rgba([(x * 7) as u8, (y * 11) as u8, (x * y) as u8, 255])).into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = if format == ImageFormat::Jpeg { picture.to_rgb8().into() } else { picture.clone() };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn error(bytes: &[u8]) -> Option<String> {
    decode(Cursor::new(bytes)).err().map(|error| error.to_string())
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    for format in [Bmp, Gif, Jpeg, Png, Tiff, WebP] {
        let whole = encoded(&detailed(), format);
        assert_eq!(error(&whole), None, "{format:?}");
        for part in 1..40 {
            let cut = &whole[..whole.len() * part / 40];
            assert!(error(cut).is_some(), "{format:?} cut to {} of {} bytes", cut.len(), whole.len());
        }
    }
    let whole = encoded(&detailed(), Jpeg);
    for length in 0..whole.len() {
        assert!(error(&whole[..length]).is_some(), "JPEG cut to {length} bytes");
    }
    let padded = [&whole[..whole.len() / 2], &[0; 5000]].concat();
    assert!(error(&padded).unwrap().contains("cut off"), "a download that was given its whole size first");
    assert_eq!(error(&[&whole[..], b"a camera's own data"].concat()), None);
}

#[test]
fn a_thumbnails_end_is_not_the_pictures() {
    let (whole, thumbnail) = (encoded(&detailed(), ImageFormat::Jpeg), encoded(&detailed(), ImageFormat::Jpeg));
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let with_thumbnail = [&whole[..2], &[0xff, 0xe2], &length, &thumbnail, &whole[2..]].concat();
    assert_eq!(error(&with_thumbnail), None);
    assert!(error(&with_thumbnail[..with_thumbnail.len() - 900]).unwrap().contains("cut off"));
}

#[test]
fn colors_of_transparent_pixels_do_not_count() {
    let with_hidden = |hidden: [u8; 3]| {
        let [red, green, blue] = hidden;
        let pixel = |x, y| match (x, y) {
            (0..20, _) => Rgba([red, green, blue, 0]),
            (20..40, _) => Rgba([200, 100, 0, 51]),
            _ => Rgba([x as u8, y as u8, 9, 255]),
        };
        decode(Cursor::new(encoded(&RgbaImage::from_fn(60, 30, pixel).into(), ImageFormat::Png))).unwrap()
    };
    let picture = with_hidden([255, 0, 0]);
    assert_eq!(picture, with_hidden([0, 255, 0]));
    assert_eq!(picture.get_pixel(5, 5), &Rgba([255; 4]));
    assert_eq!(picture.get_pixel(30, 5), &Rgba([244, 224, 204, 255]));
    assert_eq!(picture.get_pixel(50, 5), &Rgba([50, 5, 9, 255]));

    let clear = RgbaImage::from_pixel(8, 8, Rgba([255, 0, 0, 0]));
    assert!(error(&encoded(&clear.into(), ImageFormat::Png)).unwrap().contains("transparent"));
}

#[test]
fn pictures_of_16_bits_and_gray_ones_with_alpha_are_composed() {
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    // Gray 0 at half opacity, and a hidden 77.
    image::ImageEncoder::write_image(encoder, &[0, 128, 77, 0], 2, 1, ExtendedColorType::La8).unwrap();
    let picture = decode(Cursor::new(bytes)).unwrap();
    assert_eq!(picture.into_raw(), [127, 127, 127, 255, 255, 255, 255, 255]);
}

#[test]
fn formats_of_phones_are_named() {
    for (brand, name) in [("heic", "HEIC"), ("mif1", "HEIC"), ("avif", "AVIF")] {
        let file = [b"\0\0\0\x1cftyp", brand.as_bytes(), &[0; 40]].concat();
        assert!(error(&file).unwrap().contains(&format!("in {name}, which is not supported")), "{brand}");
    }
    assert!(error(b"this is text").unwrap().contains("not a readable picture"));
}

/// A PNG file with rows of indices of four bits, and the colors of the palette.
fn indexed(size: [u32; 2], palette: &[u8], alpha: &[u8], rows: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size[0], size[1]);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_palette(palette);
    encoder.set_trns(alpha);
    encoder.write_header().unwrap().write_image_data(rows).unwrap();
    bytes
}

#[test]
fn indices_are_those_of_the_file_and_transparent_ones_are_none() {
    let colors = [255, 0, 0, 0, 255, 0, 0, 0, 255];
    let values = |bytes: &[u8]| indices::decode(Cursor::new(bytes)).map(|indices| indices.values);
    let rows = [0x01, 0x20, 0x21, 0x00];
    let file = indexed([3, 2], &colors, &[255, 0], &rows);
    assert_eq!(values(&file).unwrap(), [Some(0), None, Some(2), Some(2), None, Some(0)]);
    assert!(values(&file[..file.len() / 2]).is_none());
    assert!(values(&indexed([3, 2], &[0, 0, 0, 9, 9, 9, 255, 255, 255], &[], &rows)).is_none(), "grays");
    assert!(values(&encoded(&detailed(), ImageFormat::Png)).is_none());
    assert!(values(&encoded(&detailed(), ImageFormat::Jpeg)).is_none());
}
