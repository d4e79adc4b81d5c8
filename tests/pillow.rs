//! convfilter on RGB frames equals Pillow 13 byte for byte, through a real pipeline, on frames from 1x1 up.

mod common;

use common::random::Random;
use common::{BACKENDS, Case, Frame, Line, pillow};
use gst_video::VideoFormat;

const SIZES: [(u32, u32); 13] =
    [(1, 1), (1, 7), (2, 2), (5, 1), (3, 3), (4, 5), (5, 5), (7, 4), (16, 9), (33, 21), (66, 35), (131, 70), (701, 45)];

/// A frame of each size, in one stream whose caps change.
fn frames(seed: u64) -> Vec<Frame> {
    let mut random = Random(seed);
    SIZES
        .iter()
        .map(|&(width, height)| {
            let mut frame = Frame { format: VideoFormat::Rgb, width, height, bytes: Vec::new() };
            frame.bytes = random.bytes(frame.info().size());
            frame
        })
        .collect()
}

/// `settings` as for gst-launch, `request` as for Pillow.
fn compare(seed: u64, settings: &str, request: &str) {
    common::init();
    let frames = frames(seed);
    let cases: Vec<_> = frames
        .iter()
        .map(|frame| Case {
            request: request.to_owned(),
            mode: "RGB",
            width: frame.width,
            height: frame.height,
            bytes: frame.tight(),
        })
        .collect();
    let expected = pillow(&cases);
    for backend in BACKENDS {
        let mut line = Line::playing(&format!("convfilter backend={backend} {settings}"));
        for (frame, expected) in frames.iter().zip(&expected) {
            let result = line.push_pull(frame).tight();
            let wrong = result.iter().zip(expected).position(|(a, b)| a != b);
            assert!(
                wrong.is_none() && result.len() == expected.len(),
                "{settings} on {}x{}, {backend}: byte {wrong:?} differs from Pillow's",
                frame.width,
                frame.height
            );
        }
    }
}

#[test]
fn fixed_filters() {
    let names = [
        "blur",
        "contour",
        "detail",
        "edge-enhance",
        "edge-enhance-more",
        "emboss",
        "find-edges",
        "smooth",
        "smooth-more",
        "sharpen",
    ];
    for (seed, name) in (1..).zip(names) {
        compare(seed, &format!("filter={name}"), &format!("{{\"filter\": \"{name}\"}}"));
    }
}

#[test]
fn kernels_with_fractional_coefficients() {
    let mut random = Random(7);
    for (seed, side) in [(1, 3), (2, 5), (3, 3), (4, 5)] {
        let kernel: Vec<String> = (0..side * side).map(|_| random.signed().to_string()).collect();
        let text = kernel.chunks(side).map(|row| row.join(" ")).collect::<Vec<_>>().join("; ");
        let (scale, offset) = (0.3 + random.signed().abs(), random.signed() * 100.0);
        compare(
            seed,
            &format!("filter=kernel kernel-order=bottom-up kernel=\"{text}\" scale={scale:?} offset={offset:?}"),
            &format!(
                "{{\"filter\": \"kernel\", \"shape\": [{side}, {side}], \"kernel\": [{}], \"scale\": {scale}, \"offset\": {offset}}}",
                kernel.join(", ")
            ),
        );
    }
}

#[test]
fn the_first_row_weighs_the_upper_or_the_lower_one() {
    let shift = "0 1 0; 0 0 0; 0 0 0";
    let request = |kernel: &str| {
        format!("{{\"filter\": \"kernel\", \"shape\": [3, 3], \"kernel\": [{kernel}], \"scale\": 1, \"offset\": 0}}")
    };
    compare(1, &format!("filter=kernel kernel-order=bottom-up kernel=\"{shift}\""), &request("0,1,0,0,0,0,0,0,0"));
    compare(1, &format!("filter=kernel kernel-order=top-down kernel=\"{shift}\""), &request("0,0,0,0,0,0,0,1,0"));
}

#[test]
fn blurs_with_fractional_radii() {
    for (seed, (x, y)) in (1..).zip([(2.0, 2.0), (0.5, 0.5), (3.7, 1.2), (0.0, 4.0), (20.0, 20.0), (0.0, 0.0)]) {
        for filter in ["gaussian-blur", "box-blur"] {
            let settings = format!("filter={filter} radius={x:?} radius-y={y:?}");
            compare(seed, &settings, &format!("{{\"filter\": \"{filter}\", \"radius\": [{x}, {y}]}}"));
        }
    }
    compare(9, "filter=gaussian-blur radius=1.5", "{\"filter\": \"gaussian-blur\", \"radius\": [1.5, 1.5]}");
}

#[test]
fn unsharp_masks() {
    let cases = [(2.0, 150, 3), (0.7, 300, 0), (5.0, -80, 10), (0.0, 150, 3), (3.0, 1000, -1)];
    for (seed, (radius, percent, threshold)) in (1..).zip(cases) {
        compare(
            seed,
            &format!("filter=unsharp-mask radius={radius:?} percent={percent} threshold={threshold}"),
            &format!(
                "{{\"filter\": \"unsharp-mask\", \"radius\": {radius}, \"percent\": {percent}, \"threshold\": {threshold}}}"
            ),
        );
    }
}

#[test]
fn every_rank() {
    for (size, rank) in (0u32..9).map(|rank| (3, rank)).chain([(1, 0), (5, 0), (5, 7), (5, 24), (11, 60)]) {
        let request = format!("{{\"filter\": \"rank\", \"window\": {size}, \"rank\": {rank}}}");
        compare(u64::from(rank) + 1, &format!("filter=rank size={size} rank={rank}"), &request);
    }
}

#[test]
fn median_min_max_and_mode() {
    for filter in ["median", "min", "max", "mode"] {
        for (seed, size) in (1..).zip([1, 3, 5, 9]) {
            let request = format!("{{\"filter\": \"{filter}\", \"window\": {size}}}");
            compare(seed, &format!("filter={filter} size={size}"), &request);
        }
    }
    compare(5, "filter=mode size=4", "{\"filter\": \"mode\", \"window\": 4}");
}

/// What Pillow has no name for, by its definition, in NumPy.
#[test]
fn borders_and_windows_of_any_shape() {
    let mut random = Random(11);
    for (seed, border) in (1..).zip(["copy", "clamp", "zero", "mirror"]) {
        for (rows, cols) in [(2, 2), (4, 3), (1, 6), (7, 1), (10, 10)] {
            let kernel: Vec<String> =
                (0..rows * cols).map(|_| (random.next() % 9) as i64 - 2).map(|k| k.to_string()).collect();
            let text = kernel.chunks(cols).map(|row| row.join(",")).collect::<Vec<_>>().join(";");
            compare(
                seed,
                &format!("filter=kernel border={border} kernel=\"{text}\" scale=1 offset=7"),
                &format!(
                    "{{\"filter\": \"kernel\", \"border\": \"{border}\", \"window\": [{rows}, {cols}], \
                     \"kernel\": [{}], \"offset\": 7}}",
                    kernel.join(",")
                ),
            );
        }
        let request = format!("{{\"filter\": \"rank\", \"border\": \"{border}\", \"window\": [5, 5], \"rank\": 6}}");
        compare(seed, &format!("filter=rank border={border} size=5 rank=6"), &request);
    }
}
