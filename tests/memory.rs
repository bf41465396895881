//! To load a network and run it takes little more memory than its weights. Alone in its file: the
//! allocator counts for the whole process.

mod common;
#[path = "common/peak.rs"]
mod peak;

use peak::peak;
use shufflenet::cpu::{Cpu, Level};
use shufflenet::model::Architecture;
use shufflenet::{Input, Network, Session, SessionOptions, weights};

/// x1.0 has 9.1 MB of weights; an image's activations and what is read at once take about 1 MB.
const LIMIT: usize = 11_000_000;

#[test]
fn loading_and_running_x1_0_takes_11_mb() {
    let path = std::env::temp_dir().join(format!("memory.{}.safetensors", std::process::id()));
    let bytes = common::safetensors(&Architecture::X1_0);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(weights::load(&path).unwrap(), weights::from_bytes(&bytes).unwrap());
    drop(bytes);
    let image = common::input(224, 224);
    for level in Level::available() {
        let cpu = Cpu::detect().with_level(level).unwrap();
        let (peak, ()) = peak(|| {
            let network = Network::for_cpu(weights::load(&path).unwrap(), cpu);
            let mut session = Session::new(&network, &SessionOptions::default()).unwrap();
            // The reference is slow, above all under an emulator, and running allocates nothing.
            if level != Level::Reference {
                session.run(&[Input::Nchw(&image)]).unwrap();
            }
        });
        println!("{level}: {peak} bytes at most");
        assert!(peak <= LIMIT, "{level}: {peak} bytes");
    }
    std::fs::remove_file(path).unwrap();
}
