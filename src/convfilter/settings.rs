//! The values of the properties, and their conversion to a plan.

use std::sync::Arc;

use gst::subclass::prelude::*;

use super::{Backend, Border, Filter, KernelOrder, MaskFrom, Planes, Rounding, chain};
use crate::backend::Choice;
use crate::filters::{self, Alpha, BorderMode, Chroma, FilterError, Kernel, Plan};
use crate::gpu::check_shader;
use crate::mask::MaskSettings;
use crate::recent::Recent;

/// The values of the element's properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) filter: Filter,
    pub(super) radius: f64,
    pub(super) radius_y: f64,
    pub(super) percent: i32,
    pub(super) threshold: i32,
    pub(super) size: u32,
    pub(super) rank: u32,
    pub(super) kernel: String,
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) kernel_order: KernelOrder,
    pub(super) border: Border,
    pub(super) rounding: Rounding,
    pub(super) alpha: bool,
    pub(super) premultiply: bool,
    pub(super) planes: Planes,
    pub(super) mix: f64,
    pub(super) chain: String,
    pub(super) shader: String,
    pub(super) shader_location: String,
    pub(super) mask: String,
    pub(super) mask_from: MaskFrom,
    pub(super) mask_invert: bool,
    pub(super) backend: Backend,
    pub(super) adapter: String,
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
            premultiply: false,
            planes: Planes::Auto,
            mix: 1.0,
            chain: String::new(),
            shader: String::new(),
            shader_location: String::new(),
            mask: String::new(),
            mask_from: MaskFrom::default(),
            mask_invert: false,
            backend: Backend::Auto,
            adapter: String::new(),
        }
    }
}

impl Settings {
    /// The properties of masks.
    pub(super) fn masks(&self) -> MaskSettings {
        MaskSettings { files: self.mask.clone(), from: self.mask_from.into(), invert: self.mask_invert }
    }

    /// The plan that these settings describe.
    pub(super) fn plan(&self, cache: &mut ParseCache) -> Result<Plan, FilterError> {
        let filters: Vec<_> = match self.chain.is_empty() {
            true => self.filter(cache)?.into_iter().collect(),
            false => cache.chains.get_or_make(self.chain.clone(), |chain| parse_chain(chain))?,
        };
        let chroma = match self.planes {
            Planes::Luma => Chroma::Keep,
            Planes::Auto if !filters.iter().all(|filter| filter.keeps_level) => Chroma::Neutral,
            _ => Chroma::Filter,
        };
        let alpha = match (self.alpha, self.premultiply) {
            (false, _) => Alpha::Keep,
            (true, false) => Alpha::Filter,
            (true, true) => Alpha::Premultiply,
        };
        Ok(Plan { filters, chroma, alpha, mix: (self.mix * 256.0).round() as u32 })
    }

    /// The property that selects the filters, for messages: `filter=blur` or `chain`.
    pub(super) fn name(&self) -> String {
        if self.chain.is_empty() { format!("filter={}", self.filter.nick()) } else { "chain".into() }
    }

    /// The filter that is set; `None` for `filter=none`.
    fn filter(&self, cache: &mut ParseCache) -> Result<Option<filters::Filter>, FilterError> {
        self.filter.info().map(|info| info.build(self, cache)).transpose()
    }

    /// The horizontal radius, in samples.
    pub(super) fn radius_x(&self) -> f32 {
        self.radius as f32
    }

    /// The vertical radius, in samples.
    pub(super) fn radius_y(&self) -> f32 {
        if self.radius_y < 0.0 { self.radius_x() } else { self.radius_y as f32 }
    }

    /// The user's kernel, parsed.
    pub(super) fn kernel(&self) -> Result<Kernel, FilterError> {
        Kernel::parse(&self.kernel, self.scale, self.offset, self.kernel_order.into(), self.rounding())
    }

    /// The user's WGSL, validated.
    pub(super) fn shader(&self, cache: &mut ParseCache) -> Result<Arc<str>, FilterError> {
        let source = match self.shader.is_empty() && !self.shader_location.is_empty() {
            true => ShaderSource::File(self.shader_location.clone()),
            false => ShaderSource::Text(self.shader.clone()),
        };
        cache.shaders.get_or_make(source, ShaderSource::read)
    }

    /// The rounding to apply. `auto` truncates with `border=zero`: that border suggests a convolution in NumPy, whose
    /// sums are converted to integers without rounding.
    fn rounding(&self) -> filters::Rounding {
        match (self.rounding, self.border) {
            (Rounding::Down, _) | (Rounding::Auto, Border::Zero) => filters::Rounding::Down,
            (Rounding::HalfUp | Rounding::Auto, _) => filters::Rounding::HalfUp,
        }
    }

    /// The border that is set; `auto` is returned for `border=auto`.
    pub(super) fn border_or(&self, auto: filters::Border) -> filters::Border {
        match self.border {
            Border::Auto => auto,
            Border::Copy => filters::Border::Copy,
            Border::Clamp => filters::Border::Extend(BorderMode::Clamp),
            Border::Zero => filters::Border::Extend(BorderMode::Zero),
            Border::Mirror => filters::Border::Extend(BorderMode::Mirror),
        }
    }
}

/// The last results of parsing a chain and of reading a shader. Without this cache, both would be repeated for every
/// frame whenever a controller drives another property.
pub struct ParseCache {
    chains: Recent<String, Result<Vec<filters::Filter>, FilterError>>,
    shaders: Recent<ShaderSource, Result<Arc<str>, FilterError>>,
}

impl Default for ParseCache {
    fn default() -> Self {
        Self { chains: Recent::new(1), shaders: Recent::new(1) }
    }
}

/// The filters of a chain.
fn parse_chain(chain: &str) -> Result<Vec<filters::Filter>, FilterError> {
    let settings = chain::parse(chain)?.into_iter().map(|element| element.imp().settings());
    settings.filter_map(|settings| settings.filter(&mut ParseCache::default()).transpose()).collect()
}

/// The source of a shader's text.
#[derive(PartialEq)]
enum ShaderSource {
    Text(String),
    File(String),
}

impl ShaderSource {
    /// The text, validated.
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
