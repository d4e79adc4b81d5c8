//! The losses' values, and that they mean the same at every resolution and with every network.

mod common;

use common::picture;
use style_engine::builtin;
use style_engine::losses::{Target, gram, relative_distance, total_variation};
use tch::{Device, Kind, Tensor};

fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

#[test]
fn a_gram_matrix_is_the_mean_of_products() {
    let features = Tensor::from_slice(&[1f32, 2., 3., 4., 0., 1., 0., 2.]).view([1, 2, 2, 2]);
    let expected = Tensor::from_slice(&[30f32, 10., 10., 5.]).view([2, 2]) / 4;
    assert!(gram(&features).unwrap().allclose(&expected, 1e-6, 1e-6, false));
}

#[test]
fn total_variation_is_the_mean_square_of_steps() {
    let ramp = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([1, 1, 1, 4]).expand([1, 3, 5, 4], false) * 0.1;
    assert!((number(&total_variation(&ramp).unwrap()) - 0.01).abs() < 1e-7);
    let point = Tensor::ones([1, 3, 1, 1], (Kind::Float, Device::Cpu));
    assert_eq!(number(&total_variation(&point).unwrap()), 0.0);
}

#[test]
fn a_distance_is_a_share_of_its_target() {
    let target = Target::new(picture(1, 8, 8)).unwrap();
    assert_eq!(number(&relative_distance(&picture(1, 8, 8), &target).unwrap()), 0.0);
    assert!((number(&relative_distance(&(picture(1, 8, 8) * 0.0), &target).unwrap()) - 1.0).abs() < 1e-6);
    // A network whose features are a thousand times larger changes nothing.
    let plain = relative_distance(&picture(2, 8, 8), &target).unwrap();
    let scaled = relative_distance(&(picture(2, 8, 8) * 1000), &Target::new(picture(1, 8, 8) * 1000).unwrap()).unwrap();
    assert!((number(&plain) / number(&scaled) - 1.0).abs() < 1e-4);
}

#[test]
fn a_style_loss_does_not_grow_with_the_picture() {
    let network = builtin::network(Device::Cpu).unwrap();
    let layers = network.style_layers();
    // The same picture four times as large, by repetition: the same style.
    let loss = |x: &Tensor, style: &Tensor| -> Vec<f64> {
        let (x, style) = (network.features(x, &layers).unwrap(), network.features(style, &layers).unwrap());
        let pairs = x.iter().zip(&style);
        pairs
            .map(|(x, style)| {
                let target = Target::new(gram(style).unwrap()).unwrap();
                number(&relative_distance(&gram(x).unwrap(), &target).unwrap())
            })
            .collect()
    };
    let (x, style) = (picture(1, 64, 96), picture(5, 64, 96));
    let large = |x: &Tensor| x.repeat([1, 1, 2, 2]);
    for (small, large) in loss(&x, &style).iter().zip(loss(&large(&x), &large(&style))) {
        assert!((small / large - 1.0).abs() < 0.2, "{small} {large}");
    }
}
