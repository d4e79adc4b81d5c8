//! Tests of transparency: colors that nobody sees do not count.

use std::path::Path;

use common::random::Random;
use common::{BACKENDS, Case, Frame, Line, pillow, scratch, start_error};
use gst_video::VideoFormat;
use image::{Rgba, RgbaImage};

/// Writes a style that is transparent on its left, over the color `hidden`.
fn write_style(path: &Path, hidden: [u8; 3]) {
    let [red, green, blue] = hidden;
    let pixel = |x: u32, y: u32| match x {
        0..32 => Rgba([red, green, blue, 0]),
        _ => Rgba([(x * 3) as u8, (y * 4) as u8, 200, 255]),
    };
    RgbaImage::from_fn(64, 48, pixel).save(path).expect("the style is written");
}

#[test]
#[ignore = "needs scripts/build"]
fn hidden_colors_of_a_style_are_not_painted() {
    common::init();
    let folder = scratch("transparent-styles");
    let frame = Frame { format: VideoFormat::Rgb, width: 64, height: 48, bytes: Random(2).bytes(64 * 48 * 3) };
    let [red, green] = [("red", [255, 0, 0]), ("green", [0, 255, 0])].map(|(name, hidden)| {
        let style = folder.join(format!("{name}.png"));
        write_style(&style, hidden);
        let line = format!("styletransfer style={} device=cpu first-iterations=10", style.display());
        Line::playing(&line).push_pull(&frame).bytes
    });
    assert!(red == green, "the hidden color is painted");

    let clear = folder.join("clear.png");
    RgbaImage::from_pixel(64, 48, Rgba([255, 0, 0, 0])).save(&clear).expect("the style is written");
    let error = start_error(&format!("styletransfer style={}", clear.display()));
    assert!(error.matches(gst::ResourceError::Read), "{error:?}");
    assert!(error.message().contains("clear.png") && error.message().contains("transparent"), "{error}");
}

/// A frame of RGBA, transparent on its left over the color `hidden`, half transparent in the middle.
fn cut_out(hidden: [u8; 3]) -> Frame {
    let mut frame = Frame { format: VideoFormat::Rgba, width: 64, height: 48, bytes: Vec::new() };
    for (x, y) in (0..48).flat_map(|y| (0..64).map(move |x| (x, y))) {
        let alpha = match x {
            0..32 => 0,
            32..36 => 128,
            _ => 255,
        };
        let visible = [(x * 4) as u8, (y * 5) as u8, 60];
        frame.bytes.extend(if alpha == 0 { hidden } else { visible });
        frame.bytes.push(alpha);
    }
    frame
}

fn convert(frame: &Frame, format: VideoFormat) -> Frame {
    Line::playing(&format!("videoconvert ! video/x-raw,format={format} ! identity")).push_pull(frame)
}

#[test]
#[ignore = "needs scripts/build"]
fn frames_are_painted_from_what_is_seen() {
    common::init();
    let style = scratch("transparent-frames").join("style.png");
    common::write_style(&style);
    let element = format!("styletransfer style={} device=cpu first-iterations=10", style.display());
    for format in [VideoFormat::Rgba, VideoFormat::Argb, VideoFormat::Rgba64Le] {
        let [black, green] = [[0, 0, 0], [0, 255, 0]].map(|hidden| {
            let painted = Line::playing(&element).push_pull(&convert(&cut_out(hidden), format));
            convert(&painted, VideoFormat::Rgba).bytes
        });
        let original = cut_out([0, 0, 0]).bytes;
        for (index, (black, green)) in black.chunks(4).zip(green.chunks(4)).enumerate() {
            assert_eq!(black[3], original[index * 4 + 3], "{format}: alpha changes at pixel {index}");
            assert!(black[3] == 0 || black == green, "{format}: a hidden color shows at pixel {index}");
        }
        assert!(black != original, "{format}: nothing is painted");
    }
    let clear = Frame { bytes: [70, 80, 90, 0].repeat(64 * 48), ..cut_out([0; 3]) };
    assert!(Line::playing(&element).push_pull(&clear).bytes == clear.bytes, "nothing is to be painted");
}

