//! Trains the built-in network: a slim student with VGG's topology is distilled from larger teachers.
//!
//! `distill PICTURES RESULT TEACHER... [NAME=VALUE ...]`: PICTURES is a folder of PNG and JPEG files. Each TEACHER is a
//! VGG weight file; a layer is learnt from the first teacher that has it. RESULT is written as safetensors with 16-bit
//! numbers, with the command in its metadata. The same `seed` gives the same result.
//!
//! The student starts from the first teacher's layers with fewer channels. It learns to give the teachers' features at
//! the first ReLU of each block, up to a linear map, on photographs and on pictures that it is painting itself.
//!
//! | name | default | |
//! | --- | --- | --- |
//! | channels | 16,24/48,64/160 | number of channels of each convolution; blocks are separated by `/` |
//! | start | teacher | `seed`: random weights from the seed |
//! | steps | 12000 | number of training steps; 0 writes the start |
//! | batch | 4 | pictures per step |
//! | painted | 0.75 | share of these that the student is painting |
//! | lessons | 0.5,1,3 | weight of each block's loss; further blocks have the last weight |
//! | grams | 0 | weight of Gram matrices relative to features |
//! | side | 96 | width and height of the pictures, in pixels |
//! | rate | 0.001 | Adam's initial learning rate |
//! | seed | 1 | |
//! | device | auto | |
//! | about | | any text: it becomes part of the command in the file's metadata |

mod easel;
mod start;

use std::f64::consts::PI;
use std::path::Path;

use easel::Easel;
use style_engine::device;
use style_engine::networks::vgg::{Conv, FeatureLayer, Vgg};
use style_engine::normalization::Input;
use style_engine::pooling::Pooling;
use style_engine::random::Random;
use style_engine::weights;
use tch::nn::{Adam, OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor};
use tools::options::Options;
use tools::pictures::Pictures;
use tools::{Outcome, reproducible_kind};

/// The number of pictures with which the student's start and the maps are computed.
const PROBES: usize = 24;

/// The number of pictures that are being painted at any time.
const CANVASES: usize = 32;

/// Keeps the gradient of the Gram matrices' distance finite near 0: a share of the matrix's square.
const CLOSE: f64 = 1e-5;

/// Regularizes the least squares for the maps, since the student's channels may be nearly equal: a share of their mean
/// square.
const RIDGE: f64 = 1e-3;

struct Settings {
    channels: Vec<Vec<i64>>,
    starts_from_seed: bool,
    steps: u64,
    batch: usize,
    painted: f64,
    lessons: Vec<f64>,
    grams: f64,
    side: i64,
    rate: f64,
    seed: u64,
}

fn main() -> Outcome<()> {
    let options = Options::new(std::env::args().skip(1));
    let [pictures, result, teachers @ ..] = options.files.as_slice() else {
        let usage = "usage: distill PICTURES RESULT TEACHER... [NAME=VALUE ...]";
        return Err(format!("{usage}; tools/src/bin/distill/main.rs describes the options").into());
    };
    let settings = settings(&options)?;
    let device = device::find(options.text("device").unwrap_or("auto"))?;
    let teachers = teachers.iter().map(|path| weights::load(Path::new(path), device)).collect::<Result<Vec<_>, _>>()?;
    let pictures = Pictures::new(Path::new(pictures))?;

    let student = train(&settings, &teachers, &pictures, device)?;
    let _no_gradients = tch::no_grad_guard();
    let provenance = format!("distill {}", options.command);
    let network = if settings.steps == 0 { student.network() } else { student.balanced() }?;
    Ok(weights::save(&network.to_kind(Kind::Half)?, Path::new(result), Some(&provenance))?)
}

fn settings(options: &Options) -> Outcome<Settings> {
    let blocks = options.text("channels").unwrap_or("16,24/48,64/160").split('/');
    let lessons = options.text("lessons").unwrap_or("0.5,1,3").split(',').map(str::parse);
    let channels = blocks.map(|block| block.split(',').map(str::parse).collect());
    Ok(Settings {
        channels: channels.collect::<Result<_, _>>()?,
        starts_from_seed: options.text("start") == Some("seed"),
        steps: options.number("steps", 12000)?,
        batch: options.number("batch", 4)?,
        painted: options.number("painted", 0.75)?,
        lessons: lessons.collect::<Result<_, _>>()?,
        grams: options.number("grams", 0.0)?,
        side: options.number("side", 96)?,
        rate: options.number("rate", 1e-3)?,
        seed: options.number("seed", 1)?,
    })
}

