//! convfilter filters each component of every format in its own plane, whatever the size and the strides.

mod common;

use common::random::Random;
use common::{BACKENDS, Case, Frame, Line, pillow, sample};
use gst_video::VideoFormat::{self, *};
use gst_video::VideoInfo;

const FORMATS: [VideoFormat; 22] = [
    Rgba, Bgra, Argb, Abgr, Rgbx, Bgrx, Xrgb, Xbgr, Rgb, Bgr, Gbr, Ayuv, Y444, Y42b, Yuy2, Uyvy, Yvyu, I420, Yv12,
    Nv12, Nv21, Gray8,
];

const SIZES: [(u32, u32); 4] = [(1, 1), (13, 7), (64, 48), (321, 33)];

fn random_frame(format: VideoFormat, (width, height): (u32, u32)) -> Frame {
    let mut frame = Frame { format, width, height, bytes: Vec::new() };
    frame.bytes = Random(u64::from(width * height) + 1).bytes(frame.info().size());
    frame
}

/// A component's samples, row by row.
fn component(frame: &Frame, index: u8) -> Vec<u8> {
    let info = frame.info();
    let plane = info.format_info().plane()[usize::from(index)] as usize;
    let (start, stride) = (info.comp_offset(index), info.stride()[plane] as usize);
    let (width, height) = (info.comp_width(index) as usize, info.comp_height(index) as usize);
    let step = info.comp_pstride(index) as usize;
    (0..height).flat_map(|y| (0..width).map(move |x| start + y * stride + x * step)).map(|at| frame.bytes[at]).collect()
}

/// What the components should become under a filter that keeps levels (`chroma` none) or makes chroma grey.
fn expected(frame: &Frame, filter: &str, chroma: Option<u8>) -> Vec<Vec<u8>> {
    let info = frame.info();
    let cases: Vec<_> = (0..info.n_components() as u8)
        .map(|index| Case {
            request: format!("{{\"filter\": \"{filter}\"}}"),
            mode: "L",
            width: info.comp_width(index),
            height: info.comp_height(index),
            bytes: component(frame, index),
        })
        .collect();
    let filtered = pillow(&cases).into_iter().zip(&cases).enumerate();
    filtered
        .map(|(index, (filtered, case))| match (index, chroma) {
            (3, _) => case.bytes.clone(),
            (1 | 2, Some(grey)) if info.is_yuv() => vec![grey; filtered.len()],
            _ => filtered,
        })
        .collect()
}

fn check(frame: &Frame, result: &Frame, filter: &str, expected: &[Vec<u8>]) {
    let name = format!("{filter} on {} {}x{}", frame.format, frame.width, frame.height);
    assert_eq!((result.format, result.width, result.height), (frame.format, frame.width, frame.height), "{name}");
    for (index, expected) in (0..).zip(expected) {
        assert_eq!(&component(result, index), expected, "{name}: component {index}");
    }
}

#[test]
fn every_format_in_its_own_planes() {
    common::init();
    for format in FORMATS {
        for (filter, chroma) in [("smooth", None), ("emboss", Some(128))] {
            let lines = BACKENDS.map(|backend| format!("convfilter backend={backend} filter={filter}"));
            let mut lines = lines.map(|line| Line::playing(&line));
            for size in SIZES {
                let frame = random_frame(format, size);
                let expected = expected(&frame, filter, chroma);
                for line in &mut lines {
                    check(&frame, &line.push_pull(&frame), filter, &expected);
                }
            }
        }
    }
}

#[test]
fn padded_strides() {
    common::init();
    for format in FORMATS {
        let frame = random_frame(format, (13, 7));
        let expected = expected(&frame, "smooth", None);
        for backend in BACKENDS {
            let mut line = Line::playing(&format!("convfilter backend={backend} filter=smooth"));
            check(&frame, &line.push_pull_sample(&padded(&frame)), "smooth", &expected);
        }
    }
}

#[test]
fn interlaced_frames_field_by_field() {
    common::init();
    for (format, size) in [(Gray8, (20, 15)), (I420, (24, 20)), (Rgbx, (10, 1))] {
        let frame = random_frame(format, size);
        let caps = frame.info().to_caps().expect("valid caps");
        let mut caps = caps.to_owned();
        caps.make_mut().set("interlace-mode", "interleaved");
        let sample = gst::Sample::builder().buffer(&gst::Buffer::from_slice(frame.bytes.clone())).caps(&caps).build();
        for backend in BACKENDS {
            let mut line = Line::playing(&format!("convfilter backend={backend} filter=blur"));
            let result = line.push_pull_sample(&sample);
            for index in 0..frame.info().n_components() as u8 {
                let (before, after) = (component(&frame, index), component(&result, index));
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

/// The frame with rows and planes further apart than GStreamer lays them by default.
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
