//! Fewer channels than a vector has lanes, and a few more: no level is slower than the one below, whose vectors are
//! shorter. The reference in their place is many times slower.

use crate::common::target_variable;
use shufflenet::cpu::{Cpu, Level};
use shufflenet::kernels::{Depthwise3x3, MaxPool3x3, StemConvolution, Taps, View, ViewMut};
use std::time::{Duration, Instant};

const HEIGHT: usize = 9;
const WIDTH: usize = 11;

/// The shortest of several times of a few runs.
fn shortest(run: &mut dyn FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let begin = Instant::now();
        (0..8).for_each(|_| run());
        begin.elapsed()
    };
    (0..20).map(|_| once(run)).min().unwrap()
}

/// Each operation by name, on an image with so many channels (the stem makes so many), and its time.
fn times(level: Level, channels: usize) -> [(&'static str, Duration); 4] {
    let cpu = Cpu::detect().with_level(level).unwrap();
    let image = vec![1.0; HEIGHT * WIDTH * channels.max(3)];
    let mut out = vec![0.0; HEIGHT * WIDTH * channels];
    let pixels = |columns| View::dense(&image, HEIGHT * WIDTH, columns).unwrap();
    let bias = vec![0.0; channels];
    let depthwise = |stride| {
        let taps = Taps::depthwise(channels, &vec![1.0; 9 * channels], &bias).unwrap();
        Depthwise3x3::new(cpu, stride, taps).unwrap()
    };
    let stem = Taps::stem(channels, &vec![1.0; 27 * channels], &bias).unwrap();
    let stem = StemConvolution::new(cpu, stem).unwrap();
    let [s1, s2] = [1, 2].map(depthwise);
    let pool = MaxPool3x3::new(cpu).unwrap();
    let halves = HEIGHT.div_ceil(2) * WIDTH.div_ceil(2);
    let mut time = |rows: usize, run: &dyn Fn(&mut ViewMut<'_>)| {
        shortest(&mut || run(&mut ViewMut::dense(&mut out, rows, channels).unwrap()))
    };
    [
        ("depthwise, stride 1", {
            time(HEIGHT * WIDTH, &|out| s1.run(&pixels(channels), WIDTH, out).unwrap())
        }),
        ("depthwise, stride 2", {
            time(halves, &|out| s2.run(&pixels(channels), WIDTH, out).unwrap())
        }),
        ("stem", time(halves, &|out| stem.run(&pixels(3), WIDTH, out).unwrap())),
        ("max pool", time(halves, &|out| pool.run(&pixels(channels), WIDTH, out).unwrap())),
    ]
}

#[test]
fn no_level_is_slower_than_the_one_below() {
    if target_variable("RUNNER").is_some() {
        return println!("skipped: an emulator's times are not the CPU's");
    }
    for channels in 1..=40 {
        let levels: Vec<_> = Level::available().collect();
        let times: Vec<_> = levels.iter().map(|&level| times(level, channels)).collect();
        for (i, pair) in times.windows(2).enumerate() {
            for ((operation, below), (_, time)) in pair[0].iter().zip(pair[1]) {
                // Others may work on this machine.
                let most = 2 * *below + Duration::from_micros(5);
                let levels = format!("{} beside {}", levels[i + 1], levels[i]);
                assert!(
                    time <= most,
                    "{operation}, {channels} channels: {levels}: {time:?}, {below:?}"
                );
            }
        }
    }
}
