/**
 * SECTION:element-convfilter
 *
 * Filters every frame with one of Pillow's filters or with a kernel of your own, on the GPU or the CPU.
 *
 * YUV is filtered in its own planes; chroma becomes grey under filters that shift levels or find edges. Alpha is kept.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 v4l2src ! convfilter filter=emboss ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 v4l2src ! convfilter filter=kernel kernel="1 1 0; 1 1 -1; 0 -1 -1" ! autovideosink
 * ]|
 */
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use super::{Backend, Border, Filter, KernelOrder, Planes, Rounding, chain, filter};
use crate::backend::{self, Choice, Program};
use crate::filters::{self, Chroma, FilterError, Kernel, Outside, Plan};
use crate::frame::{self, Layout, PlaneBytes, PlaneBytesMut, Rows};
use crate::gpu::{GpuError, check_shader};
use crate::guard::guarded;
use crate::recent::Recent;
use crate::sync::lock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("convfilter", gst::DebugColorFlags::empty(), Some("Convolution and rank filters"))
});

/// A GPU that has filtered so many frames since it failed may fail again, as one does whose driver is reset now and then.
const GOOD_FRAMES: u32 = 250;

/// What the user set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    filter: Filter,
    radius: f64,
    radius_y: f64,
    pub(super) percent: i32,
    pub(super) threshold: i32,
    pub(super) size: u32,
    pub(super) rank: u32,
    kernel: String,
    scale: f64,
    offset: f64,
    kernel_order: KernelOrder,
    border: Border,
    rounding: Rounding,
    alpha: bool,
    planes: Planes,
    mix: f64,
    chain: String,
    shader: String,
    shader_location: String,
    backend: Backend,
    adapter: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            filter: Filter::None,
            radius: 2.0,
            radius_y: -1.0,
            percent: 150,
            threshold: 3,
            size: 3,
            rank: 0,
            kernel: String::new(),
            scale: 0.0,
            offset: 0.0,
            kernel_order: KernelOrder::TopDown,
            border: Border::Auto,
            rounding: Rounding::Auto,
            alpha: false,
            planes: Planes::Auto,
            mix: 1.0,
            chain: String::new(),
            shader: String::new(),
            shader_location: String::new(),
            backend: Backend::Auto,
            adapter: String::new(),
        }
    }
}

impl Settings {
    /// What to do with each frame.
    fn plan(&self, texts: &mut Texts) -> Result<Plan, FilterError> {
        let filters: Vec<_> = match self.chain.is_empty() {
            true => self.filter(texts)?.into_iter().collect(),
            false => texts.chains.get_or_make(self.chain.clone(), |chain| filters_of(chain))?,
        };
        let chroma = match self.planes {
            Planes::Luma => Chroma::Keep,
            Planes::Auto if !filters.iter().all(|filter| filter.keeps_level) => Chroma::Neutral,
            _ => Chroma::Filter,
        };
        Ok(Plan { filters, chroma, alpha: self.alpha, mix: (self.mix * 256.0).round() as u32 })
    }

    /// What was set, as users type it.
    fn name(&self) -> String {
        if self.chain.is_empty() { format!("filter={}", self.filter.nick()) } else { "chain".into() }
    }

    /// The filter set, if it is one.
    fn filter(&self, texts: &mut Texts) -> Result<Option<filters::Filter>, FilterError> {
        self.filter.info().map(|info| info.build(self, texts)).transpose()
    }

    /// The radius along rows.
    pub(super) fn radius_x(&self) -> f32 {
        self.radius as f32
    }

    /// The radius along columns.
    pub(super) fn radius_y(&self) -> f32 {
        if self.radius_y < 0.0 { self.radius_x() } else { self.radius_y as f32 }
    }

    /// The user's kernel.
    pub(super) fn kernel(&self) -> Result<Kernel, FilterError> {
        Kernel::parse(&self.kernel, self.scale, self.offset, self.kernel_order.into(), self.rounding())
    }

