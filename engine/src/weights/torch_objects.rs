//! Torch's objects in a pickle: tensors, by the names that lead to them, and the storages behind them.

use std::collections::HashSet;

use tch::Kind;

use super::Reason;
use super::pickle::{Node, PARAMETER, Pickle, Value};
use super::stored::{MAX_DIMENSIONS, Storage, Stored};

/// More than the names of VGG's tensors have, with those of what holds them; longer ones are passed over.
const MAX_NAME: usize = 256;

/// A tensor, as its pickle describes it.
pub struct TensorObject<'a> {
    pub storage: StorageObject<'a>,
    /// In elements, from the storage's begin.
    pub offset: i64,
    pub shape: Vec<i64>,
    pub strides: Vec<i64>,
}

/// A storage, as a pickle refers to it.
#[derive(Clone, Copy)]
pub struct StorageObject<'a> {
    /// `None` where it is none that is known.
    pub kind: Option<Kind>,
    /// Its name outside the pickle.
    pub key: &'a str,
    /// In elements.
    pub length: i64,
    /// The part that is meant, in torch before 0.4: its offset and length.
    pub part: Option<(i64, i64)>,
}

impl TensorObject<'_> {
    /// The tensor with its storage found.
    pub fn stored(self, mut storage: Storage) -> Option<Stored> {
        let mut offset = self.offset;
        if let Some((start, length)) = self.storage.part {
            let end = u64::try_from(start.checked_add(length)?).ok()?;
            let size = self.storage.kind?.elt_size_in_bytes() as u64;
            storage.length = storage.length.min(end.checked_mul(size)?);
            offset = offset.checked_add(start)?;
        }
        Some(Stored { kind: self.storage.kind, shape: self.shape, strides: self.strides, offset, storage })
    }
}

/// The tensors in dicts and modules, however nested, with dots between the parts of their names.
pub fn tensors<'a>(pickle: &Pickle<'a>) -> Result<Vec<(String, TensorObject<'a>)>, Reason> {
    let mut tensors = Vec::new();
    let mut ahead = vec![(String::new(), pickle.root)];
    // What is reached twice is listed once, lest dicts of dicts of the same dicts never end.
    let mut seen = HashSet::new();
    while let Some((name, value)) = ahead.pop() {
        if let Some(tensor) = tensor(pickle, value) {
            tensors.push((name.clone(), tensor.ok_or_else(|| format!("{name} is a damaged tensor"))?));
        } else if let Some(place) = holder(pickle, value)
            && seen.insert(place)
        {
            for (key, value) in pickle.nodes.get(place).into_iter().flat_map(|node| children(pickle, node)) {
                let name = if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
                if name.len() <= MAX_NAME {
                    ahead.push((name, value));
                }
            }
        }
    }
    // tch writes bars for dots.
    tensors.iter_mut().for_each(|(name, _)| *name = name.replace('|', "."));
    Ok(tensors)
}

/// The storages that a pickle refers to.
pub fn storages<'a>(pickle: &Pickle<'a>) -> Result<Vec<StorageObject<'a>>, Reason> {
    let names = pickle.nodes.iter().filter_map(|node| match node {
        Node::Persistent(name) => Some(*name),
        _ => None,
    });
    names.map(|name| storage(pickle, name).ok_or_else(|| "it refers to a damaged storage".into())).collect()
}

/// The node that lists what a dict or a module holds.
fn holder(pickle: &Pickle, value: Value) -> Option<usize> {
    let list = match pickle.node(value)? {
        Node::Dict(_) => value,
        // Python 2 wrote an ordered dict as a list of pairs.
        Node::Call { function: "collections.OrderedDict", arguments } => *pickle.tuple(*arguments)?.first()?,
        Node::Object { state, .. } => *state,
        _ => return None,
    };
    if let Value::Node(place) = list { Some(place) } else { None }
}

