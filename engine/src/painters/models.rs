//! Several models: their pictures are blended by their shares, in each region by those of its own.

use std::path::Path;

use style_engine_interface::Parameters;
use tch::{Device, Kind, Tensor};

use super::Model;
use crate::size::size_of;
use crate::style_masks::StyleMasks;
use crate::styles::Style;
use crate::{Error, Result};

/// A smaller share than this changes no level of 8 bits.
const MIN_SHARE: f64 = 1.0 / 512.0;

/// A model with its share.
#[derive(Clone, Copy, Debug)]
pub struct ModelShare<'a> {
    /// The network's file, or the name of one that comes with the engine.
    pub path: &'a Path,
    /// The weight beside other models, at least 0; in a divided frame, beside others of its region.
    pub weight: f64,
    /// The region that it paints, from 0, if masks divide the frame.
    pub region: usize,
}

/// The models of a film.
pub(crate) struct Models {
    open: Vec<Model>,
    shares: Vec<Share>,
    device: Device,
    parameters: Parameters,
}

/// The share of an open model.
struct Share {
    /// Its index.
    model: usize,
    /// All weights sum up to 1.
    weight: f64,
    region: usize,
}

impl Models {
    /// Opens networks, each as in [`Model::open`].
    pub fn open(models: &[ModelShare], device: Device) -> Result<Self> {
        let mut opened = Self { open: Vec::new(), shares: Vec::new(), device, parameters: Parameters::default() };
        opened.set(models)?;
        Ok(opened)
    }

    /// Sets the models, of which only the ratios of weights count. Those that are open stay open, and those that are not
    /// listed are closed. Returns the share of the weights that has changed, 0 to 1. If this fails, nothing has changed.
    pub fn set(&mut self, models: &[ModelShare]) -> Result<f64> {
        let all: f64 = models.iter().map(|model| model.weight).sum();
        if !(models.is_empty() || all.is_normal() && models.iter().all(|model| model.weight >= 0.0)) {
            return Err(Error::Settings("the models' weights must not be negative, and not all 0".into()));
        }
        let mut opened: Vec<Model> = Vec::new();
        for ModelShare { path, .. } in models {
            if !self.open.iter().chain(&opened).any(|model| model.path() == *path) {
                let mut model = Model::open(path, self.device)?;
                model.set_parameters(self.parameters)?;
                opened.push(model);
            }
        }
        let before = |path: &Path, region| {
            let share = self.shares.iter().find(|share| {
                share.region == region && self.open.get(share.model).is_some_and(|model| model.path() == path)
            });
            share.map_or(0.0, |share| share.weight)
        };
        let grown = |model: &ModelShare| (model.weight / all - before(model.path, model.region)).max(0.0);
        let change = models.iter().map(grown).sum();
        self.open.extend(opened);
        self.open.retain(|open| models.iter().any(|model| model.path == open.path()));
        let share = |model: &ModelShare| {
            let index = self.open.iter().position(|open| open.path() == model.path)?;
            Some(Share { model: index, weight: model.weight / all, region: model.region })
        };
        self.shares = models.iter().filter_map(share).collect();
        Ok(change)
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The networks in words.
    pub fn name(&self) -> String {
        self.open.iter().map(Model::name).collect::<Vec<_>>().join(", ")
    }

    /// How many paint a frame.
    pub fn count(&self) -> usize {
        self.shares.iter().filter(|share| share.weight >= MIN_SHARE).count()
    }

    /// The number of regions that the models paint, if masks divide the frame.
    fn regions(&self) -> usize {
        self.shares.iter().map(|share| share.region + 1).max().unwrap_or(0)
    }

    /// Whether they can be the start of these styles: models of one region for all, or of each region.
    pub fn check_styles(&self, styles: &[Style]) -> Result<()> {
        let styles = styles.iter().map(|style| style.region + 1).max().unwrap_or(0);
        match self.regions() {
            0 | 1 => Ok(()),
            models if models == styles => Ok(()),
            models => Err(Error::Settings(format!(
                "{models} models do not fit {styles} styles: set a single model, or one for each style"
            ))),
        }
    }

    /// Sets how frames are painted. Returns whether a network takes other pictures than before.
    pub fn set_parameters(&mut self, parameters: Parameters) -> Result<bool> {
        let mut is_other = false;
        for model in &mut self.open {
            is_other |= model.set_parameters(parameters)?;
        }
        self.parameters = parameters;
        Ok(is_other)
    }

    /// The precision that the first network computes in.
    pub fn kind(&self) -> Kind {
        self.open.first().map_or(Kind::Float, Model::kind)
    }

    /// The picture of a frame, `(1, 3, H, W)` in 0..1 as is the result, and how many models have painted for it: a model that
    /// has no share anywhere does not. It is the mean of their pictures by their weights, in each region by those of its models.
    /// Where no mask is set, it is that of the first model that has painted, so that paint goes on beyond the edges.
    pub fn paint(&self, content: &Tensor, masks: Option<&StyleMasks>) -> Result<(Tensor, u32)> {
        // A single region's masks are the frame's.
        let regions = match masks {
            Some(masks) if self.regions() > 1 => Some(masks.shares(size_of(content)?, self.regions())?),
            _ => None,
        };
        let mut pictures = Vec::with_capacity(self.shares.len());
        for share in &self.shares {
            let weight = if regions.is_some() { self.weight_in_region(share) } else { share.weight };
            let shares = match &regions {
                Some(regions) => regions.f_narrow(1, share.region as i64, 1)?.f_mul_scalar(weight)?,
                None => Tensor::f_full([1, 1, 1, 1], weight, (Kind::Float, content.device()))?,
            };
            if let Some(model) = self.open.get(share.model)
                && shares.f_amax([0i64, 1, 2, 3].as_slice(), false)?.f_double_value(&[])? >= MIN_SHARE
            {
                pictures.push((model.paint(content)?, shares));
            }
        }
        let Some(((first, _), others)) = pictures.split_first() else { return Ok((content.shallow_clone(), 0)) };
        let mut blended = first.shallow_clone();
        for (picture, share) in others {
            blended = blended.f_addcmul(&picture.f_sub(first)?, share)?;
        }
        Ok((blended, pictures.len() as u32))
    }

    /// A model's weight beside others of its region: if that has no weights, all are equal.
    fn weight_in_region(&self, share: &Share) -> f64 {
        let others = self.shares.iter().filter(|other| other.region == share.region);
        let sum: f64 = others.clone().map(|other| other.weight).sum();
        if sum > 0.0 { share.weight / sum } else { 1.0 / others.count() as f64 }
    }
}
