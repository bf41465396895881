//! Sessions of several threads: the same bits as one thread's, whatever the others do.

use crate::common;
use crate::common::bits;
#[cfg(any(target_os = "android", target_os = "linux"))]
use shufflenet::cpu::Cores;
use shufflenet::cpu::{Cpu, Level};
use shufflenet::model::{Architecture, Stage};
use shufflenet::{Input, Network, Session, SessionOptions, Threads};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

fn session(network: &Network, size: (usize, usize), batch: usize, threads: usize) -> Session {
    let options = SessionOptions {
        input_size: Some(size),
        batch: Some(batch),
        threads: Threads::Exactly(threads),
        ..SessionOptions::default()
    };
    Session::new(network, &options).unwrap()
}

/// Features and logits of every image.
fn run(session: &mut Session, images: &[Vec<f32>]) -> Vec<u32> {
    let inputs: Vec<Input> = images.iter().map(|image| Input::Nchw(image)).collect();
    let output = session.run(&inputs).unwrap();
    bits(&[output.features(), output.logits()].concat())
}

fn images(count: usize, (height, width): (usize, usize)) -> Vec<Vec<f32>> {
    let image = |i: usize| common::formula(&format!("image {i}"), 3 * height * width, -2.0, 2.0);
    (0..count).map(image).collect()
}

#[test]
fn threads_do_not_change_bits() {
    let odd = Architecture {
        stem_channels: 6,
        stages: [(3, 20), (8, 34), (2, 50)].map(|(units, channels)| Stage { units, channels }),
        feature_channels: 70,
        classes: 5,
    };
    let widths =
        [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0, odd];
    for architecture in widths {
        let network = Network::new(common::model(&architecture)).unwrap();
        for size in [(224, 224), (75, 53), (33, 128), (1, 1), (17, 3)] {
            // Large ones take long under an emulator.
            let images = images(if size == (224, 224) { 1 } else { 3 }, size);
            let expected: Vec<_> = images
                .iter()
                .map(|image| run(&mut session(&network, size, 1, 1), std::slice::from_ref(image)))
                .collect();
            for threads in [2, 3, 4, 8] {
                let mut session = session(&network, size, 1, threads);
                assert!((1..=threads).contains(&session.threads()));
                for (image, expected) in images.iter().zip(&expected) {
                    let found = run(&mut session, std::slice::from_ref(image));
                    assert_eq!(&found, expected, "{architecture:?}, {size:?}, {threads} threads");
                }
            }
        }
    }
}

#[test]
fn every_level_is_split() {
    let size = (64, 48);
    let images = images(1, size);
    for level in Level::available() {
        let cpu = Cpu::detect().with_level(level).unwrap();
        let network = Network::for_cpu(common::model(&Architecture::X0_5), cpu);
        let expected = run(&mut session(&network, size, 1, 1), &images);
        assert_eq!(run(&mut session(&network, size, 1, 2), &images), expected, "{level}");
    }
}

#[test]
fn batches_are_spread() {
    let size = (41, 38);
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let images = images(11, size);
    let mut one = session(&network, size, 11, 1);
    let mut expected = |count: usize| run(&mut one, &images[..count]);
    let expected: Vec<_> = (1..=11).map(|count| (count, expected(count))).collect();
    for threads in [2, 3, 8, 12] {
        let mut session = session(&network, size, 11, threads);
        for (count, expected) in expected.iter().rev().chain(&expected) {
            let found = run(&mut session, &images[..*count]);
            assert_eq!(&found, expected, "{count} images, {threads} threads");
        }
    }
}

#[test]
fn the_number_of_threads_is_true() {
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let session = |threads, size| {
        let options =
            SessionOptions { threads, input_size: Some(size), ..SessionOptions::default() };
        Session::new(&network, &options)
    };
    let number = |threads, size| session(threads, size).unwrap().threads();
    let cores = available_parallelism().unwrap().get();
    assert_eq!(number(Threads::default(), (64, 64)), 1);
    assert_eq!(number(Threads::AtMost(2), (64, 64)), cores.min(2));
    assert_eq!(number(Threads::AtMost(usize::MAX), (64, 64)), cores.min(64));
    assert_eq!(number(Threads::Exactly(3), (64, 64)), 3);
    // No more than the last layers have panels of outputs.
    assert!((60..=1024).contains(&number(Threads::Exactly(5000), (64, 64))));
    for threads in [Threads::AtMost(0), Threads::Exactly(0)] {
        let error = session(threads, (64, 64)).unwrap_err();
        assert_eq!(error.to_string(), "threads is 0, expected at least 1");
    }
    let keeps = SessionOptions {
        threads: Threads::Exactly(2),
        keep_activations: true,
        ..SessionOptions::default()
    };
    assert_eq!(Session::new(&network, &keeps).unwrap().threads(), 1);
}