fn train(settings: &Settings, teachers: &[Vgg], pictures: &Pictures, device: Device) -> Outcome<Student> {
    let mut random = Random(settings.seed);
    let draw = |count: usize, random: &mut Random| -> Outcome<Vec<Tensor>> {
        (0..count).map(|_| Ok(pictures.draw(settings.side, random)?.unsqueeze(0).to_device(device))).collect()
    };
    let probes = Tensor::cat(&draw(PROBES, &mut random)?, 0);
    let lessons = lessons(teachers, settings)?;
    let student = Student::new(settings, teachers, &lessons, &probes, device)?;
    let fast = |teacher: &Vgg| teacher.to_kind(reproducible_kind(device));
    let teachers = teachers.iter().map(fast).collect::<Result<Vec<_>, _>>()?;
    let mut optimizer = Adam { beta2: 0.99, ..Adam::default() }.build(&student.store, settings.rate)?;
    let mut easel = Easel::new(CANVASES, settings.side, &student.painter()?, pictures, &mut random)?;
    let painted = (settings.painted.clamp(0.0, 1.0) * settings.batch as f64).round() as usize;
    let mut averages = vec![0.0; 2 * lessons.len()];
    for step in 0..settings.steps {
        // A short warm-up, then half a cosine down to 0 (I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, equation 5).
        let done = step as f64 / settings.steps as f64;
        let warm_up = ((step + 1) as f64 / 50.0).min(1.0);
        optimizer.set_lr(settings.rate * warm_up * 0.5 * (1.0 + (PI * done).cos()));
        let mut batch = draw(settings.batch - painted, &mut random)?;
        batch.extend(easel.take(painted, &student.painter()?, pictures, &mut random)?);
        let distances = student.distances(&teachers, &lessons, &Tensor::cat(&batch, 0))?;
        let loss = |distance: &Distance| match settings.grams {
            0.0 => distance.features.shallow_clone(),
            weight => &distance.features + &distance.grams * weight,
        };
        let weighted = distances.iter().zip(&lessons).map(|(distance, lesson)| loss(distance) * lesson.weight);
        let losses: Vec<Tensor> = weighted.collect();
        optimizer.backward_step(&Tensor::stack(&losses, 0).sum(Kind::Float));
        let parts = distances.iter().flat_map(|distance| [&distance.features, &distance.grams]);
        for (average, part) in averages.iter_mut().zip(parts) {
            *average += (part.double_value(&[]) - *average) / 100f64.min(step as f64 + 1.0);
        }
        if (step + 1) % 100 == 0 {
            let pairs = averages.chunks(2).map(|pair| format!("{:.4} {:.4}", pair[0], pair[1]));
            println!("{} of {}: {}", step + 1, settings.steps, pairs.collect::<Vec<_>>().join(", "));
        }
    }
    Ok(student)
}

/// A layer to learn, the index of its teacher, and the weight of its loss.
struct Lesson {
    layer: FeatureLayer,
    teacher: usize,
    weight: f64,
}

/// The lessons: one for each block.
fn lessons(teachers: &[Vgg], settings: &Settings) -> Outcome<Vec<Lesson>> {
    let last = settings.lessons.last().copied().unwrap_or(1.0);
    let lesson = |block: usize| {
        let name = format!("relu{block}_1");
        let weight = settings.lessons.get(block - 1).copied().unwrap_or(last);
        let found = teachers
            .iter()
            .enumerate()
            .find_map(|(teacher, vgg)| Some(Lesson { layer: vgg.feature_layer(&name)?, teacher, weight }));
        found.ok_or_else(|| format!("no teacher has {name}").into())
    };
    (1..=settings.channels.len()).map(lesson).collect()
}

/// The teachers' features of pictures `(N, 3, H, W)` for each lesson: `(N, C, h, w)`, in 32 bits.
fn taught(teachers: &[Vgg], lessons: &[Lesson], pictures: &Tensor) -> Outcome<Vec<Tensor>> {
    let mut taught = Vec::new();
    for (number, vgg) in teachers.iter().enumerate() {
        let layers: Vec<FeatureLayer> =
            lessons.iter().filter(|lesson| lesson.teacher == number).map(|lesson| lesson.layer).collect();
        let features = vgg.features(&vgg.input.on(vgg.device)?.apply(pictures)?, &layers, Pooling::Max)?;
        taught.extend(features.iter().map(|features| features.to_kind(Kind::Float)));
    }
    Ok(taught)
}

struct Student {
    store: VarStore,
    convs: Vec<start::Convolution>,
    /// For each lesson, the linear map from the student's to the teacher's features, as a convolution: `(teacher's
    /// channels, own channels, 1, 1)`.
    maps: Vec<Tensor>,
}

impl Student {
    fn new(
        settings: &Settings,
        teachers: &[Vgg],
        lessons: &[Lesson],
        probes: &Tensor,
        device: Device,
    ) -> Outcome<Self> {
        let store = VarStore::new(device);
        let teacher = teachers.first().filter(|_| !settings.starts_from_seed).map(|teacher| (teacher, probes));
        let begun = start::network(&settings.channels, teacher, settings.seed)?.into_iter();
        let convs = begun.map(|(layer, weight, bias)| {
            let variable =
                |part, value| store.root().var_copy(&format!("{}_{}_{part}", layer.block, layer.conv), value);
            (layer, variable("weight", &weight), variable("bias", &bias))
        });
        let mut student = Self { convs: convs.collect(), maps: Vec::new(), store };
        student.maps = tch::no_grad(|| student.fitted(teachers, lessons, probes))?;
        Ok(student)
    }

