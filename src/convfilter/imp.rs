/**
 * SECTION:element-convfilter
 *
 * Filters every frame with one of Pillow's filters, your own kernel or your own shader, on the GPU or the CPU.
 *
 * YUV is filtered in its own planes; chroma becomes gray under filters that shift levels or find edges. Alpha is kept.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 v4l2src ! convfilter filter=emboss ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 v4l2src ! convfilter filter=kernel kernel="1 1 0; 1 1 -1; 0 -1 -1" ! autovideosink
 * ]|
 */
use std::sync::{LazyLock, Mutex, MutexGuard};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use super::settings::{ParseCache, Settings};
use super::state::State;
use super::{Backend, Border, Filter, KernelOrder, MaskFrom, Planes, Rounding, filter};
use crate::element;
use crate::guard::guarded;
use crate::layout::{Layout, Rows};
use crate::mask::{self, Covered, MaskPad, Shares, blend};
use crate::sync::lock;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("convfilter", gst::DebugColorFlags::empty(), Some("Convolution and rank filters"))
});

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::ConvFilter)]
pub struct ConvFilter {
    #[property(name = "filter", get, set, type = Filter, member = filter, nick = "Filter",
        blurb = "The filter to apply", controllable, mutable_playing, builder(Settings::default().filter))]
    #[property(name = "radius", get, set, type = f64, member = radius,
        minimum = 0.0, maximum = 1000.0, default = Settings::default().radius,
        nick = "Radius",
        blurb = "gaussian-blur, unsharp-mask: standard deviation; box-blur: radius; in samples, may be fractional",
        controllable, mutable_playing)]
    #[property(name = "radius-y", get, set, type = f64, member = radius_y,
        minimum = -1.0, maximum = 1000.0, default = Settings::default().radius_y,
        nick = "Vertical radius", blurb = "The vertical radius (-1 = same as radius)", controllable, mutable_playing)]
    #[property(name = "percent", get, set, type = i32, member = percent,
        minimum = -100_000, maximum = 100_000, default = Settings::default().percent,
        nick = "Percent", blurb = "unsharp-mask: how much of the difference from the blurred frame is added",
        controllable, mutable_playing)]
    #[property(name = "threshold", get, set, type = i32, member = threshold,
        minimum = -1, maximum = 255, default = Settings::default().threshold,
        nick = "Threshold", blurb = "unsharp-mask: only differences larger than this are added, in 8-bit levels",
        controllable, mutable_playing)]
    #[property(name = "size", get, set, type = u32, member = size,
        minimum = 1, maximum = 63, default = Settings::default().size,
        nick = "Window size", blurb = "rank, median, min, max, mode: side of the window, odd, in samples",
        controllable, mutable_playing)]
    #[property(name = "rank", get, set, type = u32, member = rank,
        maximum = 63 * 63 - 1, default = Settings::default().rank,
        nick = "Rank", blurb = "rank: index of the value in the sorted window, from 0", controllable, mutable_playing)]
    #[property(name = "kernel", get, set, type = String, member = kernel,
        default = Some(Settings::default().kernel.as_str()), nick = "Kernel",
        blurb = "filter=kernel: rows separated by ';', numbers by spaces or commas, maximum 63 x 63: \
        \"1 1 0; 1 1 -1; 0 -1 -1\"",
        mutable_playing)]
    #[property(name = "scale", get, set, type = f64, member = scale,
        minimum = f64::from(f32::MIN), maximum = f64::from(f32::MAX), default = Settings::default().scale,
        nick = "Scale", blurb = "filter=kernel: divide by this (0 = the kernel's sum, or 1 if the sum is 0)",
        controllable, mutable_playing)]
    #[property(name = "offset", get, set, type = f64, member = offset,
        minimum = f64::from(f32::MIN), maximum = f64::from(f32::MAX), default = Settings::default().offset,
        nick = "Offset", blurb = "filter=kernel: add this after dividing, in 8-bit levels",
        controllable, mutable_playing)]
    #[property(name = "kernel-order", get, set, type = KernelOrder, member = kernel_order,
        nick = "Kernel order", blurb = "Vertical order of the kernel's rows",
        controllable, mutable_playing, builder(Settings::default().kernel_order))]
    #[property(name = "border", get, set, type = Border, member = border, nick = "Border",
        blurb = "How samples are filtered whose window leaves the plane", controllable, mutable_playing,
        builder(Settings::default().border))]
    #[property(name = "rounding", get, set, type = Rounding, member = rounding, nick = "Rounding",
        blurb = "filter=kernel: how a sum is rounded to an integer", controllable, mutable_playing,
        builder(Settings::default().rounding))]
    #[property(name = "alpha", get, set, type = bool, member = alpha, default = Settings::default().alpha,
        nick = "Alpha", blurb = "Filter the alpha channel too, as Pillow does", controllable, mutable_playing)]
    #[property(name = "premultiply", get, set, type = bool, member = premultiply,
        default = Settings::default().premultiply, nick = "Premultiply",
        blurb = "alpha=true: filter colors multiplied by alpha, so that colors of transparent places do not show at the \
        edges of cut-outs; Pillow does not", controllable, mutable_playing)]
    #[property(name = "planes", get, set, type = Planes, member = planes, nick = "Planes",
        blurb = "The planes of YUV frames to filter", controllable, mutable_playing,
        builder(Settings::default().planes))]
    #[property(name = "mix", get, set, type = f64, member = mix,
        minimum = 0.0, maximum = 1.0, default = Settings::default().mix,
        nick = "Mix", blurb = "Weight of the filtered frame in the result: 0 = the original, 1 = the filtered frame",
        controllable, mutable_playing)]
    #[property(name = "chain", get, set, type = String, member = chain,
        default = Some(Settings::default().chain.as_str()),
        nick = "Chain", blurb = "Several filters in sequence, instead of filter: \
        \"median, size=3; unsharp-mask, percent=200\"", mutable_playing)]
    #[property(name = "shader", get, set, type = String, member = shader,
        default = Some(Settings::default().shader.as_str()), nick = "Shader",
        blurb = "filter=shader: WGSL with a function shade(component: u32, x: i32, y: i32) -> f32", mutable_playing)]
    #[property(name = "shader-location", get, set, type = String, member = shader_location,
        default = Some(Settings::default().shader_location.as_str()), nick = "Shader location",
        blurb = "filter=shader: a file with the WGSL, read if shader is empty", mutable_playing)]
    #[property(name = "mask", get, set, type = String, member = mask, default = Some(Settings::default().mask.as_str()),
        nick = "Mask", blurb = "Path of a picture, stretched to the frame, of which white places are filtered and black ones are not (\"\" = none)", mutable_playing)]
    #[property(name = "mask-from", get, set, type = MaskFrom, member = mask_from, nick = "Mask from",
        blurb = "What the mask is taken from", mutable_playing, builder(Settings::default().mask_from))]
    #[property(name = "mask-invert", get, set, type = bool, member = mask_invert,
        default = Settings::default().mask_invert, nick = "Invert the mask",
        blurb = "Filter what is black in the mask instead of what is white", mutable_playing)]
    #[property(name = "backend", get, set, type = Backend, member = backend, nick = "Backend",
        blurb = "The device that runs the filters", mutable_ready, builder(Settings::default().backend))]
    #[property(name = "adapter", get, set, type = String, member = adapter,
        default = Some(Settings::default().adapter.as_str()), nick = "Adapter",
        blurb = "Part of the name of the GPU to use (\"\" = the fastest)", mutable_ready)]
    pub(super) settings: Mutex<Settings>,
    #[property(name = "adapter-name", get, type = Option<String>, nick = "Adapter name",
        blurb = "Name of the device in use, once it is open")]
    pub(super) adapter_name: Mutex<Option<String>>,
    state: Mutex<State>,
    mask_pad: MaskPad,
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
                "Applies Pillow's filters, your own kernels and your own shaders to every frame, on the GPU or the CPU",
                "The stylefilter authors",
                &[("filter-properties", &filter::properties_by_filter())],
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(mask::pad_templates);
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        self.mask_pad.request(&*self.obj(), template)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.mask_pad.release(&*self.obj(), pad);
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        self.mask_pad.change_state(transition);
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for ConvFilter {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let mut state = self.state();
        state.settings = self.settings();
        // A shader's file may have changed since the last start.
        state.parse_cache = ParseCache::default();
        let State { settings, parse_cache, .. } = &mut *state;
        state.plan = settings
            .plan(parse_cache)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("{}: {error}", settings.name())))?;
        self.log_plan(&state.settings.name(), &state.plan);
        let masks = state.settings.masks();
        state.masks.set(masks, 1).map_err(mask::message)?;
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

    fn src_event(&self, event: gst::Event) -> bool {
        self.mask_pad.pass_upstream(event, |event| self.parent_src_event(event))
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        self.mask_pad.own_event(&event);
        self.parent_sink_event(event)
    }

    fn transform_meta(
        &self,
        _outbuf: &mut gst::BufferRef,
        _meta: gst::MetaRef<'_, gst::Meta>,
        _inbuf: &gst::BufferRef,
    ) -> bool {
        // Frames keep their size, so regions of interest, crop rectangles and the like stay true. GStreamer itself leaves
        // out what describes a buffer's memory.
        true
    }

    fn before_transform(&self, inbuf: &gst::BufferRef) {
        let obj = self.obj();
        element::sync_values(obj.upcast_ref(), *CAT, inbuf);
        self.mask_pad.follow(obj.upcast_ref(), inbuf);
        let mut state = self.state();
        self.follow_settings(&mut state);
        let passthrough = state.plan.is_identity();
        if obj.is_passthrough() != passthrough {
            obj.set_passthrough(passthrough);
            obj.reconfigure_src();
        }
    }

    fn transform(&self, inbuf: &gst::Buffer, outbuf: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        element::check_both(self.obj().upcast_ref(), self.state().layout.as_ref(), inbuf, outbuf)?;
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
        state.masks.forget_frames();
        Ok(())
    }

    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state();
        let State { masks, layout: Some(layout), .. } = &mut *state else { return Err(gst::FlowError::NotNegotiated) };
        let covered = mask::cover(&*self.obj(), *CAT, &self.mask_pad, masks, layout, input, None)?;
        if matches!(covered, Covered::Nothing) {
            input.copy(output).map_err(|_| gst::FlowError::Error)?;
            return Ok(gst::FlowSuccess::Ok);
        }
        self.open_backend(&mut state).map_err(|error| self.fail(error))?;
        let time = element::stream_time(self.obj().upcast_ref(), input.buffer());
        let seconds = time.map_or(0.0, |time| time.nseconds() as f32 / 1e9);
        // The fields of an interlaced frame were taken at different times.
        let fields: &[Rows] = if input.is_interlaced() { &[Rows::Top, Rows::Bottom] } else { &[Rows::All] };
        for &rows in fields.iter().filter(|rows| rows.count(input.height() as usize) > 0) {
            while let Err(error) = state.filter(rows, input, output, seconds) {
                self.recover(&mut state, error)?;
            }
        }
        if let (Covered::Part(masks), Some(layout)) = (covered, &state.layout) {
            let shares = Shares { opacity: &masks.opacity, strength: 1.0, keeps_alpha: false };
            blend(layout, &shares, input, output);
        }
        state.since_reopened = state.since_reopened.map(|frames| frames.saturating_add(1));
        Ok(gst::FlowSuccess::Ok)
    }
}

impl ConvFilter {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }
}
