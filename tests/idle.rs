//! Threads that wait for the next image take no time. Alone in its file: the clock is the whole process's.
#![cfg(all(unix, target_pointer_width = "64"))]

mod common;

use shufflenet::model::Architecture;
use shufflenet::{Input, Network, Session, SessionOptions, Threads};
use std::ffi::c_long;
use std::time::Duration;

unsafe extern "C" {
    fn clock_gettime(id: i32, time: *mut [c_long; 2]) -> i32;
}

const CLOCK_PROCESS_CPUTIME_ID: i32 = if cfg!(target_vendor = "apple") { 12 } else { 2 };

fn cpu_time() -> Duration {
    let mut time = [0; 2];
    // SAFETY: on 64-bit Unix, `timespec` is two 64-bit numbers.
    assert_eq!(unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time[0] as u64, time[1] as u32)
}

#[test]
fn idle_threads_take_no_time() {
    let size = (40, 40);
    let image = common::input(size.0, size.1);
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let options = SessionOptions {
        input_size: Some(size),
        threads: Threads::Exactly(4),
        ..SessionOptions::default()
    };
    let mut session = Session::new(&network, &options).unwrap();
    for ran in [false, true] {
        if ran {
            session.run(&[Input::Nchw(&image)]).unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
        let before = cpu_time();
        std::thread::sleep(Duration::from_millis(300));
        let taken = cpu_time() - before;
        assert!(taken < Duration::from_millis(30), "{taken:?}, after an image: {ran}");
    }
}
