//! A plan prepared for frames of one layout.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::box_blur::BoxBlur;
use super::channel_view::{ChannelView, Stored};
use super::convolve::Convolution;
use super::mode::mode;
use super::rank::RankFilter;
use super::sample::Sample;
use super::strip::{RowsMut, Strip, rows_read};
use super::unsharp::Unsharp;
use crate::filters::{BorderMode, Margins, Op, Pass, Plan};
use crate::layout::{Depth, Layout, PlaneBytes, PlaneBytesMut};
use crate::sync::lock;

/// A plan on the CPU, with its scratch memory.
pub struct Program {
    layout: Layout,
    /// The channel views of each plane.
    views: Vec<Vec<ChannelView>>,
    steps: Vec<Step>,
    /// The scratch memory of each thread.
    scratch: Vec<Mutex<Scratch>>,
}

/// A pass, prepared.
struct Step {
    pass: Pass,
    /// Whether this is a filter's first pass.
    is_first: bool,
    operation: Operation,
}

/// A pass's operation, prepared.
enum Operation {
    Convolve(Convolution),
    BoxBlur(BoxBlur),
    Rank(RankFilter),
    Mode {
        radius: u32,
    },
    Unsharp(Unsharp),
    /// Copies its input: the element runs such plans on a GPU only.
    Shader,
}

/// A thread's strips, for samples of one byte and of two: see [`BASE`], [`SRC`] and [`DST`].
#[derive(Default)]
struct Scratch {
    bytes: [Strip<u8>; 3],
    words: [Strip<u16>; 3],
}

/// Some rows of a plane, on which all passes run one after the other, so that the rows stay in a core's cache.
struct Job<'a> {
    plane: usize,
    rows: Range<usize>,
    source: &'a PlaneBytes<'a>,
    target: PlaneBytesMut<'a>,
}

/// The minimum number of rows of a job, in all and per row of its halo, which other jobs compute too.
const MIN_ROWS: usize = 32;
const MIN_ROWS_PER_HALO_ROW: usize = 8;

impl Program {
    /// Prepares `plan` for frames of `layout`.
    pub fn new(layout: Layout, plan: &Plan) -> Self {
        let scratch = (0..rayon::current_num_threads()).map(|_| Mutex::default()).collect();
        let mut program = Self { layout, views: Vec::new(), steps: Vec::new(), scratch };
        program.set_plan(plan);
        program
    }

    /// Runs `plan` from the next frame on.
    pub fn set_plan(&mut self, plan: &Plan) {
        let planes = 0..self.layout.planes.len();
        self.views = planes.map(|plane| ChannelView::of_plane(plane, &self.layout, plan)).collect();
        let passes = plan.filters.iter().flat_map(|filter| filter.passes.iter().enumerate());
        let mut previous = std::mem::take(&mut self.steps);
        let step = |(index, pass): (usize, &Pass)| {
            // Prepared operations are reused, since preparing one can take longer than a frame.
            let operation = match previous.iter().position(|step| step.pass.op == pass.op) {
                Some(same) => previous.swap_remove(same).operation,
                None => Operation::new(&pass.op, self.layout.depth),
            };
            Step { pass: pass.clone(), is_first: index == 0, operation }
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

    /// Divides a plane's rows into jobs.
    fn jobs<'a>(
        &self,
        plane: usize,
        source: &'a PlaneBytes<'a>,
        target: &'a mut PlaneBytesMut,
    ) -> impl Iterator<Item = Job<'a>> {
        let (height, stride) = (self.layout.planes[plane].height, target.stride);
        let halo: u32 = self.steps.iter().map(|step| step.pass.op.reach()).map(|reach| reach.up + reach.down).sum();
        let rows_per_thread = height.div_ceil(self.scratch.len()).max(1);
        let rows = (halo as usize * MIN_ROWS_PER_HALO_ROW).max(MIN_ROWS).min(rows_per_thread);
        target.data.chunks_mut(stride * rows).take(height.div_ceil(rows)).enumerate().map(move |(index, data)| Job {
            plane,
            rows: index * rows..height.min((index + 1) * rows),
            source,
            target: PlaneBytesMut { data, stride },
        })
    }

