//! Unusual and invalid style files.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::{Frame, Line, scratch};
use gst::prelude::*;
use image::{ImageBuffer, Luma, Rgb, Rgba};

use crate::report;

/// Paints a frame in the style of a file, or returns the element's error.
fn paint(style: &Path) -> Result<Frame, String> {
    let line = Line::new(&format!("styletransfer style={} size=48 first-iterations=1 device=cpu", style.display()));
    if line.pipeline.set_state(gst::State::Playing).is_err() {
        return Err(line.error().expect("an error message").to_string());
    }
    let mut line = line;
    let frame = Frame { format: gst_video::VideoFormat::Rgba, width: 32, height: 24, bytes: vec![90; 32 * 24 * 4] };
    Ok(line.push_pull(&frame))
}

/// The process's peak memory since the last call, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    std::fs::write("/proc/self/clear_refs", "5").expect("writable");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn pictures_of_every_kind_can_be_styles() {
    let folder = scratch("reliability-pictures");
    let file = |name: &str| folder.join(name);
    let rgb = |width, height| ImageBuffer::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 99]));
    rgb(1, 1).save(file("1x1.png")).expect("written");
    rgb(30_000, 2).save(file("wide.png")).expect("written");
    rgb(2, 30_000).save(file("tall.png")).expect("written");
    ImageBuffer::from_fn(20, 20, |x, y| Rgb([x as u16 * 3000, y as u16 * 3000, 9]))
        .save(file("16-bit.png"))
        .expect("written");
    ImageBuffer::from_fn(20, 20, |x, _| Luma([x as u8 * 9])).save(file("gray.png")).expect("written");
    ImageBuffer::from_fn(20, 20, |x, y| Rgba([x as u8 * 9, 0, 0, y as u8 * 12]))
        .save(file("alpha.png"))
        .expect("written");
    // Kinds that the image crate cannot write, but Pillow can.
    let python = common::root().join(".deps/python/bin/python");
    let script = "import sys; from PIL import Image; folder = sys.argv[1]; \
        picture = Image.linear_gradient('L').convert('RGB').resize((40, 20)); \
        picture.convert('CMYK').save(folder + '/cmyk.jpg'); \
        exif = Image.Exif(); exif[0x0112] = 6; picture.save(folder + '/rotated.jpg', exif=exif); \
        frames = [picture.rotate(90 * turn) for turn in range(3)]; \
        frames[0].save(folder + '/animated.gif', save_all=True, append_images=frames[1:]); \
        frames[0].save(folder + '/animated.webp', save_all=True, append_images=frames[1:]); \
        picture.quantize(4).save(folder + '/palette.png'); picture.convert('1').save(folder + '/1-bit.tif'); \
        picture.save(folder + '/progressive.jpg', progressive=True); picture.save(folder + '/picture.bmp')";
    let written =
        Command::new(python).args(["-c", script]).arg(&folder).status().expect("scripts/setup --tests installs Pillow");
    assert!(written.success());
    symlink(file("gray.png"), file("link.png")).expect("made");
    let mut cases = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
        let painted = paint(&entry.path());
        assert!(painted.is_ok(), "{}: {painted:?}", entry.path().display(), painted = painted.err());
        cases += 1;
    }
    let test = "style pictures of 1x1 and of 30,000 pixels, with 1, 8 and 16 bits, gray, CMYK, with alpha, palettes, \
                rotated by EXIF, animated, behind a symbolic link";
    report(test, cases, "all can be used");
}

#[test]
#[ignore = "needs scripts/build"]
fn files_that_are_not_pictures_are_errors() {
    let folder = scratch("reliability-no-pictures");
    let file = |name: &str| folder.join(name);
    let whole = std::fs::read(crate::style()).expect("readable");
    for part in [0, 1, 7, 8, 20, whole.len() / 2, whole.len() - 20] {
        std::fs::write(file(&format!("cut-{part}.png")), &whole[..part]).expect("written");
    }
    std::fs::write(file("text.png"), "this is text").expect("written");
    std::fs::write(file("film.jpg"), [0u8, 0, 0, 32, b'f', b't', b'y', b'p']).expect("written");
    // A file of less than 1 MB that decodes to 768 MB, and two files whose headers claim even larger pictures.
    std::fs::write(file("bomb.png"), bomb(16_000, 16_000, 16_000)).expect("written");
    std::fs::write(file("claim.png"), bomb(60_000, 60_000, 1)).expect("written");
    std::fs::write(file("claim-wide.png"), bomb(u32::MAX / 2, 1, 0)).expect("written");
    std::fs::create_dir(file("folder.png")).expect("made");
    symlink(file("nowhere.png"), file("broken-link.png")).expect("made");
    symlink(file("loop.png"), file("loop.png")).expect("made");
    symlink("/dev/null", file("null.png")).expect("made");
    let mut cases = 0;
    peak();
    for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
        let error = paint(&entry.path()).err().unwrap_or_else(|| panic!("{} is accepted", entry.path().display()));
        assert!(error.contains(&*entry.file_name().to_string_lossy()), "{error}");
        cases += 1;
    }
    let mebibytes = peak() >> 20;
    assert!(mebibytes < 700, "{mebibytes} MiB for files that are not pictures");
    let outcome = format!("an error that names the file; the process has at most {mebibytes} MiB");
    report(
        "style files that are truncated, not pictures, folders, devices, broken links, decompression bombs",
        cases,
        &outcome,
    );
}

/// A PNG file of zeros with `rows` rows of data, whatever height its header claims.
fn bomb(width: u32, height: u32, rows: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        for part in [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()] {
            file.extend_from_slice(part);
        }
    };
    // 8 bits, RGB.
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let row = vec![0; width as usize * 3 + 1];
    for _ in 0..rows {
        packed.write_all(&row).expect("memory");
    }
    chunk(b"IDAT", &packed.finish().expect("memory"));
    chunk(b"IEND", &[]);
    file
}
