//! Paints with feed-forward networks in real pipelines. engine/tests/models.rs compares them with PyTorch.

use std::path::PathBuf;

use common::{Frame, Line, scratch, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

/// The shapes of a ResNet generator's tensors, with one channel and one block.
const SHAPES: [(&str, [usize; 4]); 8] = [
    ("1", [1, 3, 7, 7]),
    ("4", [2, 1, 3, 3]),
    ("7", [4, 2, 3, 3]),
    ("10.conv_block.1", [4, 4, 3, 3]),
    ("10.conv_block.5", [4, 4, 3, 3]),
    ("11", [4, 2, 3, 3]),
    ("14", [2, 1, 3, 3]),
    ("18", [3, 1, 7, 7]),
];

/// The network's result for every pixel, before its tanh.
const COLOR: [f32; 3] = [0.6, 0.1, -0.4];

/// A network that paints every frame in one color: all its numbers are 0 but the last layer's biases. A safetensors file.
fn model(name: &str) -> PathBuf {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (layer, shape) in SHAPES {
        // The channels of a transposed convolution's output come second.
        let channels = if ["11", "14"].contains(&layer) { shape[1] } else { shape[0] };
        let bias = if layer == "18" { COLOR.to_vec() } else { vec![0.0; channels] };
        let weight = vec![0.0; shape.iter().product()];
        for (part, shape, values) in [("weight", shape.to_vec(), weight), ("bias", vec![channels], bias)] {
            let begin = data.len();
            data.extend(values.iter().flat_map(|value: &f32| value.to_le_bytes()));
            let end = data.len();
            let entry = format!(r#"{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#);
            entries.push(format!(r#""model.{layer}.{part}":{entry}"#));
        }
    }
    let header = format!("{{{}}}", entries.join(","));
    let path = scratch(name).join("color.safetensors");
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    std::fs::write(&path, file).expect("the model is written");
    path
}

fn frame() -> Frame {
    let bytes = (0..64 * 48 * 3).map(|index| (index * 7 % 251) as u8).collect();
    Frame { format: VideoFormat::Rgb, width: 64, height: 48, bytes }
}

/// The color in 8 bits, after `range` has taken it to 0..1.
fn color(range: fn(f32) -> f32) -> [u8; 3] {
    COLOR.map(|value| (range(value.tanh()).clamp(0.0, 1.0) * 255.0).round() as u8)
}

#[test]
#[ignore = "needs scripts/build"]
fn model_input_applies_to_frames_and_changes_while_playing() {
    common::init();
    let model = model("models-input");
    let mut line = Line::playing(&format!("styletransfer device=cpu model={}", model.display()));
    let [red, green, blue] = color(|value| (value + 1.0) / 2.0);
    for (input, expected) in [
        ("auto", [red, green, blue]),
        ("rgb-signed", [red, green, blue]),
        ("bgr-signed", [blue, green, red]),
        ("rgb-1", color(|value| value)),
        ("rgb-255", color(|value| value / 255.0)),
    ] {
        line.element.set_property_from_str("model-input", input);
        let painted = line.push_pull(&frame());
        assert_eq!((painted.width, painted.height), (64, 48));
        assert!(painted.bytes.chunks_exact(3).all(|pixel| pixel == expected), "{input}: {:?}", &painted.bytes[..3]);
    }
    let network: String = line.element.property("network");
    assert!(network.contains("color.safetensors (resnet_1blocks, from 1 channels)"), "{network}");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_file_of_no_known_kind_is_an_error_that_lists_the_kinds() {
    common::init();
    let path = scratch("models-unknown").join("other.safetensors");
    let header = r#"{"layer.weight":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    std::fs::write(&path, file).expect("the file is written");
    let error = start_error(&format!("styletransfer device=cpu model={}", path.display()));
    assert!(error.matches(gst::ResourceError::Read), "{error}");
    for part in ["other.safetensors", "layer.weight", "fast_neural_style", "pix2pix", "TorchScript"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn beside_a_style_the_optimizer_starts_from_the_models_picture() {
    common::init();
    let model = model("models-start");
    let style = scratch("models-start-style").join("style.png");
    image::RgbImage::from_fn(40, 40, |x, y| image::Rgb([(x * 6) as u8, (y * 6) as u8, 90]))
        .save(&style)
        .expect("saved");
    let element = format!("styletransfer device=cpu model={} style={}", model.display(), style.display());
    let mut line = Line::playing(&format!("{element} first-iterations=0"));
    let color = color(|value| (value + 1.0) / 2.0);
    assert!(line.push_pull(&frame()).bytes.chunks_exact(3).all(|pixel| pixel == color), "no steps were taken");
    let network: String = line.element.property("network");
    assert!(network.contains("built-in network") && network.contains("starting from"), "{network}");
    let painted = Line::playing(&format!("{element} first-iterations=9")).push_pull(&frame());
    assert!(painted.bytes.chunks_exact(3).any(|pixel| pixel != color), "steps go on from there");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shipped_model_plays_by_its_name() {
    common::init();
    let painted = Line::playing("styletransfer device=cpu model=starry-night").push_pull(&frame());
    assert_ne!(painted.bytes, frame().bytes);
    let error = start_error("styletransfer device=cpu model=moonlit-night");
    assert!(error.matches(gst::ResourceError::NotFound), "{error}");
    assert!(error.to_string().contains("starry-night"), "{error}");
}
