//! Torch's objects in a pickle: tensors, with their names, and storages.

use std::collections::HashSet;

use tch::Kind;

use super::Reason;
use super::pickle::{Node, PARAMETER, Pickle, Value};
use super::stored::{MAX_DIMENSIONS, Storage, Stored};

/// The maximum length of a tensor's name, including those of its containers. Tensors with longer names are ignored.
const MAX_NAME: usize = 256;

/// A tensor, as its pickle describes it.
pub struct TensorObject<'a> {
    pub storage: StorageObject<'a>,
    /// The index of the first element in the storage.
    pub offset: i64,
    pub shape: Vec<i64>,
    pub strides: Vec<i64>,
}

/// A storage, as a pickle refers to it.
#[derive(Clone, Copy)]
pub struct StorageObject<'a> {
    /// The type of its elements; `None` if it is unknown.
    pub kind: Option<Kind>,
    /// Its name outside the pickle.
    pub key: &'a str,
    /// The number of elements.
    pub length: i64,
    /// Before torch 0.4, the offset and the length of the part that is used.
    pub part: Option<(i64, i64)>,
}

impl TensorObject<'_> {
    /// The description of the tensor, whose storage is `storage`.
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

/// The tensors in nested dicts and modules, with dots between the parts of their names.
pub fn tensors<'a>(pickle: &Pickle<'a>) -> Result<Vec<(String, TensorObject<'a>)>, Reason> {
    let mut tensors = Vec::new();
    let mut pending = vec![(String::new(), pickle.root)];
    // Containers that are reached twice are visited once: cycles and shared containers must not repeat without end.
    let mut visited = HashSet::new();
    while let Some((name, value)) = pending.pop() {
        if let Some(tensor) = tensor(pickle, value) {
            tensors.push((name.clone(), tensor.ok_or_else(|| format!("{name} is a damaged tensor"))?));
        } else if let Some(place) = container(pickle, value)
            && visited.insert(place)
        {
            for (key, value) in pickle.nodes.get(place).into_iter().flat_map(|node| children(pickle, node)) {
                let name = if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
                if name.len() <= MAX_NAME {
                    pending.push((name, value));
                }
            }
        }
    }
    // tch writes bars instead of dots.
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

/// The node with the content of a dict or a module.
fn container(pickle: &Pickle, value: Value) -> Option<usize> {
    let list = match pickle.node(value)? {
        Node::Dict(_) => value,
        // Python 2 wrote an ordered dict as a list of pairs.
        Node::Call { function: "collections.OrderedDict", arguments } => *pickle.tuple(*arguments)?.first()?,
        Node::Object { state, .. } => *state,
        _ => return None,
    };
    if let Value::Node(place) = list { Some(place) } else { None }
}

/// The content of a dict or of a list of pairs, by name.
fn children<'a>(pickle: &Pickle<'a>, container: &Node) -> Vec<(&'a str, Value)> {
    let pair = |item: &Value| match pickle.node(*item)? {
        Node::List(pair) | Node::Tuple(pair) => <[Value; 2]>::try_from(&pair[..]).ok().map(<(Value, Value)>::from),
        _ => None,
    };
    let pairs = match container {
        Node::Dict(pairs) => pairs.clone(),
        Node::List(items) => items.iter().filter_map(pair).collect(),
        _ => Vec::new(),
    };
    pairs.into_iter().filter_map(|(key, value)| Some((pickle.text(key)?, value))).collect()
}

/// The tensor, or the parameter's tensor, if the value is one. The inner `None` is a damaged tensor.
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
    // The remaining arguments are `requires_grad` and hooks.
    let &[source, Value::Int(offset), shape, strides, ..] = arguments else { return None };
    let Node::Persistent(name) = pickle.node(source)? else { return None };
    let (shape, strides) = (integers(pickle, shape)?, integers(pickle, strides)?);
    (shape.len() == strides.len() && offset >= 0).then_some(())?;
    Some(TensorObject { storage: storage(pickle, *name)?, offset, shape, strides })
}

/// A storage from its persistent id: `("storage", class, key, device, length)`, before torch 0.4 followed by a part.
fn storage<'a>(pickle: &Pickle<'a>, name: Value) -> Option<StorageObject<'a>> {
    let (parts, part) = match pickle.tuple(name)? {
        [parts @ .., part] if parts.len() == 5 => (parts, offset_and_length(pickle, *part)?),
        parts => (parts, None),
    };
    let &[tag, class, key, _, Value::Int(length)] = parts else { return None };
    (pickle.text(tag)? == "storage" && length >= 0).then_some(())?;
    Some(StorageObject { kind: kind(pickle.global(class)?), key: pickle.text(key)?, length, part })
}

/// The offset and length in `(key, offset, length)`, which may be Python's None.
fn offset_and_length(pickle: &Pickle, value: Value) -> Option<Option<(i64, i64)>> {
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

/// The element type of a storage class, such as `torch.FloatStorage`.
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