    /// The user's WGSL, checked.
    pub(super) fn shader(&self, texts: &mut Texts) -> Result<Arc<str>, FilterError> {
        let source = match self.shader.is_empty() && !self.shader_location.is_empty() {
            true => Source::File(self.shader_location.clone()),
            false => Source::Text(self.shader.clone()),
        };
        texts.shaders.get_or_make(source, Source::read)
    }

    /// The rounding set. Who pads with zeros has a NumPy convolution in mind, whose sums are converted without rounding.
    fn rounding(&self) -> filters::Rounding {
        match (self.rounding, self.border) {
            (Rounding::Down, _) | (Rounding::Auto, Border::Zero) => filters::Rounding::Down,
            (Rounding::HalfUp | Rounding::Auto, _) => filters::Rounding::HalfUp,
        }
    }

    /// The border set, where `auto` is what Pillow does.
    pub(super) fn border_or(&self, auto: filters::Border) -> filters::Border {
        match self.border {
            Border::Auto => auto,
            Border::Copy => filters::Border::Copy,
            Border::Clamp => filters::Border::Outside(Outside::Clamp),
            Border::Zero => filters::Border::Outside(Outside::Zero),
            Border::Mirror => filters::Border::Outside(Outside::Mirror),
        }
    }
}

/// What was last made of the settings that are read or parsed, so that this happens when they change, and not with every
/// frame that another property changes for.
pub struct Texts {
    chains: Recent<String, Result<Vec<filters::Filter>, FilterError>>,
    shaders: Recent<Source, Result<Arc<str>, FilterError>>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { chains: Recent::new(1), shaders: Recent::new(1) }
    }
}

/// The filters of a chain.
fn filters_of(chain: &str) -> Result<Vec<filters::Filter>, FilterError> {
    let settings = chain::parse(chain)?.into_iter().map(|element| element.imp().settings());
    settings.filter_map(|settings| settings.filter(&mut Texts::default()).transpose()).collect()
}

/// Where a shader's text is.
#[derive(PartialEq)]
enum Source {
    Text(String),
    File(String),
}

impl Source {
    /// The text, checked.
    fn read(&self) -> Result<Arc<str>, FilterError> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| FilterError::ShaderFile { path: path.clone(), reason: error.to_string() })?,
        };
        check_shader(&text).map_err(FilterError::Shader)?;
        Ok(text.into())
    }
}