/// A red disc on transparent black.
fn disc() -> Frame {
    let pixel = |x: i32, y: i32| if (x - 32).pow(2) + (y - 32).pow(2) < 400 { [255, 0, 0, 255] } else { [0; 4] };
    let bytes = (0..64).flat_map(|y| (0..64).flat_map(move |x| pixel(x, y))).collect();
    Frame { format: VideoFormat::Rgba, width: 64, height: 64, bytes }
}

/// The darkest value of red over white.
fn darkest(frame: &Frame) -> u32 {
    let over_white =
        |pixel: &[u8]| (u32::from(pixel[0]) * u32::from(pixel[3]) + 255 * (255 - u32::from(pixel[3]))) / 255;
    frame.bytes.chunks(4).map(over_white).min().expect("pixels")
}

#[test]
#[ignore = "needs scripts/build"]
fn premultiply_keeps_the_edges_of_cut_outs_bright() {
    common::init();
    for backend in BACKENDS {
        let blurred = |settings: &str| {
            let line = format!("convfilter backend={backend} filter=gaussian-blur radius=6 {settings}");
            darkest(&Line::playing(&line).push_pull(&disc()))
        };
        assert!(blurred("alpha=true") < 200 && blurred("alpha=false") < 200, "as Pillow does");
        assert!(blurred("alpha=true premultiply=true") >= 253, "{backend}: a dark edge");
        assert_eq!(blurred("premultiply=true"), blurred(""), "without alpha=true");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn premultiplied_colors_are_filtered_as_pillow_filters_them() {
    common::init();
    let mut frame = Frame { format: VideoFormat::Rgba, width: 50, height: 30, bytes: Random(9).bytes(50 * 30 * 4) };
    // Some transparent and some opaque places.
    frame.bytes.chunks_exact_mut(4).skip(100).take(400).for_each(|pixel| pixel[3] = 0);
    frame.bytes.chunks_exact_mut(4).skip(900).take(400).for_each(|pixel| pixel[3] = 255);
    let divided = |value: u32, by: u32| (value + by / 2).checked_div(by).unwrap_or(0);
    let premultiplied = frame.bytes.chunks(4).flat_map(|pixel| {
        let color = |index: usize| divided(u32::from(pixel[index]) * u32::from(pixel[3]), 255) as u8;
        [color(0), color(1), color(2), pixel[3]]
    });
    let bytes: Vec<_> = premultiplied.collect();
    for (settings, request) in [
        ("filter=smooth", "{\"filter\": \"smooth\"}"),
        ("filter=gaussian-blur radius=3", "{\"filter\": \"gaussian-blur\", \"radius\": [3, 3]}"),
        ("filter=sharpen", "{\"filter\": \"sharpen\"}"),
    ] {
        let case = Case { request: request.into(), mode: "RGBA", width: 50, height: 30, bytes: bytes.clone() };
        let expected = pillow(&[case])
            .remove(0)
            .chunks(4)
            .flat_map(|pixel| {
                let color = |index: usize| divided(u32::from(pixel[index]) * 255, pixel[3].into()).min(255) as u8;
                [color(0), color(1), color(2), pixel[3]]
            })
            .collect::<Vec<_>>();
        for backend in BACKENDS {
            let line = format!("convfilter backend={backend} alpha=true premultiply=true {settings}");
            assert!(Line::playing(&line).push_pull(&frame).bytes == expected, "{line}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn both_backends_premultiply_every_format_with_alpha_alike() {
    common::init();
    use VideoFormat::{Abgr, Argb, Ayuv, Bgra, Rgba, Rgba64Le};
    for format in [Rgba, Bgra, Argb, Abgr, Ayuv, Rgba64Le] {
        let mut frame = Frame { format, width: 37, height: 21, bytes: Vec::new() };
        frame.bytes = Random(6).bytes(frame.info().size());
        for settings in ["filter=blur", "filter=emboss mix=0.3", "filter=median planes=luma", "filter=max size=5"] {
            let line = |backend| format!("convfilter backend={backend} alpha=true premultiply=true {settings}");
            let [gpu, cpu] = BACKENDS.map(|backend| Line::playing(&line(backend)).push_pull(&frame).bytes);
            assert!(gpu == cpu, "{format} {settings}");
            assert!(gpu != Line::playing(&line("cpu").replace("premultiply=true", "")).push_pull(&frame).bytes);
        }
    }
}
