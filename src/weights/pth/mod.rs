//! PyTorch checkpoints: what `torch.save` writes, in both of its forms.
//!
//! Since PyTorch 1.6 a checkpoint is a zip archive: a pickle `data.pkl` with the structure and an entry
//! `data/KEY` for each storage (a flat array that tensors are views of). Before, it was one stream:
//! pickles of a magic number, a version, properties of the system, the structure, and the list of
//! storages; then each storage's length and bytes.

mod allowance;
mod choice;
mod pickle;
mod zip;

use std::collections::BTreeMap;
use std::ops::Range;

use self::allowance::Allowance;
use self::choice::Choice;
use self::pickle::{Kind, Pickle, Value};
use super::source::Source;
use super::state_dict::check_count;
use super::tensor::MAX_RANK;
use super::{Dtype, StateDict, Tensor};
use crate::Error;

/// A storage by its key. Kept sorted by key.
struct Storage<'a> {
    key: &'a [u8],
    /// Its bytes in the file.
    place: Range<usize>,
}

impl<'a> Storage<'a> {
    fn new(file: &[u8], key: &'a [u8], data: &[u8]) -> Storage<'a> {
        let begin = data.as_ptr().addr() - file.as_ptr().addr();
        Storage { key, place: begin..begin + data.len() }
    }
}

pub(super) fn read(file: &[u8]) -> Result<StateDict<'_>, Error> {
    // With the copy that a growing vector makes, this stays below three times the file.
    let mut allowance = Allowance::new(file.len() / 2 * 3 + 1024);
    let (pickle, storages) = if file.starts_with(b"PK") {
        read_zip(file, &mut allowance)?
    } else {
        read_stream(file, &mut allowance)?
    };
    // Nothing grows from here on.
    allowance.extend(file.len());
    let (tensors, key) = tensors(&pickle, &storages, file.len(), &mut allowance)?;
    let mut state = StateDict::new("checkpoint", tensors, BTreeMap::new(), Source::Memory(file))?;
    state.checkpoint_key = key;
    Ok(state)
}

fn read_zip<'a>(
    file: &'a [u8],
    allowance: &mut Allowance,
) -> Result<(Pickle<'a>, Vec<Storage<'a>>), Error> {
    let entries = zip::read(file, allowance)?;
    let mut pickles = entries.iter().filter_map(|e| {
        let folder = e.name.strip_suffix(b"/data.pkl")?;
        (!folder.contains(&b'/')).then_some((folder, e.data))
    });
    let (Some((folder, code)), None) = (pickles.next(), pickles.next()) else {
        return Err(error("the archive does not have one entry `data.pkl`"));
    };
    let inside = |e: &zip::Entry<'a>| e.name.strip_prefix(folder)?.strip_prefix(b"/");
    let order = entries.iter().find(|e| inside(e) == Some(b"byteorder"));
    if order.is_some_and(|e| e.data != b"little") {
        return Err(error("the numbers are not little-endian; save it on a little-endian machine"));
    }
    let mut storages = allowance.vec(entries.len())?;
    storages.extend(
        entries
            .iter()
            .filter_map(|e| Some(Storage::new(file, inside(e)?.strip_prefix(b"data/")?, e.data))),
    );
    Ok((Pickle::read(code, allowance)?, storages))
}

fn read_stream<'a>(
    file: &'a [u8],
    allowance: &mut Allowance,
) -> Result<(Pickle<'a>, Vec<Storage<'a>>), Error> {
    // 0x1950a86a20f9469cfc6c as a pickle, after its two bytes of protocol.
    if !file[2..].starts_with(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") {
        return Err(error("a pickle, but not one that torch.save wrote"));
    }
    let mut rest = &file[15..];
    let mut next = || {
        let pickle = Pickle::read(rest, allowance)?;
        rest = &rest[pickle.length..];
        Ok::<_, Error>(pickle)
    };
    let (version, system, mut object, keys) = (next()?, next()?, next()?, next()?);
    if version.int(version.root) != Some(1001) {
        return Err(error("a version other than 1001"));
    }
    let order =
        system.items(system.root).find(|&(key, _)| system.text(key) == Some(b"little_endian"));
    if order.and_then(|(_, little)| system.bool(little)) != Some(true) {
        return Err(error("the numbers are not little-endian; save it on a little-endian machine"));
    }

    // A storage's length is in elements, whose type stands where the structure names the storage.
    let mut named = std::mem::take(&mut object.storages);
    let id = |storage: &Value| StorageId::new(&object, *storage);
    if let Some(wrong) = named.iter().map(id).find_map(Result::err) {
        return Err(wrong);
    }
    let key_of = |storage: &Value| id(storage).ok().map(|id| id.key);
    named.sort_unstable_by_key(key_of);
    let mut storages = allowance.vec(keys.items(keys.root).count())?;
    for (_, key) in keys.items(keys.root) {
        let key = keys.text(key).ok_or_else(|| error("the key of a storage is not a text"))?;
        let found = named.binary_search_by_key(&Some(key), key_of).ok();
        let Some(dtype) = found.and_then(|i| id(&named[i]).ok()?.dtype) else {
            return Err(error(format!("storage {} has no known element type", show(key))));
        };
        let data = rest.split_first_chunk::<8>().and_then(|(length, data)| {
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            data.split_at_checked(length.checked_mul(dtype.size())?)
        });
        let Some((data, after)) = data else {
            return Err(error(format!("the file ends inside storage {}", show(key))));
        };
        storages.push(Storage::new(file, key, data));
        rest = after;
    }
    storages.sort_unstable_by_key(|s| s.key);
    if storages.windows(2).any(|pair| pair[0].key == pair[1].key) {
        return Err(error("a storage stands twice"));
    }
    Ok((object, storages))
}