/// What is running.
#[derive(Default)]
struct State {
    backend: Option<backend::Backend>,
    layout: Option<Layout>,
    /// The settings last looked at.
    settings: Settings,
    texts: Texts,
    /// What the last good settings ask for.
    plan: Plan,
    /// The plan for whole frames, or for the fields of interlaced ones.
    programs: BTreeMap<Rows, Program>,
    /// The frames since a lost GPU was last opened again, if one was.
    since_reopened: Option<u32>,
}

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::ConvFilter)]
pub struct ConvFilter {
    #[property(name = "filter", get, set, type = Filter, member = filter, nick = "Filter",
        blurb = "The filter to apply", controllable, mutable_playing, builder(Settings::default().filter))]
    #[property(name = "radius", get, set, type = f64, member = radius,
        minimum = 0.0, maximum = 1000.0, default = Settings::default().radius,
        nick = "Radius", blurb = "gaussian-blur, unsharp-mask: standard deviation; box-blur: radius; in samples, fractions too",
        controllable, mutable_playing)]
    #[property(name = "radius-y", get, set, type = f64, member = radius_y,
        minimum = -1.0, maximum = 1000.0, default = Settings::default().radius_y,
        nick = "Vertical radius", blurb = "The radius along columns (-1 = as radius)", controllable, mutable_playing)]
    #[property(name = "percent", get, set, type = i32, member = percent,
        minimum = -100_000, maximum = 100_000, default = Settings::default().percent,
        nick = "Percent", blurb = "unsharp-mask: how much of the difference from the blurred frame is added",
        controllable, mutable_playing)]
    #[property(name = "threshold", get, set, type = i32, member = threshold,
        minimum = -1, maximum = 255, default = Settings::default().threshold,
        nick = "Threshold", blurb = "unsharp-mask: a difference must be larger to count", controllable, mutable_playing)]
    #[property(name = "size", get, set, type = u32, member = size,
        minimum = 1, maximum = 63, default = Settings::default().size,
        nick = "Window size", blurb = "rank, median, min, max, mode: the window's side, odd, in samples",
        controllable, mutable_playing)]
    #[property(name = "rank", get, set, type = u32, member = rank,
        maximum = 63 * 63 - 1, default = Settings::default().rank,
        nick = "Rank", blurb = "rank: which of the window's sorted values, from 0", controllable, mutable_playing)]
    #[property(name = "kernel", get, set, type = String, member = kernel,
        default = Some(Settings::default().kernel.as_str()), nick = "Kernel",
        blurb = "filter=kernel: rows parted by ';', numbers by spaces or commas, up to 63 x 63: \"1 1 0; 1 1 -1; 0 -1 -1\"",
        mutable_playing)]
    #[property(name = "scale", get, set, type = f64, member = scale,
        minimum = f64::from(f32::MIN), maximum = f64::from(f32::MAX), default = Settings::default().scale,
        nick = "Scale", blurb = "filter=kernel: divide by this (0 = the kernel's sum, or 1 where that is 0)",
        controllable, mutable_playing)]
    #[property(name = "offset", get, set, type = f64, member = offset,
        minimum = f64::from(f32::MIN), maximum = f64::from(f32::MAX), default = Settings::default().offset,
        nick = "Offset", blurb = "filter=kernel: add this after dividing, in 8-bit levels", controllable, mutable_playing)]
    #[property(name = "kernel-order", get, set, type = KernelOrder, member = kernel_order,
        nick = "Kernel order", blurb = "Which row of the picture the kernel's first row weighs",
        controllable, mutable_playing, builder(Settings::default().kernel_order))]
    #[property(name = "border", get, set, type = Border, member = border, nick = "Border",
        blurb = "What happens where the window leaves the frame", controllable, mutable_playing,
        builder(Settings::default().border))]
    #[property(name = "rounding", get, set, type = Rounding, member = rounding, nick = "Rounding",
        blurb = "filter=kernel: how a sum becomes a whole number", controllable, mutable_playing,
        builder(Settings::default().rounding))]
    #[property(name = "alpha", get, set, type = bool, member = alpha, default = Settings::default().alpha,
        nick = "Alpha", blurb = "Filter the alpha channel, too, as Pillow does", controllable, mutable_playing)]
    #[property(name = "planes", get, set, type = Planes, member = planes, nick = "Planes",
        blurb = "Which planes of YUV to filter", controllable, mutable_playing, builder(Settings::default().planes))]
    #[property(name = "mix", get, set, type = f64, member = mix,
        minimum = 0.0, maximum = 1.0, default = Settings::default().mix,
        nick = "Mix", blurb = "The filtered frame's share of the result: 0 = the original, 1 = the filtered frame",
        controllable, mutable_playing)]
    #[property(name = "chain", get, set, type = String, member = chain, default = Some(Settings::default().chain.as_str()),
        nick = "Chain", blurb = "Several filters one after the other, in place of filter: \
        \"median, size=3; unsharp-mask, percent=200\"", mutable_playing)]
    #[property(name = "shader", get, set, type = String, member = shader,
        default = Some(Settings::default().shader.as_str()), nick = "Shader",
        blurb = "filter=shader: WGSL with a function shade(component: u32, x: i32, y: i32) -> f32", mutable_playing)]
    #[property(name = "shader-location", get, set, type = String, member = shader_location,
        default = Some(Settings::default().shader_location.as_str()), nick = "Shader location",
        blurb = "filter=shader: a file with the WGSL, where shader is empty", mutable_playing)]
    #[property(name = "backend", get, set, type = Backend, member = backend, nick = "Backend",
        blurb = "What the filters run on", mutable_ready, builder(Settings::default().backend))]
    #[property(name = "adapter", get, set, type = String, member = adapter,
        default = Some(Settings::default().adapter.as_str()), nick = "Adapter",
        blurb = "Part of the name of the GPU to use, where there are several", mutable_ready)]
    settings: Mutex<Settings>,
    #[property(name = "adapter-name", get, type = Option<String>, nick = "Adapter name",
        blurb = "What the filters run on, once it is open")]
    adapter_name: Mutex<Option<String>>,
    state: Mutex<State>,
}

