//! The running element: the backend and the programs that filter frames, changes of settings, and recovery from a lost
//! GPU.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::VideoFrameRef;
use gst_video::prelude::*;

use super::imp::{CAT, ConvFilter};
use super::settings::{ParseCache, Settings};
use crate::backend::{Backend, Choice, Program};
use crate::filters::Plan;
use crate::gpu::GpuError;
use crate::layout::{Layout, PlaneBytes, PlaneBytesMut, Rows};
use crate::mask::Masks;
use crate::sync::lock;

/// A GPU that was reopened and fails again is reopened once more only after this many good frames. Some drivers are
/// reset now and then; a broken one fails at once.
const MIN_GOOD_FRAMES: u32 = 250;

/// The state of a started element.
#[derive(Default)]
pub struct State {
    backend: Option<Backend>,
    pub(super) layout: Option<Layout>,
    pub(super) masks: Masks,
    /// The settings of the last frame, valid or not.
    pub(super) settings: Settings,
    pub(super) parse_cache: ParseCache,
    /// The plan of the last valid settings.
    pub(super) plan: Plan,
    /// The plan before it, if settings were changed while playing.
    previous: Option<Plan>,
    /// The plan, prepared for whole frames or for the fields of interlaced ones.
    pub(super) programs: BTreeMap<Rows, Program>,
    /// The number of frames since a lost GPU was last reopened, if one was.
    pub(super) since_reopened: Option<u32>,
}

impl State {
    /// Filters these rows of a frame. `seconds` is the frame's time in the stream.
    pub(super) fn filter(
        &mut self,
        rows: Rows,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
        seconds: f32,
    ) -> Result<(), GpuError> {
        let (first, step) = rows.first_and_step();
        // The buffers were checked to hold every row, so nothing overflows.
        let starts_and_strides = |strides: &[i32]| -> Vec<_> {
            let of_stride = |&stride: &i32| usize::try_from(stride).unwrap_or(0);
            let strides = strides.iter().map(of_stride);
            strides.map(|stride| (first.saturating_mul(stride), stride.saturating_mul(step))).collect()
        };
        let source: Vec<_> = input
            .planes_data()
            .into_iter()
            .zip(starts_and_strides(input.plane_stride()))
            .map(|(data, (start, stride))| PlaneBytes { data: data.get(start..).unwrap_or(&[]), stride })
            .collect();
        let targets = starts_and_strides(output.plane_stride());
        let mut target: Vec<_> = output
            .planes_data_mut()
            .into_iter()
            .zip(targets)
            .map(|(data, (start, stride))| PlaneBytesMut { data: data.get_mut(start..).unwrap_or(&mut []), stride })
            .collect();
        self.program(rows)?.run(&source, &mut target, seconds)
    }

    /// The program for these rows, which is made when it is first needed.
    fn program(&mut self, rows: Rows) -> Result<&mut Program, GpuError> {
        let Self { programs, backend, layout, plan, .. } = self;
        match programs.entry(rows) {
            Entry::Occupied(program) => Ok(program.into_mut()),
            Entry::Vacant(entry) => {
                let backend = backend.as_ref().unwrap_or(&Backend::Cpu);
                let layout = layout.as_ref().map(|layout| layout.of(rows)).unwrap_or_default();
                Ok(entry.insert(backend.program(layout, plan)?))
            }
        }
    }
}

impl ConvFilter {
    /// Opens the backend that the settings select, unless a suitable one is open.
    pub(super) fn open_backend(&self, state: &mut State) -> Result<(), GpuError> {
        let (choice, adapter) = (Choice::from(state.settings.backend), &state.settings.adapter);
        let needs_gpu = state.plan.needs_gpu();
        if !state.backend.as_ref().is_some_and(|backend| backend.suits(choice, adapter, needs_gpu)) {
            let (backend, why_not_gpu) = Backend::open(choice, adapter, needs_gpu)?;
            if let Some(reason) = why_not_gpu {
                gst::info!(CAT, imp = self, "no GPU is used: {reason}");
            }
            state.programs.clear();
            self.use_backend(state, backend);
        }
        Ok(())
    }

    fn use_backend(&self, state: &mut State, backend: Backend) {
        gst::info!(CAT, imp = self, "filters run on {}", backend.name());
        *lock(&self.adapter_name) = Some(backend.name());
        state.backend = Some(backend);
        self.obj().notify("adapter-name");
    }

    /// Logs what is done with the frames to come.
    pub(super) fn log_plan(&self, name: &str, plan: &Plan) {
        let Plan { filters, chroma, alpha, mix } = plan;
        match filters.iter().map(|filter| filter.passes.len()).sum::<usize>() {
            _ if plan.is_identity() => gst::debug!(CAT, imp = self, "{name}: frames pass through unchanged"),
            passes => gst::debug!(
                CAT,
                imp = self,
                "{name}: passes {passes}, chroma {chroma:?}, alpha {alpha:?}, mix {mix}/256"
            ),
        }
    }

