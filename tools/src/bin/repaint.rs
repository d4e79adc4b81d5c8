//! Repaints a film of raw RGB frames and prints a line of JSON with measurements for each frame; for `scripts/bench`.
//!
//! `repaint WIDTH HEIGHT FILM STYLE_WIDTH STYLE_HEIGHT STYLE RESULT [flow=FILE] [found=FILE] [weights=FILE]
//! [model=FILE|start=FILE] [device=NAME] [NAME=VALUE ...]`: the files contain R, G, B bytes without headers. A style of
//! 0 x 0 pixels is none. `flow` has the optical flow for each frame but the first, as 32-bit floats for
//! [`style_engine::session::Session::paint`]. The flow that the engine finds is written to `found` in the same form.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use style_engine::flow;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine_interface::{Parameters, original_colors, precision, recipe, style_loss, warm_start};
use tch::{Kind, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, film, style_width, style_height, style, result, options @ ..] = arguments.as_slice() else {
        return Err("usage: see the top of tools/src/bin/repaint.rs".into());
    };
    let options: HashMap<&str, &str> = options.iter().filter_map(|option| option.split_once('=')).collect();
    let number = |name: &str| options.get(name).map(|text| text.parse::<f64>()).transpose();

    let mut parameters = Parameters::default();
    for (name, field) in [
        ("content-weight", &mut parameters.content_weight),
        ("style-weight", &mut parameters.style_weight),
        ("temporal-weight", &mut parameters.temporal_weight),
        ("scene-threshold", &mut parameters.scene_threshold),
        ("learning-rate", &mut parameters.learning_rate),
        ("octave-scale", &mut parameters.octave_scale),
        ("zoom", &mut parameters.camera.zoom),
        ("rotate", &mut parameters.camera.rotate),
    ] {
        *field = number(name)?.unwrap_or(*field);
    }
    for (name, field) in
        [("iterations", &mut parameters.iterations), ("first-iterations", &mut parameters.first_iterations)]
    {
        *field = number(name)?.map_or(*field, |number| number as i32);
    }
    for (name, field) in [("octaves", &mut parameters.octaves), ("jitter", &mut parameters.jitter)] {
        *field = number(name)?.map_or(*field, |number| number as u32);
    }
    for (channel, text) in
        parameters.channels.iter_mut().zip(options.get("channels").iter().flat_map(|list| list.split(',')))
    {
        *channel = text.parse()?;
    }
    for (name, named, field) in [
        ("recipe", recipe::named as fn(&str) -> _, &mut parameters.recipe),
        ("original-colors", original_colors::named, &mut parameters.original_colors),
        ("precision", precision::named, &mut parameters.precision),
        ("style-loss", style_loss::named, &mut parameters.style_loss),
        ("warm-start", warm_start::named, &mut parameters.warm_start),
    ] {
        if let Some(value) = options.get(name) {
            *field = named(value).ok_or_else(|| format!("{name}={value}: there is no such value"))?;
        }
    }

    let (width, height) = (width.parse::<i64>()?, height.parse::<i64>()?);
    let film = fs::read(film)?;
    let style = picture(&fs::read(style)?, style_height.parse()?, style_width.parse()?);
    let flows = options.get("flow").map(fs::read).transpose()?;
    let mut flows = flows.as_ref().map(|bytes| bytes.chunks_exact((16 * height * width) as usize));

    let weights = options.get("weights").map(Path::new);
    let device = options.get("device").unwrap_or(&"auto");
    let mut session = match options.get("model") {
        Some(model) => Session::of_models(&[Path::new(model)], device)?,
        None => {
            let start: Vec<_> = options.get("start").map(Path::new).into_iter().collect();
            Session::starting_from(&start, weights, device)?
        }
    };
    if style.numel() > 0 && !options.contains_key("model") {
        session.set_styles(&[Style { picture: style, weight: 1.0, region: 0 }])?;
    }
    session.set_parameters(parameters, options.get("content-layers").unwrap_or(&""), "")?;
    let mut result = fs::File::create(result)?;
    let mut found = options.get("found").map(fs::File::create).transpose()?;
    let mut last: Option<flow::Frame> = None;
    for (index, frame) in film.chunks_exact((3 * height * width) as usize).enumerate() {
        let frame = picture(frame, height, width);
        let flow =
            flows.as_mut().filter(|_| index > 0).and_then(Iterator::next).map(|bytes| flow(bytes, height, width));
        let levels = (session.paint(&frame, flow, &mut |_| true)? * 255).round();
        let bytes = levels.to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]).contiguous().flatten(0, -1);
        result.write_all(&Vec::<u8>::try_from(bytes)?)?;

        let stats = session.stats();
        let line = format!(
            "\"frame\": {}, \"device\": \"{}\", \"steps\": {}, \"ms\": {:.2}, \"style\": {:.6}, \"content\": {:.6}",
            index + 1,
            session.device(),
            stats.steps,
            stats.milliseconds,
            stats.style_loss,
            stats.content_loss
        );
        if let Some(file) = &mut found {
            let frame = flow::Frame::new(&frame)?;
            if let Some(last) = &last {
                file.write_all(&flow_bytes(&flow::between(&frame, last)?)?)?;
            }
            last = Some(frame);
        }
        println!("{{{line}}}");
    }
    Ok(())
}

/// Converts bytes to a picture `(1, 3, H, W)` in 0..1.
fn picture(bytes: &[u8], height: i64, width: i64) -> Tensor {
    Tensor::from_slice(bytes).view([1, height, width, 3]).permute([0, 3, 1, 2]).to_kind(Kind::Float) / 255
}

/// The forward and the backward flow, `(1, 2, H, W)` each.
fn flow(bytes: &[u8], height: i64, width: i64) -> [Tensor; 2] {
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let flows = Tensor::from_slice(&values).view([2, 2, height, width]);
    [flows.narrow(0, 0, 1), flows.narrow(0, 1, 1)]
}

fn flow_bytes(flows: &[Tensor; 2]) -> Result<Vec<u8>, Box<dyn Error>> {
    let values = Vec::<f32>::try_from(Tensor::cat(flows, 0).flatten(0, -1))?;
    Ok(values.into_iter().flat_map(f32::to_le_bytes).collect())
}
