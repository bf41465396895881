//! Which dictionary of a checkpoint holds the weights: found by what is in it, preferred by its key.

use super::allowance::Allowance;
use super::pickle::{Kind, Pickle, Value};
use super::{error, show};
use crate::Error;

/// Ends of names that every ShuffleNet v2 has. Wrappers put words before them.
const NAMES: [&str; 3] = ["conv1.0.weight", "stage2.0.branch1.0.weight", "conv5.0.weight"];

/// Keys that are preferred to others, the first most.
const KEYS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// A key with one of these words goes before them: whoever keeps averaged weights evaluates with them.
const AVERAGED: [&str; 5] = ["ema", "swa", "average", "averaged", "avg"];

/// Longest key that is looked at: many entries may share a long one.
const LONGEST_KEY: usize = 64;

/// Keys that an error names.
const SHOWN: usize = 8;

/// A dictionary under its key.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub key: &'a [u8],
    pub dict: Value,
}

/// The dictionary to read of those under the `entries` of a pickle's root; none if it is the root.
pub(super) fn choose<'a>(
    pickle: &Pickle<'a>,
    entries: &[(Value, Value)],
    allowance: &mut Allowance,
) -> Result<Option<Choice<'a>>, Error> {
    // What stands under a network's names is to be its tensors, even where it is something else.
    if entries.is_empty() || entries.iter().any(|&(key, _)| is_name(pickle, key)) {
        return Ok(None);
    }
    let networks = networks(pickle, allowance)?;
    // What Python 2 wrote is not looked into.
    let fits = |dict: Value| dict.kind() == Kind::Pairs || networks.binary_search(&dict).is_ok();
    let candidates = || {
        let fitting = entries.iter().filter(|(_, value)| fits(*value));
        fitting.filter_map(|&(key, dict)| Some(Choice { key: pickle.text(key)?, dict }))
    };
    let Some(best) = candidates().min_by_key(|choice| rank(choice.key)) else {
        let tensors = entries.iter().any(|(_, value)| value.kind() == Kind::Tensor);
        let dicts = entries.iter().any(|(_, value)| value.kind() == Kind::Dict);
        if tensors && !dicts {
            return Ok(None); // what is missing will be named
        }
        let keys = list(entries.iter().filter_map(|(key, _)| pickle.text(*key)));
        return Err(error(format!(
            "no dictionary in it has a ShuffleNet v2's tensors; its keys are {keys}; \
             save `model.state_dict()`"
        )));
    };
    let equal = || candidates().filter(|choice| rank(choice.key) == rank(best.key));
    if equal().any(|choice| choice.dict != best.dict) {
        return Err(error(format!(
            "it has weights under {}, and nothing tells which are meant; save one of them alone",
            list(equal().map(|choice| choice.key))
        )));
    }
    Ok(Some(best))
}

/// The less, the better.
fn rank(key: &[u8]) -> usize {
    let key = if key.len() <= LONGEST_KEY { key } else { b"" };
    let mut words = key.split(|byte| !byte.is_ascii_alphanumeric());
    if words.any(|word| AVERAGED.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))) {
        return 0;
    }
    1 + KEYS.iter().position(|name| name.as_bytes() == key).unwrap_or(KEYS.len())
}

/// All dictionaries with a network's tensors, in order. One pass over the pickle, however many there are.
fn networks(pickle: &Pickle<'_>, allowance: &mut Allowance) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    for (owner, key, value) in pickle.everything() {
        let tensor = owner.kind() == Kind::Dict && value.kind() == Kind::Tensor;
        if tensor && is_name(pickle, key) {
            allowance.push(&mut found, owner)?;
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn is_name(pickle: &Pickle<'_>, key: Value) -> bool {
    let name = pickle.text(key);
    name.is_some_and(|name| NAMES.iter().any(|end| name.ends_with(end.as_bytes())))
}

/// The first few keys.
fn list<'a>(keys: impl Iterator<Item = &'a [u8]>) -> String {
    let mut keys = keys.peekable();
    let shown: Vec<String> = keys.by_ref().take(SHOWN).map(show).collect();
    let more = if keys.peek().is_some() { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
