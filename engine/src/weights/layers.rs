//! Finds the tensors of a network in a file, by their names and shapes.

use std::collections::BTreeMap;

use super::stored::Stored;
use super::{Reason, WRAPPERS};
use crate::networks::vgg::Layer;

/// A tensor and its name.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub name: &'a str,
    pub tensor: &'a Stored,
}

/// The tensors of a convolution.
pub struct ConvTensors<'a> {
    pub layer: Layer,
    position: Position,
    pub weight: Named<'a>,
    pub bias: Named<'a>,
    pub norm: Option<Norm<'a>>,
}

/// The tensors of a batch normalization.
pub struct Norm<'a> {
    pub weight: Named<'a>,
    pub bias: Named<'a>,
    pub mean: Named<'a>,
    pub variance: Named<'a>,
}

/// A naming scheme of layers. If a file has names of several schemes, the first one is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    /// `features.N`, the index in torchvision's `features`.
    Features,
    /// `convB_C`.
    Gatys,
    /// `N`, as in `features.N`.
    Bare,
}

/// A layer's position in its scheme.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Position {
    Index(usize),
    Layer(Layer),
}

/// A parsed name: `model.features.0.weight` is `weight` of layer 0 of the network `model.features`.
struct Name<'a> {
    scheme: Scheme,
    network: String,
    position: Position,
    part: &'a str,
}

/// A layer's tensors by the last part of their names.
type Parts<'a> = BTreeMap<&'a str, Named<'a>>;

/// A network's layers.
type Layers<'a> = BTreeMap<Position, Parts<'a>>;

/// Finds a network's convolutions, in order, and checks that their shapes match.
pub fn find(tensors: &[(String, Stored)]) -> Result<Vec<ConvTensors<'_>>, Reason> {
    let mut convs = Vec::new();
    for (position, parts) in network_layers(tensors)? {
        if let Some(conv) = convs.last_mut()
            && parts.contains_key("running_mean")
        {
            add_norm(conv, position, &parts)?;
            continue;
        }
        let weight = get(&parts, "weight")?;
        let layer = next_layer(convs.last(), position).ok_or_else(|| misplaced(weight.name, convs.last()))?;
        let bias = get(&parts, "bias")?;
        check_known(&parts, &["weight", "bias"])?;
        convs.push(ConvTensors { layer, position, weight, bias, norm: None });
    }
    check_shapes(&convs)?;
    Ok(convs)
}

impl ConvTensors<'_> {
    /// Whether it is named as in Gatys' files, whose weights are Caffe's.
    pub fn is_of_gatys(&self) -> bool {
        matches!(self.position, Position::Layer(_))
    }
}

/// The layers of the network in a file, which must contain only one.
fn network_layers(tensors: &[(String, Stored)]) -> Result<Layers<'_>, Reason> {
    let mut networks: BTreeMap<(Scheme, String), Layers> = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some(parsed) = parse(name)? {
            let layers = networks.entry((parsed.scheme, parsed.network)).or_default();
            let other = layers.entry(parsed.position).or_default().insert(parsed.part, Named { name, tensor });
            if other.is_some() {
                return Err(format!("it contains two tensors named {name}"));
            }
        }
    }
    let Some(((scheme, network), layers)) = networks.pop_first() else {
        return Err("it contains no tensor named features.N.weight or convB_C.weight".into());
    };
    match networks.pop_first() {
        Some(((other_scheme, other), _)) if other_scheme == scheme => {
            Err(format!("it contains several networks, {network} and {other}; save only one of them"))
        }
        _ => Ok(layers),
    }
}

