//! What is masked out is the frame itself, what is not is the unmasked result, and what lies between is between them: in
//! every format.

use common::{Case, Frame, pillow};
use gst_video::VideoFormat::*;

use crate::{elements, first, formats, write_mask};

/// The last one has runs that are black or white in all components, and ends amid chroma.
const SIZES: [(u32, u32); 3] = [(48, 34), (13, 7), (161, 10)];

/// From black on the left to white on the right, with some of both.
fn soft((width, _): (u32, u32)) -> impl Fn(u32, u32) -> u8 {
    move |x, y| match (x * 4 / width, y % 5) {
        (0, _) => 0,
        (3, _) => 255,
        _ => ((x * 37 + y * 91) % 256) as u8,
    }
}

/// Checks the components of a blended frame.
fn check(name: &str, [frame, whole, blended]: [&Frame; 3], white: u32, level: impl Fn(u32, u32) -> u32) {
    let info = frame.info();
    let mode = if frame.largest() > 255 { "I;16" } else { "L" };
    let bytes = |value: u32| -> Vec<u8> { value.to_le_bytes()[..if mode == "L" { 1 } else { 2 }].into() };
    let (width, height) = (frame.width, frame.height);
    let mask: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| bytes(level(x, y))).collect();
    let case = |index: u8| {
        let [before, after] = [frame, whole].map(|frame| frame.component(index));
        let (across, down) = (info.comp_width(index), info.comp_height(index));
        let request = format!(
            "{{\"filter\": \"blend\", \"frame\": [{width}, {height}], \"component\": [{across}, {down}], \"white\": {white}}}"
        );
        let samples = 2 * across * down + width * height;
        Case { request, mode, width: samples, height: 1, bytes: [before, after, mask.clone()].concat() }
    };
    let cases: Vec<_> = (0..info.n_components() as u8).map(case).collect();
    for (index, result) in (0..).zip(pillow(&cases)) {
        let own = blended.component(index);
        let value = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |value, &byte| value * 256 + u32::from(byte));
        let values = |bytes: &[u8]| -> Vec<u32> { bytes.chunks(if mode == "L" { 1 } else { 2 }).map(value).collect() };
        let (least, greatest) = (values(&result[..own.len()]), values(&result[own.len()..2 * own.len()]));
        for (at, ((own, least), greatest)) in values(&own).into_iter().zip(least).zip(greatest).enumerate() {
            assert!((least..=greatest).contains(&own), "{name}: component {index}, sample {at}: {own}, not {least}");
        }
    }
}