#[glib::object_subclass]
impl ObjectSubclass for ConvFilter {
    const NAME: &'static str = "GstConvFilter";
    type Type = super::ConvFilter;
    type ParentType = gst_video::VideoFilter;
    type Interfaces = (gst::Preset,);
}

impl ObjectImpl for ConvFilter {
    fn properties() -> &'static [glib::ParamSpec] {
        Self::derived_properties()
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        guarded(&*self.obj(), (), || self.derived_set_property(id, value, pspec));
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        guarded(&*self.obj(), pspec.default_value().clone(), || self.derived_property(id, pspec))
    }
}

impl GstObjectImpl for ConvFilter {}

impl PresetImpl for ConvFilter {}

impl ElementImpl for ConvFilter {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::with_additional(
                "Convolution filter",
                "Filter/Effect/Video",
                "Pillow's filters and kernels of your own on every frame, on the GPU or the CPU",
                "The stylefilter authors",
                &[("filter-properties", &filter::properties_by_filter())],
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(frame::pad_templates);
        &TEMPLATES
    }
}

impl BaseTransformImpl for ConvFilter {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let mut state = self.state();
        state.settings = self.settings();
        // What was read before an earlier stop may have changed.
        state.texts = Texts::default();
        let State { settings, texts, .. } = &mut *state;
        state.plan = settings
            .plan(texts)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("{}: {error}", settings.name())))?;
        let passthrough = state.plan.is_identity();
        if !passthrough {
            self.open_backend(&mut state).map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ("{error}")))?;
        }
        self.obj().set_passthrough(passthrough);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state() = State::default();
        Ok(())
    }

    fn before_transform(&self, inbuf: &gst::BufferRef) {
        let obj = self.obj();
        frame::sync_values(obj.upcast_ref(), *CAT, inbuf);
        let mut state = self.state();
        self.follow_settings(&mut state);
        let passthrough = state.plan.is_identity();
        if obj.is_passthrough() != passthrough {
            obj.set_passthrough(passthrough);
            obj.reconfigure_src();
        }
    }

    fn transform(&self, inbuf: &gst::Buffer, outbuf: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        frame::check_both(self.obj().upcast_ref(), self.state().layout.as_ref(), inbuf, outbuf)?;
        self.parent_transform(inbuf, outbuf)
    }
}

impl VideoFilterImpl for ConvFilter {
    fn set_info(
        &self,
        _incaps: &gst::Caps,
        info: &VideoInfo,
        _outcaps: &gst::Caps,
        _out_info: &VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let mut state = self.state();
        state.layout = Some(Layout::new(info));
        state.programs.clear();
        Ok(())
    }

    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state();
        self.open_backend(&mut state).map_err(|error| self.fail(error))?;
        let time = frame::stream_time(self.obj().upcast_ref(), input.buffer());
        let seconds = time.map_or(0.0, |time| time.nseconds() as f32 / 1e9);
        // Neighbouring rows of an interlaced frame are of different times.
        let parts: &[Rows] = if input.is_interlaced() { &[Rows::Top, Rows::Bottom] } else { &[Rows::All] };
        for &rows in parts.iter().filter(|rows| rows.count(input.height() as usize) > 0) {
            while let Err(error) = filter_rows(&mut state, rows, input, output, seconds) {
                self.recover(&mut state, error)?;
            }
        }
        state.since_reopened = state.since_reopened.map(|frames| frames.saturating_add(1));
        Ok(gst::FlowSuccess::Ok)
    }
}

