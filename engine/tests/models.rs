//! Compares feed-forward networks with the same networks in PyTorch (models.py).

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{picture, real, scratch};
use style_engine::Error;
use style_engine::random::Random;
use style_engine::session::Session;
use style_engine_interface::{Parameters, warm_start};
use tch::{Kind, Tensor};

/// The maximum difference from PyTorch: a level of 8 bits.
const TOLERANCE: f64 = 1.0 / 255.0;

fn python(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models.py");
    let output = Command::new("/usr/bin/python3").arg(script).args(arguments).output().expect("Python is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn session(model: &Path) -> Session {
    Session::of_model(model, "cpu").unwrap()
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap()
}

/// The picture that PyTorch paints.
fn original(model: &Path, frame: &Tensor, folder: &Path) -> Tensor {
    let (_, _, height, width) = frame.size4().unwrap();
    let [source, result] = ["frame.raw", "painted.raw"].map(|name| folder.join(name));
    let values: Vec<f32> = Vec::try_from(frame.flatten(0, -1)).unwrap();
    std::fs::write(&source, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()).unwrap();
    let [model, source, to] = [model, &source, &result].map(|path| path.to_str().unwrap());
    python(&["paint", model, &height.to_string(), &width.to_string(), source, to]);
    let bytes = std::fs::read(&result).unwrap();
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    Tensor::from_slice(&values).view_as(frame)
}

fn compare(model: &Path, [height, width]: [i64; 2], folder: &Path) {
    let frame = picture(1, height, width);
    let (own, expected) = (paint(&mut session(model), &frame), original(model, &frame, folder));
    assert!((&expected - &frame).abs().mean(Kind::Float).double_value(&[]) > 0.05, "the network changes the picture");
    let error = (own - expected).abs().max().double_value(&[]);
    assert!(error < TOLERANCE, "{} at {height} x {width}: {error}", model.display());
}

/// A folder with seeded networks.
fn models(name: &str) -> PathBuf {
    let folder = scratch(name);
    python(&["make", folder.to_str().unwrap()]);
    folder
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn pictures_are_those_of_pytorch_from_each_form_of_file() {
    let folder = models("models");
    for (name, size) in
        [("new.pth", [48, 64]), ("legacy.model", [33, 47]), ("wrapped.pth", [50, 35]), ("first.model", [17, 90])]
    {
        compare(&folder.join(name), size, &folder);
    }
}

#[test]
#[ignore = "needs scripts/setup --tests and real weights"]
fn pictures_of_real_networks_are_those_of_pytorch() {
    let folder = scratch("real-models");
    for (name, size) in [("candy-8.model", [72, 96]), ("mosaic-8.model", [61, 83]), ("udnie-16.model", [90, 70])] {
        compare(&real(&format!("networks/{name}")), size, &folder);
    }
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn tiny_pictures_are_painted() {
    let model = models("tiny-models").join("new.pth");
    for size in [[1, 1], [3, 100], [15, 2]] {
        let painted = paint(&mut session(&model), &picture(1, size[0], size[1]));
        assert_eq!(painted.size(), [1, 3, size[0], size[1]]);
        assert_eq!(painted.isfinite().all().int64_value(&[]), 1);
    }
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn flicker_is_damped_along_the_motion_and_a_cut_is_not() {
    let model = models("steady-models").join("new.pth");
    let scene = picture(1, 64, 160).upsample_bilinear2d([96, 240], false, None, None);
    let noise = |seed, frame: &Tensor| Random(seed).normal(frame.numel() as i64).unwrap().view_as(frame) * 0.02;
    let frame = |index: i64| {
        let part = scene.narrow(3, 2 * index, 128);
        (&part + noise(index as u64, &part)).clamp(0.0, 1.0)
    };
    // The mean square difference from the last picture, moved by the known motion.
    let flicker = |warm_start| {
        let mut session = session(&model);
        session.set_parameters(Parameters { warm_start, ..Parameters::default() }, "", "").unwrap();
        let painted: Vec<_> = (0..8).map(|index| paint(&mut session, &frame(index))).collect();
        let moved = painted.windows(2).skip(2).map(|pair| {
            let (before, after) = (pair[0].narrow(3, 22, 86), pair[1].narrow(3, 20, 86));
            (before - after).square().mean(Kind::Float).double_value(&[])
        });
        (moved.sum::<f64>(), session, painted.last().unwrap().shallow_clone())
    };
    let ((apart, ..), (steady, mut session, last)) = (flicker(warm_start::NONE), flicker(warm_start::FLOW));
    assert!(steady < 0.5 * apart, "{steady} of {apart}");
    let other = picture(77, 96, 128);
    let after_cut = paint(&mut session, &other);
    let fresh = paint(&mut self::session(&model), &other);
    assert!(!after_cut.allclose(&last, 0.0, 0.1, false) && after_cut.allclose(&fresh, 0.0, 1e-5, false));
}

#[test]
fn what_is_no_model_is_refused_with_its_names() {
    let folder = scratch("no-models");
    let error = |path: &Path| Session::of_model(path, "cpu").err().expect("an error").to_string();
    let file = |name: &str, tensors: &[(&str, Tensor)]| {
        let path = folder.join(name);
        Tensor::write_safetensors(tensors, &path).unwrap();
        path
    };
    let missing = folder.join("missing.pth");
    assert!(matches!(Session::of_model(&missing, "cpu"), Err(Error::ModelNotFound(path)) if path == missing));
    let vgg = file("vgg.safetensors", &[("features.0.weight", Tensor::from(1f32))]);
    let vgg = error(&vgg);
    assert!(vgg.contains("vgg.safetensors") && vgg.contains("features.0.weight"), "{vgg}");
    let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, tch::Device::Cpu));
    let part = [("conv1.conv2d.weight", ones(&[4, 3, 9, 9])), ("deconv3.conv2d.weight", ones(&[3, 4, 9, 9]))];
    let part = error(&file("part.safetensors", &part));
    assert!(part.contains("conv1.conv2d.bias is missing"), "{part}");
    let wide = [("conv1.conv2d.weight", ones(&[4, 5, 9, 9])), ("deconv3.conv2d.weight", ones(&[3, 4, 9, 9]))];
    let wide = error(&file("wide.safetensors", &wide));
    assert!(wide.contains("conv1.conv2d.weight has shape [4, 5, 9, 9] instead of [4, 3, 9, 9]"), "{wide}");
    let text = folder.join("text.pth");
    std::fs::write(&text, "hello").unwrap();
    assert!(error(&text).contains("text.pth"));
}
