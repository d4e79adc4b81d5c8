//! The look that the settings ask for: which style pictures and models paint at a time of the stream, and their shares.

use std::path::Path;

use gst::ClockTime;
use picture::PictureError;
use style_engine_interface::MODELS;

use super::fade::Share;
use super::settings::Settings;
use super::style_image::StyleError;
use crate::paths::{listed, parts};

/// A file in `style-list` whose name ends in one of these is a model.
const MODEL_EXTENSIONS: [&str; 3] = ["pth", "pt", "model"];

/// Which style pictures and models paint, at any time of the stream.
#[derive(Debug, Default)]
pub struct Look {
    styles: Vec<Share>,
    models: Vec<Share>,
    /// In place of the styles, or of the models.
    list: Option<List>,
}

/// The look at a time.
#[derive(Debug, PartialEq)]
pub struct Moment {
    pub styles: Vec<Share>,
    /// Those without a share are open for later.
    pub models: Vec<Share>,
    /// When the list came to this look; none if it was there from the start.
    pub since: Option<ClockTime>,
}

/// The property `style-list`.
#[derive(Debug)]
struct List {
    entries: Vec<String>,
    are_models: bool,
    /// How long each entry is held, and how long it fades into the next one.
    hold: ClockTime,
    fade: ClockTime,
}

impl Look {
    /// The look that these settings ask for.
    pub fn new(settings: &Settings) -> Result<Self, StyleError> {
        let models = listed(&settings.model);
        if let Some(list) = List::new(settings)? {
            return Ok(Self { styles: Vec::new(), models: equal(&models), list: Some(list) });
        }
        let styles = listed(&settings.style);
        if styles.is_empty() {
            return match settings.needs_style() {
                true => Err(StyleError::NotSet),
                false => Ok(Self { models: shares(&models, settings)?, ..Self::default() }),
            };
        }
        if models.len() > 1 && models.len() != styles.len() {
            return Err(StyleError::Models { models: models.len(), styles: styles.len() });
        }
        Ok(Self { styles: shares(&styles, settings)?, models: equal(&models), list: None })
    }

    /// The look at a running time.
    pub fn at(&self, time: ClockTime) -> Moment {
        let Some(list) = &self.list else {
            return Moment { styles: self.styles.clone(), models: self.models.clone(), since: None };
        };
        let (current, since) = list.at(time);
        if !list.are_models {
            let styles = list.entries.get(current).map(|entry| equal(&[entry])).unwrap_or_default();
            return Moment { styles, models: self.models.clone(), since };
        }
        let mut models: Vec<Share> = Vec::with_capacity(list.entries.len());
        for name in &list.entries {
            if !models.iter().any(|share| share.name == *name) {
                let weight = if list.entries.get(current) == Some(name) { 1.0 } else { 0.0 };
                models.push(Share { name: name.clone(), region: 0, weight });
            }
        }
        Moment { styles: Vec::new(), models, since }
    }

    /// The picture that comes after that of a running time, if a list has one.
    pub fn next(&self, time: ClockTime) -> Option<&str> {
        let list = self.list.as_ref().filter(|list| !list.are_models)?;
        list.entries.get(list.at(time).0.saturating_add(1)).or(list.entries.first()).map(String::as_str)
    }

    /// Leaves a picture of the list out: the one before it is held in its place. If there is no other, `last` stays.
    pub fn skip(&mut self, name: &str, last: &[Share]) {
        let Some(List { entries, .. }) = &mut self.list else { return };
        let Some(mut last) = entries.iter().rfind(|entry| *entry != name).cloned() else {
            (self.styles, self.list) = (last.to_vec(), None);
            return;
        };
        for entry in entries {
            if entry == name {
                entry.clone_from(&last);
            }
            last.clone_from(entry);
        }
    }

    /// Fails if a picture of the list does not exist.
    pub fn check_files(&self) -> Result<(), StyleError> {
        for entry in self.list.iter().filter(|list| !list.are_models).flat_map(|list| &list.entries) {
            std::fs::metadata(entry)
                .map_err(|error| StyleError::Picture { path: entry.into(), error: PictureError::Io(error) })?;
        }
        Ok(())
    }
}

