//! Tests the optical flow on pictures that are sums of waves, and so are known exactly between pixels, too.

use style_engine::flow::{self, Filter, Frame};
use style_engine::random::Random;
use tch::{Device, Kind, Tensor};

const HEIGHT: i64 = 135;
const WIDTH: i64 = 240;

/// The position of each pixel, `(1, 2, H, W)`, x then y.
fn positions(height: i64, width: i64) -> Tensor {
    let line = |length| Tensor::arange(length, (Kind::Float, Device::Cpu));
    let (x, y) =
        (line(width).expand([height, width], false), line(height).view([-1, 1]).expand([height, width], false));
    Tensor::stack(&[x, y], 0).unsqueeze(0)
}

/// Uniform noise of this standard deviation.
fn noise(seed: u64, sigma: f64, size: &[i64]) -> Tensor {
    (Random(seed).uniform(size.iter().product()).unwrap().view(size) - 0.5) * (12f64.sqrt() * sigma)
}

/// A scene `(1, 3, H, W)` at these positions: waves with lengths from 6 to 100 pixels; longer ones are stronger.
fn scene(seed: u64, positions: &Tensor) -> Tensor {
    let random = Vec::<f64>::try_from(Random(seed).uniform(120).unwrap().to_kind(Kind::Double)).unwrap();
    let (x, y) = (positions.select(1, 0), positions.select(1, 1));
    let wave = |random: &[f64]| {
        let length = 6.0 * (100.0f64 / 6.0).powf(random[0]);
        let (direction, rate) = (std::f64::consts::TAU * random[1], std::f64::consts::TAU / length);
        let phase = &x * (rate * direction.cos()) + &y * (rate * direction.sin()) + std::f64::consts::TAU * random[2];
        phase.sin() * (0.03 * (length / 6.0).powf(0.4))
    };
    let gray = random.chunks(3).map(wave).fold(x.zeros_like() + 0.5, |sum, wave| sum + wave);
    gray.unsqueeze(1).expand([1, 3, -1, -1], false).clamp(0.0, 1.0)
}

/// The flow between two pictures, forward and backward.
fn between(first: &Tensor, second: &Tensor) -> [Tensor; 2] {
    flow::between(&Frame::new(first).unwrap(), &Frame::new(second).unwrap()).unwrap()
}

/// The mean of `values` where `places` is 1.
fn mean_over(values: &Tensor, places: &Tensor) -> f64 {
    ((values * places).sum(Kind::Float) / places.sum(Kind::Float)).double_value(&[])
}

fn length(motion: &Tensor) -> Tensor {
    motion.square().sum_dim_intlist([1].as_slice(), true, Kind::Float).sqrt()
}

/// 1 where a position is inside the picture.
fn inside(positions: &Tensor) -> Tensor {
    let within = |channel: i64, side: i64| {
        let value = positions.narrow(1, channel, 1);
        value.ge(0.0).logical_and(&value.le((side - 1) as f64))
    };
    within(0, WIDTH).logical_and(&within(1, HEIGHT)).to_kind(Kind::Float)
}

/// Tests a linear motion about the picture's center, `matrix * p + shift`. Returns the mean errors of the forward and
/// the backward flow over the area that both frames show.
fn errors(matrix: [f64; 4], shift: [f64; 2]) -> [f64; 2] {
    let center = Tensor::from_slice(&[WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0]).view([1, 2, 1, 1]);
    let shift = Tensor::from_slice(&shift).to_kind(Kind::Float).view([1, 2, 1, 1]);
    let apply = |[a, b, c, d]: [f64; 4], p: &Tensor| {
        let (x, y) = (p.narrow(1, 0, 1), p.narrow(1, 1, 1));
        Tensor::cat(&[&x * a + &y * b, &x * c + &y * d], 1)
    };
    let [a, b, c, d] = matrix;
    let determinant = a * d - b * c;
    let inverse = [d, -b, -c, a].map(|element| element / determinant);

    let p = positions(HEIGHT, WIDTH);
    let after = apply(matrix, &(&p - &center)) + &shift + &center;
    let before = apply(inverse, &(&p - &shift - &center)) + &center;
    let size = [1, 3, HEIGHT, WIDTH];
    let first = scene(1, &p) + noise(2, 0.01, &size);
    let second = scene(1, &before) + noise(3, 0.01, &size);
    let [there, back] = between(&first, &second);
    let error = |found: Tensor, target: &Tensor| mean_over(&length(&(found + &p - target)), &inside(target));
    [error(there, &after), error(back, &before)]
}

#[test]
fn pans_are_found() {
    for shift in [[0.5, 0.25], [3.3, -2.6], [-11.7, 5.2], [24.6, -9.3]] {
        let errors = errors([1.0, 0.0, 0.0, 1.0], shift);
        assert!(errors.iter().all(|error| *error < 0.3), "{shift:?}: {errors:?}");
    }
}

