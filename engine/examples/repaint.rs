//! Repaints a film of raw RGB frames and tells how, a line of JSON a frame: `scripts/bench` measures the engine with it.
//!
//! `repaint WIDTH HEIGHT FILM STYLE_WIDTH STYLE_HEIGHT STYLE RESULT [flow=FILE] [found=FILE] [measure=N]
//! [weights=FILE] [judge=FILE] [device=NAME] [NAME=NUMBER ...]`: files hold R, G, B bytes without headers; `flow`, for each frame but the
//! first, 32-bit floats as [`style_engine::session::Session::stylize_along`] takes them; `found` is written, the same as the
//! engine finds it. Every Nth frame's losses are measured, in 4 x 3 tiles, too,
//! by the network itself or by the judge's weights.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use style_engine::flow;
use style_engine::losses::{Distance, GramDivisor, Grid, Target, grams};
use style_engine::pooling::Pooling;
use style_engine::session::Session;
use style_engine::vgg::Vgg;
use style_engine::weights;
use style_engine_interface::{Parameters, warm_start};
use tch::{Kind, Tensor};

const STYLE_LAYERS: [&str; 5] = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"];
const CONTENT_LAYER: &str = "relu4_2";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, film, style_width, style_height, style, result, options @ ..] = arguments.as_slice() else {
        return Err("see the head of engine/examples/repaint.rs".into());
    };
    let options: HashMap<&str, &str> = options.iter().filter_map(|option| option.split_once('=')).collect();
    let number = |name: &str| options.get(name).map(|text| text.parse::<f64>()).transpose();
    let measure = number("measure")?.map_or(0, |every| every as usize);

    let mut parameters = Parameters::default();
    for (name, field) in [
        ("content-weight", &mut parameters.content_weight),
        ("style-weight", &mut parameters.style_weight),
        ("temporal-weight", &mut parameters.temporal_weight),
        ("scene-threshold", &mut parameters.scene_threshold),
    ] {
        *field = number(name)?.unwrap_or(*field);
    }
    for (name, field) in
        [("iterations", &mut parameters.iterations), ("first-iterations", &mut parameters.first_iterations)]
    {
        *field = number(name)?.map_or(*field, |number| number as i32);
    }
    parameters.warm_start = match options.get("warm-start") {
        Some(&"none") => warm_start::NONE,
        Some(&"previous") => warm_start::PREVIOUS,
        _ => warm_start::FLOW,
    };

    let (width, height) = (width.parse::<i64>()?, height.parse::<i64>()?);
    let film = fs::read(film)?;
    let style = picture(&fs::read(style)?, style_height.parse()?, style_width.parse()?);
    let flows = options.get("flow").map(fs::read).transpose()?;
    let mut flows = flows.as_ref().map(|bytes| bytes.chunks_exact((16 * height * width) as usize));

    let weights = options.get("weights").map(Path::new);
    let mut session = Session::new(weights, options.get("device").unwrap_or(&"auto"))?;
    session.set_parameters(parameters, "", "")?;
    session.set_styles(&[(style.shallow_clone(), 1.0)])?;
    let judge = options.get("judge").map(|path| weights::load(Path::new(path), session.vgg().device)).transpose()?;
    let mut result = fs::File::create(result)?;
    let mut found = options.get("found").map(fs::File::create).transpose()?;
    let mut last: Option<flow::Frame> = None;
    for (index, frame) in film.chunks_exact((3 * height * width) as usize).enumerate() {
        let frame = picture(frame, height, width);
        let flow =
            flows.as_mut().filter(|_| index > 0).and_then(Iterator::next).map(|bytes| flow(bytes, height, width));
        let levels = (session.stylize_along(&frame, flow, &mut |_| true)? * 255).round();
        let bytes = levels.to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]).contiguous().flatten(0, -1);
        result.write_all(&Vec::<u8>::try_from(bytes)?)?;

        let stats = session.stats();
        let mut line = format!(
            "\"frame\": {}, \"device\": \"{}\", \"steps\": {}, \"ms\": {:.2}",
            index + 1,
            session.device(),
            stats.steps,
            stats.milliseconds
        );
        if measure > 0 && (index + 1) % measure == 0 {
            let judge = judge.as_ref().unwrap_or(session.vgg());
            line += &losses(judge, &(&levels / 255), &frame, &style)?;
        }
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

/// Of a result: the style loss, over all and in tiles, and the content loss.
fn losses(network: &Vgg, painted: &Tensor, frame: &Tensor, style: &Tensor) -> Result<String, Box<dyn Error>> {
    let _no_gradients = tch::no_grad_guard();
    let input = network.input.on(network.device)?;
    let style_taps: Vec<_> = STYLE_LAYERS.iter().filter_map(|name| network.tap(name)).collect();
    let content_tap = network.tap(CONTENT_LAYER).or(network.taps().next_back());
    let mut taps: Vec<_> = style_taps.iter().copied().chain(content_tap).collect();
    taps.sort();
    taps.dedup();
    let features =
        |picture: &Tensor| network.features(&input.apply(&picture.to_device(network.device))?, &taps, Pooling::Max);
    let (of_painted, of_frame, of_style) = (features(painted)?, features(frame)?, features(style)?);
    let tiles = Grid { tiles: [3, 4], ..Grid::WHOLE };
    let (mut whole, mut each, mut content) = (0.0, Tensor::zeros([12], (Kind::Double, network.device)), 0.0);
    for (index, tap) in taps.iter().enumerate() {
        let (painted, frame, style) = (&of_painted[index], &of_frame[index], &of_style[index]);
        if Some(*tap) == content_tap {
            let target = Target::new(frame.shallow_clone(), Distance::Relative, 1)?;
            content = target.distance(painted)?.double_value(&[]);
        }
        if !style_taps.contains(tap) {
            continue;
        }
        let wanted = grams(style, &Grid::WHOLE, GramDivisor::Positions)?;
        let norm = wanted.square().sum(Kind::Double);
        let apart = |grid: &Grid| -> style_engine::Result<Tensor> {
            let apart = grams(painted, grid, GramDivisor::Positions)? - &wanted;
            Ok(apart.square().sum_dim_intlist([1, 2].as_slice(), false, Kind::Double) / &norm)
        };
        whole += apart(&Grid::WHOLE)?.double_value(&[0]) / style_taps.len() as f64;
        each += apart(&tiles)? / style_taps.len() as f64;
    }
    let each = Vec::<f64>::try_from(each)?;
    Ok(format!(", \"style\": {whole:.6}, \"content\": {content:.6}, \"tiles\": {each:?}"))
}

/// `(1, 3, H, W)` in 0..1.
fn picture(bytes: &[u8], height: i64, width: i64) -> Tensor {
    Tensor::from_slice(bytes).view([1, height, width, 3]).permute([0, 3, 1, 2]).to_kind(Kind::Float) / 255
}

/// There and back, `(1, 2, H, W)` each.
fn flow(bytes: &[u8], height: i64, width: i64) -> [Tensor; 2] {
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let flows = Tensor::from_slice(&values).view([2, 2, height, width]);
    [flows.narrow(0, 0, 1), flows.narrow(0, 1, 1)]
}

fn flow_bytes(flows: &[Tensor; 2]) -> Result<Vec<u8>, Box<dyn Error>> {
    let values = Vec::<f32>::try_from(Tensor::cat(flows, 0).flatten(0, -1))?;
    Ok(values.into_iter().flat_map(f32::to_le_bytes).collect())
}
