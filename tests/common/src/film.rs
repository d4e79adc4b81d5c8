//! Makes clips with ffmpeg, runs programs on them, and examines the results with ffprobe.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{app, program, scratch, stage};

/// ffmpeg's options for H.264.
pub const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

/// A folder with clips, in which programs are run.
pub struct Bench {
    pub folder: PathBuf,
}

impl Bench {
    pub fn new(name: &str) -> Self {
        Self { folder: scratch(&format!("transcode-{name}")) }
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs ffmpeg in the folder.
    pub fn ffmpeg(&self, arguments: &str) {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args("-nostdin -loglevel error -y".split(' ')).args(arguments.split_whitespace());
        let output = ffmpeg.current_dir(&self.folder).output().expect("scripts/setup --tests installs ffmpeg");
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program in the folder that finds the plugin.
    pub fn program(&self, path: &Path, arguments: &str) -> Command {
        let path = path.to_str().expect("a path in UTF-8");
        let mut command = program(path, &stage().join("lib/gstreamer-1.0"), &self.path("registry.bin"));
        // Without XDG_RUNTIME_DIR, Vulkan drivers print a warning.
        command.args(arguments.split_whitespace()).current_dir(&self.folder).env("XDG_RUNTIME_DIR", &self.folder);
        command
    }

    pub fn command(&self, arguments: &str) -> Command {
        self.program(&app("transcode"), arguments)
    }

    pub fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().expect("the transcoder is built")
    }

    /// Runs the transcoder and examines its output, the second argument.
    pub fn transcode(&self, arguments: &str) -> Film {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        self.probe(arguments.split_whitespace().nth(1).expect("an output"))
    }

    /// Runs the transcoder, which must fail with one line, and returns this line.
    pub fn failure(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments}: {text}");
        text
    }

    pub fn probe(&self, name: &str) -> Film {
        Film::probe(&self.path(name))
    }
}

/// A film, as ffprobe reports it.
#[derive(Debug)]
pub struct Film {
    pub streams: Vec<HashMap<String, String>>,
    pub tags: HashMap<String, String>,
    /// The frames' timestamps in seconds, sorted.
    pub times: Vec<f64>,
}

impl Film {
    pub fn probe(path: &Path) -> Self {
        let sections = sections(path, &["-count_frames", "-show_streams", "-show_format"]);
        let (streams, formats) = sections.into_iter().partition::<Vec<_>, _>(|(name, _)| name == "STREAM");
        let packets = sections_of(path, &["-select_streams", "v", "-show_packets"], "PACKET");
        let mut times: Vec<f64> = packets.iter().map(|packet| number(packet, "pts_time")).collect();
        times.sort_by(f64::total_cmp);
        Self {
            streams: streams.into_iter().map(|(_, fields)| fields).collect(),
            tags: formats.into_iter().map(|(_, fields)| fields).next().unwrap_or_default(),
            times,
        }
    }

    pub fn of_type(&self, kind: &str) -> Vec<&HashMap<String, String>> {
        self.streams.iter().filter(|stream| stream["codec_type"] == kind).collect()
    }

    pub fn video(&self) -> &HashMap<String, String> {
        self.of_type("video")[0]
    }

    /// The number of frames that can be decoded.
    pub fn frames(&self) -> usize {
        self.video()["nb_read_frames"].parse().expect("a number")
    }

    /// The number of packets of the first audio stream.
    pub fn sound_packets(&self) -> f64 {
        number(self.of_type("audio")[0], "nb_read_frames")
    }

    pub fn size(&self) -> (&str, &str) {
        (&self.video()["width"], &self.video()["height"])
    }

    pub fn codecs(&self, kind: &str) -> Vec<&str> {
        self.of_type(kind).iter().map(|stream| stream["codec_name"].as_str()).collect()
    }

    pub fn languages(&self, kind: &str) -> Vec<&str> {
        self.of_type(kind).iter().map(|stream| stream["TAG:language"].as_str()).collect()
    }

    pub fn tag(&self, name: &str) -> Option<&str> {
        let found = |(key, _): &(&String, &String)| key.eq_ignore_ascii_case(&format!("TAG:{name}"));
        self.tags.iter().find(found).map(|(_, value)| value.as_str())
    }

    /// Checks that all frames have the same timestamps, except for rounding.
    pub fn keeps_times_of(&self, other: &Self) {
        assert_eq!(self.times.len(), other.times.len());
        for (index, (mine, others)) in self.times.iter().zip(&other.times).enumerate() {
            let (mine, others) = (mine - self.times[0], others - other.times[0]);
            assert!((mine - others).abs() < 0.0015, "frame {index} is at {mine} s instead of {others} s");
        }
    }
}

pub fn number(fields: &HashMap<String, String>, name: &str) -> f64 {
    fields[name].parse().unwrap_or_else(|_| panic!("{name}={}", fields[name]))
}

pub fn sections_of(path: &Path, options: &[&str], name: &str) -> Vec<HashMap<String, String>> {
    sections(path, options).into_iter().filter(|(found, _)| found == name).map(|(_, fields)| fields).collect()
}

/// ffprobe's output, which has sections of `[NAME]`, lines of `KEY=VALUE` and `[/NAME]`; without side data.
pub fn sections(path: &Path, options: &[&str]) -> Vec<(String, HashMap<String, String>)> {
    let output = Command::new("ffprobe").args(["-loglevel", "error"]).args(options).arg(path).output();
    let output = output.expect("scripts/setup --tests installs ffmpeg");
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    let mut sections: Vec<(String, HashMap<String, String>)> = Vec::new();
    let mut is_side_data = false;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line.split_once('=') {
            _ if line.ends_with("SIDE_DATA]") => is_side_data = !line.starts_with("[/"),
            Some((key, value)) if !is_side_data => {
                sections.last_mut().expect("a section").1.insert(key.to_owned(), value.trim().to_owned());
            }
            None if !line.starts_with("[/") => {
                sections.push((line.trim_matches(['[', ']']).to_owned(), HashMap::new()));
            }
            _ => (),
        }
    }
    sections
}

/// The hashes of a stream's packets, in the file's order.
pub fn packets(path: &Path, stream: &str) -> Vec<String> {
    let options = ["-select_streams", stream, "-show_packets", "-show_data_hash", "md5"];
    sections_of(path, &options, "PACKET").into_iter().map(|packet| packet["data_hash"].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(times: &[f64]) -> Film {
        Film { streams: Vec::new(), tags: HashMap::new(), times: times.into() }
    }

    #[test]
    #[should_panic(expected = "frame 2 is at")]
    fn a_frame_at_another_time_is_noticed() {
        film(&[0.5, 0.54, 0.59]).keeps_times_of(&film(&[0.0, 0.04, 0.08]));
    }

    #[test]
    #[should_panic(expected = "left: 2")]
    fn a_missing_frame_is_noticed() {
        film(&[0.0, 0.04]).keeps_times_of(&film(&[0.0, 0.04, 0.08]));
    }
}
