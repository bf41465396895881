//! Any bytes as a safetensors file: an error, or a model that comes back the same when it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shufflenet::weights::StateDict;

fuzz_target!(|data: &[u8]| {
    let Ok(state) = StateDict::read(data) else { return };
    let Ok(model) = state.to_model() else { return };
    let mut written = Vec::new();
    state.write_safetensors(&mut written).unwrap();
    let again = StateDict::read(&written).unwrap();
    assert_eq!(again.metadata(), state.metadata());
    assert!(again.to_model().unwrap() == model);
});
