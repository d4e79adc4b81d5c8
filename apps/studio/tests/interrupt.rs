//! Tests the studio without a browser: names of folders and styles, and Ctrl-C while a picture is painted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use common::{app, program, scratch, stage};
use serde_json::{Value, json};

/// A name with everything that one of the studio's parts has a meaning for.
const STYLE: &str = r#"x,y \ "z"; it's #1 %20 ü.png"#;

/// A running studio, and its address.
struct Studio(Child, String);

impl Studio {
    fn start(folder: &Path) -> Self {
        let studio = app("studio");
        let studio = studio.to_str().expect("a path in UTF-8");
        let mut command = program(studio, &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
        command.args(["--listen", "127.0.0.1:0", "--size", "64x48", "--folder"]).arg(own(folder));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the studio starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("the studio prints its address");
        let address = line.trim().rsplit_once("http://").expect("an address").1.to_owned();
        Self(child, address)
    }

    /// Sends a command; the status and the text of the answer.
    fn post(&self, path: &str, body: &Value) -> (u32, String) {
        let (body, mut stream) = (body.to_string(), TcpStream::connect(&self.1).expect("the studio listens"));
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.1,
            body.len()
        )
        .expect("the studio reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
    }

    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    fn end(&mut self) -> ExitStatus {
        self.0.wait().expect("the studio ends")
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The studio's own folder.
fn own(folder: &Path) -> std::path::PathBuf {
    folder.join(r#"st,udio \ "2" ü"#)
}

/// A folder with a style, and with settings that paint a first picture for hours.
fn folder(name: &str, is_painting: bool) -> std::path::PathBuf {
    let folder = scratch(name);
    std::fs::create_dir_all(own(&folder).join("styles")).expect("the folder is made");
    common::write_style(&own(&folder).join("styles").join(STYLE));
    let knobs = json!({"first-iterations": 100_000, "max-frame-time": 0.0, "device": "cpu"});
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
    let folder = folder("studio-names", false);
    let mut studio = Studio::start(&folder);
    assert_eq!(studio.post("/api/style", &json!({"name": STYLE})), (204, String::new()));
    studio.interrupt();
    assert!(studio.end().success());
}

#[test]
#[ignore = "needs scripts/build"]
fn files_that_cannot_be_styles_are_told() {
    let folder = folder("studio-files", false);
    let styles = own(&folder).join("styles");
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 48).write_to(&mut jpeg, image::ImageFormat::Jpeg).expect("memory");
    let jpeg = jpeg.into_inner();
    std::fs::write(styles.join("cut.jpg"), &jpeg[..jpeg.len() - 9]).expect("written");
    let studio = Studio::start(&folder);
    let (status, reason) = studio.post("/api/style", &json!({"name": "cut.jpg"}));
    assert!(status == 409 && reason.contains("cut.jpg") && reason.contains("cut off"), "{status} {reason}");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_second_interrupt_while_painting_ends_the_studio_at_once() {
    for _ in 0..4 {
        let mut studio = Studio::start(&folder("studio-interrupt", true));
        // By then, the first picture is being painted.
        std::thread::sleep(Duration::from_secs(2));
        studio.interrupt();
        std::thread::sleep(Duration::from_millis(20));
        studio.interrupt();
        let code = studio.end().code();
        // 0 if the first interrupt had stopped everything before the second came.
        assert!(matches!(code, Some(130 | 0)), "{code:?}");
    }
}
