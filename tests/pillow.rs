//! Compares convfilter in a real pipeline with Pillow 13, byte for byte, on RGB frames from 1x1 up.

use common::random::Random;
use common::{BACKENDS, Case, Frame, Line, pillow};
use gst_video::VideoFormat;

const SIZES: [(u32, u32); 13] =
    [(1, 1), (1, 7), (2, 2), (5, 1), (3, 3), (4, 5), (5, 5), (7, 4), (16, 9), (33, 21), (66, 35), (131, 70), (701, 45)];

/// One frame of each size. They are pushed into one stream, so its caps change.
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

fn case<'a>(frame: &Frame, request: &str) -> Case<'a> {
    let (width, height) = (frame.width, frame.height);
    Case { request: request.to_owned(), mode: "RGB", width, height, bytes: frame.tight() }
}

/// Compares convfilter with `settings`, as for gst-launch-1.0, with the result of `request`, which is JSON for
/// oracle.py.
fn compare(seed: u64, settings: &str, request: &str) {
    common::init();
    let frames = frames(seed);
    let expected = pillow(&frames.iter().map(|frame| case(frame, request)).collect::<Vec<_>>());
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

/// The comparison must fail for another filter.
#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
#[should_panic(expected = "differs from Pillow's")]
fn another_filter_is_noticed() {
    compare(1, "filter=smooth", "{\"filter\": \"smooth-more\"}");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn fixed_filters_equal_pillows() {
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
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn kernels_with_fractional_coefficients_equal_pillows() {
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
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn kernel_order_selects_whether_the_first_row_is_the_top_or_the_bottom() {
    let shift = "0 1 0; 0 0 0; 0 0 0";
    let request = |kernel: &str| {
        format!("{{\"filter\": \"kernel\", \"shape\": [3, 3], \"kernel\": [{kernel}], \"scale\": 1, \"offset\": 0}}")
    };
    compare(1, &format!("filter=kernel kernel-order=bottom-up kernel=\"{shift}\""), &request("0,1,0,0,0,0,0,0,0"));
    compare(1, &format!("filter=kernel kernel-order=top-down kernel=\"{shift}\""), &request("0,0,0,0,0,0,0,1,0"));
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn blurs_with_fractional_radii_equal_pillows() {
    for (seed, (x, y)) in (1..).zip([(2.0, 2.0), (0.5, 0.5), (3.7, 1.2), (0.0, 4.0), (20.0, 20.0), (0.0, 0.0)]) {
        for filter in ["gaussian-blur", "box-blur"] {
            let settings = format!("filter={filter} radius={x:?} radius-y={y:?}");
            compare(seed, &settings, &format!("{{\"filter\": \"{filter}\", \"radius\": [{x}, {y}]}}"));
        }
    }
    compare(9, "filter=gaussian-blur radius=1.5", "{\"filter\": \"gaussian-blur\", \"radius\": [1.5, 1.5]}");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn unsharp_masks_equal_pillows() {
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
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn rank_filters_equal_pillows() {
    for (size, rank) in (0u32..9).map(|rank| (3, rank)).chain([
        (1, 0),
        (5, 0),
        (5, 7),
        (5, 24),
        (11, 60),
        (17, 100),
        (27, 0),
        (31, 960),
    ]) {
        let request = format!("{{\"filter\": \"rank\", \"window\": {size}, \"rank\": {rank}}}");
        compare(u64::from(rank) + 1, &format!("filter=rank size={size} rank={rank}"), &request);
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn median_min_max_and_mode_equal_pillows() {
    for filter in ["median", "min", "max", "mode"] {
        for (seed, size) in (1..).zip([1, 3, 5, 9]) {
            let request = format!("{{\"filter\": \"{filter}\", \"window\": {size}}}");
            compare(seed, &format!("filter={filter} size={size}"), &request);
        }
    }
    compare(5, "filter=mode size=4", "{\"filter\": \"mode\", \"window\": 4}");
}

/// The usual convolution with NumPy: zeros around the picture, sums clipped and truncated.
#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn border_zero_equals_a_numpy_convolution() {
    let gaussian = |size: usize, sigma: f64| {
        let center = (size - 1) as f64 / 2.0;
        let at = |i: usize, j: usize| {
            (-((i as f64 - center).powi(2) + (j as f64 - center).powi(2)) / (2.0 * sigma * sigma)).exp()
        };
        let sum: f64 = (0..size * size).map(|k| at(k / size, k % size)).sum();
        (0..size).map(|i| (0..size).map(|j| at(i, j) / sum).collect()).collect::<Vec<Vec<_>>>()
    };
    let kernels: [Vec<Vec<f64>>; 7] = [
        vec![vec![1.0, 1.0, 0.0], vec![1.0, 1.0, -1.0], vec![0.0, -1.0, -1.0]],
        vec![vec![-1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0; 3]],
        vec![vec![-1.0; 3], vec![-1.0, 8.0, -1.0], vec![-1.0; 3]],
        vec![vec![1.0 / 9.0; 3]; 3],
        vec![vec![1.0 / 35.0; 7]; 5],
        gaussian(10, 5.0),
        gaussian(15, 20.0),
    ];
    common::init();
    let frames = &frames(3)[7..];
    for kernel in kernels {
        let (rows, cols) = (kernel.len(), kernel[0].len());
        let row = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>();
        let text = kernel.iter().map(|numbers| row(numbers).join(" ")).collect::<Vec<_>>().join(";");
        let numbers = kernel.iter().flat_map(row).collect::<Vec<_>>().join(",");
        // A sum very close to a whole number may be truncated to either side of it: f32 and f64 round differently.
        let [low, high] = [-0.002, 0.002].map(|rounding| {
            let request = format!(
                "{{\"filter\": \"kernel\", \"border\": \"zero\", \"window\": [{rows}, {cols}], \"kernel\": [{numbers}], \
                 \"offset\": 0, \"rounding\": {rounding}}}"
            );
            pillow(&frames.iter().map(|frame| case(frame, &request)).collect::<Vec<_>>())
        });
        for backend in BACKENDS {
            let settings = format!("backend={backend} filter=kernel border=zero scale=1 kernel=\"{text}\"");
            let mut line = Line::playing(&format!("convfilter {settings}"));
            for ((frame, low), high) in frames.iter().zip(&low).zip(&high) {
                let result = line.push_pull(frame).tight();
                let between = result.iter().zip(low.iter().zip(high)).all(|(r, (low, high))| (low..=high).contains(&r));
                assert!(between, "{settings} on {}x{}", frame.width, frame.height);
            }
        }
    }
}

/// Pillow does not have these, so NumPy computes them from their definitions.
#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn borders_and_windows_of_any_shape_equal_numpys() {
    let mut random = Random(11);
    for (seed, border) in (1..).zip(["copy", "clamp", "zero", "mirror"]) {
        for (rows, cols) in [(2, 2), (4, 3), (1, 6), (7, 1), (10, 10)] {
            let kernel: Vec<String> =
                (0..rows * cols).map(|_| (random.number() % 9) as i64 - 2).map(|k| k.to_string()).collect();
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
