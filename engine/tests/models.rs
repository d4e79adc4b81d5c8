//! Compares feed-forward networks with the same networks in PyTorch (models.py).

mod common;

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use common::{picture, real, scratch};
use style_engine::random::Random;
use style_engine::session::Session;
use style_engine::styles::Style;
use style_engine::{Error, weights};
use style_engine_interface::{MODELS as SHIPPED, Parameters, model_input, precision, warm_start};
use tch::{Device, Kind, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The maximum difference from PyTorch: a level of 8 bits.
const TOLERANCE: f64 = 1.0 / 255.0;

/// A folder with seeded networks.
static MODELS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = scratch("models");
    let _ = std::fs::remove_file(folder.join("written"));
    python(&["make", folder.to_str().unwrap()]);
    folder
});

/// A picture of a model.
struct Case {
    model: PathBuf,
    /// One of [`model_input`].
    set: u32,
    /// What the model takes, by its name in models.py.
    input: &'static str,
    size: [i64; 2],
    /// The size to which PyTorch's picture must be extended.
    extended: [i64; 2],
}

fn python(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models.py");
    let output = Command::new("/usr/bin/python3").arg(script).args(arguments).output().expect("Python is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn session(model: &Path) -> Session {
    Session::of_models(&[model], "cpu").unwrap_or_else(|error| panic!("{error}"))
}

fn paint(session: &mut Session, frame: &Tensor) -> Tensor {
    session.paint(frame, None, &mut |_| true).unwrap_or_else(|error| panic!("{error}"))
}

/// The message of the error with which a file is refused, or else its first frame.
fn error(model: &Path) -> String {
    let frame = picture(1, 20, 24);
    let painted =
        Session::of_models(&[model], "cpu").and_then(|mut session| session.paint(&frame, None, &mut |_| true));
    painted.expect_err("an error").to_string()
}

/// Compares the pictures with those of PyTorch.
fn compare(folder: &Path, cases: &[Case]) {
    let file = |name: &str, index: usize| folder.join(format!("{name}-{index}.raw")).to_str().unwrap().to_owned();
    let frame = |case: &Case| picture(1, case.size[0], case.size[1]);
    let mut arguments = vec!["paint".to_owned()];
    for (index, case) in cases.iter().enumerate() {
        let values: Vec<f32> = Vec::try_from(frame(case).flatten(0, -1)).unwrap();
        let bytes: Vec<_> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(file("frame", index), bytes).unwrap();
        arguments.extend([case.model.to_str().unwrap().into(), case.input.into()]);
        arguments.extend([case.size, case.extended].as_flattened().iter().map(i64::to_string));
        arguments.extend([file("frame", index), file("painted", index)]);
    }
    python(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    for (index, case) in cases.iter().enumerate() {
        let frame = frame(case);
        let bytes = std::fs::read(file("painted", index)).unwrap();
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
        let expected = Tensor::from_slice(&values).view_as(&frame);
        let mut session = session(&case.model);
        let parameters = Parameters { model_input: case.set, precision: precision::F32, ..Parameters::default() };
        session.set_parameters(parameters, "", "").unwrap();
        let own = paint(&mut session, &frame);

        let name = format!("{} {} at {:?}", case.model.display(), case.input, case.size);
        let change = (&expected - &frame).abs().mean(Kind::Float).double_value(&[]);
        assert!(change > 0.05, "{name}: the network hardly changes the picture: {change}");
        let error = (own - expected).abs().max().double_value(&[]);
        assert!(error < TOLERANCE, "{name}: {error}");
    }
}

/// Compares with what a kind of network takes without being told: a model, the size of a picture, and the size to which
/// it must be extended.
fn compare_as_known(name: &str, input: &'static str, cases: &[(&str, [i64; 2], [i64; 2])]) {
    let case = |&(model, size, extended): &(&str, _, _)| Case {
        model: MODELS.join(model),
        set: model_input::AUTO,
        input,
        size,
        extended,
    };
    compare(&scratch(name), &cases.iter().map(case).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn pictures_are_those_of_pytorch_from_each_form_of_file() {
    let cases = [
        ("new.pth", [48, 64], [48, 64]),
        ("legacy.model", [33, 47], [33, 47]),
        ("wrapped.pth", [50, 35], [50, 35]),
        ("first.model", [17, 90], [17, 90]),
        ("new.pth", [2, 3], [16, 16]),
        ("new.pth", [3, 40], [16, 40]),
    ];
    compare_as_known("models-example", "rgb-255", &cases);
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn pictures_of_generators_are_those_of_pytorch() {
    let cases = [
        ("resnet-9.pth", [48, 64], [48, 64]),
        ("resnet-9.pth", [33, 47], [33, 47]),
        ("resnet-9.pth", [2, 3], [8, 8]),
        ("resnet-6.pth", [50, 35], [50, 35]),
        ("resnet-6.pth", [3, 40], [8, 40]),
        ("resnet-old.pth", [17, 90], [17, 90]),
        ("resnet-affine.pth", [40, 30], [40, 30]),
        ("unet-128.pth", [128, 256], [128, 256]),
        ("unet-128.pth", [33, 147], [128, 256]),
        ("unet-128.pth", [2, 3], [128, 128]),
        ("unet-256.pth", [256, 256], [256, 256]),
        ("unet-256.pth", [99, 300], [256, 512]),
    ];
    compare_as_known("models-generators", "rgb-signed", &cases);
}

/// Its result is not compared: instance normalization of one color shows only how sums are rounded.
#[test]
#[ignore = "needs scripts/setup --tests"]
fn a_single_pixel_is_painted() {
    for model in ["new.pth", "resnet-9.pth", "unet-256.pth", "resnet.pt", "unet.pt"] {
        let painted = paint(&mut session(&MODELS.join(model)), &picture(1, 1, 1));
        assert_eq!((painted.size(), painted.isfinite().all().int64_value(&[])), (vec![1, 3, 1, 1], 1), "{model}");
    }
}

#[test]
#[ignore = "needs scripts/setup --tests and real weights"]
fn pictures_of_real_networks_are_those_of_pytorch() {
    let cases = [("candy-8.model", [72, 96]), ("mosaic-8.model", [61, 83]), ("udnie-16.model", [90, 70])];
    let case = |(name, size)| {
        let model = real(&format!("networks/{name}"));
        Case { model, set: model_input::AUTO, input: "rgb-255", size, extended: size }
    };
    compare(&scratch("real-models"), &cases.map(case));
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn pictures_of_torch_script_are_those_of_pytorch() {
    let cases = [
        ("picture.pt", [48, 64], [48, 64]),
        ("picture.pt", [33, 47], [33, 47]),
        ("picture.pt", [1, 1], [1, 1]),
        ("frozen.pt", [50, 35], [50, 35]),
        ("particular.pt", [64, 32], [64, 32]),
        // What a module does not take is extended to multiples of 8, 32 or 256.
        ("particular.pt", [33, 90], [64, 96]),
        ("resnet.pt", [48, 64], [48, 64]),
        ("resnet.pt", [33, 47], [40, 48]),
        ("resnet.pt", [2, 3], [8, 8]),
        ("unet.pt", [64, 96], [64, 96]),
        ("unet.pt", [50, 35], [64, 64]),
    ];
    compare_as_known("models-scripts", "rgb-1", &cases);

    let frame = picture(1, 40, 56);
    let enlarged = paint(&mut session(&MODELS.join("double.pt")), &frame);
    let error = (frame + enlarged - 1.0).abs().mean(Kind::Float).double_value(&[]);
    assert!(error < 0.02, "a picture of twice the size is not scaled back: {error}");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn model_input_sets_the_range_and_the_order_of_the_channels() {
    let inputs = [
        (model_input::RGB_1, "rgb-1"),
        (model_input::RGB_255, "rgb-255"),
        (model_input::RGB_SIGNED, "rgb-signed"),
        (model_input::BGR_1, "bgr-1"),
        (model_input::BGR_255, "bgr-255"),
        (model_input::BGR_SIGNED, "bgr-signed"),
    ];
    let case = |model: &str, (set, input)| {
        let size = [40, 56];
        Case { model: MODELS.join(model), set, input, size, extended: size }
    };
    let cases = inputs.map(|input| case("picture.pt", input)).into_iter().chain([case("resnet-9.pth", inputs[5])]);
    compare(&scratch("models-inputs"), &cases.collect::<Vec<_>>());
    let mut session = session(&MODELS.join("picture.pt"));
    let unknown = session.set_parameters(Parameters { model_input: 7, ..Parameters::default() }, "", "");
    assert!(matches!(unknown, Err(Error::Settings(_))));
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn what_is_no_number_does_not_stay_in_later_frames() {
    // It divides a frame without contrast by 0.
    let mut session = session(&MODELS.join("contrast.pt"));
    for frame in [picture(1, 32, 40) * 0.0, picture(1, 32, 40) * 0.001] {
        let painted = paint(&mut session, &frame);
        assert_eq!(painted.isfinite().all().int64_value(&[]), 1);
    }
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn a_program_is_run_as_a_model_only() {
    let (program, written) = (MODELS.join("writer.pt"), MODELS.join("written"));
    assert!(weights::is_torch_script(&program) && !weights::is_torch_script(&MODELS.join("new.pth")));
    assert!(weights::load(&program, Device::Cpu).is_err() && Session::new(Some(&program), "cpu").is_err());
    assert!(!written.exists(), "a weight file's program was run");
    session(&program);
    assert!(written.exists(), "the program was not run: this test shows nothing");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn torch_script_that_fails_is_an_error_with_its_reason() {
    for (name, reason) in [
        ("failing.pt", "no picture is good enough"),
        ("pair.pt", "forward did not return a tensor"),
        ("gray.pt", "it gives a tensor of shape [1, 1, 20, 24] instead of [1, 3, 20, 24]"),
    ] {
        let message = error(&MODELS.join(name));
        assert!(message.contains(name) && message.contains(reason) && !message.contains('\n'), "{message}");
    }
    let folder = scratch("models-failing");
    let whole = std::fs::read(MODELS.join("resnet.pt")).unwrap();
    let cut_off = folder.join("cut-off.pt");
    std::fs::write(&cut_off, &whole[..whole.len() / 2]).unwrap();
    assert!(error(&cut_off).contains("cut-off.pt: it is cut off or damaged"));
    let damaged = folder.join("damaged.pt");
    rewrite(&whole, &damaged, |name, content| {
        if name.ends_with(".py") {
            content.truncate(content.len() / 2);
        }
    });
    let message = error(&damaged);
    assert!(message.contains("damaged.pt") && message.len() > 40 && !message.contains('\n'), "{message}");
}

/// Copies an archive with changed entries.
fn rewrite(archive: &[u8], path: &Path, change: impl Fn(&str, &mut Vec<u8>)) {
    let mut from = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut to = ZipWriter::new(File::create(path).unwrap());
    for index in 0..from.len() {
        let mut entry = from.by_index(index).unwrap();
        let (name, mut content) = (entry.name().unwrap().into_owned(), Vec::new());
        entry.read_to_end(&mut content).unwrap();
        change(&name, &mut content);
        to.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
        to.write_all(&content).unwrap();
    }
    to.finish().unwrap();
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn flicker_is_damped_along_the_motion_and_a_cut_is_not() {
    let model = MODELS.join("new.pth");
    let scene = picture(1, 64, 160).upsample_bilinear2d([96, 240], false, None, None);
    let noise = |seed, frame: &Tensor| Random(seed).normal(frame.numel() as i64).unwrap().view_as(frame) * 0.02;
    let frame = |index: i64| {
        let part = scene.narrow(3, 2 * index, 128);
        (&part + noise(index as u64, &part)).clamp(0.0, 1.0)
    };
    // The mean square difference from the last picture, moved by the known motion.
    let flicker = |warm_start| {
        let mut session = session(&model);
        session.set_parameters(Parameters { warm_start, ..Parameters::default() }, "", "").unwrap();
        let painted: Vec<_> = (0..8).map(|index| paint(&mut session, &frame(index))).collect();
        let moved = painted.windows(2).skip(2).map(|pair| {
            let (before, after) = (pair[0].narrow(3, 22, 86), pair[1].narrow(3, 20, 86));
            (before - after).square().mean(Kind::Float).double_value(&[])
        });
        (moved.sum::<f64>(), session, painted.last().unwrap().shallow_clone())
    };
    let ((apart, ..), (steady, mut session, last)) = (flicker(warm_start::NONE), flicker(warm_start::FLOW));
    assert!(steady < 0.5 * apart, "{steady} of {apart}");
    let other = picture(77, 96, 128);
    let after_cut = paint(&mut session, &other);
    let fresh = paint(&mut self::session(&model), &other);
    assert!(!after_cut.allclose(&last, 0.0, 0.1, false) && after_cut.allclose(&fresh, 0.0, 1e-5, false));
}

#[test]
fn what_is_no_model_is_refused_with_its_names() {
    let folder = scratch("no-models");
    let file = |name: &str, tensors: &[(&str, Tensor)]| {
        let path = folder.join(name);
        Tensor::write_safetensors(tensors, &path).unwrap();
        path
    };
    let missing = folder.join("missing.pth");
    assert!(matches!(Session::of_models(&[&missing], "cpu"), Err(Error::ModelNotFound(path)) if path == missing));
    let vgg = file("vgg.safetensors", &[("features.0.weight", Tensor::from(1f32))]);
    let vgg = error(&vgg);
    for part in ["vgg.safetensors", "features.0.weight", "fast_neural_style", "CycleGAN", "TorchScript"] {
        assert!(vgg.contains(part), "{vgg}");
    }
    let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
    let part = [("conv1.conv2d.weight", ones(&[4, 3, 9, 9])), ("deconv3.conv2d.weight", ones(&[3, 4, 9, 9]))];
    let part = error(&file("part.safetensors", &part));
    assert!(part.contains("conv1.conv2d.bias is missing"), "{part}");
    let wide = [("conv1.conv2d.weight", ones(&[4, 5, 9, 9])), ("deconv3.conv2d.weight", ones(&[3, 4, 9, 9]))];
    let wide = error(&file("wide.safetensors", &wide));
    assert!(wide.contains("conv1.conv2d.weight has shape [4, 5, 9, 9] instead of [4, 3, 9, 9]"), "{wide}");
    let resnet = [("model.1.weight", ones(&[4, 3, 7, 7])), ("model.10.conv_block.1.weight", ones(&[16, 16, 3, 3]))];
    // Without a bias, batch normalization must follow.
    let resnet = error(&file("resnet.safetensors", &resnet));
    assert!(resnet.contains("2.weight is missing"), "{resnet}");
    let levels =
        (0..20).map(|depth| (format!("model.model.1.model.{}1.weight", "3.model.".repeat(depth)), [4, 4, 4, 4]));
    let levels = levels.chain([("model.model.0.weight".to_owned(), [4, 3, 4, 4])]);
    let levels: Vec<_> = levels.map(|(name, size)| (name, ones(&size))).collect();
    let levels: Vec<_> = levels.iter().map(|(name, tensor)| (name.as_str(), tensor.shallow_clone())).collect();
    let deep = error(&file("deep.safetensors", &levels));
    assert!(deep.contains("it has 21 levels"), "{deep}");
    let text = folder.join("text.pth");
    std::fs::write(&text, "hello").unwrap();
    assert!(error(&text).contains("text.pth"));
}

#[test]
fn shipped_models_paint_by_their_names() {
    let frame = picture(1, 90, 120);
    for name in SHIPPED {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("models/{name}.safetensors"));
        let bytes = std::fs::read(&file).unwrap();
        assert!(bytes.len() < 500_000 && common::provenance(&bytes).contains("public domain"), "{name}");
        let [by_name, of_file] = [Path::new(name), &file].map(|model| paint(&mut session(model), &frame));
        let change = (&by_name - &frame).abs().mean(Kind::Float).double_value(&[]);
        assert!(change > 0.05 && by_name == of_file, "{name}: {change}");
    }
    let message = error(Path::new("moonlit-night"));
    assert!(message.contains("moonlit-night") && SHIPPED.iter().all(|name| message.contains(name)), "{message}");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn bf16_changes_the_picture_little() {
    let frame = picture(1, 120, 161);
    let [exact, fast] = [precision::F32, precision::BF16].map(|precision| {
        let mut session = session(&MODELS.join("new.pth"));
        session.set_parameters(Parameters { precision, ..Parameters::default() }, "", "").unwrap();
        paint(&mut session, &frame)
    });
    let difference = (exact - fast).abs();
    let (mean, max) = (difference.mean(Kind::Float).double_value(&[]), difference.max().double_value(&[]));
    assert!(0.0 < mean && mean < 0.01 && max < 0.2, "{mean}, at most {max}");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn places_without_earlier_paint_start_from_the_model() {
    let model = &MODELS.join("new.pth");
    let scene = picture(1, 64, 160).upsample_bilinear2d([96, 240], false, None, None);
    let [first, next] = [40, 30].map(|left| scene.narrow(3, left, 128));
    let parameters =
        Parameters { first_iterations: 0, iterations: 0, precision: precision::F32, ..Parameters::default() };
    let mut session = Session::starting_from(&[model], None, "cpu").unwrap();
    session.set_parameters(parameters, "", "").unwrap();
    session.set_styles(&[Style { picture: picture(5, 80, 80), weight: 1.0, region: 0 }]).unwrap();
    let alone = |frame: &Tensor| {
        let mut session = self::session(model);
        session.set_parameters(parameters, "", "").unwrap();
        paint(&mut session, frame)
    };
    assert!(paint(&mut session, &first).allclose(&alone(&first), 0.0, 1e-4, false), "a first frame");
    let difference = (paint(&mut session, &next) - alone(&next)).abs();
    let largest = |left, width| difference.narrow(3, left, width).max().double_value(&[]);
    assert!(largest(0, 6) < 1e-4 && largest(20, 100) > 0.01, "{} {}", largest(0, 6), largest(20, 100));
}
