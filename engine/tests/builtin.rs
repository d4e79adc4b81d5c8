//! Tests the built-in network: its features agree with VGG19's, and its file states its origin. tools/tests/distill.rs
//! tests its training.

mod common;

use std::path::Path;

use common::{picture, provenance, real, scratch, unexplained, write_network};
use style_engine::{networks::builtin, weights};
use tch::{Device, Tensor};

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

#[test]
#[ignore = "needs real weights"]
fn its_features_agree_with_the_real_vgg19s() {
    let teacher = weights::load(&real("weights/vgg19-conv3_1.safetensors"), Device::Cpu).unwrap();
    let student = builtin::network(Device::Cpu).unwrap();
    // Neither picture was used in training.
    for file in ["images/content/chelsea.png", "images/style/starry_night.jpg"] {
        let picture = image::open(real(file)).unwrap().thumbnail(300, 300).to_rgb8();
        let size = [i64::from(picture.height()), i64::from(picture.width()), 3];
        let picture =
            Tensor::from_slice(picture.as_raw()).view(size.as_slice()).permute([2, 0, 1]).unsqueeze(0) / 255.0;
        for layer in ["relu1_1", "relu2_1", "relu3_1"] {
            let unexplained = unexplained(&student, &teacher, &picture, layer);
            assert!(unexplained < 0.1, "{file}, {layer}: {unexplained}");
        }
    }
}

#[test]
fn a_smaller_network_with_random_weights_does_not_explain_its_features() {
    let path = scratch("random").join("network.safetensors");
    write_network(&path, &[(0, 2), (2, 2), (5, 2), (7, 2), (10, 2)]);
    let [random, built_in] = [weights::load(&path, Device::Cpu), builtin::network(Device::Cpu)].map(Result::unwrap);
    let unexplained = unexplained(&random, &built_in, &picture(1, 60, 80), "relu3_1");
    assert!(unexplained > 0.1, "{unexplained}");
}
