//! Which tensors of a file make up a network, by their names and shapes.

use std::collections::BTreeMap;

use super::Reason;
use super::stored::Stored;
use crate::networks::vgg::Layer;

/// A tensor under its name.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub name: &'a str,
    pub tensor: &'a Stored,
}

/// The tensors of a convolution.
pub struct ConvTensors<'a> {
    pub layer: Layer,
    place: Place,
    pub weight: Named<'a>,
    pub bias: Named<'a>,
    pub norm: Option<Norm<'a>>,
}

/// The tensors of a batch normalisation.
pub struct Norm<'a> {
    pub weight: Named<'a>,
    pub bias: Named<'a>,
    pub mean: Named<'a>,
    pub variance: Named<'a>,
}

/// What may stand before the numbers where the file is of the convolutional part alone, or wraps a state dict.
const WRAPPERS: [&str; 7] = ["model", "model_state_dict", "net", "network", "state_dict", "vgg", "weights"];

/// How layers are named; where a file has names of several schemes, the first is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    /// `features.N`, by the place in torchvision's `features`.
    Features,
    /// `convB_C`.
    Gatys,
    /// `N`, as in `features.N`.
    Bare,
}

/// A layer's place in its scheme.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Index(usize),
    Layer(Layer),
}

/// A name, taken apart: `model.features.0.weight` is `weight` of layer 0 of the network `model.features`.
struct Name<'a> {
    scheme: Scheme,
    network: String,
    place: Place,
    part: &'a str,
}

/// A layer's tensors, by the last part of their names.
type Parts<'a> = BTreeMap<&'a str, Named<'a>>;

/// A network's layers.
type Layers<'a> = BTreeMap<Place, Parts<'a>>;

/// Finds a network's convolutions, in order, and checks that each fits on the one before.
pub fn find(tensors: &[(String, Stored)]) -> Result<Vec<ConvTensors<'_>>, Reason> {
    let mut convs = Vec::new();
    for (place, parts) in the_network(tensors)? {
        if let Some(conv) = convs.last_mut()
            && parts.contains_key("running_mean")
        {
            add_norm(conv, place, &parts)?;
            continue;
        }
        let weight = get(&parts, "weight")?;
        let layer = next_layer(convs.last(), place).ok_or_else(|| misplaced(weight.name, convs.last()))?;
        let bias = get(&parts, "bias")?;
        check_known(&parts, &["weight", "bias"])?;
        convs.push(ConvTensors { layer, place, weight, bias, norm: None });
    }
    check_shapes(&convs)?;
    Ok(convs)
}

impl ConvTensors<'_> {
    /// Whether it is named as in Gatys's files, whose weights are Caffe's.
    pub fn is_of_gatys(&self) -> bool {
        matches!(self.place, Place::Layer(_))
    }
}

/// The layers of the one network that a file holds.
fn the_network(tensors: &[(String, Stored)]) -> Result<Layers<'_>, Reason> {
    let mut networks: BTreeMap<(Scheme, String), Layers> = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some(parsed) = parse(name)? {
            let layers = networks.entry((parsed.scheme, parsed.network)).or_default();
            let other = layers.entry(parsed.place).or_default().insert(parsed.part, Named { name, tensor });
            if other.is_some() {
                return Err(format!("it has two tensors for {name}"));
            }
        }
    }
    let Some(((scheme, network), layers)) = networks.pop_first() else {
        return Err("it has no tensor named features.N.weight or convB_C.weight".into());
    };
    match networks.pop_first() {
        Some(((other_scheme, other), _)) if other_scheme == scheme => {
            Err(format!("it holds several networks, {network} and {other}: save one of them alone"))
        }
        _ => Ok(layers),
    }
}

/// Takes a name apart, or passes it over where it is not of a convolutional part.
fn parse(name: &str) -> Result<Option<Name<'_>>, Reason> {
    // DataParallel puts a "module" anywhere.
    let mut parts: Vec<_> = name.split('.').filter(|&part| part != "module").collect();
    let (Some(part), Some(layer)) = (parts.pop(), parts.pop()) else { return Ok(None) };
    let network = parts.join(".");
    let found = |scheme, place| Ok(Some(Name { scheme, network: network.clone(), place, part }));
    if let Some(layer) = gatys(layer) {
        return found(Scheme::Gatys, Place::Layer(layer));
    }
    match (parts.last(), layer.parse()) {
        (Some(&"features"), Ok(index)) => found(Scheme::Features, Place::Index(index)),
        (_, Ok(index)) if parts.iter().all(|part| WRAPPERS.contains(part)) => found(Scheme::Bare, Place::Index(index)),
        _ if layer == "features" || parts.contains(&"features") => Err(format!("{name} belongs to no layer of VGG")),
        _ => Ok(None),
    }
}