/// What a pickle says of a storage: `("storage", class, key, device, elements)`, and in the stream form
/// `None` or the part of the storage that is meant, which no PyTorch since 0.2 writes.
struct StorageId<'a> {
    key: &'a [u8],
    dtype: Option<Dtype>,
    elements: usize,
}

impl<'a> StorageId<'a> {
    fn new(pickle: &Pickle<'a>, storage: Value) -> Result<StorageId<'a>, Error> {
        let id = match pickle.tuple(storage) {
            Some(&[_, class, key, _, elements]) => Some((class, key, elements)),
            Some(&[_, class, key, _, elements, part]) if part.kind() == Kind::None => {
                Some((class, key, elements))
            }
            _ => None,
        };
        let id = id.and_then(|(class, key, elements)| {
            let class = pickle.global(class)?.strip_prefix(b"torch\n");
            Some(StorageId {
                // Keys are numbers. Long ones, shared by many tensors, would cost time to compare.
                key: pickle.text(key).filter(|key| key.len() <= 64)?,
                dtype: class.and_then(Dtype::from_storage),
                elements: pickle.int(elements)?,
            })
        });
        id.ok_or_else(|| error("a storage that is not named as torch.save does"))
    }
}

/// The tensors of the state dict in a checkpoint, and the key that it stands under.
fn tensors<'a>(
    pickle: &Pickle<'a>,
    storages: &[Storage<'a>],
    file_bytes: usize,
    allowance: &mut Allowance,
) -> Result<(Vec<Tensor<'a>>, Option<String>), Error> {
    if !matches!(pickle.root.kind(), Kind::Dict | Kind::Pairs) {
        return Err(error("it holds no state dict; save `model.state_dict()`, not the model"));
    }
    let mut entries = pickle.entries(pickle.root, allowance)?;
    let choice = choice::choose(pickle, &entries, allowance)?;
    let key = match choice {
        Some(Choice { key, dict }) => {
            entries = pickle.entries(dict, allowance)?;
            allowance.take(3 * key.len())?; // at most, if it is no UTF-8
            Some(String::from_utf8_lossy(key).into_owned())
        }
        None => None,
    };
    let count = entries.len();
    check_count("checkpoint", count, file_bytes)?;
    // Keys at one place in the pickle are found equal without a look at them: they may be long.
    entries.sort_unstable();
    if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(error("an entry of the state dict stands twice"));
    }
    let mut tensors = allowance.vec(count)?;
    for (key, value) in entries {
        let name = pickle.text(key).and_then(|name| std::str::from_utf8(name).ok());
        let name = name.ok_or_else(|| error("a key of the state dict is not a text"))?;
        tensors.push(tensor(pickle, storages, name, value, allowance)?);
    }
    Ok((tensors, key))
}

/// One tensor: `(storage, offset, shape, strides, ...)`.
fn tensor<'a>(
    pickle: &Pickle<'a>,
    storages: &[Storage<'a>],
    name: &'a str,
    value: Value,
    allowance: &mut Allowance,
) -> Result<Tensor<'a>, Error> {
    let wrong = |what: &str| error(format!("entry {} {what}", show(name.as_bytes())));
    let arguments = (value.kind() == Kind::Tensor).then(|| pickle.tuple(value)).flatten();
    let Some(&[storage, offset, shape, strides, ..]) = arguments else {
        return Err(wrong("of the state dict is not a tensor"));
    };
    let dims = |value: Value| -> Option<Vec<usize>> {
        let dims = (value.kind() == Kind::Tuple).then(|| pickle.tuple(value)).flatten()?;
        if dims.len() > MAX_RANK {
            return None;
        }
        dims.iter().map(|&size| pickle.int(size)).collect()
    };
    let (Some(offset), Some(shape), Some(strides)) =
        (pickle.int(offset), dims(shape), dims(strides))
    else {
        return Err(wrong("has no valid shape, strides and offset"));
    };
    if storage.kind() != Kind::Storage {
        return Err(wrong("has no storage"));
    }
    let id = StorageId::new(pickle, storage)?;
    let Some(dtype) = id.dtype else {
        return Err(wrong("has an unknown element type"));
    };
    let found =
        storages.binary_search_by_key(&id.key, |s| s.key).map(|i| storages[i].place.clone());
    let place = found.map_err(|_| wrong("stands in a storage that is not in the file"))?;
    if id.elements.checked_mul(dtype.size()) != Some(place.len()) {
        return Err(wrong("stands in a storage of another length than its own"));
    }
    allowance.take((shape.len() + strides.len()) * size_of::<usize>())?;
    Tensor::view(name.into(), dtype, (&shape, &strides), place, offset).map_err(wrong)
}

fn error(message: impl Into<String>) -> Error {
    Error::format("checkpoint", message)
}

/// The beginning of a name: all of it would let errors grow with the file.
fn show(name: &[u8]) -> String {
    format!("`{}`", name[..name.len().min(80)].escape_ascii())
}
