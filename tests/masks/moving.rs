//! Masks of a slower source move along with what they cover.

use common::random::Random;
use common::{Frame, Line};
use gst::ClockTime;
use gst::prelude::*;
use gst_video::VideoFormat;

use crate::elements;

const SIZE: [usize; 2] = [160, 96];
const SIDE: usize = 48;

/// Masks come with every this many frames.
const EVERY: u64 = 5;

/// Where the square's left edge is.
fn left(frame: u64) -> usize {
    16 + 3 * frame as usize
}

fn is_square(frame: u64, x: usize, y: usize) -> bool {
    (left(frame)..left(frame) + SIDE).contains(&x) && (24..24 + SIDE).contains(&y)
}

/// Noise of cells of four pixels, between which it is linear.
struct Texture(Vec<u8>);

impl Texture {
    fn new(seed: u64) -> Self {
        Self(Random(seed).bytes(64 * 64))
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        let cell = |x: usize, y: usize| usize::from(self.0[y % 64 * 64 + x % 64]);
        let along = |y: usize| cell(x / 4, y) * (4 - x % 4) + cell(x / 4 + 1, y) * (x % 4);
        ((along(y / 4) * (4 - y % 4) + along(y / 4 + 1) * (y % 4)) / 16) as u8
    }
}

/// A dark square that moves before a still, bright background, and its mask.
fn scene(frame: u64) -> [Frame; 2] {
    let [wall, square] = [5, 6].map(Texture::new);
    let places = || (0..SIZE[1]).flat_map(|y| (0..SIZE[0]).map(move |x| (x, y)));
    let pixel = |(x, y)| match is_square(frame, x, y) {
        true => [square.at(x - left(frame), y) / 2, 20, 40],
        false => [100, 100 + wall.at(x, y) / 2, 90],
    };
    let [width, height] = SIZE.map(|side| side as u32);
    let frame_of = |format, bytes| Frame { format, width, height, bytes };
    let mask = places().map(|(x, y)| if is_square(frame, x, y) { 255 } else { 0 });
    [frame_of(VideoFormat::Rgb, places().flat_map(pixel).collect()), frame_of(VideoFormat::Gray8, mask.collect())]
}

/// Of each frame, the intersection of what was painted and the square, over their union.
fn overlaps(settings: &str) -> Vec<f64> {
    let (_, [.., painter]) = elements("moving");
    let mut line = Line::new(&format!("{painter} {settings}"));
    let masks = gst_app::AppSrc::builder().format(gst::Format::Time).build();
    line.pipeline.add(&masks).expect("added");
    let pad = line.element.request_pad_simple("mask").expect("a pad");
    masks.static_pad("src").expect("a pad").link(&pad).expect("linked");
    line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
    let time = |frame: u64| ClockTime::from_mseconds(40) * frame;
    for frame in [0, EVERY, 2 * EVERY] {
        masks.push_sample(&scene(frame)[1].sample(time(frame))).expect("taken");
    }
    let overlap = |frame: u64| {
        let [before, _] = scene(frame);
        let after = line.push_pull_sample(&before.sample(time(frame)));
        let painted = before.bytes.chunks(3).zip(after.bytes.chunks(3)).map(|(before, after)| before != after);
        let (mut both, mut either) = (0, 0);
        for (at, painted) in painted.enumerate() {
            let own = is_square(frame, at % SIZE[0], at / SIZE[0]);
            both += u32::from(painted && own);
            either += u32::from(painted || own);
        }
        f64::from(both) / f64::from(either)
    };
    (0..2 * EVERY).map(overlap).collect()
}

#[test]
#[ignore = "needs scripts/build"]
fn a_mask_follows_the_motion_until_the_next_one() {
    let [moved, held] = ["", "warm-start=previous"].map(overlaps);
    println!("moved: {moved:.2?}\nheld: {held:.2?}");
    for frame in [0, EVERY as usize] {
        assert!(moved[frame] > 0.9 && held[frame] > 0.9, "a mask of its own: {} {}", moved[frame], held[frame]);
    }
    let last = 2 * EVERY as usize - 1;
    assert!(held[last] < 0.7, "without flow the mask stays: {}", held[last]);
    assert!(moved.iter().all(|&overlap| overlap > 0.85), "{moved:.2?}");
}