/// The layer that `conv3_1` names.
fn gatys(name: &str) -> Option<Layer> {
    let (block, conv) = name.strip_prefix("conv")?.split_once('_')?;
    Some(Layer { block: block.parse().ok()?, conv: conv.parse().ok()? })
}

/// The layer at `place`, where it may follow on `last`.
///
/// Among torchvision's layers, the next convolution of a block stands 2 further on (a ReLU lies between), and that of
/// the next block 3 (a pooling lies between, too); batch normalisation adds 1.
fn next_layer(last: Option<&ConvTensors>, place: Place) -> Option<Layer> {
    let Some(last) = last else {
        let first = Layer { block: 1, conv: 1 };
        return (place == Place::Index(0) || place == Place::Layer(first)).then_some(first);
    };
    let in_block = Layer { conv: last.layer.conv.saturating_add(1), ..last.layer };
    let next_block = Layer { block: last.layer.block.saturating_add(1), conv: 1 };
    match (last.place, place) {
        (Place::Index(last_index), Place::Index(index)) => match (index.checked_sub(last_index), &last.norm) {
            (Some(2), None) | (Some(3), Some(_)) => Some(in_block),
            (Some(3), None) | (Some(4), Some(_)) => Some(next_block),
            _ => None,
        },
        (_, Place::Layer(layer)) => [in_block, next_block].into_iter().find(|&next| next == layer),
        _ => None,
    }
}

fn misplaced(name: &str, last: Option<&ConvTensors>) -> Reason {
    match last {
        Some(last) => format!("{name} cannot follow on {}: no VGG has its layers so", last.weight.name),
        None => format!("{name} is not at the network's begin, which is missing"),
    }
}

/// Adds the batch normalisation at `place` to the convolution before it.
fn add_norm<'a>(conv: &mut ConvTensors<'a>, place: Place, parts: &Parts<'a>) -> Result<(), Reason> {
    let norm = Norm {
        weight: get(parts, "weight")?,
        bias: get(parts, "bias")?,
        mean: get(parts, "running_mean")?,
        variance: get(parts, "running_var")?,
    };
    check_known(parts, &["weight", "bias", "running_mean", "running_var", "num_batches_tracked"])?;
    match (conv.place, place) {
        (Place::Index(before), Place::Index(index)) if index.checked_sub(before) == Some(1) => conv.norm = Some(norm),
        _ => return Err(misplaced(norm.weight.name, Some(conv))),
    }
    Ok(())
}

fn get<'a>(parts: &Parts<'a>, part: &str) -> Result<Named<'a>, Reason> {
    parts.get(part).copied().ok_or_else(|| {
        let layer = parts.values().find_map(|other| other.name.rsplit_once('.')).map_or("", |(layer, _)| layer);
        format!("{layer}.{part} is missing")
    })
}

fn check_known(parts: &Parts, known: &[&str]) -> Result<(), Reason> {
    match parts.iter().find(|(part, _)| !known.contains(part)) {
        Some((_, stranger)) => Err(format!("{} belongs to no layer of VGG", stranger.name)),
        None => Ok(()),
    }
}

fn check_shapes(convs: &[ConvTensors]) -> Result<(), Reason> {
    let mut channels = 3;
    for conv in convs {
        let out = match conv.weight.tensor.shape[..] {
            [out, input, 3, 3] if input == channels && out > 0 => out,
            ref shape => {
                return Err(format!("{} is {shape:?} where [out, {channels}, 3, 3] was expected", conv.weight.name));
            }
        };
        let norm = conv.norm.iter().flat_map(|norm| [norm.weight, norm.bias, norm.mean, norm.variance]);
        for Named { name, tensor } in norm.chain([conv.bias]) {
            if tensor.shape != [out] {
                return Err(format!("{name} is {:?} where [{out}] was expected", tensor.shape));
            }
        }
        channels = out;
    }
    Ok(())
}
