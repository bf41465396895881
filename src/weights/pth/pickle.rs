//! A pickle as data: the instructions by which tensors are written, interpreted without running any.
//!
//! A pickle is a program for a stack machine. Here a callable is a name and no more: calling the few
//! that rebuild tensors gives a value that remembers its arguments, calling any other gives an opaque
//! value. Values are four bytes and refer to the pickle's own bytes or to flat lists, so that time and
//! memory stay linear in the pickle and depth of nesting means nothing.

use super::allowance::Allowance;
use crate::Error;

/// What a [`Value`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// Of no interest: floats, bytes, objects of unknown classes.
    Opaque,
    None,
    Bool,
    /// The three kinds that stand at a position in the pickle.
    Int,
    Text,
    Global,
    /// These two are numbered in the order of their making.
    List,
    Dict,
    /// An `OrderedDict` as Python 2 writes it, by the number of its list of lists of two.
    Pairs,
    /// A position in the list of tuples; the next two are what their tuple of arguments describes.
    Tuple,
    Storage,
    Tensor,
}

const KINDS: [Kind; 12] = [
    Kind::Opaque,
    Kind::None,
    Kind::Bool,
    Kind::Int,
    Kind::Text,
    Kind::Global,
    Kind::List,
    Kind::Dict,
    Kind::Pairs,
    Kind::Tuple,
    Kind::Storage,
    Kind::Tensor,
];

/// The kind in the upper 4 bits, a position or number in the lower 28.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value(u32);

impl Value {
    const OPAQUE: Value = Value(0);
    const BITS: u32 = 28;

    fn new(kind: Kind, payload: usize) -> Result<Value, Error> {
        match u32::try_from(payload) {
            Ok(payload) if payload >> Value::BITS == 0 => {
                Ok(Value((kind as u32) << Value::BITS | payload))
            }
            _ => Err(error(payload, "a pickle larger than 256 MiB")),
        }
    }

    pub(super) fn kind(self) -> Kind {
        KINDS[(self.0 >> Value::BITS) as usize]
    }

    fn payload(self) -> usize {
        (self.0 & ((1 << Value::BITS) - 1)) as usize
    }
}

/// One thing put into a list (then without a key) or a dictionary.
#[derive(Clone, Copy, Debug)]
struct Item {
    owner: Value,
    key: Value,
    value: Value,
}

/// A pickle that has been read.
pub(super) struct Pickle<'a> {
    code: &'a [u8],
    /// The object that was pickled.
    pub(super) root: Value,
    /// Bytes up to and including the last instruction.
    pub(super) length: usize,
    /// Every tuple: its length as a raw number, then its values.
    tuples: Vec<Value>,
    /// Everything ever put into a list or dictionary, in order.
    items: Vec<Item>,
    /// Every storage that was named, in order.
    pub(super) storages: Vec<Value>,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle from the beginning of `code`; bytes after it are left alone.
    pub(super) fn read(code: &'a [u8], allowance: &mut Allowance) -> Result<Pickle<'a>, Error> {
        let mut machine = Machine {
            pickle: Pickle {
                code,
                root: Value::OPAQUE,
                length: 0,
                tuples: Vec::new(),
                items: Vec::new(),
                storages: Vec::new(),
            },
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            containers: 0,
            allowance,
        };
        machine.run()?;
        Ok(machine.pickle)
    }

    /// A whole number from 0 up.
    pub(super) fn int(&self, value: Value) -> Option<usize> {
        let (opcode, operand) = self.operand(value, Kind::Int)?;
        let negative = operand.last().is_some_and(|&b| b >= 0x80);
        if operand.len() > 8 || negative && matches!(opcode, op::BININT | op::LONG1) {
            return None;
        }
        let mut bytes = [0; 8];
        bytes[..operand.len()].copy_from_slice(operand);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }

    pub(super) fn bool(&self, value: Value) -> Option<bool> {
        (value.kind() == Kind::Bool).then_some(value.payload() == 1)
    }

    /// The bytes of a text: UTF-8 if the file is honest.
    pub(super) fn text(&self, value: Value) -> Option<&'a [u8]> {
        self.operand(value, Kind::Text).map(|(_, operand)| operand)
    }

    /// A class or function: its module, a line feed and its name.
    pub(super) fn global(&self, value: Value) -> Option<&'a [u8]> {
        self.operand(value, Kind::Global).map(|(_, operand)| operand)
    }

    fn operand(&self, value: Value, kind: Kind) -> Option<(u8, &'a [u8])> {
        let at = (value.kind() == kind).then(|| value.payload())?;
        instruction(self.code, at).ok().map(|(opcode, operand, _)| (opcode, operand))
    }

    /// The values of a tuple, or the arguments of a storage or tensor.
    pub(super) fn tuple(&self, value: Value) -> Option<&[Value]> {
        matches!(value.kind(), Kind::Tuple | Kind::Storage | Kind::Tensor).then_some(())?;
        let (length, values) = self.tuples.get(value.payload()..)?.split_first()?;
        values.get(..length.0 as usize)
    }

    /// Keys and values of a list or dictionary, as they were put there: a key can come twice.
    pub(super) fn items(&self, owner: Value) -> impl Iterator<Item = (Value, Value)> + '_ {
        self.items.iter().filter(move |i| i.owner == owner).map(|i| (i.key, i.value))
    }

    /// Owner, key and value of everything ever put into a list or dictionary, in order.
    pub(super) fn everything(&self) -> impl Iterator<Item = (Value, Value, Value)> + '_ {
        self.items.iter().map(|i| (i.owner, i.key, i.value))
    }

    /// Keys and values of a dictionary in either form.
    pub(super) fn entries(
        &self,
        owner: Value,
        allowance: &mut Allowance,
    ) -> Result<Vec<(Value, Value)>, Error> {
        if owner.kind() != Kind::Pairs {
            let mut entries = allowance.vec(self.items(owner).count())?;
            entries.extend(self.items(owner));
            return Ok(entries);
        }
        let list = Value::new(Kind::List, owner.payload())?;
        let mut entries = allowance.vec(self.items(list).count())?;
        // A pair is filled after the one before it, so that one pass finds them all.
        let mut items = self.items.iter();
        for (_, pair) in self.items(list) {
            let mut half = || items.find(|item| item.owner == pair).map(|item| item.value);
            match (half(), half()) {
                (Some(key), Some(value)) => entries.push((key, value)),
                _ => return Err(error(self.length, "a dictionary of something but pairs")),
            }
        }
        Ok(entries)
    }
}

