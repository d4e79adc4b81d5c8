//! The camera of an endless tunnel: the last dream is enlarged, turned and shifted.

use style_engine_interface::Camera;
use tch::{Kind, Tensor};

use crate::Result;
use crate::size::size_of;

/// torch's numbers of bicubic interpolation, and of a reflection beyond the edges.
const BICUBIC: i64 = 2;
const REFLECTION: i64 = 2;

/// A picture, `(1, C, H, W)`, as a camera moves it.
pub(super) fn moved(picture: &Tensor, camera: Camera) -> Result<Tensor> {
    let [height, width] = size_of(picture)?;
    let (sine, cosine) = camera.rotate.to_radians().sin_cos();
    let aspect = height as f64 / width as f64;
    // From a position in the result to one in the picture, both in -1..1.
    let [x, y] = [-2.0 * camera.shift_x, -2.0 * camera.shift_y];
    let rows = [
        [cosine, sine * aspect, cosine * x + sine * aspect * y],
        [-sine / aspect, cosine, cosine * y - sine / aspect * x],
    ];
    let matrix: Vec<f32> = rows.iter().flatten().map(|value| (value / camera.zoom) as f32).collect();
    let matrix = Tensor::f_from_slice(&matrix)?.f_view([1, 2, 3])?.f_to_device(picture.device())?;
    let (_, channels, ..) = picture.size4()?;
    let grid = Tensor::f_affine_grid_generator(&matrix, [1, channels, height, width], false)?;
    Ok(picture.f_grid_sampler(&grid.f_to_kind(Kind::Float)?, BICUBIC, REFLECTION, false)?.f_clamp(0.0, 1.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The place of a bright spot at `(y, x)` of a picture of 60 x 100 pixels after the camera has moved.
    fn after(camera: Camera, y: i64, x: i64) -> [f64; 2] {
        let picture = Tensor::zeros([1, 3, 60, 100], (Kind::Float, tch::Device::Cpu));
        let _ = picture.narrow(2, y - 1, 3).narrow(3, x - 1, 3).fill_(1.0);
        let moved = moved(&picture, camera).unwrap().select(1, 0).squeeze();
        let total = moved.sum(Kind::Float).double_value(&[]);
        let center = |axis: i64, length: i64| {
            let places = Tensor::arange(length, (Kind::Float, tch::Device::Cpu));
            (moved.sum_dim_intlist([axis].as_slice(), false, Kind::Float) * places).sum(Kind::Float).double_value(&[])
                / total
        };
        [center(1, 60), center(0, 100)]
    }

    fn assert_near(found: [f64; 2], expected: [f64; 2]) {
        let distance = (found[0] - expected[0]).hypot(found[1] - expected[1]);
        assert!(distance < 0.3, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn the_picture_is_enlarged_turned_and_shifted() {
        // The center lies between pixels 29 and 30, and 49 and 50.
        assert_near(after(Camera { zoom: 1.5, ..Camera::STILL }, 40, 70), [45.25, 80.25]);
        assert_near(after(Camera { rotate: 90.0, ..Camera::STILL }, 30, 70), [50.0, 49.0]);
        assert_near(after(Camera { shift_x: 0.1, shift_y: -0.2, ..Camera::STILL }, 40, 70), [28.0, 80.0]);
        // First it is enlarged and turned about the center, then shifted.
        let both = Camera { zoom: 1.2, rotate: 90.0, shift_x: 0.1, shift_y: 0.0 };
        assert_near(after(both, 30, 60), [42.1, 58.9]);
    }

    #[test]
    fn without_motion_nothing_changes() {
        let picture = Random(1).uniform(3 * 6 * 9).unwrap().view([1, 3, 6, 9]);
        assert!(moved(&picture, Camera::STILL).unwrap().allclose(&picture, 0.0, 1e-5, false));
    }
}
