//! What cluster.py needs besides transcode: a film's shots, and the film joined from them once they were made.
//!
//! `cluster shots FILM` prints the shots as a list in JSON; `cluster join FILM OUTPUT` reads such a list, with each
//! shot's file in it.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use film::parts::{self, Part};
use film::shots;
use gst::ClockTime;
use serde::{Deserialize, Serialize};

/// Lists a film's shots, and joins a film from its converted shots.
#[derive(Parser)]
#[command(name = "cluster")]
enum Command {
    /// Prints a film's shots as a JSON list
    Shots { film: PathBuf },
    /// Reads such a list with each shot's file from the standard input, and writes OUTPUT with the video of these files
    /// and everything else in FILM
    Join { film: PathBuf, output: PathBuf },
}

/// A shot in the JSON list.
#[derive(Deserialize, Serialize)]
struct Shot {
    /// Its place in the film, in nanoseconds.
    begin: u64,
    frames: u64,
    /// The file with the converted shot.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    gst::init()?;
    match command {
        Command::Shots { film } => {
            let shots = shots::shots(&film)?.into_iter();
            let list: Vec<_> =
                shots.map(|shot| Shot { begin: shot.begin.nseconds(), frames: shot.frames, file: None }).collect();
            serde_json::to_writer(io::stdout(), &list)?;
            println!();
        }
        Command::Join { film, output } => {
            let list: Vec<Shot> = serde_json::from_reader(io::stdin())?;
            let part = |Shot { begin, frames, file }| {
                let begin = ClockTime::from_nseconds(begin);
                let path = file.ok_or_else(|| format!("the shot at {} has no file", film::seconds(begin)))?;
                Ok(Part { path, begin, frames })
            };
            let parts = list.into_iter().map(part).collect::<Result<_, String>>()?;
            let made = parts::join(&film, &output, parts, |_| (), &AtomicBool::new(false))?;
            println!("{}: {made}", output.display());
        }
    }
    Ok(())
}
