//! Buffers with unusual or invalid layouts.

use common::random::Random;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameFlags, VideoInfo, VideoInterlaceMode, VideoMeta};

use crate::{element, elements, info, noise, report, rows};

const FORMATS: [VideoFormat; 6] = [
    VideoFormat::Rgba,
    VideoFormat::Rgb,
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Yuy2,
    VideoFormat::P01010le,
];

fn harness(description: &str, info: &VideoInfo) -> gst_check::Harness {
    let mut harness = gst_check::Harness::with_element(&element(description), Some("sink"), Some("src"));
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness
}

/// The frame with other strides and offsets, and random bytes as padding.
fn laid_out(info: &VideoInfo, frame: &gst::BufferRef, random: &mut Random) -> gst::Buffer {
    let tight = gst_video::VideoFrameRef::from_buffer_ref_readable(frame, info).expect("a frame");
    let (mut bytes, mut offsets, mut strides) = (Vec::new(), Vec::new(), Vec::new());
    for plane in 0..info.n_planes() {
        bytes.extend(padding(random, 200));
        let stride = tight.plane_stride()[plane as usize] as usize;
        let wider = stride + (random.number() % 100) as usize;
        offsets.push(bytes.len());
        strides.push(wider as i32);
        for row in tight.plane_data(plane).expect("a plane").chunks(stride) {
            bytes.extend_from_slice(row);
            bytes.extend(random.bytes(wider - row.len()));
        }
    }
    bytes.extend(padding(random, 50));
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let (format, width, height) = (info.format(), info.width(), info.height());
    let to = buffer.get_mut().expect("new");
    VideoMeta::add_full(to, VideoFrameFlags::empty(), format, width, height, &offsets, &strides)
        .expect("a valid layout");
    buffer
}

/// A random number of random bytes, fewer than `below`.
fn padding(random: &mut Random, below: u64) -> Vec<u8> {
    let count = random.number() % below;
    random.bytes(count as usize)
}

#[test]
#[ignore = "needs scripts/build"]
fn any_stride_padding_and_offset_gives_the_same_picture() {
    let mut random = Random(17);
    let mut cases = 0;
    for description in elements() {
        for format in FORMATS {
            // An even width: in YUY2, an odd row ends with a padding sample.
            let info = info(format, 46, 31);
            let frame = noise(&info);
            // Each frame gets a new element, so that styletransfer treats it as a first frame.
            let expected = harness(&description, &info).push_and_pull(frame.clone()).expect(&description);
            let expected = rows(&info, &expected);
            for _ in 0..5 {
                let other = laid_out(&info, &frame, &mut random);
                let result = harness(&description, &info).push_and_pull(other).expect(&description);
                assert!(rows(&info, &result) == expected, "{description}, {format}");
                cases += 1;
            }
        }
    }
    report("strides, offsets and padding of any size", cases, "the same picture as without padding");
}

#[test]
#[ignore = "needs scripts/build"]
fn shared_and_read_only_buffers_are_not_changed() {
    let mut cases = 0;
    for description in elements() {
        for format in FORMATS {
            let info = info(format, 64, 48);
            let mut harness = harness(&description, &info);
            let bytes = noise(&info).map_readable().expect("readable").to_vec();
            let read_only = gst::Buffer::from_slice(bytes.clone());
            let halves = {
                let mut buffer = gst::Buffer::new();
                let to = buffer.get_mut().expect("new");
                for half in bytes.chunks(bytes.len().div_ceil(2)) {
                    to.append_memory(gst::Memory::from_slice(half.to_vec()));
                }
                buffer
            };
            for buffer in [read_only, halves] {
                let (kept, map) = (buffer.clone(), buffer.clone().into_mapped_buffer_readable().expect("readable"));
                harness.push_and_pull(buffer).expect(&description);
                assert!(
                    map.as_slice() == bytes && *kept.map_readable().expect("readable") == bytes[..],
                    "{description}"
                );
                cases += 1;
            }
        }
    }
    report("read-only buffers, shared buffers, buffers of two memories", cases, "filtered; the input is not changed");
}

