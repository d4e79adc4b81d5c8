//! Tests the studio without a browser: names of folders and styles, style files, and Ctrl-C while a picture is painted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use common::{app, program, scratch, stage};
use serde_json::{Value, json};

/// A name with everything that one of the studio's parts has a meaning for.
const STYLE: &str = r#"x,y \ "z"; it's #1 %20 ü.png"#;

/// A running studio.
struct Studio {
    child: Child,
    address: String,
    /// A message for each step of painting.
    steps: Receiver<()>,
}

impl Studio {
    fn start(folder: &Path) -> Self {
        let studio = app("studio");
        let studio = studio.to_str().expect("a path in UTF-8");
        let mut command = program(studio, &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
        command
            .args(["--listen", "127.0.0.1:0", "--osc-listen", "127.0.0.1:0", "--size", "640x480", "--folder"])
            .arg(own(folder));
        command.env("GST_DEBUG", "styletransfer:LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the studio starts");
        let (step, steps) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if line.contains("step ") {
                    // Fails only if the test has ended.
                    let _ = step.send(());
                } else {
                    eprintln!("{line}");
                }
            }
        });
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("the studio prints its address");
        let address = line.trim().rsplit_once("http://").expect("an address").1.to_owned();
        Self { child, address, steps }
    }

    /// Sends a command; the status and the text of the answer.
    fn post(&self, path: &str, body: &Value) -> (u32, String) {
        let (body, mut stream) = (body.to_string(), TcpStream::connect(&self.address).expect("the studio listens"));
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("the studio reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
    }

    fn wait_for_a_step(&self) {
        self.steps.recv_timeout(Duration::from_secs(60)).expect("the studio paints");
    }

    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-s", "INT", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("the studio ends")
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The studio's own folder.
fn own(folder: &Path) -> PathBuf {
    folder.join(r#"st,udio \ "2" ü"#)
}

/// What makes the studio paint in a style alone.
fn painting(style: &str) -> Value {
    json!({"styles": [{"name": style, "share": 1.0}], "model": null})
}

/// A folder with a style, and with settings that paint a first picture for hours, in long steps.
fn folder(name: &str, is_painting: bool) -> PathBuf {
    let folder = scratch(name);
    std::fs::create_dir_all(own(&folder).join("styles")).expect("the folder is made");
    common::write_style(&own(&folder).join("styles").join(STYLE));
    let knobs = json!({"recipe": "pytorch-tutorial", "first-iterations": 100_000, "max-frame-time": 0.0, "size": 0});
    let settings = json!({
        "source": "clock",
        "look": {"style": STYLE, "elements": {"styletransfer": {"on": is_painting, "knobs": knobs}}},
    });
    std::fs::write(own(&folder).join("settings.json"), settings.to_string()).expect("the settings are written");
    folder
}

#[test]
#[ignore = "needs scripts/build"]
fn folders_and_styles_may_have_any_name() {
    let mut studio = Studio::start(&folder("studio-names", false));
    assert_eq!(studio.post("/api/paint", &painting(STYLE)), (204, String::new()));
    studio.wait_for_a_step();
    studio.interrupt();
    assert!(studio.end().success());
}

#[test]
#[ignore = "needs scripts/build"]
fn files_that_cannot_be_styles_are_told() {
    let folder = folder("studio-files", false);
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 48).write_to(&mut jpeg, image::ImageFormat::Jpeg).expect("memory");
    let jpeg = jpeg.into_inner();
    std::fs::write(own(&folder).join("styles/cut.jpg"), &jpeg[..jpeg.len() - 9]).expect("written");
    let studio = Studio::start(&folder);
    let (status, reason) = studio.post("/api/paint", &painting("cut.jpg"));
    assert!(status == 409 && reason.contains("cut.jpg") && reason.contains("cut off"), "{status} {reason}");
    let (status, reason) = studio.post("/api/paint", &painting("../settings.json"));
    assert!(status == 409 && reason.contains("no such style: ../settings.json"), "{status} {reason}");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_second_interrupt_while_painting_ends_the_studio_at_once() {
    let folder = folder("studio-interrupt", true);
    for _ in 0..3 {
        let mut studio = Studio::start(&folder);
        studio.wait_for_a_step();
        studio.interrupt();
        std::thread::sleep(Duration::from_millis(20));
        studio.interrupt();
        assert_eq!(studio.end().code(), Some(130));
    }
}
