//! Any bytes as a PyTorch checkpoint of either form: an error, or a model that comes back the same
//! when it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shufflenet::weights::StateDict;

fuzz_target!(|data: &[u8]| {
    let Ok(state) = StateDict::read(data) else { return };
    let Ok(model) = state.to_model() else { return };
    let mut written = Vec::new();
    state.write_safetensors(&mut written).unwrap();
    assert!(StateDict::read(&written).unwrap().to_model().unwrap() == model);
});
