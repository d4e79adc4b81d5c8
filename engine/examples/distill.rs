//! Trains the built-in network: a slim student of VGG's topology learns to see styles as larger teachers do.
//!
//! `distill PICTURES RESULT TEACHER... [NAME=VALUE ...]`: PICTURES is a folder of PNG and JPEG files; each TEACHER a VGG
//! weight file (of several, the first that has a layer teaches it); RESULT is written as safetensors, 16 bits a number. It
//! comes out the same each time for the same `seed`. On the CPU the default number of steps takes less than an hour.
//!
//! Three losses, by these names in the options: `regress`, how far what the teacher gives is from the best linear map of what
//! the student gives; `relate`, how far pictures' Gram matrices are apart, for the one and the other; `align`, how the
//! gradients of a style loss, at the picture, point elsewhere.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use style_engine::builtin;
use style_engine::device;
use style_engine::input::Input;
use style_engine::random::Random;
use style_engine::vgg::{Conv, Layer, Pooling, Tap, Vgg};
use style_engine::weights;
use tch::nn::{Adam, OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where styles are compared.
const TAPS: [&str; 4] = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"];

/// What lies closer than this, of a Gram matrix's square, is as good as equal.
const CLOSE: f64 = 1e-3;

struct Settings {
    /// Convolutions, and channels, of each block.
    convs: Vec<usize>,
    channels: Vec<i64>,
    steps: u64,
    batch: usize,
    side: i64,
    rate: f64,
    seed: u64,
    regress: f64,
    relate: f64,
    align: f64,
}

struct Student {
    store: VarStore,
    /// Weight and bias, with their places.
    convs: Vec<(Layer, Tensor, Tensor)>,
    /// From what it gives at each tap to what the teacher gives there: `(teacher's, own, 1, 1)`.
    maps: Vec<Tensor>,
}

impl Student {
    /// Starts from a network with weights from the seed, and maps likewise.
    fn new(settings: &Settings, teachers: &[Lesson], device: Device, random: &mut Random) -> Outcome<Self> {
        let store = VarStore::new(device);
        let blocks: Vec<_> = settings.convs.iter().copied().zip(settings.channels.iter().copied()).collect();
        let variable = |layer: Layer, part: &str, value: &Tensor| {
            store.root().var_copy(&format!("conv{}_{}_{part}", layer.block, layer.conv), value)
        };
        let convs = builtin::seeded(&blocks, settings.seed, device)?.convs.into_iter();
        let convs = convs
            .map(|Conv { layer, weight, bias, .. }| {
                (layer, variable(layer, "weight", &weight), variable(layer, "bias", &bias))
            })
            .collect();
        let mut maps = Vec::new();
        for (number, lesson) in teachers.iter().enumerate() {
            let own = settings.channels[lesson.tap.layer.block - 1];
            let map = random.normal(lesson.channels * own)? / (own as f64).sqrt();
            maps.push(store.root().var_copy(&format!("map{number}"), &map.view([lesson.channels, own, 1, 1])));
        }
        Ok(Self { store, convs, maps })
    }

    fn network(&self) -> Outcome<Vgg> {
        let conv = |(layer, weight, bias): &(Layer, Tensor, Tensor)| Conv::new(*layer, weight, bias.shallow_clone());
        let convs = self.convs.iter().map(conv).collect::<Result<_, _>>()?;
        Ok(Vgg::new(convs, Input::ImageNet, self.store.device()))
    }
}

/// What is learnt at a tap.
struct Lesson {
    tap: Tap,
    /// Among the teachers.
    teacher: usize,
    channels: i64,
    /// What the teacher's features are divided by, so that their mean square is 1.
    scale: f64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, files): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.contains('='));
    let [pictures, result, teachers @ ..] = files.as_slice() else {
        return Err("see the head of engine/examples/distill.rs".into());
    };
    let options: HashMap<&str, &str> = options.iter().filter_map(|option| option.split_once('=')).collect();
    let settings = settings(&options)?;
    let device = device::find(options.get("device").copied().unwrap_or("auto"))?;
    let teachers = teachers.iter().map(|path| weights::load(Path::new(path), device)).collect::<Result<Vec<_>, _>>()?;
    let pictures = Pictures::new(Path::new(pictures))?;
    let mut random = Random(settings.seed);

    let probe = pictures.batch(&settings, &mut random)?.to_device(device);
    let lessons = lessons(&teachers, &probe, settings.channels.len())?;
    let student = Student::new(&settings, &lessons, device, &mut random)?;
    let mut optimizer = Adam { eps: 1e-8, ..Adam::default() }.build(&student.store, settings.rate)?;
    let mut shown = vec![0.0; 3 * lessons.len()];
    for step in 0..settings.steps {
        // Half a cosine down to 0 (I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, equation 5).
        let done = step as f64 / settings.steps as f64;
        optimizer.set_lr(settings.rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()));
        let batch = pictures.batch(&settings, &mut random)?.to_device(device);
        let losses = losses(&student, &teachers, &lessons, &batch, &settings)?;
        let weighed = [settings.regress, settings.relate, settings.align].repeat(lessons.len());
        let all = losses.iter().zip(&weighed).fold(Tensor::from(0f32).to_device(device), |sum, (loss, &weight)| {
            if weight > 0.0 { sum + loss * weight } else { sum }
        });
        optimizer.backward_step(&all);
        for (shown, loss) in shown.iter_mut().zip(&losses) {
            *shown += (loss.double_value(&[]) - *shown) / 50f64.min(step as f64 + 1.0);
        }
        if (step + 1) % 100 == 0 {
            let words: Vec<String> = shown.iter().map(|loss| format!("{loss:.4}")).collect();
            println!("{} of {}: {}", step + 1, settings.steps, words.join(" "));
        }
    }
    let _no_gradients = tch::no_grad_guard();
    Ok(weights::save(&student.network()?.to_kind(Kind::Half)?, Path::new(result))?)
}

