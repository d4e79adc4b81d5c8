//! Networks from files: their shape is read off the tensors, and they compute what NumPy computes.

mod common;

use std::path::Path;
use std::process::Command;

use common::{picture, scratch, write_network};
use style_engine::vgg::Layer;
use style_engine::{Error, losses, weights};
use tch::{Device, Kind, Tensor};

/// `features` indices and channels of a slim VGG19 to conv3_2: blocks of 2, 2 and 2 convolutions.
const SLIM: [(usize, i64); 6] = [(0, 4), (2, 4), (5, 6), (7, 6), (10, 8), (12, 8)];

#[test]
fn features_and_gram_matrices_are_numpys() {
    let folder = scratch("numpy");
    let path = folder.join("slim.safetensors");
    write_network(&path, &SLIM);
    // Odd sizes: pooling rounds down.
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
    let layers: Vec<Layer> = network.layers().collect();
    for (layer, features) in layers.iter().zip(network.features(&x, &layers).unwrap()) {
        for result in [&features, &losses::gram(&features).unwrap()] {
            let size = result.size();
            let expected =
                Tensor::from_slice(&expected.by_ref().take(result.numel()).collect::<Vec<_>>()).view(&size[..]);
            assert!(result.allclose(&expected, 1e-4, 1e-5, false), "{layer} {size:?}");
        }
    }
    assert_eq!(expected.next(), None);
}

#[test]
fn depth_and_layers_are_read_off_the_tensors() {
    let folder = scratch("depth");
    let names = |convs: &[(usize, i64)]| {
        let path = folder.join("network.safetensors");
        write_network(&path, convs);
        let network = weights::load(&path, Device::Cpu).unwrap();
        let layers: Vec<_> = network.layers().map(|layer| layer.to_string()).collect();
        let style: Vec<_> = network.style_layers().iter().map(Layer::to_string).collect();
        (layers, style, network.content_layer().unwrap().to_string())
    };
    let (layers, style, content) = names(&SLIM);
    assert_eq!(layers, ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2"]);
    assert_eq!(style, ["relu1_1", "relu2_1", "relu3_1"]);
    assert_eq!(content, "relu3_2");

    let vgg19 = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34].map(|index| (index, 2));
    let (layers, style, content) = names(&vgg19);
    assert_eq!((layers.len(), style.len(), content.as_str()), (16, 5, "relu4_2"));
    assert_eq!(layers[15], "relu5_4");

    let vgg16 = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28].map(|index| (index, 2));
    let (layers, style, content) = names(&vgg16);
    assert_eq!((layers.len(), style.len(), content.as_str()), (13, 5, "relu4_2"));
    assert_eq!(layers[12], "relu5_3");
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
    assert!(reason.contains("features.0.bias is [5]"), "{reason}");
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
fn real_weights_load() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/weights");
    for (file, layers) in [("vgg19-compact16.safetensors", 13), ("vgg19-conv3_1.safetensors", 5)] {
        let path = shared.join(file);
        if path.exists() {
            assert_eq!(weights::load(&path, Device::Cpu).unwrap().layers().count(), layers, "{file}");
        } else {
            eprintln!("SKIPPED: {} is not here", path.display());
        }
    }
}
