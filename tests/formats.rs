//! Tests convfilter with every format: each component must be filtered by itself, for all sizes and strides.

use common::{BACKENDS, Case, Frame, Line, pillow, sample};
use gst_video::VideoFormat::{self, *};
use gst_video::VideoInfo;

const FORMATS: [VideoFormat; 28] = [
    Rgba, Bgra, Argb, Abgr, Rgbx, Bgrx, Xrgb, Xbgr, Rgb, Bgr, Gbr, Ayuv, Y444, Y42b, Yuy2, Uyvy, Yvyu, I420, Yv12,
    Nv12, Nv21, Gray8, Rgba64Le, Y44410le, I42210le, I42010le, P01010le, Gray16Le,
];

const SIZES: [(u32, u32); 4] = [(1, 1), (13, 7), (64, 48), (321, 33)];

/// One component as a case for Pillow or NumPy. `request` is a JSON object without its braces.
fn case<'a>(frame: &Frame, index: u8, request: &str) -> Case<'a> {
    let largest = frame.largest();
    // 10 bits are YUV of limited range here, whose levels are four to one of 8 bits; 16 bits have the full range.
    let level = if largest == 1023 { 4 } else { 257 };
    let (mode, depth) = match largest {
        255 => ("L", String::new()),
        _ => ("I;16", format!(", \"largest\": {largest}, \"level\": {level}")),
    };
    Case {
        request: format!("{{{request}{depth}}}"),
        mode,
        width: frame.info().comp_width(index),
        height: frame.info().comp_height(index),
        bytes: frame.component(index),
    }
}

/// The expected components. A filter that does not keep levels, such as emboss, makes chroma gray.
fn expected(frame: &Frame, request: &str, keeps_level: bool) -> Vec<Vec<u8>> {
    let info = frame.info();
    let cases: Vec<_> = (0..info.n_components() as u8).map(|index| case(frame, index, request)).collect();
    let gray = (frame.largest() / 2 + 1) as u16;
    let filtered = pillow(&cases).into_iter().zip(&cases).enumerate();
    filtered
        .map(|(index, (filtered, case))| match index {
            3 => case.bytes.clone(),
            1 | 2 if info.is_yuv() && !keeps_level && case.mode == "L" => vec![gray as u8; filtered.len()],
            1 | 2 if info.is_yuv() && !keeps_level => gray.to_le_bytes().repeat(filtered.len() / 2),
            _ => filtered,
        })
        .collect()
}

fn check(frame: &Frame, result: &Frame, filter: &str, expected: &[Vec<u8>]) {
    let name = format!("{filter} on {} {}x{}", frame.format, frame.width, frame.height);
    assert_eq!((result.format, result.width, result.height), (frame.format, frame.width, frame.height), "{name}");
    for (index, expected) in (0..).zip(expected) {
        assert_eq!(&result.component(index), expected, "{name}: component {index}");
    }
}

