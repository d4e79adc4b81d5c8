//! Measures the time of a step and prints it as a line of JSON; for `scripts/bench`.
//!
//! `steps WIDTH HEIGHT STEPS REPEATS [weights=FILE] [device=NAME] [precision=f32] [write=FILE]`: paints frames of noise
//! with `warm-start=previous`. The time of a step is the difference between a frame of 2 x STEPS steps and one of STEPS
//! steps, divided by STEPS, so that a frame's other costs do not count. `write`: writes the built-in network to a file.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use style_engine::networks::builtin;
use style_engine::random::Random;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine::weights;
use style_engine_interface::{Parameters, precision, warm_start};
use tch::{Device, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, steps, repeats, options @ ..] = arguments.as_slice() else {
        return Err("usage: see the top of tools/src/bin/steps.rs".into());
    };
    let options: HashMap<&str, &str> = options.iter().filter_map(|option| option.split_once('=')).collect();
    let (width, height, steps) = (width.parse()?, height.parse()?, steps.parse::<i32>()?);

    let mut session =
        Session::new(options.get("weights").map(Path::new), options.get("device").copied().unwrap_or("auto"))?;
    if let Some(path) = options.get("write") {
        weights::save(&builtin::network(Device::Cpu)?, Path::new(path), None)?;
    }
    let precision = match options.get("precision") {
        Some(name) => precision::named(name).ok_or("precision: auto, f32 or bf16")?,
        None => precision::DEFAULT,
    };
    session.set_styles(&[Style { picture: picture(2, height, width)?, weight: 1.0, region: 0 }])?;
    let frame = picture(1, height, width)?;
    let mut milliseconds = |iterations: i32| -> Result<f64, Box<dyn Error>> {
        let warm_start = warm_start::PREVIOUS;
        let parameters = Parameters { precision, warm_start, iterations, first_iterations: 1, ..Parameters::default() };
        session.set_parameters(parameters, "", "")?;
        let _painted = session.paint(&frame, None, &mut |_| true)?;
        Ok(session.stats().milliseconds)
    };
    // Not measured: the first frame, and a warm-up that fills caches.
    milliseconds(1)?;
    milliseconds(steps)?;
    let mut times = Vec::new();
    for _ in 0..repeats.parse::<usize>()? {
        times.push((milliseconds(2 * steps)? - milliseconds(steps)?) / f64::from(steps));
    }
    println!(
        "{{\"ms\": {times:?}, \"network\": {:?}, \"device\": {:?}, \"precision\": {:?}}}",
        session.network(),
        session.device(),
        session.precision()
    );
    Ok(())
}

/// A picture of smooth shapes, `(1, 3, H, W)` in 0..1.
fn picture(seed: u64, height: i64, width: i64) -> Result<Tensor, Box<dyn Error>> {
    let noise = Random(seed).uniform(3 * (height / 8) * (width / 8))?.view([1, 3, height / 8, width / 8]);
    Ok(noise.f_upsample_bilinear2d([height, width], false, None, None)?)
}
