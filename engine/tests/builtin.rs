//! Tests the built-in network: its features agree with VGG19's, its file states its origin, and its training is
//! reproducible.

mod common;

use std::path::Path;
use std::process::Command;

use common::{picture, scratch, write_network};
use serde_json::{Map, Value};
use style_engine::networks::vgg::{FeatureLayer, Vgg};
use style_engine::pooling::Pooling;
use style_engine::{networks::builtin, weights};
use tch::{Device, Kind, Tensor};

/// The tensors and the metadata that a safetensors file describes.
fn header(file: &[u8]) -> Map<String, Value> {
    let (length, rest) = file.split_first_chunk().unwrap();
    serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize]).unwrap()
}

fn provenance(file: &[u8]) -> String {
    header(file)["__metadata__"]["provenance"].as_str().unwrap().to_owned()
}

#[test]
fn the_file_is_small_and_states_its_origin() {
    let file = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/built-in.safetensors")).unwrap();
    assert!(file.len() <= 1_500_000, "{} bytes", file.len());
    let provenance = provenance(&file);
    for words in ["VGG19", "CC BY 4.0", "seed=1", "distill ", "Distilled on 20"] {
        assert!(provenance.contains(words), "{words}: {provenance}");
    }
    let network = builtin::network(Device::Cpu).unwrap();
    let parameters: usize = network.convs.iter().map(|conv| conv.weight.numel() + conv.bias.numel()).sum();
    assert!((100_000..800_000).contains(&parameters), "{parameters} parameters");
}

/// The share of the teacher's features that a linear map of the student's features cannot explain.
fn unexplained(student: &Vgg, teacher: &Vgg, picture: &Tensor, layer: &str) -> f64 {
    let features = |vgg: &Vgg| -> Tensor {
        let layers: [FeatureLayer; 1] = [vgg.feature_layer(layer).unwrap()];
        let fed = vgg.input.on(Device::Cpu).unwrap().apply(picture).unwrap();
        let features = vgg.features(&fed, &layers, Pooling::Max).unwrap().remove(0);
        features.to_kind(Kind::Double).flatten(2, 3).squeeze_dim(0).transpose(0, 1)
    };
    let (own, taught) = (features(student), features(teacher));
    let ridge = Tensor::eye(own.size()[1], (Kind::Double, Device::Cpu)) * 1e-6;
    let products = own.transpose(0, 1).matmul(&own);
    let map = (&products + ridge * products.trace()).inverse().matmul(&own.transpose(0, 1)).matmul(&taught);
    let left = taught.copy() - own.matmul(&map);
    f64::try_from(left.square().sum(Kind::Double) / taught.square().sum(Kind::Double)).unwrap()
}

#[test]
fn its_features_agree_with_vgg19s() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let Ok(teacher) = weights::load(&shared.join("weights/vgg19-conv3_1.safetensors"), Device::Cpu) else {
        eprintln!("SKIPPED: VGG19's weights do not exist");
        return;
    };
    let student = builtin::network(Device::Cpu).unwrap();
    // Neither picture was used in training.
    for file in ["content/chelsea.png", "style/starry_night.jpg"] {
        let picture = image::open(shared.join("images").join(file)).unwrap().thumbnail(300, 300).to_rgb8();
        let size = [i64::from(picture.height()), i64::from(picture.width()), 3];
        let picture =
            Tensor::from_slice(picture.as_raw()).view(size.as_slice()).permute([2, 0, 1]).unsqueeze(0) / 255.0;
        for layer in ["relu1_1", "relu2_1", "relu3_1"] {
            let unexplained = unexplained(&student, &teacher, &picture, layer);
            assert!(unexplained < 0.1, "{file}, {layer}: {unexplained}");
        }
    }
}

/// Trains a student of a small teacher with these options; returns its file and the network.
fn train(folder: &Path, options: &str) -> (Vec<u8>, Vgg) {
    let (teacher, pictures) = (folder.join("teacher.safetensors"), folder.join("pictures"));
    write_network(&teacher, &[(0, 8), (2, 8), (5, 12), (7, 12), (10, 16)]);
    std::fs::create_dir_all(&pictures).unwrap();
    let bytes = (picture(1, 60, 80) * 255.0).to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]).flatten(0, -1);
    image::RgbImage::from_raw(80, 60, Vec::try_from(bytes).unwrap()).unwrap().save(pictures.join("one.png")).unwrap();

    let distill = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/distill");
    let file = folder.join("student.safetensors");
    let output = Command::new(distill)
        .args([&pictures, &file, &teacher])
        .args(["channels=4,4/6,6/8", "side=32", "device=cpu"])
        .args(options.split(' '))
        .output()
        .expect("cargo builds the examples with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (std::fs::read(&file).unwrap(), weights::load(&file, Device::Cpu).unwrap())
}

#[test]
fn training_with_the_same_seed_gives_the_same_network() {
    let folder = scratch("distill-again");
    let [first, again, other] = [1, 1, 2].map(|seed| train(&folder, &format!("steps=20 about=no=one's seed={seed}")).0);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(provenance(&first).contains("about=no=one's seed=1"), "{}", provenance(&first));
}

#[test]
fn starting_from_the_teacher_and_training_both_improve_the_student() {
    let folder = scratch("distill");
    let unexplained_by = |options: &str| {
        let (_, student) = train(&folder, options);
        let channels: Vec<i64> = student.convs.iter().map(|conv| conv.weight.size()[0]).collect();
        assert_eq!(channels, [4, 4, 6, 6, 8]);
        let teacher = weights::load(&folder.join("teacher.safetensors"), Device::Cpu).unwrap();
        unexplained(&student, &teacher, &picture(7, 60, 80), "relu3_1")
    };
    let seeded = unexplained_by("start=seed steps=0");
    let pruned = unexplained_by("steps=0");
    let taught = unexplained_by("start=seed steps=200");
    assert!(pruned < 0.7 * seeded, "{pruned}, from the seed {seeded}");
    assert!(taught < 0.7 * seeded, "{taught}, before {seeded}");
}
