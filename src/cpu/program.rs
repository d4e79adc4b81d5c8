//! A plan made ready for frames of one layout.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::band::{Band, RowsMut, rows_seen};
use super::box_blur::BoxBlur;
use super::convolve::Convolution;
use super::mode::mode;
use super::rank::RankFilter;
use super::sample::Sample;
use super::sheet::{Sheet, Stored};
use super::unsharp::unsharp;
use crate::filters::{Margins, Op, Outside, Pass, Plan};
use crate::layout::{Depth, Layout, PlaneBytes, PlaneBytesMut};
use crate::sync::lock;

/// A plan on the CPU, with the memory its frames pass through.
pub struct Program {
    layout: Layout,
    /// The sheets of each plane.
    sheets: Vec<Vec<Sheet>>,
    steps: Vec<Step>,
    /// One for each thread.
    scratch: Vec<Mutex<Scratch>>,
}

/// A pass ready to run.
struct Step {
    pass: Pass,
    /// Whether a filter begins here.
    begins: bool,
    work: Work,
}

/// What a pass does, made ready.
enum Work {
    Convolve(Convolution),
    BoxBlur(BoxBlur),
    Rank(RankFilter),
    Mode {
        radius: u32,
    },
    Unsharp {
        percent: i32,
        threshold: i32,
    },
    /// Nothing: the element leaves such plans to a GPU.
    Shader,
}

/// What a thread works in: what a filter began with, what the pass before wrote, and what the pass writes.
#[derive(Default)]
struct Scratch {
    bytes: [Band<u8>; 3],
    words: [Band<u16>; 3],
}

/// Some rows of a plane, which are filtered together through all passes, so that they stay in a core's cache.
struct Job<'a> {
    plane: usize,
    rows: Range<usize>,
    source: &'a PlaneBytes<'a>,
    target: PlaneBytesMut<'a>,
}

/// A job has at least so many rows, and so many times those that its windows see besides.
const LEAST_ROWS: usize = 32;
const ROWS_PER_HALO: usize = 8;

impl Program {
    /// Prepares `plan` for frames of `layout`.
    pub fn new(layout: Layout, plan: &Plan) -> Self {
        let scratch = (0..rayon::current_num_threads()).map(|_| Mutex::default()).collect();
        let mut program = Self { layout, sheets: Vec::new(), steps: Vec::new(), scratch };
        program.set_plan(plan);
        program
    }

    /// Runs `plan` from the next frame on.
    pub fn set_plan(&mut self, plan: &Plan) {
        let planes = 0..self.layout.planes.len();
        self.sheets = planes.map(|plane| Sheet::of_plane(plane, &self.layout, plan)).collect();
        let passes = plan.filters.iter().flat_map(|filter| filter.passes.iter().enumerate());
        let mut before = std::mem::take(&mut self.steps);
        let step = |(index, pass): (usize, &Pass)| {
            // What makes a pass ready can take longer than a frame.
            let work = match before.iter().position(|step| step.pass.op == pass.op) {
                Some(same) => before.swap_remove(same).work,
                None => Work::new(&pass.op, self.layout.depth),
            };
            Step { pass: pass.clone(), begins: index == 0, work }
        };
        self.steps = passes.map(step).collect();
    }

    /// Filters a frame: reads the planes of `source`, writes those of `target`.
    pub fn run(&self, source: &[PlaneBytes], target: &mut [PlaneBytesMut]) {
        let planes = source.iter().zip(target).enumerate();
        let jobs: Vec<_> = planes.flat_map(|(plane, (source, target))| self.jobs(plane, source, target)).collect();
        jobs.into_par_iter().for_each(|job| {
            let mut scratch = lock(&self.scratch[rayon::current_thread_index().unwrap_or(0) % self.scratch.len()]);
            match self.layout.depth.bytes() {
                1 => self.run_job(job, &mut scratch.bytes),
                _ => self.run_job(job, &mut scratch.words),
            }
        });
    }