/// Parses a name; `None` if it does not belong to a convolutional part.
fn parse(name: &str) -> Result<Option<Name<'_>>, Reason> {
    // DataParallel inserts "module" at any position.
    let mut parts: Vec<_> = name.split('.').filter(|&part| part != "module").collect();
    let (Some(part), Some(layer)) = (parts.pop(), parts.pop()) else { return Ok(None) };
    let network = parts.join(".");
    let found = |scheme, position| Ok(Some(Name { scheme, network: network.clone(), position, part }));
    if let Some(layer) = gatys(layer) {
        return found(Scheme::Gatys, Position::Layer(layer));
    }
    match (parts.last(), layer.parse()) {
        (Some(&"features"), Ok(index)) => found(Scheme::Features, Position::Index(index)),
        (_, Ok(index)) if parts.iter().all(|part| WRAPPERS.contains(part)) => {
            found(Scheme::Bare, Position::Index(index))
        }
        _ if layer == "features" || parts.contains(&"features") => Err(format!("{name} belongs to no layer of VGG")),
        _ => Ok(None),
    }
}

/// The layer with a name such as `conv3_1`.
fn gatys(name: &str) -> Option<Layer> {
    let (block, conv) = name.strip_prefix("conv")?.split_once('_')?;
    Some(Layer { block: block.parse().ok()?, conv: conv.parse().ok()? })
}

/// The layer at `position`, if it may follow `last`.
///
/// In torchvision's numbering, the next convolution of the same block has an index larger by 2 (after a ReLU), the
/// first one of the next block by 3 (after a ReLU and a pooling). Batch normalization adds 1.
fn next_layer(last: Option<&ConvTensors>, position: Position) -> Option<Layer> {
    let Some(last) = last else {
        let first = Layer { block: 1, conv: 1 };
        return (position == Position::Index(0) || position == Position::Layer(first)).then_some(first);
    };
    let in_block = Layer { conv: last.layer.conv.saturating_add(1), ..last.layer };
    let next_block = Layer { block: last.layer.block.saturating_add(1), conv: 1 };
    match (last.position, position) {
        (Position::Index(last_index), Position::Index(index)) => match (index.checked_sub(last_index), &last.norm) {
            (Some(2), None) | (Some(3), Some(_)) => Some(in_block),
            (Some(3), None) | (Some(4), Some(_)) => Some(next_block),
            _ => None,
        },
        (_, Position::Layer(layer)) => [in_block, next_block].into_iter().find(|&next| next == layer),
        _ => None,
    }
}

fn misplaced(name: &str, last: Option<&ConvTensors>) -> Reason {
    match last {
        Some(last) => format!("{name} cannot follow {} in a VGG network", last.weight.name),
        None => format!("{name} is not the network's first layer, which is missing"),
    }
}

/// Adds the batch normalization at `position` to the convolution before it.
fn add_norm<'a>(conv: &mut ConvTensors<'a>, position: Position, parts: &Parts<'a>) -> Result<(), Reason> {
    let norm = Norm {
        weight: get(parts, "weight")?,
        bias: get(parts, "bias")?,
        mean: get(parts, "running_mean")?,
        variance: get(parts, "running_var")?,
    };
    check_known(parts, &["weight", "bias", "running_mean", "running_var", "num_batches_tracked"])?;
    match (conv.position, position) {
        (Position::Index(before), Position::Index(index)) if index.checked_sub(before) == Some(1) => {
            conv.norm = Some(norm)
        }
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
        Some((_, unknown)) => Err(format!("{} belongs to no layer of VGG", unknown.name)),
        None => Ok(()),
    }
}

fn check_shapes(convs: &[ConvTensors]) -> Result<(), Reason> {
    let mut channels = 3;
    for conv in convs {
        let out = match conv.weight.tensor.shape[..] {
            [out, input, 3, 3] if input == channels && out > 0 => out,
            ref shape => {
                return Err(format!("{} has shape {shape:?} instead of [out, {channels}, 3, 3]", conv.weight.name));
            }
        };
        let norm = conv.norm.iter().flat_map(|norm| [norm.weight, norm.bias, norm.mean, norm.variance]);
        for Named { name, tensor } in norm.chain([conv.bias]) {
            if tensor.shape != [out] {
                return Err(format!("{name} has shape {:?} instead of [{out}]", tensor.shape));
            }
        }
        channels = out;
    }
    Ok(())
}