/// Filters some of a frame's rows.
fn filter_rows(
    state: &mut State,
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
    state.program(rows)?.run(&source, &mut target, seconds)
}

impl State {
    /// The plan for these rows, made ready when they first come.
    fn program(&mut self, rows: Rows) -> Result<&mut Program, GpuError> {
        let Self { programs, backend, layout, plan, .. } = self;
        match programs.entry(rows) {
            Entry::Occupied(program) => Ok(program.into_mut()),
            Entry::Vacant(place) => {
                let backend = backend.as_ref().unwrap_or(&backend::Backend::Cpu);
                let layout = layout.as_ref().map(|layout| layout.of(rows)).unwrap_or_default();
                Ok(place.insert(backend.program(layout, plan)?))
            }
        }
    }
}

impl ConvFilter {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    fn open_backend(&self, state: &mut State) -> Result<(), GpuError> {
        let (choice, adapter) = (Choice::from(state.settings.backend), &state.settings.adapter);
        let needs_gpu = state.plan.needs_gpu();
        if !state.backend.as_ref().is_some_and(|backend| backend.suits(choice, adapter, needs_gpu)) {
            let backend = backend::Backend::open(choice, adapter, needs_gpu)?;
            state.programs.clear();
            self.use_backend(state, backend);
        }
        Ok(())
    }

    fn use_backend(&self, state: &mut State, backend: backend::Backend) {
        gst::info!(CAT, imp = self, "running on {}", backend.name());
        *lock(&self.adapter_name) = Some(backend.name());
        state.backend = Some(backend);
        self.obj().notify("adapter-name");
    }

    /// Takes over what the user changed while playing; what cannot be filtered with is warned of and left.
    fn follow_settings(&self, state: &mut State) {
        let settings = self.settings();
        if settings == state.settings {
            return;
        }
        let name = settings.name();
        let plan = settings.plan(&mut state.texts).map_err(|error| error.to_string());
        state.settings = settings;
        if let Err(error) = plan.and_then(|plan| self.follow_plan(state, plan)) {
            let message = format!("{name}: {error}; the filter before it stays");
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}"));
        }
    }

    /// Filters with another plan from now on, if what it needs can be opened.
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
            // The next frame shows whether that can be mended.
            gst::warning!(CAT, imp = self, "{error}");
            programs.clear();
        }
        Ok(())
    }

    /// A GPU that fails is opened once more; if it soon fails again, the CPU takes over, and the stream goes on. A shader
    /// that cannot be used after all is left out.
    fn recover(&self, state: &mut State, error: GpuError) -> Result<(), gst::FlowError> {
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
        if matches!(state.backend, None | Some(backend::Backend::Cpu)) {
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
        self.use_backend(state, backend::Backend::Cpu);
        Ok(())
    }

    fn fail(&self, error: GpuError) -> gst::FlowError {
        gst::element_imp_error!(self, gst::ResourceError::Failed, ("{error}"));
        gst::FlowError::Error
    }
}

impl From<KernelOrder> for filters::KernelOrder {
    fn from(order: KernelOrder) -> Self {
        match order {
            KernelOrder::TopDown => Self::TopDown,
            KernelOrder::BottomUp => Self::BottomUp,
        }
    }
}

impl From<Backend> for Choice {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => Self::Auto,
            Backend::Gpu => Self::Gpu,
            Backend::Cpu => Self::Cpu,
        }
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
