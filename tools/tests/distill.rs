//! Tests the training of a network: it is reproducible, and improves the student.

#[path = "../../engine/tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::process::Command;

use common::{picture, provenance, scratch, unexplained, write_network};
use style_engine::networks::vgg::Vgg;
use style_engine::weights;
use tch::{Device, Kind};

/// Trains a student of a small teacher with these options; returns its file and the network.
fn train(folder: &Path, options: &str) -> (Vec<u8>, Vgg) {
    let (teacher, pictures) = (folder.join("teacher.safetensors"), folder.join("pictures"));
    write_network(&teacher, &[(0, 8), (2, 8), (5, 12), (7, 12), (10, 16)]);
    std::fs::create_dir_all(&pictures).unwrap();
    let bytes = (picture(1, 60, 80) * 255.0).to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]).flatten(0, -1);
    image::RgbImage::from_raw(80, 60, Vec::try_from(bytes).unwrap()).unwrap().save(pictures.join("one.png")).unwrap();

    let file = folder.join("student.safetensors");
    let output = Command::new(env!("CARGO_BIN_EXE_distill"))
        .args([&pictures, &file, &teacher])
        .args(["channels=4,4/6,6/8", "side=32", "device=cpu"])
        .args(options.split(' '))
        .output()
        .unwrap();
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