    /// Applies settings that were changed while playing. If they are invalid, posts a warning and keeps the plan.
    pub(super) fn follow_settings(&self, state: &mut State) {
        let settings = self.settings();
        if settings == state.settings {
            return;
        }
        let name = settings.name();
        if settings.masks() != state.settings.masks()
            && let Err(error) = state.masks.set(settings.masks(), 1)
        {
            let message = format!("{error}; the mask before it stays");
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}"));
        }
        let plan = settings.plan(&mut state.parse_cache).map_err(|error| error.to_string());
        state.settings = settings;
        match plan.and_then(|plan| self.follow_plan(state, plan)) {
            Ok(()) => self.log_plan(&name, &state.plan),
            Err(error) => {
                let message = format!("{name}: {error}; the previous filter stays active");
                gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}"));
            }
        }
    }

    /// Changes the plan, if the backend that it needs can be opened.
    fn follow_plan(&self, state: &mut State, plan: Plan) -> Result<(), String> {
        let before = std::mem::replace(&mut state.plan, plan);
        if !state.plan.is_identity()
            && let Err(error) = self.open_backend(state)
        {
            state.plan = before;
            return Err(error.to_string());
        }
        state.previous = Some(before);
        let State { programs, plan, .. } = state;
        let set = programs.values_mut().try_for_each(|program| program.set_plan(plan));
        if let Err(error) = set {
            // The next frame makes the programs again; if that fails too, it recovers.
            gst::warning!(CAT, imp = self, "{error}");
            programs.clear();
        }
        Ok(())
    }

    /// Recovers from an error so that the stream continues: reopens a lost GPU, or switches to the CPU if the GPU fails
    /// again soon. If a shader turns out to be invalid or endless, the filter before it returns; if there was none, the
    /// stream ends, since nobody would want the rest of it unfiltered.
    pub(super) fn recover(&self, state: &mut State, error: GpuError) -> Result<(), gst::FlowError> {
        state.programs.clear();
        if matches!(error, GpuError::Shader(_) | GpuError::Runaway { .. }) {
            let Some(previous) = state.previous.take() else { return Err(self.fail(error)) };
            let message = format!("{error}; the previous filter stays active");
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}"));
            state.plan = previous;
            return self.open_backend(state).map_err(|error| self.fail(error));
        }
        if matches!(state.backend, None | Some(Backend::Cpu)) {
            return Err(self.fail(error));
        }
        state.backend = None;
        let may_reopen = state.since_reopened.is_none_or(|frames| frames >= MIN_GOOD_FRAMES);
        state.since_reopened = Some(0);
        if may_reopen && self.open_backend(state).is_ok() {
            gst::warning!(CAT, imp = self, "{error}; the GPU was reopened");
            return Ok(());
        }
        if state.plan.needs_gpu() {
            return Err(self.fail(error));
        }
        gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{error}; the CPU takes over"));
        self.use_backend(state, Backend::Cpu);
        Ok(())
    }

    /// Posts the error.
    pub(super) fn fail(&self, error: GpuError) -> gst::FlowError {
        gst::element_imp_error!(self, gst::ResourceError::Failed, ("{error}"));
        gst::FlowError::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Gpu;

    const FRAME: &str = "video/x-raw,format=GRAY8,width=16,height=16,framerate=0/1";

    fn push_pull(pipeline: &gst::Pipeline) -> Vec<u8> {
        let by_name = |name| pipeline.by_name(name).unwrap();
        let source = by_name("source").downcast::<gst_app::AppSrc>().unwrap();
        let sink = by_name("sink").downcast::<gst_app::AppSink>().unwrap();
        source.push_buffer(gst::Buffer::from_slice((0..=255).collect::<Vec<u8>>())).unwrap();
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(30)).expect("the stream continues");
        sample.buffer().unwrap().map_readable().unwrap().to_vec()
    }

    #[test]
    #[ignore = "needs a Vulkan driver"]
    fn a_lost_gpu_is_reopened_then_the_cpu_takes_over() {
        gst::init().unwrap();
        crate::plugin_register_static().unwrap();
        let description = format!(
            "appsrc name=source caps={FRAME} format=time ! convfilter name=filter backend=gpu filter=emboss ! appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let on_cpu = || {
            let name: Option<String> = pipeline.by_name("filter").unwrap().property("adapter-name");
            name.unwrap().starts_with("CPU, ")
        };
        let first = push_pull(&pipeline);
        for (frames_before, expected_on_cpu) in [(0, false), (MIN_GOOD_FRAMES, false), (MIN_GOOD_FRAMES / 2, true)] {
            for _ in 0..frames_before {
                push_pull(&pipeline);
            }
            Gpu::shared("", true).unwrap().lose();
            assert_eq!(push_pull(&pipeline), first);
            assert_eq!(on_cpu(), expected_on_cpu);
        }
        let messages: Vec<_> = pipeline.bus().unwrap().iter().map(|message| message.type_()).collect();
        assert!(!messages.contains(&gst::MessageType::Error) && messages.contains(&gst::MessageType::Warning));
        // For scripts/reliability.
        println!(
            "| a Vulkan device lost while playing, again later, and again soon | 3 | reopened twice, then the CPU takes over; warnings |"
        );
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