impl List {
    /// The list that is set, if there is one.
    fn new(settings: &Settings) -> Result<Option<Self>, StyleError> {
        let names = listed(&settings.style_list);
        if names.is_empty() {
            return Ok(None);
        }
        let others = [
            ("style", !settings.style.is_empty()),
            ("style-blend", !settings.style_blend.is_empty()),
            ("style-position", settings.style_position >= 0.0),
        ];
        if let Some((name, _)) = others.into_iter().find(|(_, is_set)| *is_set) {
            return Err(StyleError::List(format!(
                "it takes the place of {name}, which is set, too: set only one of them"
            )));
        }
        let are_models = names.iter().all(|name| is_model(name));
        if !are_models && let Some(model) = names.iter().find(|name| is_model(name)) {
            return Err(StyleError::List(format!("{model} is a model, and others are pictures: list one kind only")));
        }
        if are_models && !settings.model.is_empty() {
            return Err(StyleError::List("it has models, and model is set, too: set only one of them".into()));
        }
        Ok(Some(Self {
            entries: names.into_iter().map(str::to_owned).collect(),
            are_models,
            hold: ClockTime::from_mseconds(settings.style_duration.into()),
            fade: settings.fade(),
        }))
    }

    /// The entry at a running time, and when its turn began; none for the first one.
    fn at(&self, time: ClockTime) -> (usize, Option<ClockTime>) {
        let [time, hold, fade] = [time, self.hold, self.fade].map(ClockTime::nseconds);
        let turn = hold.saturating_add(fade);
        let turns = time.saturating_add(fade).checked_div(turn).unwrap_or(0);
        let begin = turns.saturating_mul(turn).saturating_sub(fade);
        let index = turns.checked_rem(self.entries.len() as u64).unwrap_or(0);
        (index as usize, (turns > 0).then(|| ClockTime::from_nseconds(begin)))
    }
}

fn is_model(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    MODELS.contains(&name) || extension.is_some_and(|extension| MODEL_EXTENSIONS.contains(&extension))
}

/// Equal shares, with a region for each.
fn equal(names: &[&str]) -> Vec<Share> {
    weighted(names, &vec![1.0; names.len()])
}

/// Shares by `style-position`, or else by `style-blend`.
fn shares(names: &[&str], settings: &Settings) -> Result<Vec<Share>, StyleError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if settings.style_position >= 0.0 {
        let position = settings.style_position.min(names.len().saturating_sub(1) as f64);
        let weight = |index: usize| (1.0 - (position - index as f64).abs()).max(0.0);
        return Ok(weighted(names, &(0..names.len()).map(weight).collect::<Vec<_>>()));
    }
    let blend = &settings.style_blend;
    let weights =
        weights(blend, names.len()).map_err(|reason| StyleError::Blend { blend: blend.to_owned(), reason })?;
    Ok(weighted(names, &weights))
}

fn weighted(names: &[&str], weights: &[f64]) -> Vec<Share> {
    let sum: f64 = weights.iter().sum();
    let share = |(region, (name, weight)): (usize, (&&str, &f64))| Share {
        name: (*name).to_owned(),
        region,
        weight: weight / sum,
    };
    names.iter().zip(weights).enumerate().map(share).collect()
}

