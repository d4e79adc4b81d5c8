//! A feed-forward network with what it takes, as a user sets it.

use std::path::{Path, PathBuf};

use style_engine_interface::{Parameters, model_input, original_colors, precision};
use tch::{Device, Kind, Tensor};

use crate::color::ColorStatistics;
use crate::networks::feed_forward::FeedForward;
use crate::networks::models;
use crate::normalization::{Input, Normalizer};
use crate::{Error, Result, device};

/// A network that paints a picture in one pass.
pub(crate) struct Model {
    path: PathBuf,
    network: Box<dyn FeedForward>,
    /// From pictures to what the network takes.
    normalizer: Normalizer,
    device: Device,
    parameters: Parameters,
}

impl Model {
    /// Opens a network's file, or one of the networks that come with the engine.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let network = models::open(path, device)?;
        let normalizer = network.input().on(device)?;
        Ok(Self { path: path.to_owned(), network, normalizer, device, parameters: Parameters::default() })
    }

    /// The network's file, or its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The network in words: where it is from, and what it is.
    pub fn name(&self) -> String {
        format!("{} ({})", self.path.display(), self.network.name())
    }

    /// Sets how frames are painted. Returns whether the network takes other pictures than before.
    pub fn set_parameters(&mut self, parameters: Parameters) -> Result<bool> {
        let is_other = parameters.model_input != self.parameters.model_input;
        if is_other {
            self.normalizer = self.input(parameters.model_input)?.on(self.device)?;
        }
        self.parameters = parameters;
        Ok(is_other)
    }

    /// The input format that the user chose.
    fn input(&self, number: u32) -> Result<Input> {
        Ok(match number {
            model_input::AUTO => self.network.input(),
            model_input::RGB_1 => Input::RGB_1,
            model_input::RGB_255 => Input::RGB_255,
            model_input::RGB_SIGNED => Input::RGB_SIGNED,
            model_input::BGR_1 => Input::BGR_1,
            model_input::BGR_255 => Input::BGR_255,
            model_input::BGR_SIGNED => Input::BGR_SIGNED,
            number => return Err(Error::Settings(format!("unknown model input: {number}"))),
        })
    }

    /// The precision that the network computes in.
    pub fn kind(&self) -> Kind {
        match self.parameters.precision {
            _ if !self.network.has_precisions() => Kind::Float,
            precision::F32 => Kind::Float,
            precision::BF16 => Kind::BFloat16,
            _ => device::preferred_kind(self.device),
        }
    }

    /// The network's picture of a frame, `(1, 3, H, W)` in 0..1.
    pub fn paint(&self, content: &Tensor) -> Result<Tensor> {
        let input = self.normalizer.apply(content)?.f_to_kind(self.kind())?;
        let painted = self.normalizer.undo(&self.network.apply(&input)?.f_to_kind(Kind::Float)?)?;
        // A network can fail in a place, for example by a division by the variance of a black frame. What is no number
        // would stay there in all frames that follow.
        let picture = painted.f_nan_to_num(0.0, 1.0, 0.0)?.f_clamp(0.0, 1.0)?.f_contiguous()?;
        match self.parameters.original_colors {
            original_colors::MATCH => ColorStatistics::of(content)?.apply_to(&picture),
            _ => Ok(picture),
        }
    }
}