/// The comparison must fail if a single sample differs.
#[test]
#[ignore = "needs scripts/build"]
#[should_panic(expected = "component 2")]
fn a_wrong_sample_is_noticed() {
    let frame = Frame::random(I420, (13, 7));
    let mut expected: Vec<_> = (0..3).map(|index| frame.component(index)).collect();
    expected[2][5] ^= 1;
    check(&frame, &frame, "none", &expected);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn every_format_is_filtered_in_each_component() {
    common::init();
    for format in FORMATS {
        for (filter, keeps_level) in [("smooth", true), ("emboss", false)] {
            let lines = BACKENDS.map(|backend| format!("convfilter backend={backend} filter={filter}"));
            let mut lines = lines.map(|line| Line::playing(&line));
            for size in SIZES {
                let frame = Frame::random(format, size);
                let expected = expected(&frame, &format!("\"filter\": \"{filter}\""), keeps_level);
                for line in &mut lines {
                    check(&frame, &line.push_pull(&frame), filter, &expected);
                }
            }
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn every_operation_works_on_more_than_8_bits() {
    common::init();
    let operations = [
        ("filter=detail", "\"filter\": \"detail\""),
        ("filter=gaussian-blur radius=3.1", "\"filter\": \"gaussian-blur\", \"radius\": [3.1, 3.1]"),
        ("filter=box-blur radius=20 radius-y=0.4", "\"filter\": \"box-blur\", \"radius\": [20, 0.4]"),
        (
            "filter=unsharp-mask radius=2 percent=150 threshold=3",
            "\"filter\": \"unsharp-mask\", \"radius\": 2, \"percent\": 150, \"threshold\": 3",
        ),
        (
            "filter=unsharp-mask radius=2 percent=150 threshold=100",
            "\"filter\": \"unsharp-mask\", \"radius\": 2, \"percent\": 150, \"threshold\": 100",
        ),
        ("filter=median", "\"filter\": \"rank\", \"window\": 3, \"rank\": 4"),
        ("filter=median size=5", "\"filter\": \"rank\", \"window\": 5, \"rank\": 12"),
        ("filter=rank size=7 rank=9", "\"filter\": \"rank\", \"window\": 7, \"rank\": 9"),
        ("filter=max size=5", "\"filter\": \"rank\", \"window\": 5, \"rank\": 24"),
        ("filter=mode size=3", "\"filter\": \"mode\", \"window\": 3"),
        ("filter=mode size=7", "\"filter\": \"mode\", \"window\": 7"),
    ];
    for format in [Gray16Le, I42010le, P01010le] {
        let frame = Frame::random(format, (70, 40));
        // Few different values, so that the mode filter finds frequent ones.
        let coarse =
            frame.bytes.iter().copied().enumerate().map(|(i, byte)| if i % 2 == 1 { byte & 3 } else { byte & 0xc0 });
        let coarse = Frame { bytes: coarse.collect(), ..frame.clone() };
        for (settings, request) in operations {
            let frame = if request.contains("mode") { &coarse } else { &frame };
            let expected = expected(frame, request, true);
            for backend in BACKENDS {
                let mut line = Line::playing(&format!("convfilter backend={backend} {settings}"));
                check(frame, &line.push_pull(frame), settings, &expected);
            }
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn values_with_unused_bits_set_count_as_the_largest() {
    common::init();
    let mut frame = Frame::random(I42010le, (70, 40));
    let mut limited = frame.clone();
    for (index, (sample, limited)) in
        frame.bytes.as_chunks_mut::<2>().0.iter_mut().zip(limited.bytes.as_chunks_mut::<2>().0).enumerate()
    {
        if index % 3 == 0 {
            sample[1] |= 0x40;
            *limited = 1023u16.to_le_bytes();
        }
    }
    // The kernel copies the border; the others read beyond it.
    for settings in ["smooth", "median", "min size=5", "box-blur radius=3", "unsharp-mask", "smooth border=mirror"] {
        for backend in BACKENDS {
            let mut line = Line::playing(&format!("convfilter backend={backend} filter={settings}"));
            let [result, expected] = [&frame, &limited].map(|frame| {
                let result = line.push_pull(frame);
                [0, 1, 2].map(|index| result.component(index))
            });
            assert!(result == expected, "{settings} on {backend}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn padded_strides_give_the_same_result() {
    common::init();
    for format in FORMATS {
        let frame = Frame::random(format, (13, 7));
        let expected = expected(&frame, "\"filter\": \"smooth\"", true);
        for backend in BACKENDS {
            let mut line = Line::playing(&format!("convfilter backend={backend} filter=smooth"));
            check(&frame, &line.push_pull_sample(&padded(&frame)), "smooth", &expected);
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn interlaced_frames_are_filtered_field_by_field() {
    common::init();
    for (format, size) in [(Gray8, (20, 15)), (I420, (24, 20)), (Rgbx, (10, 1))] {
        let frame = Frame::random(format, size);
        let caps = frame.info().to_caps().expect("valid caps");
        let mut caps = caps.to_owned();
        caps.make_mut().set("interlace-mode", "interleaved");
        let sample = gst::Sample::builder().buffer(&gst::Buffer::from_slice(frame.bytes.clone())).caps(&caps).build();
        for backend in BACKENDS {
            let mut line = Line::playing(&format!("convfilter backend={backend} filter=blur"));
            let result = line.push_pull_sample(&sample);
            for index in 0..frame.info().n_components() as u8 {
                let (before, after) = (frame.component(index), result.component(index));
                let width = frame.info().comp_width(index);
                for parity in 0..2 {
                    let field = |samples: &[u8]| {
                        samples.chunks(width as usize).skip(parity).step_by(2).flatten().copied().collect::<Vec<_>>()
                    };
                    let bytes = field(&before);
                    let height = bytes.len() as u32 / width;
                    if height > 0 {
                        let request = "{\"filter\": \"blur\"}".to_owned();
                        let expected = pillow(&[Case { request, mode: "L", width, height, bytes }]).remove(0);
                        assert_eq!(field(&after), expected, "{format} on {backend}: component {index}, field {parity}");
                    }
                }
            }
        }
    }
}

/// The frame with larger strides and offsets than GStreamer's default layout.
fn padded(frame: &Frame) -> gst::Sample {
    let info = frame.info();
    let strides: Vec<i32> = info.stride().iter().map(|stride| stride + 36).collect();
    let mut offsets = Vec::new();
    let mut size = 20;
    for (plane, &stride) in strides.iter().enumerate() {
        offsets.push(size);
        size += plane_height(&info, plane) * stride as usize + 28;
    }
    let mut bytes = vec![0xa5; size];
    for (plane, (&to, &stride)) in offsets.iter().zip(&strides).enumerate() {
        let (from, length) = (info.offset()[plane], info.stride()[plane] as usize);
        for row in 0..plane_height(&info, plane) {
            let source = &frame.bytes[from + row * length..][..length];
            bytes[to + row * stride as usize..][..length].copy_from_slice(source);
        }
    }
    let mut buffer = gst::Buffer::from_slice(bytes);
    gst_video::VideoMeta::add_full(
        buffer.get_mut().expect("a new buffer is writable"),
        gst_video::VideoFrameFlags::empty(),
        frame.format,
        frame.width,
        frame.height,
        &offsets,
        &strides,
    )
    .expect("a valid layout");
    sample(buffer, &info)
}

fn plane_height(info: &VideoInfo, plane: usize) -> usize {
    let of_plane = |&index: &u8| info.format_info().plane()[usize::from(index)] as usize == plane;
    (0..info.n_components() as u8).filter(of_plane).map(|index| info.comp_height(index) as usize).max().unwrap_or(0)
}
