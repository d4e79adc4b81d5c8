//! The style pictures, and the targets of the style losses.

use std::rc::Rc;

use tch::{Device, Tensor};

use crate::color::ColorStatistics;
use crate::networks::vgg::Vgg;
use crate::normalization::Normalizer;
use crate::recipes::Recipe;
use crate::size::{resize, scaled, size_of};
use crate::targets::{StyleDescription, StyleTargets};
use crate::{Error, Result};

/// The maximum factor by which a style picture is enlarged. Beyond it, strokes would be blurred.
const MAX_ENLARGEMENT: i64 = 2;

/// A style.
pub struct Style {
    /// The picture, `(1, 3, H, W)` in 0..1. If the same tensor is set again, what was computed from it is kept.
    pub picture: Tensor,
    /// The weight beside other styles, at least 0; in a divided frame, beside others of its region.
    pub weight: f64,
    /// The region that it paints, from 0, if masks divide the frame.
    pub region: usize,
}

/// The styles' weights, so that they sum up to 1.
pub(crate) fn normalized(styles: &[Style]) -> Result<Vec<f64>> {
    let all: f64 = styles.iter().map(|style| style.weight).sum();
    if !(styles.is_empty() || all.is_normal() && styles.iter().all(|style| style.weight >= 0.0)) {
        return Err(Error::Settings("the styles' weights must not be negative, and not all 0".into()));
    }
    Ok(styles.iter().map(|style| style.weight / all).collect())
}

/// The styles, and what was last computed from them.
#[derive(Default)]
pub(crate) struct Styles {
    styles: Vec<Known>,
    targets: Option<StyleTargets>,
    /// Whether masks divide the frames among the styles.
    divided: bool,
    /// The pictures' colors, together and in each region.
    colors: Option<ColorStatistics>,
    region_colors: Vec<ColorStatistics>,
    /// The colors that the pictures are matched to.
    matched: Option<ColorStatistics>,
}

/// A style, and what was last computed from it.
struct Known {
    /// The tensor that was set, and the same on the device.
    set: Tensor,
    picture: Tensor,
    /// All weights sum up to 1.
    weight: f64,
    region: usize,
    described: Option<Rc<Described>>,
}

/// What the targets for frames of a size are made from.
struct Described {
    size: [i64; 2],
    style: StyleDescription,
    colors: ColorStatistics,
}

impl Styles {
    /// Sets the styles, of which only the ratios of weights count. Returns the share of the weights that has changed, 0 to 1.
    pub fn set(&mut self, styles: &[Style], device: Device) -> Result<f64> {
        let (mut known, mut change) = (Vec::with_capacity(styles.len()), 0.0);
        for (style, weight) in styles.iter().zip(normalized(styles)?) {
            let same =
                |known: &&Known| known.set.data_ptr() == style.picture.data_ptr() && known.region == style.region;
            let before = self.styles.iter().find(same);
            change += (weight - before.map_or(0.0, |before| before.weight)).max(0.0);
            known.push(Known {
                set: style.picture.shallow_clone(),
                picture: match before {
                    Some(before) => before.picture.shallow_clone(),
                    None => style.picture.f_to_device(device)?,
                },
                weight,
                region: style.region,
                described: before.and_then(|before| before.described.clone()),
            });
        }
        (self.styles, self.targets) = (known, None);
        Ok(change)
    }

    pub fn is_empty(&self) -> bool {
        self.styles.is_empty()
    }

    /// The number of regions that the styles paint, if masks divide the frame.
    pub fn regions(&self) -> usize {
        self.styles.iter().map(|style| style.region + 1).max().unwrap_or(0)
    }

    /// Whether masks divide the frames among the styles.
    pub fn divide(&mut self, divided: bool) {
        if self.divided != divided {
            (self.divided, self.targets) = (divided, None);
        }
    }

    /// Whether the targets are up to date.
    pub fn is_prepared(&self) -> bool {
        self.targets.is_some()
    }

    /// Discards what was computed: it is computed again when it is next needed.
    pub fn forget_targets(&mut self) {
        self.targets = None;
        self.styles.iter_mut().for_each(|style| style.described = None);
    }

