//! Samples of 10 and 16 bits on the GPU, against each operation's definition.

use std::sync::Arc;

use gst_video::{VideoFormat, VideoInfo};

use super::{Gpu, Program};
use crate::filters::{
    Axis, Border, BoxWeights, Chroma, Filter, FixedKernel, Kernel, KernelOrder, Op, Outside, Pass, Plan, Treatment,
    box_blur, gaussian_blur, max, median, mode, rank, unsharp_mask,
};
use crate::frame::{Depth, Layout, PlaneBytes, PlaneBytesMut};

const FORMATS: [VideoFormat; 6] = [
    VideoFormat::Rgba64Le,
    VideoFormat::Gray16Le,
    VideoFormat::I42010le,
    VideoFormat::I42210le,
    VideoFormat::Y44410le,
    VideoFormat::P01010le,
];

/// A component's samples, row by row.
#[derive(Clone)]
struct Grid {
    width: i32,
    height: i32,
    samples: Vec<u32>,
}

impl Grid {
    /// The sample at (x, y), or nothing where the window ends.
    fn at(&self, x: i32, y: i32, outside: Outside) -> Option<u32> {
        let resolve = |position: i32, length: i32| match outside {
            _ if (0..length).contains(&position) => position,
            Outside::Mirror if length > 1 => {
                let distance = position.abs() % (2 * length - 2);
                distance.min(2 * length - 2 - distance)
            }
            Outside::Clamp | Outside::Mirror => position.clamp(0, length - 1),
            Outside::Zero | Outside::Nothing => -1,
        };
        match (resolve(x, self.width), resolve(y, self.height)) {
            (x, y) if x >= 0 && y >= 0 => Some(self.samples[(y * self.width + x) as usize]),
            _ => (outside == Outside::Zero).then_some(0),
        }
    }

    fn map(&self, value: impl Fn(i32, i32) -> u32) -> Self {
        let samples = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        Self { samples: samples.map(|(x, y)| value(x, y)).collect(), ..*self }
    }

    fn filtered(&self, filter: &Filter, depth: Depth) -> Self {
        filter.passes.iter().fold(self.clone(), |src, pass| pass.reference(self, &src, depth))
    }
}

impl Pass {
    fn reference(&self, base: &Grid, src: &Grid, depth: Depth) -> Grid {
        let outside = self.outside;
        let most = depth.max();
        let window = |x: i32, y: i32, radius: i32| {
            let offsets = -radius..=radius;
            let positions = offsets.clone().flat_map(|dy| offsets.clone().map(move |dx| (x + dx, y + dy)));
            let mut samples: Vec<_> = positions.filter_map(|(x, y)| src.at(x, y, outside)).collect();
            samples.sort_unstable();
            samples
        };
        let result = src.map(|x, y| match &self.op {
            Op::Convolve(kernel) => {
                let (cols, rows) = (kernel.cols as i32, kernel.rows() as i32);
                let sums = kernel.coefficients.chunks(kernel.cols).zip(0..).map(|(row, j)| {
                    let dy = if kernel.order == KernelOrder::BottomUp { rows / 2 - j } else { j - rows / 2 };
                    let sample = |i| src.at(x + i - cols / 2, y + dy, outside).unwrap_or(0) as f32;
                    row.iter().zip(0..).fold(0.0, |sum, (coefficient, i)| sum + coefficient * sample(i))
                });
                sums.fold(kernel.rounding_offset(depth), |sum, row| sum + row).clamp(0.0, most as f32) as u32
            }
            Op::BoxBlur(axis, BoxWeights { radius, inner, edge }) => {
                let sample = |d: i32| {
                    let (x, y) = if *axis == Axis::Horizontal { (x + d, y) } else { (x, y + d) };
                    u64::from(src.at(x, y, outside).unwrap_or(0))
                };
                let radius = *radius as i32;
                let sum: u64 = (-radius..=radius).map(sample).sum();
                let ends = sample(-radius - 1) + sample(radius + 1);
                ((u64::from(*inner) * sum + u64::from(*edge) * ends + (1 << 23)) >> 24) as u32
            }
            Op::Rank { size, rank } => window(x, y, *size as i32 / 2)[*rank as usize],
            Op::Mode { radius } => {
                let samples = window(x, y, *radius as i32);
                let runs = samples.chunk_by(|a, b| a == b).filter(|run| run.len() > 2);
                runs.rev().max_by_key(|run| run.len()).map_or(src.at(x, y, outside).unwrap(), |run| run[0])
            }
            Op::Unsharp { percent, threshold } => {
                let [before, blurred] = [base, src].map(|grid| i64::from(grid.at(x, y, outside).unwrap()));
                let limit = i64::from(i32::MAX / percent.abs().max(1));
                let change = (before - blurred).clamp(-limit, limit) * i64::from(*percent) / 100;
                let counts = (before - blurred).abs() * 255 > i64::from(*threshold) * i64::from(most);
                (before + if counts { change } else { 0 }).clamp(0, i64::from(most)) as u32
            }
        });
        let (keep, width, height) = (self.keep, src.width as u32, src.height as u32);
        result.map(|x, y| {
            let (column, row) = (x as u32, y as u32);
            let kept = column < keep.left || column + keep.right >= width || row < keep.up || row + keep.down >= height;
            if kept { base } else { &result }.at(x, y, outside).unwrap()
        })
    }
}