fn weights(blend: &str, count: usize) -> Result<Vec<f64>, String> {
    let weight = |text: &str| match text.parse::<f64>() {
        Ok(weight) if weight.is_finite() && weight >= 0.0 => Ok(weight),
        _ => Err(format!("'{text}' is not a weight of at least 0")),
    };
    let weights = parts(blend).into_iter().map(weight).collect::<Result<Vec<_>, _>>()?;
    match weights.len() {
        0 => Ok(vec![1.0; count]),
        given if given != count => Err(format!("{given} weights for {count} styles")),
        _ if weights.iter().sum::<f64>() <= 0.0 => Err("all weights are 0".into()),
        _ => Ok(weights),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> ClockTime {
        ClockTime::from_mseconds(milliseconds)
    }

    fn weights_at(position: f64) -> Vec<f64> {
        let style = "a.png,b.png,c.png".into();
        let settings = Settings { style, style_position: position, ..Settings::default() };
        Look::new(&settings).unwrap().at(ms(0)).styles.iter().map(|share| share.weight).collect()
    }

    fn list(style_list: &str) -> Settings {
        Settings { style_list: style_list.into(), style_duration: 1000, style_fade: 500, ..Settings::default() }
    }

    #[test]
    fn a_position_divides_the_shares_among_neighbors() {
        assert_eq!(weights_at(0.0), [1.0, 0.0, 0.0]);
        assert_eq!(weights_at(0.5), [0.5, 0.5, 0.0]);
        assert_eq!(weights_at(1.25), [0.0, 0.75, 0.25]);
        assert_eq!(weights_at(9.0), [0.0, 0.0, 1.0]);
        assert_eq!(weights_at(-1.0), [1.0 / 3.0; 3], "it is off");
    }

    #[test]
    fn a_list_plays_in_a_loop_and_fades_after_each_hold() {
        let look = Look::new(&list("a.png, b.png")).unwrap();
        let at = |time| {
            let Moment { styles, models, since } = look.at(ms(time));
            assert!(styles.len() == 1 && models.is_empty());
            (styles[0].name.clone(), since)
        };
        assert_eq!(at(0), ("a.png".into(), None));
        assert_eq!(at(999), ("a.png".into(), None));
        assert_eq!(at(1000), ("b.png".into(), Some(ms(1000))));
        assert_eq!(at(2499), ("b.png".into(), Some(ms(1000))), "half a second of fade, and a second");
        assert_eq!(at(2500), ("a.png".into(), Some(ms(2500))));
        assert_eq!([0, 1000, 2500].map(|time| look.next(ms(time)).unwrap()), ["b.png", "a.png", "b.png"]);
    }

    #[test]
    fn all_models_of_a_list_stay_open() {
        let look = Look::new(&list("starry-night,the-scream,mine.pth,starry-night")).unwrap();
        let shares = |time| look.at(ms(time)).models.iter().map(|share| (share.name.clone(), share.weight)).collect();
        let names =
            |shares: Vec<(String, f64)>| shares.into_iter().filter(|(_, weight)| *weight > 0.0).collect::<Vec<_>>();
        assert_eq!(names(shares(0)), [("starry-night".into(), 1.0)]);
        assert_eq!(names(shares(1000)), [("the-scream".into(), 1.0)]);
        assert_eq!(look.at(ms(1000)).models.len(), 3);
        assert_eq!(look.next(ms(0)), None, "there is no picture to read");
    }

    #[test]
    fn a_picture_that_is_left_out_is_replaced_by_the_one_before() {
        for (entries, expected) in [("a,b,c", "a,a,c"), ("b,b,c", "c,c,c")] {
            let mut look = Look::new(&list(entries)).unwrap();
            look.skip("b", &[]);
            assert_eq!(look.list.unwrap().entries.join(","), expected);
        }
        let mut look = Look::new(&list("b")).unwrap();
        look.skip("b", &equal(&["a"]));
        assert_eq!(look.at(ms(9000)), Moment { styles: equal(&["a"]), models: Vec::new(), since: None });
    }

    #[test]
    fn a_list_beside_what_it_replaces_is_an_error() {
        let mixed = list("a.png,starry-night");
        let styles = Settings { style: "a.png".into(), ..list("b.png") };
        let blend = Settings { style_blend: "1".into(), ..list("b.png") };
        let position = Settings { style_position: 0.0, ..list("b.png") };
        let models = Settings { model: "the-scream".into(), ..list("starry-night") };
        for (settings, part) in [
            (mixed, "starry-night"),
            (styles, "of style,"),
            (blend, "style-blend"),
            (position, "-position"),
            (models, "model"),
        ] {
            let error = Look::new(&settings).unwrap_err().to_string();
            assert!(error.contains("style-list") && error.contains(part), "{error}");
        }
    }
}
