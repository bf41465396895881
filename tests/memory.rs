//! To load a network and run it takes little more memory than its weights. Alone in its file: the
//! allocator counts for the whole process.

mod common;

use shufflenet::cpu::{Cpu, Level};
use shufflenet::model::Architecture;
use shufflenet::{Input, Network, Session, SessionOptions, weights};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// `realloc` stays the default one, which holds both blocks at once.
//
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes in use at once while `work` runs, beside those that were in use before.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

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
        let peak = peak(|| {
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