fn settings(options: &HashMap<&str, &str>) -> Outcome<Settings> {
    let number = |name: &str, default: f64| options.get(name).map_or(Ok(default), |text| text.parse::<f64>());
    let list = |name: &str, default: &str| -> Result<Vec<i64>, _> {
        options.get(name).unwrap_or(&default).split(',').map(str::parse).collect()
    };
    Ok(Settings {
        convs: list("convs", "1,1,2,1")?.into_iter().map(|count| count as usize).collect(),
        channels: list("channels", "24,48,96,96")?,
        steps: number("steps", 20000.0)? as u64,
        batch: number("batch", 4.0)? as usize,
        side: number("side", 128.0)? as i64,
        rate: number("rate", 2e-3)?,
        seed: number("seed", 1.0)? as u64,
        regress: number("regress", 1.0)?,
        relate: number("relate", 0.0)?,
        align: number("align", 0.0)?,
    })
}

fn lessons(teachers: &[Vgg], probe: &Tensor, blocks: usize) -> Outcome<Vec<Lesson>> {
    let mut lessons = Vec::new();
    for name in &TAPS[..blocks] {
        let found = teachers.iter().enumerate().find_map(|(number, vgg)| Some((number, vgg.tap(name)?)));
        let (teacher, tap) = found.ok_or_else(|| format!("no teacher has {name}"))?;
        let vgg = &teachers[teacher];
        let features = tch::no_grad(|| vgg.features(&vgg.input.on(vgg.device)?.apply(probe)?, &[tap], Pooling::Max))?;
        let scale = features[0].square().mean(Kind::Float).sqrt().double_value(&[]);
        lessons.push(Lesson { tap, teacher, channels: features[0].size()[1], scale });
    }
    Ok(lessons)
}

/// For each lesson, the losses `regress`, `relate` and `align`, `()`.
fn losses(
    student: &Student,
    teachers: &[Vgg],
    lessons: &[Lesson],
    batch: &Tensor,
    settings: &Settings,
) -> Outcome<Vec<Tensor>> {
    let network = student.network()?;
    let is_aligned = settings.align > 0.0;
    let batch = batch.set_requires_grad(is_aligned);
    let taps: Vec<Tap> = lessons.iter().map(|lesson| lesson.tap).collect();
    let own = network.features(&network.input.on(network.device)?.apply(&batch)?, &taps, Pooling::Max)?;
    let mut taught = Vec::new();
    for (number, vgg) in teachers.iter().enumerate() {
        let taps: Vec<Tap> =
            lessons.iter().filter(|lesson| lesson.teacher == number).map(|lesson| lesson.tap).collect();
        taught.extend(vgg.features(&vgg.input.on(vgg.device)?.apply(&batch)?, &taps, Pooling::Max)?);
    }
    let none = || Tensor::from(0f32);
    let mut losses = Vec::new();
    for (((own, taught), lesson), map) in own.iter().zip(&taught).zip(lessons).zip(&student.maps) {
        let taught = taught / lesson.scale;
        let fixed = taught.detach();
        let guess = own.conv2d(map, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1);
        losses.push((guess - &fixed).square().mean(Kind::Float) / fixed.square().mean(Kind::Float));
        losses.push(if settings.relate > 0.0 {
            let apart = |features: &Tensor| (distances(features) + CLOSE).log();
            (apart(own) - apart(&fixed)).square().mean(Kind::Float)
        } else {
            none()
        });
        losses.push(if is_aligned {
            let gradient = |features: &Tensor, create: bool| {
                Tensor::run_backward(&[&style_loss(features)], &[&batch], true, create).remove(0)
            };
            let (wanted, found) = (gradient(&taught, false).detach(), gradient(own, true));
            let dims = [1i64, 2, 3];
            let product = |a: &Tensor, b: &Tensor| (a * b).sum_dim_intlist(dims.as_slice(), false, Kind::Float);
            let lengths = (product(&wanted, &wanted) * product(&found, &found) + 1e-20).sqrt();
            1.0 - (product(&wanted, &found) / lengths).mean(Kind::Float)
        } else {
            none()
        });
    }
    Ok(losses)
}

