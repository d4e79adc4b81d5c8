//! Shared by the tests of the engine and of tools/.
#![allow(dead_code, reason = "no test file uses all of it")]

pub mod dreams;

use std::path::{Path, PathBuf};

use serde_json::Value;
use style_engine::networks::vgg::{FeatureLayer, Vgg};
use style_engine::pooling::Pooling;
use tch::{Device, Kind, Tensor};

/// A folder for a test's files.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("engine-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file of real weights or pictures, which are too large for the repository. Tests that need one have "real" in their
/// names, so that scripts/test can leave them out.
pub fn real(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(file);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Pseudo-random values in 0..1, the same for the same seed.
fn values(seed: i64, size: &[i64]) -> Tensor {
    let count: i64 = size.iter().product();
    let index = Tensor::arange(count, (Kind::Double, Device::Cpu)) + seed * 7919;
    (index.sin() * 43758.5453).frac().abs().to_kind(Kind::Float).view(size)
}

/// A picture `(1, 3, H, W)` in 0..1: smooth shapes with noise.
pub fn picture(seed: i64, height: i64, width: i64) -> Tensor {
    let shapes = values(seed, &[1, 3, 4, 4]).upsample_bilinear2d([height, width], false, None, None);
    shapes * 0.8 + values(seed + 1, &[1, 3, height, width]) * 0.2
}

/// Writes a network file with convolutions at these `features` indices, with these numbers of channels.
pub fn write_network(path: &Path, convs: &[(usize, i64)]) {
    let mut tensors = Vec::new();
    let mut input = 3;
    for &(index, channels) in convs {
        let scale = (2.0 / (9.0 * input as f64)).sqrt();
        let weight = (values(index as i64, &[channels, input, 3, 3]) - 0.5) * 3.5 * scale;
        tensors.push((format!("features.{index}.weight"), weight));
        tensors.push((format!("features.{index}.bias"), values(index as i64 + 100, &[channels]) * 0.1));
        input = channels;
    }
    Tensor::write_safetensors(&tensors, path).unwrap();
}

/// What the metadata of a safetensors file says about its origin.
pub fn provenance(file: &[u8]) -> String {
    let (length, rest) = file.split_first_chunk().unwrap();
    let header: Value = serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize]).unwrap();
    header["__metadata__"]["provenance"].as_str().unwrap().to_owned()
}

/// The share of the teacher's features that a linear map of the student's features cannot explain.
pub fn unexplained(student: &Vgg, teacher: &Vgg, picture: &Tensor, layer: &str) -> f64 {
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