/// The comparison must fail if a single sample differs.
#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
#[should_panic(expected = "component 1, sample 3")]
fn a_wrong_sample_is_noticed() {
    let frame = Frame::random(I420, (13, 7));
    let mut wrong = frame.clone();
    let info = frame.info();
    wrong.bytes[info.offset()[1] + 3] ^= 1;
    check("wrong", [&frame, &frame, &wrong], 255, |_, _| 100);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn every_format_is_blended_by_the_mask() {
    let (folder, elements) = elements("blend");
    let mask = folder.join("mask.png");
    for size in SIZES {
        write_mask(&mask, size, soft(size));
        for format in formats() {
            let frame = Frame::random(format, size);
            for element in &elements {
                let whole = first(element, &frame);
                let blended = first(&format!("{element} mask={}", mask.display()), &frame);
                let level = soft(size);
                check(&format!("{element} {format} {size:?}"), [&frame, &whole, &blended], 255, |x, y| {
                    level(x, y).into()
                });
            }
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn black_gives_the_frame_back_and_white_the_whole_result() {
    let (folder, elements) = elements("ends");
    let [black, white] = ["black.png", "white.png"].map(|name| folder.join(name));
    write_mask(&black, (3, 5), |_, _| 0);
    write_mask(&white, (3, 5), |_, _| 255);
    for format in formats() {
        let frame = Frame::random(format, (48, 32));
        for element in &elements {
            let whole = first(element, &frame).bytes;
            let masked = |settings: &str| first(&format!("{element} {settings}"), &frame).bytes;
            let [black, white] = [&black, &white].map(|mask| mask.display());
            assert!(masked(&format!("mask={black}")) == frame.bytes, "{element} {format}: black");
            assert!(masked(&format!("mask={white}")) == whole, "{element} {format}: white");
            assert!(masked(&format!("mask={black} mask-invert=true")) == whole, "{element} {format}: black, inverted");
            assert!(
                masked(&format!("mask={white} mask-invert=true")) == frame.bytes,
                "{element} {format}: white, inverted"
            );
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn the_frames_alpha_can_be_the_mask() {
    let (_, elements) = elements("alpha");
    for format in [Rgba, Argb, Ayuv, Rgba64Le] {
        let frame = Frame::random(format, (48, 32));
        let alpha = frame.component(3);
        for element in &elements {
            // Opaque, since styletransfer fills the colors of transparent places otherwise.
            let whole = first(element, &opaque(&frame));
            let mut blended = first(&format!("{element} mask-from=alpha"), &frame);
            assert!(blended.component(3) == alpha, "{element} {format}: alpha stays");
            let level = |x: u32, y: u32| -> u32 {
                let at = (y * frame.width + x) as usize;
                if format == Rgba64Le {
                    u16::from_le_bytes([alpha[2 * at], alpha[2 * at + 1]]).into()
                } else {
                    alpha[at].into()
                }
            };
            blended = opaque(&blended);
            check(&format!("{element} {format}"), [&opaque(&frame), &whole, &blended], frame.largest(), level);
        }
    }
    for element in &elements {
        let frame = Frame::random(I420, (48, 32));
        let masked = first(&format!("{element} mask-from=alpha"), &frame);
        assert!(masked.bytes == first(element, &frame).bytes, "{element}: without alpha everything is opaque");
    }
}

/// The frame with full alpha.
fn opaque(frame: &Frame) -> Frame {
    let mut opaque = frame.clone();
    let alpha = match frame.format {
        Argb | Ayuv => 0,
        _ => 3,
    };
    let bytes = if frame.largest() > 255 { 2 } else { 1 };
    for pixel in opaque.bytes.chunks_mut(4 * bytes) {
        pixel[alpha * bytes..][..bytes].fill(255);
    }
    opaque
}

#[test]
#[ignore = "needs scripts/build"]
fn a_mask_of_another_size_is_stretched_and_its_edges_are_soft() {
    let (folder, _) = elements("stretch");
    let mask = folder.join("mask.png");
    write_mask(&mask, (4, 3), |x, _| if x < 2 { 0 } else { 255 });
    let frame = Frame { format: Gray8, width: 64, height: 12, bytes: vec![0; 64 * 12] };
    let white = "convfilter filter=kernel kernel=0 scale=1 offset=255 backend=cpu";
    let result = first(&format!("{white} mask={}", mask.display()), &frame).bytes;
    for row in result.chunks(64) {
        assert!(
            row[..20].iter().all(|&sample| sample == 0) && row[44..].iter().all(|&sample| sample == 255),
            "{row:?}"
        );
        assert!(row.windows(2).all(|pair| pair[0] <= pair[1]), "{row:?}");
        assert!(row.iter().filter(|&&sample| sample > 10 && sample < 245).count() > 8, "{row:?}");
        assert!((120..=136).contains(&row[31].midpoint(row[32])), "{row:?}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn transparent_places_of_a_mask_are_black_and_16_bits_count() {
    let (folder, _) = elements("pictures");
    let white = "convfilter filter=kernel kernel=0 scale=1 offset=255 backend=cpu";
    let cut_out = folder.join("cut-out.png");
    let alpha = [0, 255, 102];
    image::RgbaImage::from_fn(3, 1, |x, _| image::Rgba([255, 255, 255, alpha[x as usize]]))
        .save(&cut_out)
        .expect("written");
    let frame = Frame { format: Gray8, width: 3, height: 1, bytes: vec![0; 4] };
    let result = first(&format!("{white} mask={}", cut_out.display()), &frame);
    assert_eq!(result.tight(), [0, 255, 102]);

    let fine = folder.join("fine.png");
    let levels = [1u16, 40_000, 65_535];
    image::ImageBuffer::<image::Luma<u16>, _>::from_fn(3, 1, |x, _| image::Luma([levels[x as usize]]))
        .save(&fine)
        .expect("written");
    let mut deep = Frame { format: Gray16Le, width: 3, height: 1, bytes: Vec::new() };
    deep.bytes = vec![0; deep.info().size()];
    let result = first(&format!("{white} mask={}", fine.display()), &deep);
    assert_eq!(result.component(0), levels.map(u16::to_le_bytes).concat());
}