/// What a dict or a list of pairs holds, by name.
fn children<'a>(pickle: &Pickle<'a>, holder: &Node) -> Vec<(&'a str, Value)> {
    let pair = |item: &Value| match pickle.node(*item)? {
        Node::List(pair) | Node::Tuple(pair) => <[Value; 2]>::try_from(&pair[..]).ok().map(<(Value, Value)>::from),
        _ => None,
    };
    let pairs = match holder {
        Node::Dict(pairs) => pairs.clone(),
        Node::List(items) => items.iter().filter_map(pair).collect(),
        _ => Vec::new(),
    };
    pairs.into_iter().filter_map(|(key, value)| Some((pickle.text(key)?, value))).collect()
}

/// The tensor that a value is, bare or as a parameter; the inner `None` is a damaged one.
fn tensor<'a>(pickle: &Pickle<'a>, value: Value) -> Option<Option<TensorObject<'a>>> {
    let inner = match pickle.node(value)? {
        Node::Call { function: "torch._utils._rebuild_parameter", arguments } => pickle.tuple(*arguments),
        Node::Object { class, state } if pickle.global(*class) == Some(PARAMETER) => pickle.tuple(*state),
        _ => return bare_tensor(pickle, value),
    };
    Some(inner.and_then(|inner| bare_tensor(pickle, *inner.first()?)).flatten())
}

fn bare_tensor<'a>(pickle: &Pickle<'a>, value: Value) -> Option<Option<TensorObject<'a>>> {
    let Node::Call { function, arguments } = pickle.node(value)? else { return None };
    if !function.starts_with("torch._utils._rebuild_tensor") {
        return None;
    }
    Some(pickle.tuple(*arguments).and_then(|arguments| rebuild(pickle, arguments)))
}

fn rebuild<'a>(pickle: &Pickle<'a>, arguments: &[Value]) -> Option<TensorObject<'a>> {
    // Whether a gradient is wanted, and hooks, follow.
    let &[source, Value::Int(offset), shape, strides, ..] = arguments else { return None };
    let Node::Persistent(name) = pickle.node(source)? else { return None };
    let (shape, strides) = (integers(pickle, shape)?, integers(pickle, strides)?);
    (shape.len() == strides.len() && offset >= 0).then_some(())?;
    Some(TensorObject { storage: storage(pickle, *name)?, offset, shape, strides })
}

/// A storage from its name: `("storage", class, key, device, length)`, before torch 0.4 also with a part.
fn storage<'a>(pickle: &Pickle<'a>, name: Value) -> Option<StorageObject<'a>> {
    let (parts, part) = match pickle.tuple(name)? {
        [parts @ .., part] if parts.len() == 5 => (parts, integers_of_part(pickle, *part)?),
        parts => (parts, None),
    };
    let &[tag, class, key, _, Value::Int(length)] = parts else { return None };
    (pickle.text(tag)? == "storage" && length >= 0).then_some(())?;
    Some(StorageObject { kind: kind(pickle.global(class)?), key: pickle.text(key)?, length, part })
}

/// `(key, offset, length)` or None.
fn integers_of_part(pickle: &Pickle, value: Value) -> Option<Option<(i64, i64)>> {
    if value == Value::None {
        return Some(None);
    }
    let &[_, Value::Int(offset), Value::Int(length)] = pickle.tuple(value)? else { return None };
    (offset >= 0 && length >= 0).then_some(Some((offset, length)))
}

fn integers(pickle: &Pickle, value: Value) -> Option<Vec<i64>> {
    let items = pickle.tuple(value).filter(|items| items.len() <= MAX_DIMENSIONS)?;
    items.iter().map(|item| if let Value::Int(value) = item { Some(*value) } else { None }).collect()
}

/// The elements of a storage class, such as `torch.FloatStorage`.
fn kind(class: &str) -> Option<Kind> {
    match class.strip_prefix("torch.")?.strip_suffix("Storage")? {
        "BFloat16" => Some(Kind::BFloat16),
        "Half" => Some(Kind::Half),
        "Float" => Some(Kind::Float),
        "Double" => Some(Kind::Double),
        "Bool" => Some(Kind::Bool),
        "Byte" => Some(Kind::Uint8),
        "Char" => Some(Kind::Int8),
        "Short" => Some(Kind::Int16),
        "Int" => Some(Kind::Int),
        "Long" => Some(Kind::Int64),
        "ComplexFloat" => Some(Kind::ComplexFloat),
        "ComplexDouble" => Some(Kind::ComplexDouble),
        _ => None,
    }
}