#[test]
fn zoom_and_rotation_are_found() {
    for (zoom, degrees) in [(1.08, 0.0), (1.0, 4.0), (0.96, -2.0f64)] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let errors = errors([zoom * cos, -zoom * sin, zoom * sin, zoom * cos], [1.3, -0.7]);
        assert!(errors.iter().all(|error| *error < 0.3), "{zoom} {degrees}: {errors:?}");
    }
}

/// The flow must also be right in the flat half, which has nothing but noise.
#[test]
fn pans_of_a_half_flat_scene_are_found_to_a_tenth_of_a_pixel() {
    let half_flat = |seed: u64, p: &Tensor| {
        let scene = scene(1, p).where_self(&p.narrow(1, 0, 1).lt(0.5 * WIDTH as f64), &Tensor::from(0.6f32));
        scene + noise(seed, 0.01, &[1, 3, HEIGHT, WIDTH])
    };
    let p = positions(HEIGHT, WIDTH);
    for (x, y) in [(0.5f32, 0.25f32), (-0.3, 0.7), (2.3, -1.6)] {
        let shift = Tensor::from_slice(&[x, y]).view([1, 2, 1, 1]);
        let [there, back] = between(&half_flat(2, &p), &half_flat(3, &(&p - &shift)));
        for (found, shift) in [(there, &shift), (back, &-&shift)] {
            let error = mean_over(&length(&(found - shift)), &inside(&(&p + shift)));
            assert!(error < 0.13, "{x} {y}: {error}");
        }
    }
}

#[test]
fn the_area_that_a_moving_disc_covers_is_not_visible() {
    let p = positions(HEIGHT, WIDTH);
    let shift = |x: f64, y: f64| Tensor::from_slice(&[x as f32, y as f32]).view([1, 2, 1, 1]);
    let (background, foreground, center) = (shift(1.3, -0.7), shift(-9.4, 4.1), shift(130.0, 60.0));
    let disc = |p: &Tensor| length(&(p - &center)).lt(30.0);
    let picture = |frame: f64| {
        let on_disc = &p - &foreground * frame;
        scene(5, &on_disc).where_self(&disc(&on_disc), &scene(1, &(&p - &background * frame)))
    };
    let [there, back] = between(&picture(0.0), &picture(1.0));
    let visible = flow::visible(&there, &back).unwrap();

    let truth = foreground.where_self(&disc(&p), &background);
    let covered = disc(&p).logical_not().logical_and(&disc(&(&p + &background - &foreground))).to_kind(Kind::Float);
    let uncovered = inside(&(&p + &truth)) * (1.0 - &covered);
    let error = mean_over(&length(&(there - &truth)), &uncovered);
    let (visible_share, covered_share) = (mean_over(&visible, &uncovered), mean_over(&visible, &covered));
    assert!(error < 0.6, "{error}");
    assert!(visible_share > 0.93, "{visible_share} of the visible area is found visible");
    assert!(covered_share < 0.25, "{covered_share} of the covered area is found visible");
}

#[test]
fn a_moving_object_leaves_the_still_background_without_motion() {
    let (p, size) = (positions(HEIGHT, WIDTH), [1, 3, HEIGHT, WIDTH]);
    // Little texture, so that the motion of the disc could easily spread to the background.
    let background = scene(1, &(&p * 0.25));
    let place = |x: f64, y: f64| Tensor::from_slice(&[x as f32, y as f32]).view([1, 2, 1, 1]);
    let picture = |frame: f64, seed: u64| {
        let on_disc = &p - place(2.0, 0.0) * frame;
        let disc = length(&(&on_disc - place(180.0, 90.0))).lt(24.0);
        scene(5, &on_disc).where_self(&disc, &background) + noise(seed, 0.01, &size)
    };
    let far = p.narrow(1, 0, 1).lt(120.0).to_kind(Kind::Float);
    for motion in between(&picture(0.0, 2), &picture(1.0, 3)) {
        let mean = mean_over(&length(&motion), &far);
        assert!(mean < 0.02, "{mean}");
    }
}

#[test]
fn a_still_scene_has_no_motion_despite_noise() {
    let size = [1, 3, HEIGHT, WIDTH];
    let still = scene(1, &positions(HEIGHT, WIDTH));
    for motion in between(&(&still + noise(2, 0.01, &size)), &(&still + noise(3, 0.01, &size))) {
        let mean = length(&motion).mean(Kind::Float).double_value(&[]);
        assert!(mean < 0.1, "{mean}");
    }
}

#[test]
fn a_picture_of_one_color_has_no_motion_at_all() {
    let gray = Tensor::full([1, 3, 40, 60], 0.3, (Kind::Float, Device::Cpu));
    for motion in between(&gray, &gray) {
        assert_eq!(length(&motion).max().double_value(&[]), 0.0);
    }
}