    fn run_job<T: Stored>(&self, job: Job, strips: &mut [Strip<T>; 3]) {
        let row_bytes = self.layout.planes[job.plane].row_bytes;
        let source_row = |y: usize| &job.source.data[y * job.source.stride..][..row_bytes];
        let rows = || job.rows.clone().zip((0..).step_by(job.target.stride));
        let views = &self.views[job.plane];
        let PlaneBytesMut { data: target, stride } = job.target;
        if views.len() > 1 {
            // Some bytes may belong to no component.
            rows().for_each(|(y, at)| target[at..][..row_bytes].copy_from_slice(source_row(y)));
        }
        for view in views {
            let packer = view.packer();
            if !view.is_filtered() {
                let unused = vec![T::default(); view.size.width];
                rows().for_each(|(y, at)| packer.pack(source_row(y), &unused, &mut target[at..][..row_bytes]));
                continue;
            }
            let mut frame = packer.rows_of_frame(job.rows.clone(), target, stride);
            if self.filter(view, job.rows.clone(), source_row, strips, &mut frame) == Location::Strip {
                let filtered = &strips[SRC];
                rows().for_each(|(y, at)| packer.pack(source_row(y), filtered.row(y), &mut target[at..][..row_bytes]));
            }
        }
    }

    /// Runs all passes on some rows of a view. Unpacks from `source_row`; the last pass writes to `frame` if there is
    /// one.
    fn filter<'a, T: Stored>(
        &self,
        view: &ChannelView,
        rows: Range<usize>,
        source_row: impl Fn(usize) -> &'a [u8],
        strips: &mut [Strip<T>; 3],
        frame: &mut Option<RowsMut<T>>,
    ) -> Location {
        let size = view.size;
        let window_of = |step: Option<&Step>| match step {
            Some(Step { pass, .. }) => (pass.op.reach(), pass.border_mode),
            None => (Margins::default(), BorderMode::default()),
        };
        // The rows that each pass reads, with its halo; the last pass writes `rows`.
        let mut inputs = vec![rows.clone()];
        for step in self.steps.iter().rev() {
            let (reach, border_mode) = window_of(Some(step));
            inputs.push(rows_read(inputs[inputs.len() - 1].clone(), reach, border_mode, size.height));
        }
        inputs.reverse();

        let (reach, border_mode) = window_of(self.steps.first());
        strips[SRC].set_layout(size, inputs[0].clone(), reach, border_mode);
        let mut unpacked = strips[SRC].rows_mut();
        inputs[0].clone().for_each(|y| unpacked.write(y, |row| view.unpack(source_row(y), row)));
        for (index, step) in self.steps.iter().enumerate() {
            let [base, src, dst] = strips;
            let base = if step.is_first { &*src } else { &*base };
            let next = self.steps.get(index + 1);
            if let (None, Some(frame)) = (next, &mut *frame) {
                step.run(view.depth, base, src, frame);
                return Location::Frame;
            }
            let (reach, border_mode) = window_of(next);
            dst.set_layout(size, inputs[index + 1].clone(), reach, border_mode);
            step.run(view.depth, base, src, &mut dst.rows_mut());
            strips.swap(SRC, DST);
            // The filter's input is now in DST; it is kept in BASE until the filter's last pass.
            if step.is_first {
                strips.swap(BASE, DST);
            }
        }
        Location::Strip
    }
}

/// The location of the filtered rows: `strips[SRC]`, or the output frame.
#[derive(PartialEq)]
enum Location {
    Strip,
    Frame,
}

/// The strip with the input of a filter's first pass.
const BASE: usize = 0;
/// The strip with the output of the previous pass.
const SRC: usize = 1;
/// The strip that a pass writes.
const DST: usize = 2;

impl Operation {
    fn new(op: &Op, depth: Depth) -> Self {
        match *op {
            Op::Convolve(ref kernel) => Self::Convolve(Convolution::new(kernel, depth)),
            Op::BoxBlur(axis, weights) => Self::BoxBlur(BoxBlur::new(axis, weights, depth)),
            Op::Rank { size, rank } => Self::Rank(RankFilter::new(size, rank, depth)),
            Op::Mode { radius } => Self::Mode { radius },
            Op::Unsharp { percent, threshold } => {
                Self::Unsharp(Unsharp::new(percent, depth.largest_difference(threshold), depth))
            }
            Op::Shader(_) => Self::Shader,
        }
    }
}

impl Step {
    fn run<T: Sample>(&self, depth: Depth, base: &Strip<T>, src: &Strip<T>, dst: &mut RowsMut<T>) {
        match &self.operation {
            Operation::Convolve(convolution) => convolution.run(src, dst),
            Operation::BoxBlur(blur) => blur.run(src, dst),
            Operation::Rank(filter) => filter.run(src, dst),
            Operation::Mode { radius } => mode(*radius, depth, src, dst),
            Operation::Unsharp(unsharp) => unsharp.run(base, src, dst),
            Operation::Shader => dst.restore_border(Margins::symmetric(u32::MAX, u32::MAX), src),
        }
        dst.restore_border(self.pass.untouched, base);
    }
}
