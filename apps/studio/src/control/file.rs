//! The file of mappings. Its field names must stay: users write such files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::mapping::Mapping;
use crate::json;

/// The file of mappings.
pub struct File {
    path: PathBuf,
    /// Why it cannot be read. It is then left as it is, for the user to repair.
    problem: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    mappings: Vec<Mapping>,
}

impl File {
    /// Reads the mappings, which `check` must accept.
    pub fn open(path: PathBuf, check: impl Fn(&Mapping) -> Result<(), String>) -> (Self, Vec<Mapping>) {
        match json::read::<Content>(&path).and_then(|content| checked(content.unwrap_or_default(), check)) {
            Ok(mappings) => (Self { path, problem: None }, mappings),
            Err(problem) => {
                // What serde says about JSON starts with the path already.
                let name = path.display().to_string();
                let problem = if problem.starts_with(&name) { problem } else { format!("{name}: {problem}") };
                (Self { path, problem: Some(problem) }, Vec::new())
            }
        }
    }

    /// Why the file cannot be read.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Writes the mappings.
    pub fn save(&self, mappings: Vec<Mapping>) -> Result<(), String> {
        match &self.problem {
            Some(problem) => {
                Err(format!("the mapping is not saved; repair or delete the file, then start again: {problem}"))
            }
            None => json::write(&self.path, &Content { mappings }),
        }
    }
}

fn checked(content: Content, check: impl Fn(&Mapping) -> Result<(), String>) -> Result<Vec<Mapping>, String> {
    for (index, mapping) in content.mappings.iter().enumerate() {
        check(mapping).map_err(|reason| format!("mapping {}: {reason}", index + 1))?;
    }
    Ok(content.mappings)
}

#[cfg(test)]
mod tests {
    use common::scratch;

    use super::super::mapping::tests::mapping;
    use super::super::mapping::{Curve, Source};
    use super::*;

    #[test]
    fn mappings_return_as_they_were_saved() {
        let path = scratch("control-file").join("control.json");
        let mappings = vec![
            mapping("/a"),
            Mapping { source: Source::Midi { channel: 2, control: 7 }, property: "mix".into(), ..mapping("/") },
            Mapping {
                source: Source::Level,
                property: "rank".into(),
                input: Some([-30.0, -10.0]),
                curve: Curve::Logarithmic,
                smoothing: 200,
                quantize: true,
                ..mapping("/")
            },
            Mapping { source: Source::Beat, property: "size".into(), ..mapping("/") },
        ];
        let (file, none) = File::open(path.clone(), Mapping::check);
        assert!(none.is_empty() && file.problem().is_none());
        file.save(mappings.clone()).expect("saved");
        assert_eq!(File::open(path, Mapping::check).1, mappings);
    }

    #[test]
    fn a_file_by_hand_may_leave_out_what_is_usual() {
        let path = scratch("control-hand").join("control.json");
        let text = r#"{"mappings": [
            {"element": "convfilter", "property": "radius", "source": {"osc": "/a"}, "range": [10, 30]}
        ]}"#;
        std::fs::write(&path, text).expect("written");
        assert_eq!(File::open(path, Mapping::check).1, [mapping("/a")]);
    }

    #[test]
    fn the_manual_s_file_can_be_read() {
        let manual = common::root().join("docs/control.md");
        let manual = std::fs::read_to_string(manual).expect("the manual is read");
        let (_, text) = manual.split_once("```json\n").expect("a file");
        let path = scratch("control-manual").join("control.json");
        std::fs::write(&path, text.split("```").next().expect("a text")).expect("written");
        let (file, mappings) = File::open(path, Mapping::check);
        assert_eq!((file.problem(), mappings.len()), (None, 3));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_and_kept() {
        let path = scratch("control-bad").join("control.json");
        let good = r#"{"element": "a", "property": "b", "source": "beat", "range": [0, 1]}"#;
        let senseless = r#"{"element": "a", "property": "b", "source": "beat", "range": [0, 1], "input": [1, 1]}"#;
        for (text, reason) in [
            ("not JSON".to_owned(), "line 1"),
            (r#"{"mappings": [{"element": "a"}]}"#.to_owned(), "missing field"),
            (format!(r#"{{"mappings": [{good}], "more": 1}}"#), "more"),
            (format!(r#"{{"mappings": [{good}, {senseless}]}}"#), "mapping 2"),
        ] {
            std::fs::write(&path, &text).expect("written");
            let (file, mappings) = File::open(path.clone(), Mapping::check);
            let problem = file.problem().expect("a problem");
            assert!(mappings.is_empty() && problem.contains(reason) && problem.contains("control.json"), "{problem}");
            assert!(file.save(Vec::new()).is_err());
            assert_eq!(std::fs::read_to_string(&path).expect("kept"), text);
        }
    }
}
