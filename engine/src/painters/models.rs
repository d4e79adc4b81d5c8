//! Several models, each with its own region: their pictures are blended.

use std::path::Path;

use style_engine_interface::Parameters;
use tch::{Device, Kind, Tensor};

use super::Model;
use crate::size::size_of;
use crate::style_masks::StyleMasks;
use crate::{Error, Result};

/// A smaller share than this changes no level of 8 bits.
const MIN_SHARE: f64 = 1.0 / 512.0;

/// One model or more.
pub(crate) struct Models(Vec<Model>);

impl Models {
    /// Opens networks, each as in [`Model::open`].
    pub fn open(paths: &[&Path], device: Device) -> Result<Self> {
        Ok(Self(paths.iter().map(|path| Model::open(path, device)).collect::<Result<_>>()?))
    }

    /// The networks in words.
    pub fn name(&self) -> String {
        self.0.iter().map(Model::name).collect::<Vec<_>>().join(", ")
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether they can be the start of this many styles: one for all, or one for each.
    pub fn check_styles(&self, styles: usize) -> Result<()> {
        match self.count() {
            1 => Ok(()),
            models if models == styles => Ok(()),
            models => Err(Error::Settings(format!(
                "{models} models do not fit {styles} styles: set a single model, or one for each style"
            ))),
        }
    }

    /// Sets how frames are painted. Returns whether a network takes other pictures than before.
    pub fn set_parameters(&mut self, parameters: Parameters) -> Result<bool> {
        let mut is_other = false;
        for model in &mut self.0 {
            is_other |= model.set_parameters(parameters)?;
        }
        Ok(is_other)
    }

    /// The precision that the first network computes in.
    pub fn kind(&self) -> Kind {
        self.0.first().map_or(Kind::Float, Model::kind)
    }

    /// The picture of a frame, `(1, 3, H, W)` in 0..1 as is the result, and how many models have painted for it: a model that
    /// has no share anywhere does not. Without masks, the result is the mean of all pictures. Where no mask is set, it is that
    /// of the first model that has painted, so that paint goes on beyond the edges.
    pub fn paint(&self, content: &Tensor, masks: Option<&StyleMasks>) -> Result<(Tensor, u32)> {
        if let [model] = self.0.as_slice() {
            return Ok((model.paint(content)?, 1));
        }
        let shares = match masks {
            Some(masks) => masks.shares(size_of(content)?, self.count())?,
            None => {
                let share = 1.0 / self.count() as f64;
                Tensor::f_full([1, self.count() as i64, 1, 1], share, (Kind::Float, content.device()))?
            }
        };
        let largest = Vec::<f64>::try_from(shares.f_amax([0i64, 2, 3].as_slice(), false)?.f_to_kind(Kind::Double)?)?;
        let mut pictures = Vec::with_capacity(self.count());
        for ((index, model), largest) in (0..).zip(&self.0).zip(largest) {
            if largest >= MIN_SHARE {
                pictures.push((model.paint(content)?, shares.f_narrow(1, index, 1)?));
            }
        }
        let Some(((first, _), others)) = pictures.split_first() else { return Ok((content.shallow_clone(), 0)) };
        let mut blended = first.shallow_clone();
        for (picture, share) in others {
            blended = blended.f_addcmul(&picture.f_sub(first)?, share)?;
        }
        Ok((blended, pictures.len() as u32))
    }
}