    /// The targets of the style losses.
    pub fn targets(&self) -> Result<&StyleTargets> {
        self.targets.as_ref().ok_or(Error::NoStyle)
    }

    /// The styles' colors.
    pub fn colors(&self) -> Option<&ColorStatistics> {
        self.colors.as_ref()
    }

    /// The styles' colors in each region.
    pub fn region_colors(&self) -> &[ColorStatistics] {
        &self.region_colors
    }

    /// Matches the styles to the colors of `content` from now on; `None`: to no colors. The colors of a scene's first
    /// frame are used for the whole scene.
    pub fn match_colors(&mut self, content: Option<&Tensor>, is_first: bool) -> Result<()> {
        match content {
            None => self.matched = None,
            Some(content) if is_first || self.matched.is_none() => {
                self.matched = Some(ColorStatistics::of(content)?);
                self.forget_targets();
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Computes the targets for frames of this height and width, unless they are up to date. The style is resized so
    /// that its longer side is the frame's times `scale`, as far as [`MAX_ENLARGEMENT`] allows.
    pub fn prepare(
        &mut self,
        network: &Vgg,
        recipe: &Recipe,
        input: &Normalizer,
        scale: f64,
        size: [i64; 2],
    ) -> Result<()> {
        if self.targets.as_ref().is_some_and(|targets| targets.size == size) {
            return Ok(());
        }
        let regions = self.weights();
        let longest = (size[0].max(size[1]) as f64 * scale).round() as i64;
        for &(index, _) in regions.iter().flatten() {
            let Some(style) = self.styles.get_mut(index) else { continue };
            if style.described.as_ref().is_some_and(|described| described.size == size) {
                continue;
            }
            let own = size_of(&style.picture)?;
            let longest = longest.clamp(1, MAX_ENLARGEMENT * own[0].max(own[1]));
            let mut picture = resize(&style.picture, scaled(own, longest))?;
            if let Some(colors) = &self.matched {
                picture = colors.apply_to(&picture)?;
            }
            style.described = Some(Rc::new(Described {
                size,
                style: StyleDescription::of(network, recipe, &input.apply(&picture)?, size)?,
                colors: ColorStatistics::of(&picture)?,
            }));
        }
        let described = |&(index, weight): &(usize, f64)| Some((self.styles.get(index)?.described.as_deref()?, weight));
        let regions: Vec<Vec<_>> = regions.iter().map(|styles| styles.iter().filter_map(described).collect()).collect();
        let colors = |styles: &[(&Described, f64)]| {
            ColorStatistics::blend(styles.iter().map(|(described, weight)| (&described.colors, *weight)))
        };
        let targets = regions.iter().map(|styles| styles.iter().map(|&(own, weight)| (&own.style, weight)).collect());
        let targets = StyleTargets::new(recipe, &targets.collect::<Vec<_>>(), size)?;
        let share = 1.0 / regions.len() as f64;
        let all: Vec<_> = regions.iter().flatten().map(|&(own, weight)| (own, weight * share)).collect();
        let region_colors = regions.iter().filter_map(|styles| colors(styles).transpose()).collect::<Result<_>>()?;
        (self.colors, self.region_colors, self.targets) = (colors(&all)?, region_colors, Some(targets));
        Ok(())
    }

    /// For each region, the indices of the styles that have a share in it, with their weights, which sum up to 1. Without masks
    /// there is one region; a region without weights has all of its styles equally.
    fn weights(&self) -> Vec<Vec<(usize, f64)>> {
        let count = if self.divided { self.regions() } else { 1 };
        let in_region = |region| {
            let styles =
                self.styles.iter().enumerate().filter(move |(_, style)| !self.divided || style.region == region);
            let sum: f64 = styles.clone().map(|(_, style)| style.weight).sum();
            let equal = 1.0 / styles.clone().count() as f64;
            let weight = |weight: f64| if sum > 0.0 { weight / sum } else { equal };
            styles.map(|(index, style)| (index, weight(style.weight))).filter(|(_, weight)| *weight > 0.0).collect()
        };
        (0..count).map(in_region).collect()
    }
}