/// Names as in Python's `pickletools`.
mod op {
    pub(super) const MARK: u8 = b'(';
    pub(super) const STOP: u8 = b'.';
    pub(super) const POP: u8 = b'0';
    pub(super) const POP_MARK: u8 = b'1';
    pub(super) const DUP: u8 = b'2';
    pub(super) const BINBYTES: u8 = b'B';
    pub(super) const SHORT_BINBYTES: u8 = b'C';
    pub(super) const BINFLOAT: u8 = b'G';
    pub(super) const BININT: u8 = b'J';
    pub(super) const BININT1: u8 = b'K';
    pub(super) const BININT2: u8 = b'M';
    pub(super) const NONE: u8 = b'N';
    pub(super) const BINPERSID: u8 = b'Q';
    pub(super) const REDUCE: u8 = b'R';
    pub(super) const BINSTRING: u8 = b'T';
    pub(super) const SHORT_BINSTRING: u8 = b'U';
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const BUILD: u8 = b'b';
    pub(super) const GLOBAL: u8 = b'c';
    pub(super) const DICT: u8 = b'd';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const BINGET: u8 = b'h';
    pub(super) const LONG_BINGET: u8 = b'j';
    pub(super) const LIST: u8 = b'l';
    pub(super) const BINPUT: u8 = b'q';
    pub(super) const LONG_BINPUT: u8 = b'r';
    pub(super) const SETITEM: u8 = b's';
    pub(super) const TUPLE: u8 = b't';
    pub(super) const SETITEMS: u8 = b'u';
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const EMPTY_LIST: u8 = b']';
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const NEWOBJ: u8 = 0x81;
    pub(super) const TUPLE1: u8 = 0x85;
    pub(super) const TUPLE3: u8 = 0x87;
    pub(super) const NEWTRUE: u8 = 0x88;
    pub(super) const NEWFALSE: u8 = 0x89;
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const LONG4: u8 = 0x8b;
}

/// The instruction at a position: opcode, operand without its length, and where the next one stands.
fn instruction(code: &[u8], at: usize) -> Result<(u8, &[u8], usize), Error> {
    let cut = || error(at, "the pickle ends here");
    let (&opcode, rest) = code.get(at..).and_then(<[u8]>::split_first).ok_or_else(cut)?;
    let (skip, length) = match opcode {
        op::PROTO | op::BININT1 | op::BINPUT | op::BINGET => (0, 1),
        op::BININT2 => (0, 2),
        op::BININT | op::LONG_BINPUT | op::LONG_BINGET => (0, 4),
        op::BINFLOAT => (0, 8),
        op::LONG1 | op::SHORT_BINSTRING | op::SHORT_BINBYTES => {
            (1, rest.first().copied().ok_or_else(cut)?.into())
        }
        op::LONG4 | op::BINSTRING | op::BINBYTES | op::BINUNICODE => {
            let length = rest.first_chunk().ok_or_else(cut)?;
            (4, u32::from_le_bytes(*length) as usize)
        }
        op::GLOBAL => {
            let lines = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let (end, _) = lines.take(2).nth(1).ok_or_else(cut)?;
            return Ok((opcode, &rest[..end], at + 1 + end + 1));
        }
        _ => (0, 0),
    };
    let operand = rest[skip..].get(..length).ok_or_else(cut)?;
    Ok((opcode, operand, at + 1 + skip + length))
}

