//! Tests dreams of pictures: their objective and steps against PyTorch (dream.py), and the layers and channels that are
//! raised.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::dreams::{GUIDE_SIZE, SIZE, content, difference, guide, paint, parameters, session};
use common::{scratch, write_network};
use serde_json::{Value, json};
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Parameters, recipe};
use tch::Tensor;

/// A slim VGG19 up to conv4_1, with pseudo-random weights.
fn network(name: &str) -> PathBuf {
    let path = scratch(name).join("network.safetensors");
    write_network(&path, &[(0, 6), (2, 6), (5, 8), (7, 8), (10, 10), (12, 10), (14, 10), (16, 10), (19, 12)]);
    path
}

struct Case {
    layers: &'static str,
    channels: &'static [i32],
    guided: bool,
    octaves: u32,
    steps: i32,
    jitter: u32,
}

/// One step at the frame's size.
const ONE_STEP: Case = Case { layers: "relu3_1", channels: &[], guided: false, octaves: 1, steps: 1, jitter: 9 };

impl Case {
    fn parameters(&self) -> Parameters {
        let mut channels = [-1; Parameters::MAX_CHANNELS];
        channels[..self.channels.len()].copy_from_slice(self.channels);
        Parameters {
            recipe: recipe::DEEPDREAM,
            first_iterations: self.steps,
            octaves: self.octaves,
            jitter: self.jitter,
            seed: 11,
            channels,
            ..Parameters::default()
        }
    }

    /// The losses before each step, and the dream.
    fn ours(&self, network: &Path) -> (Vec<f64>, Tensor) {
        let mut session = Session::new(Some(network), "cpu").unwrap();
        session.set_parameters(self.parameters(), self.layers, "").unwrap();
        if self.guided {
            session.set_styles(&[Style { picture: guide(), weight: 1.0, region: 0 }]).unwrap();
        }
        let mut losses = Vec::new();
        let painted = session.paint(&content(), None, &mut |step| {
            losses.push(step.loss.double_value(&[]));
            true
        });
        (losses, painted.unwrap())
    }

