//! Tests the losses' values, and that they do not depend on the resolution or the network's scale.

mod common;

use common::picture;
use style_engine::losses::{Distance, FeatureSums, GramDivisor, Statistics, Target, TotalVariation, gram};
use style_engine::networks::builtin;
use style_engine::networks::vgg::FeatureLayer;
use style_engine::normalization::Input;
use style_engine::pooling::Pooling;
use tch::{Device, Kind, Tensor};

fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

#[test]
fn the_divisor_applies_to_gram_matrices() {
    let features = Tensor::from_slice(&[1f32, 2., 3., 4., 0., 1., 0., 2.]).view([1, 2, 2, 2]);
    let products = Tensor::from_slice(&[30f32, 10., 10., 5.]).view([2, 2]);
    for (divisor, by) in [(GramDivisor::One, 1), (GramDivisor::Positions, 4), (GramDivisor::Features, 8)] {
        assert!(gram(&features, divisor).unwrap().allclose(&(&products / by), 1e-6, 1e-6, false));
    }
}

#[test]
fn gram_matrices_of_16_bit_features_are_accurate() {
    // The sums reach 4 million, which exceeds f16's range.
    let features = (picture(1, 64, 96) * 30.0).to_kind(Kind::BFloat16);
    let of = |kind| gram(&features.to_kind(kind), GramDivisor::One).unwrap();
    let exact = of(Kind::Float);
    assert!(of(Kind::BFloat16).allclose(&exact, 1.0 / 256.0, 0.0, false));
    assert!(of(Kind::Half).allclose(&exact, 1.0 / 256.0, 0.0, false));
}

#[test]
fn total_variations_have_the_right_values() {
    let ramp = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([1, 1, 1, 4]).expand([1, 3, 5, 4], false) * 0.1;
    let of = |kind: TotalVariation, x: &Tensor| number(&kind.accumulate(x, 0.0, &x.zeros_like()).unwrap());
    assert!((of(TotalVariation::MeanSquare, &ramp) - 0.01).abs() < 1e-7);
    assert!((of(TotalVariation::HalfMeanAbsolute, &ramp) - 0.05).abs() < 1e-7);
    // 3 channels of 4 x 3 positions that have both neighbors.
    assert!((of(TotalVariation::Power, &ramp) / (36.0 * 0.01f64.powf(1.25)) - 1.0).abs() < 1e-5);
    for (height, width) in [(1, 1), (1, 5), (5, 1)] {
        let flat = Tensor::ones([1, 3, height, width], (Kind::Float, Device::Cpu));
        for kind in [TotalVariation::MeanSquare, TotalVariation::HalfMeanAbsolute, TotalVariation::Power] {
            assert_eq!(of(kind, &flat), 0.0, "{kind:?} {height} {width}");
        }
    }
}

#[test]
fn total_variations_have_the_right_gradients() {
    let (x, direction) = (picture(1, 7, 9), picture(2, 7, 9) - 0.5);
    for kind in [TotalVariation::MeanSquare, TotalVariation::HalfMeanAbsolute, TotalVariation::Power] {
        let gradient = x.zeros_like();
        let _ = kind.accumulate(&x, 3.0, &gradient).unwrap();
        let along = number(&(&gradient * &direction).sum(Kind::Double));
        let at = |step: f64| number(&kind.accumulate(&(&x + &direction * step), 0.0, &x.zeros_like()).unwrap());
        let difference = 3.0 * (at(2e-4) - at(-2e-4)) / 4e-4;
        assert!((along - difference).abs() < 0.02 * along.abs(), "{kind:?}: {along} instead of {difference}");
    }
}

#[test]
fn distances_have_the_right_values() {
    let row = |values: &[f32]| Tensor::from_slice(values).view([1, 4]);
    let (x, t) = (row(&[1., 2., 3., 4.]), row(&[1., 1., 1., 1.]));
    let distance =
        |kind, positions| number(&Target::new(t.shallow_clone(), kind, positions).unwrap().distance(&x).unwrap());
    assert_eq!(distance(Distance::SumSquare, 10), 14.0);
    assert_eq!(distance(Distance::MeanSquare, 10), 3.5);
    assert_eq!(distance(Distance::Normalized, 10), 3.5);
    assert!((distance(Distance::Gatys, 10) - 14.0 / (4.0 * 9.0 * 100.0)).abs() < 1e-9);
}

