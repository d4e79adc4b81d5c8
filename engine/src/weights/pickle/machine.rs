//! The stack machine that runs a pickle.

use std::collections::HashMap;

use super::bytes::{array, integer, line, protocol, take_counted};
use super::{Node, PARAMETER, Value, damaged, global, node};
use crate::weights::Reason;

/// The maximum length of a function's or class's name. The limit keeps the memory for malicious files small.
const MAX_NAME: usize = 256;

/// Functions that build plain data from their arguments.
const FUNCTIONS: [&str; 9] = [
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
];

/// The prefix of TorchScript's classes, which do not exist in Python.
const SCRIPT_CLASS: &str = "__torch__.";

/// The stack machine.
#[derive(Default)]
pub struct Machine<'a> {
    pub nodes: Vec<Node<'a>>,
    stack: Vec<Value>,
    /// The heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl<'a> Machine<'a> {
    /// Executes one opcode, whose arguments are read from `bytes`.
    pub fn step(&mut self, opcode: u8, bytes: &mut &'a [u8]) -> Result<(), Reason> {
        match opcode {
            // 0x95 starts a frame, which only helps readers that prefetch.
            0x80 => protocol(bytes),
            0x95 => array::<8>(bytes).map(drop),
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool(opcode == 0x88)),
            b'J' | b'K' | b'M' | 0x8a | 0x8b => self.push(integer(opcode, bytes)?),
            b'G' => array::<8>(bytes).and_then(|_| self.push(Value::Opaque)),
            b'X' | 0x8c | 0x8d | b'T' | b'U' => self.push_text(opcode, bytes),
            b'B' | b'C' | 0x8e | 0x96 => take_counted(opcode, bytes).and_then(|_| self.push(Value::Opaque)),
            b'(' | b'0' | b'1' | b'2' => self.arrange_stack(opcode),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.access_memo(opcode, bytes),
            b']' | b'}' | b')' | 0x8f | b'l' | b'd' | b't' | 0x85..=0x87 | 0x91 => self.build_collection(opcode),
            b'a' | b'e' | b's' | b'u' | 0x90 => self.extend_collection(opcode),
            b'c' | 0x93 => self.push_global(opcode, bytes),
            b'R' | 0x81 | 0x92 | b'b' | b'i' | b'o' => self.call(opcode, bytes),
            b'Q' => {
                let name = self.pop()?;
                self.push_node(Node::Persistent(name))
            }
            _ => Err(format!("its pickle has the opcode {opcode:#04x}, which state dicts do not need")),
        }
    }

    fn push(&mut self, value: Value) -> Result<(), Reason> {
        self.stack.push(value);
        Ok(())
    }

    fn push_node(&mut self, node: Node<'a>) -> Result<(), Reason> {
        let place = self.nodes.len();
        self.nodes.push(node);
        self.push(Value::Node(place))
    }

    /// Pops the top, which must be above the last mark.
    pub fn pop(&mut self) -> Result<Value, Reason> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(damaged());
        }
        self.stack.pop().ok_or_else(damaged)
    }

    /// Pops all values above the last mark, and the mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Reason> {
        let mark = self.marks.pop().ok_or_else(damaged)?;
        Ok(self.stack.split_off(mark))
    }

    fn push_text(&mut self, opcode: u8, bytes: &mut &'a [u8]) -> Result<(), Reason> {
        // Python 2 also wrote bytes as text.
        match std::str::from_utf8(take_counted(opcode, bytes)?) {
            Ok(text) => self.push_node(Node::Text(text)),
            Err(_) => self.push(Value::Opaque),
        }
    }

    /// Sets a mark, pops or duplicates.
    fn arrange_stack(&mut self, opcode: u8) -> Result<(), Reason> {
        match opcode {
            b'(' => self.marks.push(self.stack.len()),
            b'1' => drop(self.pop_to_mark()?),
            // If a mark is on top, it is popped.
            b'0' if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            b'0' => drop(self.pop()?),
            _ => {
                let top = self.pop()?;
                self.stack.extend([top, top]);
            }
        }
        Ok(())
    }

    /// Stores the top in the memo, or pushes a value from it.
    fn access_memo(&mut self, opcode: u8, bytes: &mut &'a [u8]) -> Result<(), Reason> {
        let place = match opcode {
            b'q' | b'h' => u32::from(u8::from_le_bytes(array(bytes)?)),
            b'r' | b'j' => u32::from_le_bytes(array(bytes)?),
            _ => u32::try_from(self.memo.len()).map_err(|_| damaged())?,
        };
        if matches!(opcode, b'h' | b'j') {
            let value = *self.memo.get(&place).ok_or_else(damaged)?;
            return self.push(value);
        }
        let top = self.pop()?;
        self.memo.insert(place, top);
        self.push(top)
    }

    fn build_collection(&mut self, opcode: u8) -> Result<(), Reason> {
        let node = match opcode {
            b']' => Node::List(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            b'l' => Node::List(self.pop_to_mark()?),
            b'd' => Node::Dict(pairs(self.pop_to_mark()?)?),
            b't' => Node::Tuple(self.pop_to_mark()?),
            0x85..=0x87 => {
                let mut items = (0x85..=opcode).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                Node::Tuple(items)
            }
            // A set.
            0x8f => return self.push(Value::Opaque),
            _ => {
                self.pop_to_mark()?;
                return self.push(Value::Opaque);
            }
        };
        self.push_node(node)
    }

    /// Adds items to the list, dict or set below them.
    fn extend_collection(&mut self, opcode: u8) -> Result<(), Reason> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let top = self.pop()?;
        self.push(top)?;
        let Value::Node(place) = top else {
            return if opcode == 0x90 { Ok(()) } else { Err(damaged()) };
        };
        match (self.nodes.get_mut(place), opcode) {
            (Some(Node::List(list)), b'a' | b'e') => list.extend(items),
            (Some(Node::Dict(dict)), b's' | b'u') => dict.extend(pairs(items)?),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    fn push_global(&mut self, opcode: u8, bytes: &mut &'a [u8]) -> Result<(), Reason> {
        let (module, name) = if opcode == b'c' {
            (line(bytes)?, line(bytes)?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (node(&self.nodes, module), node(&self.nodes, name)) {
                (Some(Node::Text(module)), Some(Node::Text(name))) => (*module, *name),
                _ => return Err(damaged()),
            }
        };
        let name = joined(module, name)?;
        self.push_node(Node::Global(name))
    }

    /// Handles the opcodes that may run code in Python: calls, new objects, and the setting of an object's state.
    fn call(&mut self, opcode: u8, bytes: &mut &'a [u8]) -> Result<(), Reason> {
        match opcode {
            b'i' => Err(refused(&joined(line(bytes)?, line(bytes)?)?)),
            b'o' => {
                let class = self.pop_to_mark()?.first().copied().ok_or_else(damaged)?;
                Err(self.refuse(class))
            }
            b'b' => {
                let state = self.pop()?;
                self.set_state(state)
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.reduce(function, arguments)
            }
            _ => {
                // NEWOBJ has its arguments on the stack; NEWOBJ_EX also has keyword arguments.
                let extra = if opcode == 0x92 { 2 } else { 1 };
                (0..extra).try_for_each(|_| self.pop().map(drop))?;
                let class = self.pop()?;
                self.new_object(class)
            }
        }
    }

    fn reduce(&mut self, function: Value, arguments: Value) -> Result<(), Reason> {
        let known = global(&self.nodes, function).and_then(|name| FUNCTIONS.into_iter().find(|known| *known == name));
        let (Some(function), Some(Node::Tuple(items))) = (known, node(&self.nodes, arguments)) else {
            return Err(self.refuse(function));
        };
        if function == "collections.OrderedDict" && items.is_empty() {
            return self.push_node(Node::Dict(Vec::new()));
        }
        self.push_node(Node::Call { function, arguments })
    }

    fn new_object(&mut self, class: Value) -> Result<(), Reason> {
        match global(&self.nodes, class) {
            Some(name) if name == PARAMETER || name.starts_with(SCRIPT_CLASS) => {
                self.push_node(Node::Object { class, state: Value::None })
            }
            _ => Err(self.refuse(class)),
        }
    }

    /// Sets an object's state. The state of a dict is torch's `_metadata`, which is ignored.
    fn set_state(&mut self, new: Value) -> Result<(), Reason> {
        let target = self.pop()?;
        self.push(target)?;
        let Value::Node(place) = target else { return Err(damaged()) };
        match self.nodes.get_mut(place) {
            Some(Node::Object { state, .. }) => *state = new,
            Some(Node::Dict(_) | Node::Call { function: "collections.OrderedDict", .. }) => {}
            _ => return Err(self.refuse(target)),
        }
        Ok(())
    }

    /// The error for a call of `function`, which may also be something else.
    fn refuse(&self, function: Value) -> Reason {
        refused(global(&self.nodes, function).unwrap_or("something that is not a function"))
    }
}

fn refused(name: &str) -> Reason {
    let name = name.escape_debug();
    format!("it calls {name}; files that run code are refused: save the network's state_dict() instead")
}

fn joined(module: &str, name: &str) -> Result<String, Reason> {
    if module.len().saturating_add(name.len()) > MAX_NAME {
        return Err(damaged());
    }
    Ok(format!("{module}.{name}"))
}

fn pairs(items: Vec<Value>) -> Result<Vec<(Value, Value)>, Reason> {
    let (pairs, []) = items.as_chunks() else { return Err(damaged()) };
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