fn error(at: usize, message: &str) -> Error {
    Error::format("pickle", format!("{message} (at byte {at})"))
}

struct Machine<'a, 'b> {
    pickle: Pickle<'a>,
    stack: Vec<Value>,
    /// Heights of the stack at the marks that are open.
    marks: Vec<u32>,
    memo: Vec<Value>,
    /// Lists and dictionaries made so far.
    containers: usize,
    allowance: &'b mut Allowance,
}

impl Machine<'_, '_> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            let at = self.pickle.length;
            let (opcode, operand, next) = instruction(self.pickle.code, at)?;
            self.pickle.length = next;
            if opcode == op::STOP {
                self.pickle.root = self.pop()?;
                return Ok(());
            }
            self.step(at, opcode, operand)?;
        }
    }

    fn step(&mut self, at: usize, opcode: u8, operand: &[u8]) -> Result<(), Error> {
        match opcode {
            op::PROTO if matches!(operand, [2 | 3]) => {}
            op::PROTO => return Err(error(at, "a pickle protocol that is neither 2 nor 3")),
            op::MARK => {
                let height = self.stack.len() as u32;
                self.allowance.push(&mut self.marks, height)?;
            }
            op::POP if self.marks.last().is_some_and(|&m| m as usize == self.stack.len()) => {
                self.marks.pop();
            }
            op::POP => drop(self.pop()?),
            op::POP_MARK => {
                let base = self.pop_mark()?;
                self.stack.truncate(base);
            }
            op::DUP => {
                let top = self.top()?;
                self.push(top)?;
            }
            op::NONE => self.make(Kind::None, 0)?,
            op::NEWTRUE => self.make(Kind::Bool, 1)?,
            op::NEWFALSE => self.make(Kind::Bool, 0)?,
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => self.make(Kind::Int, at)?,
            op::BINUNICODE | op::BINSTRING | op::SHORT_BINSTRING => self.make(Kind::Text, at)?,
            op::BINFLOAT | op::LONG4 | op::BINBYTES | op::SHORT_BINBYTES => {
                self.push(Value::OPAQUE)?;
            }
            op::GLOBAL => self.make(Kind::Global, at)?,
            op::EMPTY_TUPLE => self.tuple(self.stack.len())?,
            op::TUPLE1..=op::TUPLE3 => {
                let base = self.stack.len().checked_sub((opcode - op::TUPLE1) as usize + 1);
                self.tuple(base.ok_or_else(|| self.empty())?)?;
            }
            op::TUPLE => {
                let base = self.pop_mark()?;
                self.tuple(base)?;
            }
            op::EMPTY_LIST | op::EMPTY_DICT => {
                self.container(if opcode == op::EMPTY_LIST { Kind::List } else { Kind::Dict })?;
            }
            op::LIST | op::DICT => {
                let base = self.pop_mark()?;
                let kind = if opcode == op::LIST { Kind::List } else { Kind::Dict };
                self.containers += 1;
                let made = Value::new(kind, self.containers)?;
                self.put(made, base)?;
                self.push(made)?;
            }
            op::APPEND | op::SETITEM | op::APPENDS | op::SETITEMS => {
                let base = match opcode {
                    op::APPEND => self.stack.len().checked_sub(1),
                    op::SETITEM => self.stack.len().checked_sub(2),
                    _ => Some(self.pop_mark()?),
                };
                let owner = base.and_then(|base| base.checked_sub(1));
                let owner = owner.filter(|&owner| owner >= self.floor());
                let owner = self.stack[owner.ok_or_else(|| self.empty())?];
                self.put(owner, base.unwrap_or_default())?;
            }
            op::BINPERSID => {
                let id = self.pop()?;
                if id.kind() != Kind::Tuple {
                    return Err(error(at, "a storage that is not named by a tuple"));
                }
                let storage = Value::new(Kind::Storage, id.payload())?;
                self.allowance.push(&mut self.pickle.storages, storage)?;
                self.push(storage)?;
            }
            op::REDUCE | op::NEWOBJ => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                self.call(callable, arguments)?;
            }
            // Attributes of an object: none of them concerns a tensor.
            op::BUILD => {
                self.pop()?;
                self.top()?;
            }
            op::BINPUT | op::LONG_BINPUT => {
                let value = self.top()?;
                let index = index(operand);
                if index == 1 && self.memo.is_empty() {
                    self.allowance.push(&mut self.memo, Value::OPAQUE)?; // Python 2 counts from 1
                }
                if index < self.memo.len() {
                    self.memo[index] = value;
                } else if index == self.memo.len() {
                    self.allowance.push(&mut self.memo, value)?;
                } else {
                    // Picklers number what they memoize; a gap could stand for any amount of memory.
                    return Err(error(at, "a gap in the memo"));
                }
            }
            op::BINGET | op::LONG_BINGET => {
                let value = self.memo.get(index(operand)).copied();
                self.push(value.ok_or_else(|| error(at, "nothing in the memo"))?)?;
            }
            _ => return Err(error(at, &format!("opcode {opcode:#04x}, which no tensor needs"))),
        }
        Ok(())
    }

    fn call(&mut self, callable: Value, arguments: Value) -> Result<(), Error> {
        let values =
            if arguments.kind() == Kind::Tuple { self.pickle.tuple(arguments) } else { None };
        match (self.pickle.global(callable), values) {
            (Some(b"collections\nOrderedDict"), Some([])) => self.container(Kind::Dict),
            (Some(b"collections\nOrderedDict"), Some(&[pairs])) if pairs.kind() == Kind::List => {
                self.make(Kind::Pairs, pairs.payload())
            }
            (
                Some(b"torch._utils\n_rebuild_tensor_v2" | b"torch._utils\n_rebuild_tensor"),
                Some(_),
            ) => self.make(Kind::Tensor, arguments.payload()),
            (Some(b"torch._utils\n_rebuild_parameter"), Some(&[tensor, ..])) => self.push(tensor),
            _ => self.push(Value::OPAQUE),
        }
    }

    fn container(&mut self, kind: Kind) -> Result<(), Error> {
        self.containers += 1;
        self.make(kind, self.containers)
    }

    /// Moves the stack from `base` up into a new tuple.
    fn tuple(&mut self, base: usize) -> Result<(), Error> {
        if base < self.floor() {
            return Err(self.empty());
        }
        let at = self.pickle.tuples.len();
        let length = Value((self.stack.len() - base) as u32);
        self.allowance.push(&mut self.pickle.tuples, length)?;
        for i in base..self.stack.len() {
            self.allowance.push(&mut self.pickle.tuples, self.stack[i])?;
        }
        self.stack.truncate(base);
        self.make(Kind::Tuple, at)
    }

    /// Moves the stack from `base` up into a list or dictionary.
    fn put(&mut self, owner: Value, base: usize) -> Result<(), Error> {
        let step = match owner.kind() {
            Kind::List => 1,
            Kind::Dict => 2,
            _ => {
                self.stack.truncate(base);
                return Ok(());
            }
        };
        if !(self.stack.len() - base).is_multiple_of(step) {
            return Err(error(self.pickle.length, "a key without a value"));
        }
        for i in (base..self.stack.len()).step_by(step) {
            let key = if step == 2 { self.stack[i] } else { Value::OPAQUE };
            let item = Item { owner, key, value: self.stack[i + step - 1] };
            self.allowance.push(&mut self.pickle.items, item)?;
        }
        self.stack.truncate(base);
        Ok(())
    }

    fn make(&mut self, kind: Kind, payload: usize) -> Result<(), Error> {
        let value = Value::new(kind, payload)?;
        self.push(value)
    }

    fn push(&mut self, value: Value) -> Result<(), Error> {
        self.allowance.push(&mut self.stack, value)
    }

    fn pop(&mut self) -> Result<Value, Error> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Value, Error> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(self.empty()),
        }
    }

    /// Below the last mark nothing can be taken.
    fn floor(&self) -> usize {
        self.marks.last().map_or(0, |&mark| mark as usize)
    }

    fn pop_mark(&mut self) -> Result<usize, Error> {
        let mark = self.marks.pop().ok_or_else(|| error(self.pickle.length, "no mark"))?;
        Ok(mark as usize)
    }

    fn empty(&self) -> Error {
        error(self.pickle.length, "nothing on the stack")
    }
}

/// The operand of a memo instruction: one byte or four.
fn index(operand: &[u8]) -> usize {
    operand.iter().rev().fold(0, |index, &byte| index << 8 | usize::from(byte))
}