#[test]
fn frames_may_have_any_size() {
    for (height, width) in [(1, 1), (1, 7), (7, 1), (5, 3), (17, 16), (33, 31)] {
        let p = positions(height, width);
        let [there, back] = between(&scene(1, &p), &scene(1, &(&p - 0.5)));
        let visible = flow::visible(&there, &back).unwrap();
        assert_eq!(visible.size(), [1, 1, height, width]);
        for motion in [there, back] {
            assert_eq!(motion.size(), [1, 2, height, width]);
            // This also fails for NaN.
            assert!(length(&motion).max().double_value(&[]) < 4.0, "{height} x {width}");
        }
    }
}

#[test]
fn a_warp_by_whole_pixels_keeps_values() {
    let values = noise(1, 0.3, &[2, 4, 19, 33]);
    let flow = Tensor::from_slice(&[-3f32, 2., 40., -5.]).view([2, 2, 1, 1]).expand([2, 2, 19, 33], false);
    let moved = |picture: i64, x: i64, y: i64| {
        // Mirrored at the edges; the edge pixels themselves are repeated.
        let line = |length: i64, by: i64| {
            let mirrored = |index: i64| if index < length { index } else { 2 * length - 1 - index };
            let indices: Vec<_> = (0..length).map(|index| mirrored((index + by).rem_euclid(2 * length))).collect();
            Tensor::from_slice(&indices)
        };
        values.narrow(0, picture, 1).index_select(2, &line(19, y)).index_select(3, &line(33, x))
    };
    let expected = Tensor::cat(&[moved(0, -3, 2), moved(1, 40, -5)], 0);
    for filter in [Filter::Bilinear, Filter::Bicubic] {
        let warped = flow::warp(&values, &flow, filter).unwrap();
        assert!(warped.allclose(&expected, 0.0, 1e-4, false), "{filter:?}");
        let first = flow::warp(&values.narrow(0, 0, 1), &flow.narrow(0, 0, 1), filter).unwrap();
        assert!(first.allclose(&expected.narrow(0, 0, 1), 0.0, 1e-4, false), "{filter:?}, a single picture");
    }
}

#[test]
fn a_warp_between_pixels_interpolates() {
    let step = Tensor::from_slice(&[0f32, 0., 0., 1., 1., 1.]).view([1, 1, 1, 6]);
    let flow = Tensor::from_slice(&[0.5f32, 0.0]).view([1, 2, 1, 1]).expand([1, 2, 1, 6], false);
    // The bicubic kernel with a = -0.75: -3/32, 19/32, 19/32, -3/32.
    for (filter, expected) in
        [(Filter::Bilinear, [0., 0., 0.5, 1., 1., 1f32]), (Filter::Bicubic, [0., -0.09375, 0.5, 1.09375, 1., 1.])]
    {
        let warped = flow::warp(&step, &flow, filter).unwrap();
        let expected = Tensor::from_slice(&expected).view_as(&step);
        assert!(warped.allclose(&expected, 0.0, 1e-5, false), "{filter:?}: {warped}");
    }
}

#[test]
fn flow_that_leads_out_of_the_picture_is_clamped() {
    let flow = Tensor::from_slice(&[-10f32, 4.0]).view([1, 2, 1, 1]).expand([1, 2, HEIGHT, WIDTH], false);
    let clamped = flow::clamped_into_frame(&flow, 64.0).unwrap();
    let at = |x: i64, y: i64| [0, 1].map(|part| clamped.double_value(&[0, part, y, x]));
    assert_eq!(at(100, 50), [-10.0, 4.0]);
    assert_eq!(at(9, 50), [54.0, 4.0]);
    assert_eq!(at(100, HEIGHT - 1), [-10.0, -60.0]);
}

#[test]
fn a_pixel_is_visible_if_its_flow_is_consistent_and_stays_inside() {
    let motion = |x: f64, y: f64| {
        Tensor::from_slice(&[x as f32, y as f32]).view([1, 2, 1, 1]).expand([1, 2, 10, 20], false).contiguous()
    };
    let share = |there: Tensor, back: Tensor| flow::visible(&there, &back).unwrap().mean(Kind::Float).double_value(&[]);
    let near = |share: f64, expected: f64| assert!((share - expected).abs() < 1e-6, "{share}, expected {expected}");
    near(share(motion(0.0, 0.0), motion(0.0, 0.0)), 1.0);
    // 5 of 20 columns leave the picture, then 3 of 10 rows.
    near(share(motion(5.0, 0.0), motion(-5.0, 0.0)), 0.75);
    near(share(motion(0.0, -3.0), motion(0.0, 3.0)), 0.7);
    // |w + w'|^2 is 1 and 0.36, the tolerance 0.51 to 0.5236.
    near(share(motion(1.0, 0.0), motion(0.0, 0.0)), 0.0);
    near(share(motion(0.0, 0.6), motion(0.0, 0.0)), 0.9);
}
