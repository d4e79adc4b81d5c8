//! Pickles, Python's serialized objects, as far as state dicts need them: protocols 2 to 5.
//!
//! A pickle is a program for a stack machine that may call any Python function. This reader calls nothing: functions
//! and classes are only names, and a call is an error unless the function is known to build plain data. Objects are in
//! a flat list and refer to each other by index, so that nesting and cycles are harmless, and a byte of input needs at
//! most about a hundred bytes of memory.

mod bytes;
mod machine;

use super::Reason;
use bytes::array;
use machine::Machine;

/// The class of parameters, tensors with a flag, in files written by Python 2.
pub const PARAMETER: &str = "torch.nn.parameter.Parameter";

/// A value on the machine's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A value that state dicts do not need: a float, bytes, a set, an integer of more than 64 bits.
    Opaque,
    /// The index of one of the pickle's nodes.
    Node(usize),
}

/// An object.
#[derive(Debug)]
pub enum Node<'a> {
    Text(&'a str),
    /// A function or class, as `module.name`.
    Global(String),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// The result of a function that builds plain data from a tuple.
    Call {
        function: &'static str,
        arguments: Value,
    },
    /// An object of a class that is known to be harmless.
    Object {
        class: Value,
        state: Value,
    },
    /// An object outside the pickle with this persistent id: a storage.
    Persistent(Value),
}

/// A pickle's objects.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub nodes: Vec<Node<'a>>,
    /// The pickled object.
    pub root: Value,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle; `bytes` then starts after it.
    pub fn read(bytes: &mut &'a [u8]) -> Result<Self, Reason> {
        let mut machine = Machine::default();
        loop {
            let [opcode] = array(bytes)?;
            if opcode == b'.' {
                let root = machine.pop()?;
                return Ok(Self { nodes: machine.nodes, root });
            }
            machine.step(opcode, bytes)?;
        }
    }

    /// The node that a value refers to.
    pub fn node(&self, value: Value) -> Option<&Node<'a>> {
        node(&self.nodes, value)
    }

    pub fn text(&self, value: Value) -> Option<&'a str> {
        match self.node(value)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn global(&self, value: Value) -> Option<&str> {
        global(&self.nodes, value)
    }

    pub fn tuple(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }
}

fn node<'n, 'a>(nodes: &'n [Node<'a>], value: Value) -> Option<&'n Node<'a>> {
    match value {
        Value::Node(place) => nodes.get(place),
        _ => None,
    }
}

fn global<'n>(nodes: &'n [Node], value: Value) -> Option<&'n str> {
    match node(nodes, value)? {
        Node::Global(name) => Some(name),
        _ => None,
    }
}

fn damaged() -> Reason {
    "its pickle is damaged".into()
}