/// A frame's planes, tight.
type Planes = Vec<Vec<u8>>;

fn random_planes(layout: &Layout) -> Planes {
    let mut state = 1u32;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let Depth { bits, shift } = layout.depth;
    let planes = layout.planes.iter().map(|plane| plane.row_bytes / 2 * plane.height);
    planes
        .map(|samples| {
            // Some flat parts, so that values come more than once.
            let samples = (0..samples).map(|_| if random() % 3 == 0 { 1 } else { random() >> (32 - bits) });
            samples.flat_map(|sample| ((sample << shift) as u16).to_le_bytes()).collect()
        })
        .collect()
}

fn grids(layout: &Layout, planes: &Planes) -> Vec<Grid> {
    let components = layout.components.iter();
    components
        .map(|c| {
            let grid = Grid { width: c.width as i32, height: c.height as i32, samples: vec![] };
            grid.map(|x, y| {
                let at = y as usize * layout.planes[c.plane].row_bytes + (c.offset + x as usize * c.step) * 2;
                u32::from(u16::from_le_bytes([planes[c.plane][at], planes[c.plane][at + 1]])) >> layout.depth.shift
            })
        })
        .collect()
}

fn filters() -> Vec<Filter> {
    let kernel = |text, offset| Kernel::parse(text, 0.0, offset, KernelOrder::TopDown).unwrap();
    let [clamp, zero, mirror, nothing] =
        [Outside::Clamp, Outside::Zero, Outside::Mirror, Outside::Nothing].map(Border::Outside);
    vec![
        FixedKernel::find("detail").unwrap().kernel().filter(Border::Copy),
        kernel("0.1 0.7 -0.3 0.4; 0.2 1.1 0.4 -1.2", 10.0).filter(mirror),
        box_blur(40.3, 2.0, clamp),
        gaussian_blur(2.0, 0.7, Border::Copy),
        unsharp_mask(1.5, 1.5, 180, 2, clamp),
        unsharp_mask(1.5, 1.5, -100_000, -1, zero),
        median(3, clamp).unwrap(),
        median(5, mirror).unwrap(),
        rank(5, 3, zero).unwrap(),
        max(3, zero).unwrap(),
        mode(3, nothing),
        mode(5, mirror),
    ]
}

fn check(gpu: &Arc<Gpu>, format: VideoFormat, plan: &Plan) {
    let layout = Layout::new(&VideoInfo::builder(format, 37, 21).build().unwrap());
    let depth = layout.depth;
    let source = random_planes(&layout);
    let mut target: Planes = source.iter().map(|plane| vec![0; plane.len()]).collect();
    let sources: Vec<_> =
        layout.planes.iter().zip(&source).map(|(plane, data)| PlaneBytes { data, stride: plane.row_bytes }).collect();
    let strides = layout.planes.iter().map(|plane| plane.row_bytes);
    let mut targets: Vec<_> = strides.zip(&mut target).map(|(stride, data)| PlaneBytesMut { data, stride }).collect();
    Program::new(gpu.clone(), layout.clone(), plan).unwrap().run(&sources, &mut targets).unwrap();

    let grids = grids(&layout, &source).into_iter().zip(grids(&layout, &target)).zip(&layout.components);
    for (index, ((before, after), component)) in grids.enumerate() {
        let filtered = match plan.treatment(component.meaning) {
            Treatment::Keep => before.clone(),
            Treatment::Neutral => before.map(|_, _| depth.grey()),
            Treatment::Filter => plan.filters.iter().fold(before.clone(), |grid, filter| grid.filtered(filter, depth)),
        };
        let mixed = before.samples.iter().zip(&filtered.samples);
        let expected: Vec<_> =
            mixed.map(|(before, after)| (before * (256 - plan.mix) + after * plan.mix + 128) >> 8).collect();
        assert_eq!(after.samples, expected, "{plan:?} on {format}: component {index}");
    }
}

#[test]
fn deep_samples() {
    gst::init().unwrap();
    // Not the shared one, which another test loses.
    let gpu = Arc::new(pollster::block_on(Gpu::open("", true)).unwrap());
    for filter in filters() {
        for format in [VideoFormat::Gray16Le, VideoFormat::P01010le] {
            check(&gpu, format, &Plan { filters: vec![filter.clone()], mix: 256, ..Plan::default() });
        }
    }
    for format in FORMATS {
        for (chroma, alpha, mix) in
            [(Chroma::Filter, true, 256), (Chroma::Keep, false, 256), (Chroma::Neutral, false, 77)]
        {
            check(&gpu, format, &Plan { filters: filters()[..5].to_vec(), chroma, alpha, mix });
        }
    }
}