/// The Gram matrices of features `(N, C, H, W)`, flat: `(N, C C)`.
fn grams(features: &Tensor) -> Tensor {
    let flat = features.flatten(2, 3);
    (flat.bmm(&flat.transpose(1, 2)) / flat.size()[2] as f64).flatten(1, 2)
}

/// The squares of how far Gram matrices are apart, by those of what the second is, `(N, N)`.
fn distances(features: &Tensor) -> Tensor {
    let grams = grams(features);
    let squares = grams.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let apart = squares.unsqueeze(1) + &squares - grams.matmul(&grams.transpose(0, 1)) * 2.0;
    apart.clamp_min(0.0) / &squares
}

/// Each picture's distance to the style of the one before it.
fn style_loss(features: &Tensor) -> Tensor {
    let grams = grams(features);
    let targets = grams.detach().roll([1], [0]);
    let squares = targets.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    ((grams - &targets).square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float) / squares).sum(Kind::Float)
}

/// The pictures to learn from.
struct Pictures(Vec<Tensor>);

impl Pictures {
    fn new(folder: &Path) -> Outcome<Self> {
        let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
        paths.sort();
        let mut pictures = Vec::new();
        for path in paths {
            let picture = image::open(&path).map_err(|error| format!("{}: {error}", path.display()))?.to_rgb8();
            let size = [i64::from(picture.height()), i64::from(picture.width()), 3];
            pictures.push(Tensor::from_slice(picture.as_raw()).view(size.as_slice()).permute([2, 0, 1]).contiguous());
        }
        if pictures.is_empty() { Err(format!("{}: no pictures", folder.display()).into()) } else { Ok(Self(pictures)) }
    }

    /// Parts of pictures, `(N, 3, side, side)` in 0..1, of other sizes, turned over, in other colours; or textures.
    fn batch(&self, settings: &Settings, random: &mut Random) -> Outcome<Tensor> {
        let side = settings.side;
        let mut parts = Vec::new();
        for _ in 0..settings.batch {
            let part = if random.draw() < 0.15 { texture(side, random)? } else { self.part(side, random)? };
            parts.push(recoloured(&part, random)?);
        }
        Ok(Tensor::stack(&parts, 0))
    }

    fn part(&self, side: i64, random: &mut Random) -> Outcome<Tensor> {
        let picture = &self.0[below(self.0.len() as i64, random) as usize];
        let (_, height, width) = picture.size3()?;
        // From twice as large to as small as it may be.
        let most = height.min(width) as f64 / side as f64;
        let scale = (2.0 * most).powf(f64::from(random.draw())) / 2.0;
        let span = ((side as f64 * scale) as i64).clamp(2, height.min(width));
        let (top, left) = (below(height - span + 1, random), below(width - span + 1, random));
        let part = picture.narrow(1, top, span).narrow(2, left, span).to_kind(Kind::Float) / 255;
        let part = part.unsqueeze(0).internal_upsample_bilinear2d_aa([side, side], false, None, None).squeeze_dim(0);
        Ok(if random.draw() < 0.5 { part.flip([2]) } else { part })
    }
}

/// From 0 to `bound`, without it.
fn below(bound: i64, random: &mut Random) -> i64 {
    ((f64::from(random.draw()) * bound as f64) as i64).min(bound - 1)
}

/// Octaves of noise, each as strong as it happens to be, stretched, with edges or without: `(3, side, side)` in 0..1.
fn texture(side: i64, random: &mut Random) -> Outcome<Tensor> {
    let mut sum = Tensor::zeros([1, 3, side, side], (Kind::Float, Device::Cpu));
    for octave in 1..7 {
        let (height, width) = ((1 << octave).min(side), (1i64 << below(7, random)).min(side));
        let noise = random.normal(3 * height * width)?.view([1, 3, height, width]);
        sum += noise.upsample_bilinear2d([side, side], false, None, None) * f64::from(random.draw());
    }
    let steepness = 10f64.powf(2.0 * f64::from(random.draw()));
    Ok((sum * steepness).sigmoid().squeeze_dim(0))
}

/// With its channels in another order, brighter or darker, and of more contrast or less.
fn recoloured(picture: &Tensor, random: &mut Random) -> Outcome<Tensor> {
    if random.draw() < 0.4 {
        return Ok(picture.shallow_clone());
    }
    let turn = below(3, random);
    let between = |low: f64, high: f64, random: &mut Random| low + (high - low) * f64::from(random.draw());
    let order: Vec<i64> = (0..3).map(|channel| (channel + turn) % 3).collect();
    let gain: Vec<f32> = (0..3).map(|_| between(0.5, 1.5, random) as f32).collect();
    let shift: Vec<f32> = (0..3).map(|_| between(-0.2, 0.2, random) as f32).collect();
    let column = |values: &[f32]| Tensor::from_slice(values).view([3, 1, 1]);
    let turned = picture.index_select(0, &Tensor::from_slice(&order));
    Ok(((turned - 0.5) * column(&gain) + 0.5 + column(&shift)).clamp(0.0, 1.0))
}