#[test]
#[ignore = "needs scripts/build"]
fn buffers_that_are_too_small_are_errors() {
    let mut cases = 0;
    for description in elements() {
        for format in FORMATS {
            let info = info(format, 64, 48);
            for size in [0, 1, 63, info.size() / 2, info.size() - 1] {
                let mut harness = harness(&description, &info);
                let flow = harness.push(gst::Buffer::from_mut_slice(vec![0u8; size]));
                assert!(flow.is_err(), "{description}, {format}: {size} bytes are accepted as a frame");
                cases += 1;
            }
            // The video meta describes more than the buffer has.
            for (offset, stride) in
                [(0, 64 * 64), (1 << 20, 64 * 8), (usize::MAX / 2, 64 * 8), (0, i32::MAX), (0, 1), (0, 0), (0, -64)]
            {
                let mut harness = harness(&description, &info);
                let mut buffer = gst::Buffer::from_mut_slice(vec![0u8; info.size()]);
                let planes = info.n_planes() as usize;
                let (offsets, strides) = (vec![offset; planes], vec![stride; planes]);
                let to = buffer.get_mut().expect("new");
                if VideoMeta::add_full(to, VideoFrameFlags::empty(), format, 64, 48, &offsets, &strides).is_err() {
                    continue;
                }
                let flow = harness.push(buffer);
                assert!(flow.is_err(), "{description}, {format}: offset {offset}, stride {stride}");
                cases += 1;
            }
        }
    }
    report(
        "buffers smaller than their caps, strides or offsets require",
        cases,
        "an error; no memory outside the buffer is read",
    );
}

#[test]
#[ignore = "needs scripts/build"]
fn samples_with_unused_bits_set_are_filtered() {
    let formats = [VideoFormat::I42010le, VideoFormat::I42210le, VideoFormat::Y44410le];
    let filters =
        ["mode size=3", "median size=5", "rank size=7 rank=48", "max", "gaussian-blur", "emboss", "unsharp-mask"];
    let mut cases = 0;
    for format in formats {
        let info = info(format, 40, 20);
        let largest = (1u16 << info.format_info().depth()[0]) - 1;
        for filter in filters {
            for backend in ["cpu", "gpu"] {
                let description = format!("convfilter filter={filter} backend={backend}");
                let result = harness(&description, &info).push_and_pull(noise(&info)).expect(&description);
                let samples = rows(&info, &result);
                let samples = samples.chunks(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
                assert!(backend == "gpu" || samples.max() <= Some(largest), "{format}, {filter}");
            }
            cases += 2;
        }
    }
    report("10-bit samples whose unused bits are set", cases, "filtered");
}

#[test]
#[ignore = "needs scripts/build"]
fn nothing_is_written_behind_a_frame() {
    const BEYOND: usize = 4096;
    let mut cases = 0;
    for description in elements() {
        for format in [FORMATS.as_slice(), &[VideoFormat::I42010le, VideoFormat::Nv21]].concat() {
            for mode in [VideoInterlaceMode::Progressive, VideoInterlaceMode::Interleaved] {
                for (width, height) in [(37, 17), (38, 18), (39, 19), (40, 20), (3, 1), (2, 2)] {
                    let builder = VideoInfo::builder(format, width, height).interlace_mode(mode);
                    let info = builder.fps(gst::Fraction::new(30, 1)).build().expect("valid");
                    let mut harness =
                        gst_check::Harness::with_element(&element(&description), Some("sink"), Some("src"));
                    let pad = harness.sinkpad().expect("a pad");
                    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, probe| {
                        let gst::QueryViewMut::Allocation(query) = probe.query_mut().expect("a query").view_mut()
                        else {
                            return gst::PadProbeReturn::Ok;
                        };
                        let zeros = gst::AllocationParams::new(gst::MemoryFlags::ZERO_PADDED, 15, 0, BEYOND);
                        query.add_allocation_param(gst::Allocator::NONE, zeros);
                        gst::PadProbeReturn::Handled
                    });
                    harness.set_src_caps(info.to_caps().expect("caps"));
                    let mut result = harness.push_and_pull(noise(&info)).expect(&description);
                    let size = result.size();
                    result.make_mut().set_size(size + BEYOND);
                    let map = result.map_readable().expect("readable");
                    assert!(map[size..].iter().all(|&byte| byte == 0), "{description}, {format}, {height} {mode:?}");
                    cases += 1;
                }
            }
        }
    }
    report(
        "frames of any height, progressive and interlaced, with memory behind them",
        cases,
        "nothing is written behind the frame",
    );
}
