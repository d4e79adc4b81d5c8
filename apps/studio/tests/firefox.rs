//! Tests the studio's page in headless Firefox, through its protocol Marionette, which geckodriver uses, too.

#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod browser;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use browser::{MEASURE, OSC, PATIENCE, SET, studio};
use common::scratch;
use serde_json::{Value, json};

/// A running Firefox with one page.
struct Firefox {
    child: Child,
    stream: TcpStream,
}

impl Firefox {
    /// Starts Firefox with its profile in `folder`. It writes its port into the profile.
    fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the folder is made");
        std::fs::write(folder.join("user.js"), "user_pref('marionette.port', 0);").expect("the profile is written");
        let mut firefox = Command::new("firefox-esr");
        firefox.args(["--headless", "--marionette", "--no-remote", "--profile"]).arg(folder).env("HOME", folder);
        firefox.stdout(Stdio::null()).stderr(Stdio::null());
        let child = firefox.spawn().expect("scripts/setup --tests installs Firefox");
        let port = || std::fs::read_to_string(folder.join("MarionetteActivePort")).ok()?.trim().parse::<u16>().ok();
        let port = wait("Firefox starts", port);
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("Firefox listens");
        let mut firefox = Self { child, stream };
        firefox.receive();
        firefox.command("WebDriver:NewSession", json!({}));
        firefox
    }

    /// Sends a command; returns its result.
    fn command(&mut self, name: &str, parameters: Value) -> Value {
        let message = json!([0, 1, name, parameters]).to_string();
        write!(self.stream, "{}:{message}", message.len()).expect("Firefox reads");
        let answer = self.receive();
        assert!(answer[2].is_null(), "{name}: {}", answer[2]);
        answer[3].clone()
    }

    /// Receives a message: its length in decimal digits, a colon, and JSON.
    fn receive(&mut self) -> Value {
        let (mut length, mut byte) = (0, [0]);
        loop {
            self.stream.read_exact(&mut byte).expect("Firefox answers");
            match byte[0] {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).expect("a whole message");
        serde_json::from_slice(&message).expect("JSON")
    }

    fn run(&mut self, script: &str, arguments: Value) -> Value {
        self.command("WebDriver:ExecuteScript", json!({"script": script, "args": arguments}))["value"].take()
    }

    /// Waits for the picture's mean, deviation and number.
    fn picture(&mut self, what: &str, is_expected: impl Fn([f64; 3]) -> bool) -> [f64; 3] {
        wait(what, || {
            serde_json::from_value(self.run(MEASURE, json!([]))).ok().filter(|measured| is_expected(*measured))
        })
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn firefox_shows_the_picture_and_changes_it() {
    let folder = scratch("studio-firefox");
    let (_running, address) = studio(&folder, &[OSC]);
    let mut firefox = Firefox::start(&folder.join("profile"));
    firefox.command("WebDriver:Navigate", json!({ "url": address }));
    let [_, spread, number] = firefox.picture("the picture is shown", |[_, spread, _]| spread > 20.0);
    firefox.picture("the picture moves", |[.., later]| later > number + 5.0);
    for (control, value) in [
        ("[data-element=convfilter][data-knob=filter] select", json!("box-blur")),
        ("[data-element=convfilter][data-knob=radius] input[type=number]", json!(300)),
        ("[data-switch=convfilter] input", json!(true)),
    ] {
        firefox.run(SET, json!([control, value]));
    }
    firefox.picture("the blur is seen", |[_, blurred, _]| blurred < spread / 2.0);
    firefox.run(SET, json!(["[data-element=convfilter][data-knob=mix] input[type=range]", 0]));
    firefox.picture("a slider changes the picture", |[_, mixed, _]| mixed > spread * 0.9);
    firefox.command("WebDriver:Navigate", json!({ "url": format!("{address}/output") }));
    let [.., number] = firefox.picture("the output page shows the picture", |[_, spread, _]| spread > 20.0);
    firefox.picture("the picture moves on the output page", |[.., later]| later > number + 5.0);
}