#[test]
fn a_profile_has_every_layer() {
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let size = (64, 48);
    let image = &images(1, size)[0];
    let of = |threads| session(&network, size, 1, threads).profile(Input::Nchw(image)).unwrap();
    let (one, two) = (of(1), of(2));
    assert_eq!(two.layers.len(), one.layers.len());
    assert!(two.layers.iter().all(|&time| time > Duration::ZERO), "{two:?}");
}

#[test]
fn sessions_end_while_their_threads_sleep_work_or_begin() {
    let size = (32, 32);
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let images = images(1, size);
    let expected = run(&mut session(&network, size, 1, 1), &images);
    for round in 0..60 {
        let mut session = session(&network, size, 1, 3);
        if round % 4 > 0 {
            assert_eq!(run(&mut session, &images), expected);
        }
        if round % 4 > 1 {
            std::thread::sleep(Duration::from_millis(2)); // they sleep
        }
        if round % 4 > 2 {
            assert_eq!(run(&mut session, &images), expected);
        }
    }
}

#[test]
fn many_sessions_work_at_once() {
    let size = (32, 32);
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let images = images(1, size);
    let expected = run(&mut session(&network, size, 1, 1), &images);
    let mut sessions: Vec<_> = (0..64).map(|_| session(&network, size, 1, 2)).collect();
    std::thread::scope(|scope| {
        for session in &mut sessions {
            scope.spawn(|| (0..3).for_each(|_| assert_eq!(run(session, &images), expected)));
        }
    });
}

/// A forked process has a session's memory and none of its threads.
#[cfg(unix)]
#[test]
fn a_forked_process_is_told_and_can_drop_its_sessions() {
    let size = (32, 32);
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let images = images(4, size);
    let expected = run(&mut session(&network, size, 4, 1), &images);
    let mut alone = session(&network, size, 4, 1);
    let mut several = Some(session(&network, size, 4, 3));
    assert_eq!(run(several.as_mut().unwrap(), &images), expected);
    let child = || {
        let error = several.as_mut().unwrap().run(&[Input::Nchw(&images[0])]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "session is one of 3 threads, which a fork leaves behind, expected one that was made in \
             this process"
        );
        drop(several.take());
        assert_eq!(run(&mut alone, &images), expected);
        assert_eq!(run(&mut session(&network, size, 4, 3), &images), expected);
    };
    assert!(crate::fork::returns_in_fork(child));
    assert_eq!(run(several.as_mut().unwrap(), &images), expected);
}

/// For as many seconds as the variable `SHUFFLENET_TEST_SECONDS` says, by default for two.
#[test]
fn callers_share_a_network() {
    let seconds = std::env::var("SHUFFLENET_TEST_SECONDS").ok().and_then(|s| s.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(2));
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let network = &network;
            scope.spawn(move || {
                let size = (24 + 8 * caller, 40);
                let images = images(2, size);
                let expected = run(&mut session(network, size, 2, 1), &images);
                while start.elapsed() < time {
                    let mut session = session(network, size, 2, 1 + caller % 4);
                    for _ in 0..20 {
                        assert_eq!(run(&mut session, &images), expected);
                    }
                }
            });
        }
    });
}

#[cfg(any(target_os = "android", target_os = "linux"))]
#[test]
fn cores_do_not_change_bits_and_are_there() {
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let (size, images) = ((64, 64), images(1, (64, 64)));
    let expected = run(&mut session(&network, size, 1, 1), &images);
    let options = |cores: &[usize], threads| SessionOptions {
        input_size: Some(size),
        threads,
        cores: Some(Cores::new(cores.iter().copied()).unwrap()),
        ..SessionOptions::default()
    };
    // Of a CPU that every machine has, and of one that none has.
    let cpu = rustix::thread::sched_getcpu();
    let mut on_one = Session::new(&network, &options(&[cpu], Threads::Exactly(3))).unwrap();
    assert_eq!(on_one.threads(), 3);
    assert_eq!(run(&mut on_one, &images), expected);
    let clamped = Session::new(&network, &options(&[cpu], Threads::AtMost(3))).unwrap();
    assert!(clamped.threads() <= 2, "{}", clamped.threads());
    let error = Session::new(&network, &options(&[1023], Threads::Exactly(3))).unwrap_err();
    assert_eq!(error.to_string(), "cores is {1023}, expected CPUs that this process may use");
}
