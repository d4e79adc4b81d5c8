//! Tests the trainer of feed-forward networks: it is reproducible and can be stopped, and its networks paint.

#[path = "../../engine/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{picture, provenance, scratch};
use style_engine::session::Session;
use tch::Kind;

/// A folder without what an earlier run left: a training would go on from there.
fn empty(name: &str) -> PathBuf {
    let folder = scratch(name);
    std::fs::remove_dir_all(&folder).unwrap();
    scratch(name)
}

/// Writes a picture for the training, named by its seed.
fn write(folder: &Path, seed: i64) -> PathBuf {
    let bytes = (picture(seed, 70, 80) * 255.0).to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]).flatten(0, -1);
    let path = folder.join(format!("{seed}.png"));
    image::RgbImage::from_raw(80, 70, Vec::try_from(bytes).unwrap()).unwrap().save(&path).unwrap();
    path
}

/// A training of some seconds with these options, and the file that it writes.
fn training(folder: &Path, options: &str) -> (Command, PathBuf) {
    let (pictures, model) = (folder.join("pictures"), folder.join("model.safetensors"));
    std::fs::create_dir_all(&pictures).unwrap();
    write(&pictures, 1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
    command.args([&write(folder, 9), &pictures, &model]);
    command.args("channels=2 blocks=1 batch=1 side=64 steps=40 save=10 device=cpu".split(' ')).args(options.split(' '));
    (command, model)
}

/// The style losses that a training printed.
fn style_losses(printed: &[u8]) -> Vec<f64> {
    let style = |line: &str| line.split("style ").nth(1).unwrap().split(',').next().unwrap().parse::<f64>().unwrap();
    String::from_utf8_lossy(printed).lines().map(style).collect()
}

#[test]
fn a_stopped_training_goes_on_to_the_same_network() {
    let folder = empty("train");
    let (mut whole, model) = training(&folder, "about=a");
    let output = whole.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let losses = style_losses(&output.stdout);
    assert!(losses.len() == 4 && losses[3] < 0.9 * losses[0], "{losses:?}");
    let bytes = std::fs::read(&model).unwrap();
    assert!(provenance(&bytes).contains("about=a"), "{}", provenance(&bytes));

    let other = training(&folder, "about=b").0.output().unwrap();
    let error = String::from_utf8_lossy(&other.stderr);
    assert!(!other.status.success() && error.contains("model.safetensors.training"), "{error}");
    assert_eq!(std::fs::read(&model).unwrap(), bytes);

    let folder = empty("train-stopped");
    let (mut stopped, again) = training(&folder, "about=a");
    let mut child = stopped.stdout(Stdio::null()).spawn().unwrap();
    while !again.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(training(&folder, "about=a").0.output().unwrap().status.success());
    // The folder's name is in the metadata.
    let numbers = |bytes: &[u8]| bytes[bytes.len() - 1000..].to_vec();
    assert_eq!(numbers(&std::fs::read(&again).unwrap()), numbers(&bytes));

    let other = empty("train-seed");
    assert!(training(&other, "seed=2").0.output().unwrap().status.success());
    assert_ne!(numbers(&std::fs::read(other.join("model.safetensors")).unwrap()), numbers(&bytes));
}

#[test]
fn a_training_can_begin_with_a_trained_model() {
    let folder = empty("train-first");
    let (mut first, model) = training(&folder, "about=a");
    let output = first.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let start = format!("start={}", model.display());
    let second = training(&empty("train-second"), &start).0.output().unwrap();
    let [first, second] = [output, second].map(|output| style_losses(&output.stdout));
    assert!(second.len() == 4 && second[0] < 0.9 * first[0], "{first:?} {second:?}");
    let other = training(&empty("train-wrong"), &format!("channels=4 {start}")).0.output().unwrap();
    let error = String::from_utf8_lossy(&other.stderr);
    assert!(!other.status.success() && error.contains("model.safetensors"), "{error}");
}

#[test]
fn the_element_plays_what_was_trained() {
    let folder = empty("train-played");
    let (mut command, model) = training(&folder, "steps=20");
    assert!(command.output().unwrap().status.success());
    let mut session = Session::of_models(&[&model], "cpu").unwrap();
    let painted = session.paint(&picture(3, 60, 90), None, &mut |_| true).unwrap();
    let spread = painted.std(true).double_value(&[]);
    assert!(painted.size() == [1, 3, 60, 90] && spread > 0.01, "{spread}");
}