    /// The best maps for these pictures, by least squares.
    fn fitted(&self, teachers: &[Vgg], lessons: &[Lesson], pictures: &Tensor) -> Outcome<Vec<Tensor>> {
        let pairs = self.features(lessons, pictures)?.into_iter().zip(taught(teachers, lessons, pictures)?).enumerate();
        let maps = pairs.map(|(number, (own, taught))| {
            let [own, taught] = [own, taught].map(|features| features.transpose(0, 1).flatten(1, 3));
            let products = own.matmul(&own.transpose(0, 1));
            let ridge = products.diagonal(0, 0, 1).mean(Kind::Float) * RIDGE;
            let inverse =
                (&products + Tensor::eye(products.size()[0], (Kind::Float, products.device())) * ridge).inverse();
            let map = taught.matmul(&own.transpose(0, 1)).matmul(&inverse).unsqueeze(2).unsqueeze(3);
            self.store.root().var_copy(&format!("map{number}"), &map)
        });
        Ok(maps.collect())
    }

    /// The network during training.
    fn network(&self) -> Outcome<Vgg> {
        network_of(&self.convs)
    }

    /// The same network, but at the lessons, each channel is scaled by its strength in the teacher's features. So
    /// distances between Gram matrices there are about the same as the teacher's. ReLU and pooling pass the factor on,
    /// and the next convolution divides by it. No gradients flow through it.
    fn balanced(&self) -> Outcome<Vgg> {
        let mut convs = Vec::new();
        let mut before: Option<Tensor> = None;
        for (layer, weight, bias) in &self.convs {
            let (mut weight, mut bias) = (weight.detach(), bias.detach());
            if let Some(factor) = before.take() {
                // Not in place: a detached tensor shares the memory of the variable.
                weight = weight.divide(&factor.view([1, -1, 1, 1]));
            }
            if let Some(map) = self.maps.get(layer.block - 1).filter(|_| layer.conv == 1) {
                let factor = map.detach().square().sum_dim_intlist([0i64, 2, 3].as_slice(), false, Kind::Float).sqrt();
                let factor = factor.clamp_min(1e-6);
                (weight, bias) = (weight * factor.view([-1, 1, 1, 1]), bias * &factor);
                before = Some(factor);
            }
            convs.push((*layer, weight, bias));
        }
        network_of(&convs)
    }

    /// The network in the form that the engine paints with.
    fn painter(&self) -> Outcome<Vgg> {
        Ok(self.balanced()?.to_kind(reproducible_kind(self.store.device()))?)
    }

    fn features(&self, lessons: &[Lesson], pictures: &Tensor) -> Outcome<Vec<Tensor>> {
        let network = self.network()?;
        let layers: Vec<FeatureLayer> = lessons.iter().map(|lesson| lesson.layer).collect();
        Ok(network.features(&network.input.on(network.device)?.apply(pictures)?, &layers, Pooling::Max)?)
    }

    /// For each lesson, the distance from the teacher on pictures `(N, 3, H, W)`.
    fn distances(&self, teachers: &[Vgg], lessons: &[Lesson], pictures: &Tensor) -> Outcome<Vec<Distance>> {
        let taught = tch::no_grad(|| taught(teachers, lessons, pictures))?;
        let square = |x: &Tensor| x.square().flatten(1, -1).mean_dim(1i64, false, Kind::Float);
        let each = self.features(lessons, pictures)?.into_iter().zip(&taught).zip(&self.maps);
        let distance = |((own, taught), map): ((Tensor, &Tensor), &Tensor)| {
            let guess = own.conv2d(map, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1);
            let [of_guess, of_taught] = [&guess, taught].map(grams);
            let relative = |x: &Tensor, target: &Tensor| square(&(x - target)) / square(target);
            Distance {
                features: relative(&guess, taught).mean(Kind::Float),
                grams: (relative(&of_guess, &of_taught) + CLOSE).sqrt().mean(Kind::Float),
            }
        };
        Ok(each.map(distance).collect())
    }
}

fn network_of(convs: &[start::Convolution]) -> Outcome<Vgg> {
    let device = convs.first().map_or(Device::Cpu, |(_, weight, _)| weight.device());
    let convs = convs.iter().map(|(layer, weight, bias)| Conv::new(*layer, weight, bias.shallow_clone()));
    Ok(Vgg::new(convs.collect::<Result<_, _>>()?, Input::ImageNet, device))
}

/// The distance between a student's mapped features and its teacher's: scalars, means over pictures.
struct Distance {
    /// The squared difference of the features, relative to the square of the teacher's.
    features: Tensor,
    /// The square root of the same for the Gram matrices.
    grams: Tensor,
}

/// The Gram matrices of features `(N, C, h, w)`: `(N, C, C)`.
fn grams(features: &Tensor) -> Tensor {
    let flat = features.flatten(2, 3);
    flat.bmm(&flat.transpose(1, 2)) / flat.size()[2] as f64
}