    /// The same by PyTorch.
    fn original(&self, network: &Path, folder: &Path) -> (Vec<f64>, Tensor) {
        let raw = |name: &str, tensor: Tensor| {
            let values: Vec<f32> = Vec::try_from(tensor.flatten(0, -1)).unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            std::fs::write(folder.join(name), bytes).unwrap();
            folder.join(name)
        };
        let Parameters { octave_scale, seed, .. } = self.parameters();
        let request = json!({
            "weights": network,
            "layers": self.layers.split(", ").collect::<Vec<_>>(),
            "channels": Some(self.channels).filter(|channels| !channels.is_empty()),
            "content": raw("content.raw", content()),
            "size": SIZE,
            "guide": self.guided.then(|| raw("guide.raw", guide())),
            "guide_size": GUIDE_SIZE,
            "octaves": self.octaves,
            "octave_scale": octave_scale,
            "steps": self.steps,
            "jitter": self.jitter,
            "seed": seed,
            "rate": 1.5,
        });
        let path = folder.join("request.json");
        std::fs::write(&path, request.to_string()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dream.py");
        let output = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("Python is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let losses = answer["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
        let bytes = std::fs::read(answer["picture"].as_str().unwrap()).unwrap();
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
        (losses, Tensor::from_slice(&values).view([1, 3, SIZE[0], SIZE[1]]))
    }

    /// Compares each loss, and what the dream changed in the frame: with one step, the normalized gradient.
    fn compare(&self, name: &str, tolerance: f64) {
        let name = format!("dream-{name}");
        let network = network(&name);
        let (own_losses, own) = self.ours(&network);
        let (losses, expected) = self.original(&network, &scratch(&name));
        assert_eq!(own_losses.len(), losses.len(), "{name}");
        for (step, (own, expected)) in own_losses.iter().zip(&losses).enumerate() {
            assert!((own / expected - 1.0).abs() < tolerance, "{name}, step {step}: {own} instead of {expected}");
        }
        let change = (&expected - content()).norm().double_value(&[]);
        let error = (own - expected).norm().double_value(&[]) / change;
        println!("{name}: the change differs by {error:.1e}");
        assert!(change > 0.1 && error < tolerance, "{name}: the change differs by {error}");
    }
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn objective_and_gradient_are_those_of_pytorch() {
    ONE_STEP.compare("plain", 1e-4);
    Case { channels: &[7, 2], ..ONE_STEP }.compare("channels", 1e-4);
    Case { layers: "conv2_2, relu4_1", ..ONE_STEP }.compare("layers", 1e-4);
    Case { guided: true, ..ONE_STEP }.compare("guided", 1e-4);
    Case { guided: true, channels: &[1, 4, 5], layers: "relu2_1, conv3_2", ..ONE_STEP }
        .compare("guided-channels", 1e-4);
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn octaves_are_those_of_pytorch() {
    // Rounding errors grow from step to step.
    Case { steps: 2, octaves: 4, ..ONE_STEP }.compare("octaves", 1e-3);
    Case { steps: 2, octaves: 2, guided: true, channels: &[3, 8], ..ONE_STEP }.compare("guided-octaves", 1e-3);
}

/// The comparison must fail for another objective.
#[test]
#[ignore = "needs scripts/setup --tests"]
#[should_panic(expected = "step 0: ")]
fn other_channels_are_noticed() {
    let network = network("dream-noticed");
    let other = Case { channels: &[7, 3], ..ONE_STEP }.ours(&network).0[0];
    let expected = Case { channels: &[7, 2], ..ONE_STEP }.original(&network, &scratch("dream-noticed")).0[0];
    assert!((other / expected - 1.0).abs() < 1e-4, "step 0: {other} instead of {expected}");
}

#[test]
fn steps_raise_the_excitation() {
    let mut session = session(Parameters { first_iterations: 8, octaves: 1, ..parameters() });
    let mut losses = Vec::new();
    let _ = session.paint(&content(), None, &mut |step| {
        losses.push(step.loss.double_value(&[]));
        true
    });
    assert!(losses[7] < 2.0 * losses[0] && losses[0] < 0.0, "{losses:?}");
}

#[test]
fn full_networks_dream_of_relu4_3() {
    let vgg16 = [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512].as_slice();
    let vgg19 = [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512].as_slice();
    let frame = content();
    for (name, channels, last) in [("vgg16", vgg16, "relu5_3"), ("vgg19", vgg19, "relu5_4")] {
        // In torchvision's lists, each convolution is followed by a ReLU, and a pooling (0 here) follows each block.
        let mut index = 0;
        let mut convs = Vec::new();
        for &count in channels {
            if count > 0 {
                convs.push((index, count));
            }
            index += if count > 0 { 2 } else { 1 };
        }
        let path = scratch("dream-full").join(format!("{name}.safetensors"));
        write_network(&path, &convs);
        let mut session = Session::new(Some(&path), "cpu").unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut dream = |layers: &str| {
            let one = Parameters { first_iterations: 1, octaves: 1, ..parameters() };
            session.set_parameters(one, layers, "").map_err(|error| error.to_string())?;
            session.reset();
            Ok::<_, String>(paint(&mut session, &frame))
        };
        let default = dream("").unwrap();
        assert_eq!(default, dream("relu4_3").unwrap(), "{name}");
        for other in ["relu3_3", "relu4_2", "conv4_3", "relu5_1", last, "relu4_3, relu5_1"] {
            assert!(difference(&dream(other).unwrap(), &default) > 1e-3, "{name}: {other}");
        }
        let error = dream("relu5_5").unwrap_err();
        assert!(error.contains("no layer relu5_5") && error.contains(last), "{name}: {error}");
    }
}

#[test]
fn the_built_in_network_dreams_of_plumes() {
    let dream = |layers: &str, chosen: &[i32], guided: bool| {
        let mut channels = [-1; Parameters::MAX_CHANNELS];
        channels[..chosen.len()].copy_from_slice(chosen);
        let mut session = session(parameters());
        session.set_parameters(Parameters { channels, ..parameters() }, layers, "").unwrap();
        if guided {
            session.set_styles(&[Style { picture: guide(), weight: 1.0, region: 0 }]).unwrap();
        }
        paint(&mut session, &content())
    };
    let default = dream("", &[], false);
    assert_eq!(default, dream("conv3_1", &[1, 6], false));
    assert_eq!(dream("", &[3], false), dream("relu3_1", &[3], false), "channels of the last layer");
    assert_eq!(dream("", &[], true), dream("relu3_1", &[], true), "a guide is matched with all channels");
    assert!(difference(&default, &dream("relu3_1", &[], false)) > 0.01);
}

#[test]
fn what_a_network_lacks_is_named() {
    let mut session = session(parameters());
    let frame = content();
    let before = paint(&mut session, &frame);
    let error = session.set_parameters(parameters(), "relu9_1", "").unwrap_err().to_string();
    assert!(error.contains("no layer relu9_1") && error.contains("relu3_1"), "{error}");
    let mut channels = [-1; Parameters::MAX_CHANNELS];
    channels[3] = 40_000;
    let error = session.set_parameters(Parameters { channels, ..parameters() }, "relu2_1", "").unwrap_err().to_string();
    assert!(error.contains("relu2_1 has no channel 40000") && error.contains("0 to "), "{error}");
    session.reset();
    assert_eq!(paint(&mut session, &frame), before, "the parameters before stay");
}
