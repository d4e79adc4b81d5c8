//! A web page with the live picture and every property that can be set while playing: run
//! `cargo run --release -p studio`, then open <http://localhost:8080>. `--help` lists the options.

mod control;
mod fade;
mod json;
mod knobs;
mod line;
mod masks;
mod models;
mod page;
mod server;
mod settings;
mod source;
mod stage;
mod studio;
mod styles;
mod timeline;
mod uploads;

use std::error::Error;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use gst::glib;
use studio::Studio;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Serves a web page with the live picture and the settings of both elements.
#[derive(Parser)]
#[command(name = "studio", version)]
struct Arguments {
    /// A film to play in a loop; cameras are detected automatically
    film: Option<PathBuf>,
    /// Address to listen on; other machines can reach any address but 127.0.0.1, without a password
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Size to which all sources are scaled
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x360", value_parser = size)]
    size: (u32, u32),
    /// Address to receive OSC on, by UDP; other machines can reach any address but 127.0.0.1, without a password
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    osc_listen: SocketAddr,
    /// Listens to the level and the beat of audio, from a source given as for gst-launch-1.0
    #[arg(long, value_name = "SOURCE", num_args = 0..=1, require_equals = true, default_missing_value = "autoaudiosrc")]
    audio: Option<String>,
    /// Folder for styles, models, masks, films, mappings and settings [default: stylefilter/studio in the user's data folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// How libtorch's threads wait. They read it when the program starts, so it must be set before.
const WAIT: &str = "OMP_WAIT_POLICY";

fn main() -> ExitCode {
    // Threads that wait actively would take the cores from those that encode and send the picture.
    if std::env::var_os(WAIT).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        // `exec` returns only if it failed; the program then continues with the default.
        let _ = Command::new(program).args(std::env::args_os().skip(1)).env(WAIT, "passive").exec();
    }
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("studio: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Outcome<()> {
    gst::init()?;
    let folder = arguments.folder.unwrap_or_else(|| glib::user_data_dir().join("stylefilter/studio"));
    let studio = Studio::open(folder, arguments.film, arguments.size)?;
    studio.control.listen_to_osc(arguments.osc_listen);
    studio.control.listen_to_midi();
    if let Some(source) = arguments.audio {
        studio.control.listen_to_audio(source);
    }
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    // A second Ctrl-C ends the program at once, without the destructors of libtorch, whose threads are still painting.
    ctrlc::set_handler(move || {
        if stop.send_replace(true) {
            signal_hook::low_level::exit(130);
        }
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(arguments.listen).await;
        let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
        println!("the studio is open at http://{}", listener.local_addr()?);
        tokio::select! {
            served = server::serve(studio.clone(), listener) => served?,
            _ = stopped.changed() => (),
        }
        Outcome::Ok(())
    })?;
    studio.close();
    Ok(())
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides
        .filter(|(width, height)| (16..=7680).contains(width) && (16..=4320).contains(height))
        .ok_or_else(|| format!("{text}: expected WIDTHxHEIGHT, from 16x16 to 7680x4320"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use common::documents::{Example, check};

    use super::Arguments;

    #[test]
    fn only_this_machine_reaches_it_and_no_sound_is_heard_unless_told_otherwise() {
        let usual = Arguments::parse_from(["studio"]);
        assert!(usual.listen.ip().is_loopback() && usual.osc_listen.ip().is_loopback() && usual.audio.is_none());
        let told = Arguments::parse_from(["studio", "--audio", "film.mp4"]);
        assert_eq!((told.audio.as_deref(), told.film), (Some("autoaudiosrc"), Some("film.mp4".into())));
    }

    #[test]
    fn the_manual_and_the_completions_agree_with_the_options() {
        check(
            "stylefilter-studio",
            Arguments::command(),
            &[
                Example { command: "", effect: "Shows the camera at http://localhost:8080." },
                Example { command: "film.mp4 --size 1280x720", effect: "Plays a film, scaled to 1280x720." },
                Example {
                    command: "--listen 0.0.0.0:8080",
                    effect: "Lets every machine of the network in, without a password.",
                },
                Example {
                    command: "--osc-listen 0.0.0.0:9000 --audio",
                    effect: "Lets a phone of the network control it by OSC, and listens to the default microphone.",
                },
            ],
        );
    }
}
