//! Which of a checkpoint's dictionaries is read.

use crate::support::{contiguous, int, names, stream, tensor, text};
use shufflenet::model::{Architecture, Stage};
use shufflenet::weights::{self, StateDict};

const ELEMENTS: usize = 64;

/// A pickled dictionary of a network's tensors, each the beginning of a storage.
fn network(storage: &str) -> Vec<u8> {
    let architecture = Architecture {
        stem_channels: 1,
        stages: [Stage { units: 1, channels: 2 }; 3],
        feature_channels: 1,
        classes: 1,
    };
    dictionary(
        names(&architecture).iter().map(|(name, shape)| {
            (&**name, tensor(storage, ELEMENTS, 0, shape, &contiguous(shape)))
        }),
    )
}

fn dictionary<'a>(entries: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let entries = entries.into_iter().flat_map(|(key, value)| [text(key), value].concat());
    [b"}(".to_vec(), entries.collect(), b"u".to_vec()].concat()
}

/// A file with the storages that it names, `0` with small numbers and `1` with large ones, and room for so
/// many tensors.
fn file(object: &[u8]) -> Vec<u8> {
    let [small, large] = [[0x00, 0x38], [0x00, 0x3c]].map(|half| half.repeat(ELEMENTS));
    let named = |(key, _): &(&str, &[u8])| {
        let key = text(key);
        object.windows(key.len()).any(|window| window == key)
    };
    let storages = [("0", &small[..]), ("1", &large)];
    let storages: Vec<_> = storages.into_iter().filter(named).collect();
    let mut file = stream(object, &storages);
    file.resize(file.len() + (1 << 16), 0);
    file
}

/// The key that is taken, if the weights under it are those of storage `0`.
fn taken(entries: &[(&str, &[u8])]) -> Result<String, String> {
    let object = dictionary(entries.iter().map(|&(key, value)| (key, value.to_vec())));
    let file = file(&object);
    let state = StateDict::read(&file).map_err(|error| error.to_string())?;
    let model = state.to_model().map_err(|error| error.to_string())?;
    let expected = self::file(&network("0"));
    assert_eq!(model, weights::from_bytes(&expected).unwrap(), "{:?}", state.checkpoint_key());
    Ok(state.checkpoint_key().unwrap_or_default().to_owned())
}

/// Keys of a checkpoint, and what is pickled under them.
type Entries<'a> = &'a [(&'a str, &'a [u8])];

#[test]
fn averaged_weights_are_preferred_and_then_the_usual_keys() {
    let (right, wrong, number) = (&*network("0"), &*network("1"), &*int(7));
    let metric = &*dictionary([("loss", tensor("1", ELEMENTS, 0, &[], &[]))]);
    let cases: [(&str, Entries<'_>); 15] = [
        ("state_dict_ema", &[("state_dict", wrong), ("state_dict_ema", right)]),
        ("model_ema", &[("model_ema", right), ("state_dict", wrong), ("model", wrong)]),
        ("ema", &[("model_state_dict", wrong), ("ema", right), ("epoch", number)]),
        ("EMA.model", &[("state_dict", wrong), ("EMA.model", right)]),
        ("averaged_model", &[("net", wrong), ("averaged_model", right)]),
        // What holds no weights is passed over.
        ("model", &[("model_ema", b"N"), ("model", right)]),
        ("model", &[("model_ema", b"}"), ("state_dict", metric), ("model", right)]),
        ("state_dict", &[("ema", number), ("state_dict", right)]),
        ("state_dict", &[("model", wrong), ("state_dict", right)]),
        ("model", &[("model_state_dict", wrong), ("model", right), ("net", wrong)]),
        ("model_state_dict", &[("net", wrong), ("model_state_dict", right)]),
        // No word of its own.
        ("model", &[("schema", wrong), ("model", right)]),
        // The only one, under any key.
        ("net", &[("epoch", number), ("net", right), ("loss", metric)]),
        ("best", &[("best", right), ("acc", &tensor("1", ELEMENTS, 0, &[], &[]))]),
        ("b", &[("b", &[right, b"q\0"].concat()), ("a", b"h\0")]), // one dictionary twice
    ];
    for (key, entries) in cases {
        assert_eq!(taken(entries), Ok(key.to_owned()));
    }
    let plain = file(&network("0"));
    assert_eq!(StateDict::read(&plain).unwrap().checkpoint_key(), None);
}

#[test]
fn where_nothing_chooses_the_keys_are_listed() {
    let (one, other, number) = (&*network("0"), &*network("1"), &*int(7));
    let under = |keys| format!("it has weights under {keys}, and nothing tells which are meant");
    let none = |keys| {
        format!("no dictionary in it has a ShuffleNet v2's tensors; its keys are {keys}; save")
    };
    let not_a_tensor = "entry `conv1.0.weight` of the state dict is not a tensor".to_owned();
    let cases: [(Entries<'_>, String); 5] = [
        (&[("net", one), ("epoch", number), ("teacher", other)], under("`net`, `teacher`")),
        (&[("ema", one), ("model", other), ("model_ema", other)], under("`ema`, `model_ema`")),
        (&[("epoch", number), ("model", b"ca\nB\n)R")], none("`epoch`, `model`")),
        (&[("conv1.0.weight", b"N"), ("fc.bias", number)], not_a_tensor),
        (&[("state_dict", b"}"), ("loss", number)], none("`state_dict`, `loss`")),
    ];
    for (entries, expected) in cases {
        let found = taken(entries).unwrap_err();
        assert!(found.contains(&expected), "{found}, expected: {expected}");
    }
    let keys: Vec<String> = (0..1000).map(|i| format!("{i:0100}")).collect();
    let many: Vec<(&str, &[u8])> = keys.iter().map(|key| (&**key, number)).collect();
    let found = taken(&many).unwrap_err();
    assert!(found.contains("`, ...; save") && found.len() < 1000, "{found}");
}
