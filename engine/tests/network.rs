//! Tests networks from files: the structure follows from the tensors, and the features agree with NumPy's.

mod common;

use std::path::Path;
use std::process::Command;

use common::{picture, real, scratch, write_network};
use style_engine::losses::{GramDivisor, gram};
use style_engine::networks::vgg::{FeatureLayer, Vgg};
use style_engine::normalization::Input;
use style_engine::pooling::Pooling;
use style_engine::{Error, weights};
use tch::{Device, Kind, Tensor};

/// `features` indices and channels of a slim VGG19 to conv3_2: blocks of 2, 2 and 2 convolutions.
const SLIM: [(usize, i64); 6] = [(0, 4), (2, 4), (5, 6), (7, 6), (10, 8), (12, 8)];

#[test]
#[ignore = "needs scripts/setup --tests"]
fn features_and_gram_matrices_agree_with_numpy() {
    let folder = scratch("numpy");
    let path = folder.join("slim.safetensors");
    write_network(&path, &SLIM);
    // Odd sizes, because pooling must round down.
    let (height, width) = (23, 37);
    let x = picture(1, height, width);
    let values: Vec<f32> = Vec::try_from(x.flatten(0, -1)).unwrap();
    std::fs::write(folder.join("picture.raw"), values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
        .unwrap();

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("../.deps/python/bin/python"))
        .arg(root.join("tests/oracle.py"))
        .args([&path, &folder.join("picture.raw")])
        .args([height.to_string(), width.to_string()])
        .output()
        .expect("scripts/setup --tests installs NumPy");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut expected = output.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));

    let network = weights::load(&path, Device::Cpu).unwrap();
    let layers: Vec<FeatureLayer> = network.feature_layers().filter(|layer| layer.rectified).collect();
    let fed = Input::ImageNet.on(Device::Cpu).unwrap().apply(&x).unwrap();
    for (layer, features) in layers.iter().zip(network.features(&fed, &layers, Pooling::Max).unwrap()) {
        for result in [&features, &gram(&features, GramDivisor::Positions).unwrap()] {
            let size = result.size();
            let expected =
                Tensor::from_slice(&expected.by_ref().take(result.numel()).collect::<Vec<_>>()).view(&size[..]);
            assert!(result.allclose(&expected, 1e-4, 1e-5, false), "{layer} {size:?}");
        }
    }
    assert_eq!(expected.next(), None);
}

#[test]
fn depth_and_layers_follow_from_the_tensors() {
    let folder = scratch("depth");
    let network = |convs: &[(usize, i64)]| {
        let path = folder.join("network.safetensors");
        write_network(&path, convs);
        weights::load(&path, Device::Cpu).unwrap()
    };
    let names = |network: &Vgg| -> Vec<String> {
        network.feature_layers().filter(|layer| layer.rectified).map(|layer| layer.to_string()).collect()
    };
    assert_eq!(names(&network(&SLIM)), ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2"]);

    let vgg19 = network(&[0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34].map(|index| (index, 2)));
    assert_eq!((names(&vgg19).len(), names(&vgg19)[15].as_str()), (16, "relu5_4"));
    let vgg16 = network(&[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28].map(|index| (index, 2)));
    assert_eq!((names(&vgg16).len(), names(&vgg16)[12].as_str()), (13, "relu5_3"));

    // Torchvision's indices also count ReLUs and poolings.
    let layer = |network: &Vgg, name: &str| network.feature_layer(name).map(|layer| layer.to_string());
    for (index, name) in [("0", "conv1_1"), ("1", "relu1_1"), ("7", "conv2_2"), ("25", "conv4_4"), ("29", "relu5_1")] {
        assert_eq!(layer(&vgg19, index).as_deref(), Some(name));
        assert_eq!(layer(&vgg19, name).as_deref(), Some(name));
    }
    assert_eq!(layer(&vgg16, "24").as_deref(), Some("conv5_1"));
    assert_eq!([layer(&vgg19, "4"), layer(&vgg19, "37"), layer(&vgg19, "pool1")], [None, None, None]);
}

#[test]
fn other_networks_are_refused_with_the_reason() {
    let folder = scratch("refused");
    let path = folder.join("network.safetensors");
    let refused = |tensors: &[(&str, Tensor)]| {
        Tensor::write_safetensors(tensors, &path).unwrap();
        match weights::load(&path, Device::Cpu) {
            Err(Error::NotVgg { path: named, reason }) if named == path => reason,
            other => panic!("{:?}", other.map(|_| ())),
        }
    };
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let reason = refused(&[("conv1.weight", zeros(&[1]))]);
    assert!(reason.contains("features.N.weight"), "{reason}");
    let reason = refused(&[("features.0.weight", zeros(&[4, 3, 5, 5])), ("features.0.bias", zeros(&[4]))]);
    assert!(reason.contains("[4, 3, 5, 5]") && reason.contains("[out, 3, 3, 3]"), "{reason}");
    let reason = refused(&[("features.0.weight", zeros(&[4, 3, 3, 3])), ("features.0.bias", zeros(&[5]))]);
    assert!(reason.contains("features.0.bias has shape [5]"), "{reason}");
    let reason = refused(&[("features.0.weight", zeros(&[4, 3, 3, 3]))]);
    assert!(reason.contains("features.0.bias is missing"), "{reason}");
    let reason = refused(&[
        ("features.0.weight", zeros(&[4, 3, 3, 3])),
        ("features.0.bias", zeros(&[4])),
        ("features.4.weight", zeros(&[4, 4, 3, 3])),
        ("features.4.bias", zeros(&[4])),
    ]);
    assert!(reason.contains("features.4"), "{reason}");
}

#[test]
#[ignore = "needs real weights"]
fn real_weights_load() {
    for (file, layers) in [("vgg19-compact16.safetensors", 13), ("vgg19-conv3_1.safetensors", 5)] {
        let network = weights::load(&real(&format!("weights/{file}")), Device::Cpu).unwrap();
        assert_eq!(network.convs.len(), layers, "{file}");
    }
}
