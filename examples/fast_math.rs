//! A network as a function for C, as `tests/library/fast_math.rs` links it: what lies around a program's own
//! settings of floating point.

#[path = "../tests/common/mod.rs"]
mod common;

use shufflenet::{Input, Network, Session, SessionOptions};

/// Runs an image of 3 x 32 x 32 floats and stores 1000 logits; returns whether that worked.
///
/// # Safety
/// The pointers cover so many floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fast_math_run(image: *const f32, logits: *mut f32) -> bool {
    // SAFETY: promised by the caller.
    let (image, to) = unsafe {
        (
            std::slice::from_raw_parts(image, 3 * 32 * 32),
            std::slice::from_raw_parts_mut(logits, 1000),
        )
    };
    let run = || -> Result<Vec<f32>, shufflenet::Error> {
        let network = Network::new(common::without_bias())?;
        let options = SessionOptions { input_size: Some((32, 32)), ..SessionOptions::default() };
        let mut session = Session::new(&network, &options)?;
        Ok(session.run(&[Input::Nchw(image)])?.logits().to_vec())
    };
    run().map(|logits| to.copy_from_slice(&logits)).is_ok()
}