#[test]
fn a_normalized_distance_is_relative_to_its_target() {
    let target = |x: Tensor| Target::new(x, Distance::Normalized, 64).unwrap();
    assert_eq!(number(&target(picture(1, 8, 8)).distance(&picture(1, 8, 8)).unwrap()), 0.0);
    assert!((number(&target(picture(1, 8, 8)).distance(&(picture(1, 8, 8) * 0.0)).unwrap()) - 1.0).abs() < 1e-6);
    // Features that are a thousand times larger give the same distance.
    let plain = target(picture(1, 8, 8)).distance(&picture(2, 8, 8)).unwrap();
    let scaled = target(picture(1, 8, 8) * 1000).distance(&(picture(2, 8, 8) * 1000)).unwrap();
    assert!((number(&plain) / number(&scaled) - 1.0).abs() < 1e-4);
}

#[test]
fn the_style_loss_does_not_depend_on_the_pictures_size() {
    let network = builtin::network(Device::Cpu).unwrap();
    let layers: Vec<FeatureLayer> =
        ["relu1_1", "relu2_1", "relu3_1"].map(|name| network.feature_layer(name).unwrap()).into();
    let input = Input::ImageNet.on(Device::Cpu).unwrap();
    // `periods` x `periods` repetitions of a picture have the same style as one. A period at each border is cut off,
    // since zero padding affects the features there.
    let losses = |x: &Tensor, style: &Tensor, periods: i64| -> Vec<f64> {
        let inside = |picture: &Tensor, layer: usize| {
            let picture = picture.repeat([1, 1, periods + 2, periods + 2]);
            let features = &network.features(&input.apply(&picture).unwrap(), &layers, Pooling::Max).unwrap()[layer];
            let inside = [2, 3].into_iter().fold(features.shallow_clone(), |features, axis| {
                let period = features.size()[axis] / (periods + 2);
                features.narrow(axis as i64, period, periods * period)
            });
            gram(&inside, GramDivisor::Positions).unwrap()
        };
        let distance = |kind, layer| {
            let target = Target::new(inside(style, layer), kind, 1).unwrap();
            number(&target.distance(&inside(x, layer)).unwrap())
        };
        let kinds = [Distance::MeanSquare, Distance::Normalized];
        kinds.into_iter().flat_map(|kind| (0..layers.len()).map(move |layer| distance(kind, layer))).collect()
    };
    let (x, style) = (picture(1, 64, 96), picture(5, 64, 96).square());
    for (small, large) in losses(&x, &style, 1).iter().zip(losses(&x, &style, 2)) {
        assert!((small / large - 1.0).abs() < 1e-3, "{small} {large}");
    }
}

#[test]
fn mean_and_covariance_have_the_right_values() {
    // Two channels at four positions.
    let features = Tensor::from_slice(&[1f32, 2., 3., 4., 0., 1., 0., 2.]).view([1, 2, 2, 2]);
    let statistics = Statistics::MeanCovariance.of(&FeatureSums::of(&features).unwrap()).unwrap();
    let expected = [Tensor::from_slice(&[2.5f32, 0.75]), Tensor::from_slice(&[1.25f32, 0.625, 0.625, 0.6875])];
    for (statistic, expected) in statistics.iter().zip(expected) {
        assert!(statistic.flatten(0, -1).allclose(&expected, 1e-6, 1e-6, false), "{statistic}");
    }
}

#[test]
fn sums_of_parts_add_up() {
    let features = Tensor::randn([1, 4, 12, 20], (Kind::Float, Device::Cpu));
    let of = |features: &Tensor| FeatureSums::of(features).unwrap();
    let [left, right] = [of(&features.narrow(3, 0, 7)), of(&features.narrow(3, 7, 13))];
    let kinds = [Statistics::MeanCovariance, Statistics::Gram(GramDivisor::Features)];
    let alike = |a: &FeatureSums, b: &FeatureSums| {
        kinds.iter().all(|kind| {
            let [a, b] = [a, b].map(|sums| kind.of(sums).unwrap());
            a.iter().zip(&b).all(|(a, b)| a.allclose(b, 1e-4, 1e-5, false))
        })
    };
    assert!(alike(&left.plus(&right).unwrap(), &of(&features)));
    assert!(alike(&of(&features).minus(&left).unwrap(), &right));
    assert!(!alike(&left, &right));
}
