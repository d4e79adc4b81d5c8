//! A page that shows the live picture and turns every knob: `cargo run --release --example studio`, then open
//! <http://localhost:8080>. `--help` tells the rest.

#[path = "../film/bus.rs"]
#[allow(dead_code, reason = "the studio listens in its own way")]
mod bus;
mod knobs;
mod line;
#[path = "../demo/noise.rs"]
#[allow(dead_code, reason = "the painting uses its own part")]
mod noise;
mod page;
#[path = "../demo/painting.rs"]
mod painting;
mod server;
mod settings;
mod source;
mod stage;
mod studio;
mod styles;

use std::error::Error;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use gst::glib;
use studio::Studio;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Shows the live picture on a page, with all that filters and repaints it.
#[derive(Parser)]
#[command(name = "studio")]
struct Arguments {
    /// A film to show, again and again; cameras are found by themselves
    film: Option<PathBuf>,
    /// Where to listen; any other address than this machine's own lets others in, too
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What pictures are brought to
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x360", value_parser = size)]
    size: (u32, u32),
    /// Where styles, films and settings are kept [default: stylefilter/studio in the user's data folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// How libtorch's threads wait, which read it as the program starts.
const WAIT: &str = "OMP_WAIT_POLICY";

fn main() -> ExitCode {
    // Busy, they would keep the cores from those that send and draw the picture.
    if std::env::var_os(WAIT).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        // Where it returns, there is no other way than to go on.
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
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    // Told again, it does not wait for pages.
    ctrlc::set_handler(move || {
        if stop.send_replace(true) {
            std::process::exit(130);
        }
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(arguments.listen).await;
        let listener = listener.map_err(|error| format!("{} cannot be listened at: {error}", arguments.listen))?;
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
        .ok_or_else(|| format!("{text} is no size like 640x360"))
}
