//! The backend and the programs that filter the frames: they follow the settings, and a lost GPU is replaced.

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
use crate::sync::lock;

/// A GPU that fails again is opened again only after this many good frames: some drivers are reset now and then.
const GOOD_FRAMES: u32 = 250;

/// The element while it is started.
#[derive(Default)]
pub struct State {
    backend: Option<Backend>,
    pub(super) layout: Option<Layout>,
    /// The settings last looked at.
    pub(super) settings: Settings,
    pub(super) parse_cache: ParseCache,
    /// The plan of the last valid settings.
    pub(super) plan: Plan,
    /// The plan prepared for whole frames, or for the fields of interlaced ones.
    pub(super) programs: BTreeMap<Rows, Program>,
    /// The frames since a lost GPU was last opened again, if one was.
    pub(super) since_reopened: Option<u32>,
}

impl State {
    /// Filters some of a frame's rows.
    pub(super) fn filter(
        &mut self,
        rows: Rows,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
        seconds: f32,
    ) -> Result<(), GpuError> {
        let (first, step) = rows.first_and_step();
        // Every row lies in a buffer that was checked, so nothing overflows.
        let places = |strides: &[i32]| -> Vec<_> {
            let of_stride = |&stride: &i32| usize::try_from(stride).unwrap_or(0);
            let strides = strides.iter().map(of_stride);
            strides.map(|stride| (first.saturating_mul(stride), stride.saturating_mul(step))).collect()
        };
        let source: Vec<_> = input
            .planes_data()
            .into_iter()
            .zip(places(input.plane_stride()))
            .map(|(data, (start, stride))| PlaneBytes { data: data.get(start..).unwrap_or(&[]), stride })
            .collect();
        let targets = places(output.plane_stride());
        let mut target: Vec<_> = output
            .planes_data_mut()
            .into_iter()
            .zip(targets)
            .map(|(data, (start, stride))| PlaneBytesMut { data: data.get_mut(start..).unwrap_or(&mut []), stride })
            .collect();
        self.program(rows)?.run(&source, &mut target, seconds)
    }

    /// The plan prepared for these rows, when they come for the first time.
    fn program(&mut self, rows: Rows) -> Result<&mut Program, GpuError> {
        let Self { programs, backend, layout, plan, .. } = self;
        match programs.entry(rows) {
            Entry::Occupied(program) => Ok(program.into_mut()),
            Entry::Vacant(place) => {
                let backend = backend.as_ref().unwrap_or(&Backend::Cpu);
                let layout = layout.as_ref().map(|layout| layout.of(rows)).unwrap_or_default();
                Ok(place.insert(backend.program(layout, plan)?))
            }
        }
    }
}

impl ConvFilter {
    pub(super) fn open_backend(&self, state: &mut State) -> Result<(), GpuError> {
        let (choice, adapter) = (Choice::from(state.settings.backend), &state.settings.adapter);
        let needs_gpu = state.plan.needs_gpu();
        if !state.backend.as_ref().is_some_and(|backend| backend.suits(choice, adapter, needs_gpu)) {
            let backend = Backend::open(choice, adapter, needs_gpu)?;
            state.programs.clear();
            self.use_backend(state, backend);
        }
        Ok(())
    }

    fn use_backend(&self, state: &mut State, backend: Backend) {
        gst::info!(CAT, imp = self, "running on {}", backend.name());
        *lock(&self.adapter_name) = Some(backend.name());
        state.backend = Some(backend);
        self.obj().notify("adapter-name");
    }

    /// Takes over settings that were changed while playing. Invalid ones are reported by a warning, and the plan stays.
    pub(super) fn follow_settings(&self, state: &mut State) {
        let settings = self.settings();
        if settings == state.settings {
            return;
        }
        let name = settings.name();
        let plan = settings.plan(&mut state.parse_cache).map_err(|error| error.to_string());
        state.settings = settings;
        if let Err(error) = plan.and_then(|plan| self.follow_plan(state, plan)) {
            let message = format!("{name}: {error}; the filter before it stays");
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}"));
        }
    }

    /// Filters with another plan from now on, if the backend that it needs can be opened.
    fn follow_plan(&self, state: &mut State, plan: Plan) -> Result<(), String> {
        let before = std::mem::replace(&mut state.plan, plan);
        if !state.plan.is_identity()
            && let Err(error) = self.open_backend(state)
        {
            state.plan = before;
            return Err(error.to_string());
        }
        let State { programs, plan, .. } = state;
        let set = programs.values_mut().try_for_each(|program| program.set_plan(plan));
        if let Err(error) = set {
            // The next frame prepares it again, and recovers where that fails, too.
            gst::warning!(CAT, imp = self, "{error}");
            programs.clear();
        }
        Ok(())
    }

    /// A GPU that fails is opened once more; if it soon fails again, the CPU takes over, and the stream goes on. A shader
    /// that cannot be used after all is left out.
    pub(super) fn recover(&self, state: &mut State, error: GpuError) -> Result<(), gst::FlowError> {
        state.programs.clear();
        if matches!(error, GpuError::Shader(_) | GpuError::Runaway { .. }) {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                ("{error}; frames pass through until it changes")
            );
            state.plan = Plan::default();
            return Ok(());
        }
        if matches!(state.backend, None | Some(Backend::Cpu)) {
            return Err(self.fail(error));
        }
        state.backend = None;
        let again = state.since_reopened.is_none_or(|frames| frames >= GOOD_FRAMES);
        state.since_reopened = Some(0);
        if again && self.open_backend(state).is_ok() {
            gst::warning!(CAT, imp = self, "{error}; opened again");
            return Ok(());
        }
        if state.plan.needs_gpu() {
            return Err(self.fail(error));
        }
        gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{error}; the CPU filters on"));
        self.use_backend(state, Backend::Cpu);
        Ok(())
    }

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
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(30)).expect("the stream goes on");
        sample.buffer().unwrap().map_readable().unwrap().to_vec()
    }

    #[test]
    fn a_lost_gpu_is_opened_again_then_the_cpu_takes_over() {
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
        for (frames_before, expected_on_cpu) in [(0, false), (GOOD_FRAMES, false), (GOOD_FRAMES / 2, true)] {
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
            "| a Vulkan device lost while playing, later, and again at once | 3 | opened again, then the CPU goes on, with warnings |"
        );
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