    /// A plane's rows, shared out.
    fn jobs<'a>(
        &self,
        plane: usize,
        source: &'a PlaneBytes<'a>,
        target: &'a mut PlaneBytesMut,
    ) -> impl Iterator<Item = Job<'a>> {
        let (height, stride) = (self.layout.planes[plane].height, target.stride);
        let halo: u32 = self.steps.iter().map(|step| step.pass.op.reach()).map(|reach| reach.up + reach.down).sum();
        let share = height.div_ceil(self.scratch.len()).max(1);
        let rows = (halo as usize * ROWS_PER_HALO).max(LEAST_ROWS).min(share);
        target.data.chunks_mut(stride * rows).take(height.div_ceil(rows)).enumerate().map(move |(index, data)| Job {
            plane,
            rows: index * rows..height.min((index + 1) * rows),
            source,
            target: PlaneBytesMut { data, stride },
        })
    }

    fn run_job<T: Stored>(&self, job: Job, bands: &mut [Band<T>; 3]) {
        let row_bytes = self.layout.planes[job.plane].row_bytes;
        let source_row = |y: usize| &job.source.data[y * job.source.stride..][..row_bytes];
        let rows = || job.rows.clone().zip((0..).step_by(job.target.stride));
        let sheets = &self.sheets[job.plane];
        let PlaneBytesMut { data: target, stride } = job.target;
        if sheets.len() > 1 {
            // Between components there may be bytes of none.
            rows().for_each(|(y, at)| target[at..][..row_bytes].copy_from_slice(source_row(y)));
        }
        for sheet in sheets {
            let packer = sheet.packer();
            if !sheet.is_filtered() {
                let nothing = vec![T::default(); sheet.size.width];
                rows().for_each(|(y, at)| packer.pack(source_row(y), &nothing, &mut target[at..][..row_bytes]));
                continue;
            }
            let mut frame = packer.rows_of_frame(job.rows.clone(), target, stride);
            if self.filter(sheet, job.rows.clone(), source_row, bands, &mut frame) == Place::Band {
                let filtered = &bands[SRC];
                rows().for_each(|(y, at)| packer.pack(source_row(y), filtered.row(y), &mut target[at..][..row_bytes]));
            }
        }
    }

    /// Filters some rows of a sheet.
    fn filter<'a, T: Stored>(
        &self,
        sheet: &Sheet,
        rows: Range<usize>,
        source_row: impl Fn(usize) -> &'a [u8],
        bands: &mut [Band<T>; 3],
        frame: &mut Option<RowsMut<T>>,
    ) -> Place {
        let size = sheet.size;
        let layout_for = |step: Option<&Step>| match step {
            Some(Step { pass, .. }) => (pass.op.reach(), pass.outside),
            None => (Margins::default(), Outside::default()),
        };
        // The rows that go into each pass; the last pass makes those asked for.
        let mut inputs = vec![rows.clone()];
        for step in self.steps.iter().rev() {
            let (reach, outside) = layout_for(Some(step));
            inputs.push(rows_seen(inputs[inputs.len() - 1].clone(), reach, outside, size.height));
        }
        inputs.reverse();

        let (reach, outside) = layout_for(self.steps.first());
        bands[SRC].lay_out(size, inputs[0].clone(), reach, outside);
        let mut unpacked = bands[SRC].rows_mut();
        inputs[0].clone().for_each(|y| unpacked.write(y, |row| sheet.unpack(source_row(y), row)));
        for (index, step) in self.steps.iter().enumerate() {
            let [base, src, dst] = bands;
            let base = if step.begins { &*src } else { &*base };
            let next = self.steps.get(index + 1);
            if let (None, Some(frame)) = (next, &mut *frame) {
                step.run(sheet.depth, base, src, frame);
                return Place::Frame;
            }
            let (reach, outside) = layout_for(next);
            dst.lay_out(size, inputs[index + 1].clone(), reach, outside);
            step.run(sheet.depth, base, src, &mut dst.rows_mut());
            bands.swap(SRC, DST);
            // What the filter began with is now in the last band, and lasts until its end in the first.
            if step.begins {
                bands.swap(BASE, DST);
            }
        }
        Place::Band
    }
}

/// Where the filtered rows are: in `bands[SRC]`, or in the frame.
#[derive(PartialEq)]
enum Place {
    Band,
    Frame,
}

const BASE: usize = 0;
const SRC: usize = 1;
const DST: usize = 2;

impl Work {
    fn new(op: &Op, depth: Depth) -> Self {
        match *op {
            Op::Convolve(ref kernel) => Self::Convolve(Convolution::new(kernel, depth)),
            Op::BoxBlur(axis, weights) => Self::BoxBlur(BoxBlur::new(axis, weights, depth)),
            Op::Rank { size, rank } => Self::Rank(RankFilter::new(size, rank, depth)),
            Op::Mode { radius } => Self::Mode { radius },
            Op::Unsharp { percent, threshold } => Self::Unsharp { percent, threshold },
            Op::Shader(_) => Self::Shader,
        }
    }
}

impl Step {
    fn run<T: Sample>(&self, depth: Depth, base: &Band<T>, src: &Band<T>, dst: &mut RowsMut<T>) {
        match &self.work {
            Work::Convolve(convolution) => convolution.run(src, dst),
            Work::BoxBlur(blur) => blur.run(src, dst),
            Work::Rank(filter) => filter.run(src, dst),
            Work::Mode { radius } => mode(*radius, depth, src, dst),
            Work::Unsharp { percent, threshold } => unsharp(*percent, *threshold, depth, base, src, dst),
            Work::Shader => dst.keep(Margins::symmetric(u32::MAX, u32::MAX), src),
        }
        dst.keep(self.pass.keep, base);
    }
}
