//! A plan made ready for frames of one layout.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::band::{Band, rows_seen};
use super::rank::Selector;
use super::sample::Sample;
use super::sheet::{Sheet, Stored};
use super::{box_blur, convolve, mode, rank, unsharp};
use crate::filters::{Margins, Op, Outside, Pass, Plan};
use crate::frame::{Depth, Layout, PlaneBytes, PlaneBytesMut};
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
    /// How a rank filter finds its value.
    selector: Option<Selector>,
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
        let step = |(index, pass): (usize, &Pass)| Step {
            pass: pass.clone(),
            begins: index == 0,
            selector: match pass.op {
                Op::Rank { size, rank } => Some(Selector::new(size, rank)),
                _ => None,
            },
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
        let target = job.target.data;
        if sheets.len() > 1 {
            // Between components there may be bytes of none.
            rows().for_each(|(y, at)| target[at..][..row_bytes].copy_from_slice(source_row(y)));
        }
        for sheet in sheets {
            let packer = sheet.packer();
            let mut pack = |(y, at), filtered| packer.pack(source_row(y), filtered, &mut target[at..][..row_bytes]);
            if sheet.is_filtered() {
                self.filter(sheet, job.rows.clone(), source_row, bands);
                rows().for_each(|(y, at)| pack((y, at), bands[SRC].row(y)));
            } else {
                let nothing = vec![T::default(); sheet.size.width];
                rows().for_each(|row| pack(row, &nothing));
            }
        }
    }

    /// Filters some rows of a sheet, and leaves them in `bands[SRC]`.
    fn filter<'a, T: Stored>(
        &self,
        sheet: &Sheet,
        rows: Range<usize>,
        source_row: impl Fn(usize) -> &'a [u8],
        bands: &mut [Band<T>; 3],
    ) {
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
        inputs[0].clone().for_each(|y| bands[SRC].write_row(y, |row| sheet.unpack(source_row(y), row)));
        for (index, step) in self.steps.iter().enumerate() {
            let (reach, outside) = layout_for(self.steps.get(index + 1));
            let [base, src, dst] = bands;
            dst.lay_out(size, inputs[index + 1].clone(), reach, outside);
            let base = if step.begins { &*src } else { &*base };
            step.run(sheet.depth, base, src, dst);
            bands.swap(SRC, DST);
            // What the filter began with is now in the last band, and lasts until its end in the first.
            if step.begins {
                bands.swap(BASE, DST);
            }
        }
    }
}

const BASE: usize = 0;
const SRC: usize = 1;
const DST: usize = 2;

impl Step {
    fn run<T: Sample>(&self, depth: Depth, base: &Band<T>, src: &Band<T>, dst: &mut Band<T>) {
        match (&self.pass.op, &self.selector) {
            (Op::Convolve(kernel), _) => convolve::convolve(kernel, depth, src, dst),
            (Op::BoxBlur(axis, weights), _) => box_blur::box_blur(*axis, *weights, depth, src, dst),
            (Op::Rank { size, rank }, Some(selector)) => rank::rank(*size, *rank, selector, depth, src, dst),
            (Op::Rank { .. }, None) => {}
            (Op::Mode { radius }, _) => mode::mode(*radius, depth, src, dst),
            (Op::Unsharp { percent, threshold }, _) => {
                unsharp::unsharp(*percent, *threshold, depth, base, src, dst);
            }
            // The element leaves such plans to a GPU.
            (Op::Shader(_), _) => dst.keep(Margins::symmetric(u32::MAX, u32::MAX), src),
        }
        dst.keep(self.pass.keep, base);
    }
}
