//! A frame of a camera to the square that a network looks at.
//!
//! `cargo bench -p shufflenet-benches --bench image`; `-- 1280x720` measures frames of that size.

#![allow(missing_docs)] // of what the macros make

use criterion::{Criterion, criterion_group, criterion_main};
use shufflenet::image::{
    PixelFormat, Pixels, Plane, Preprocessor, Rotation, Yuv420, YuvMatrix, YuvRange,
};
use shufflenet::model::Preprocessing;
use std::time::Duration;

fn frames(criterion: &mut Criterion) {
    let preprocessing = Preprocessing::imagenet(256);
    for (width, height) in [(1280, 720), (1920, 1080)] {
        let mut group = criterion.benchmark_group(format!("{width}x{height}"));
        group.sample_size(20).warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(600));
        let bytes: Vec<u8> = (0..4 * width * height).map(|i| ((i * i) >> 9) as u8).collect();
        let mut out = vec![0; 224 * 224 * 3];
        for format in [PixelFormat::Rgb, PixelFormat::Bgra] {
            let stride = width * format.bytes_per_pixel();
            let pixels = Pixels::new(&bytes, width, height, stride, format).unwrap();
            let mut preprocessor = Preprocessor::new(&preprocessing, width, height).unwrap();
            group.bench_function(format!("{format:?}"), |bencher| {
                bencher.iter(|| preprocessor.run(&pixels, &mut out).unwrap());
            });
        }
        for rotation in Rotation::ALL {
            let (y, vu) = bytes.split_at(width * height);
            let plane = |data, pixel_stride| Plane { data, row_stride: width, pixel_stride };
            let planes = [plane(y, 1), plane(&vu[1..], 2), plane(vu, 2)];
            let (matrix, range) = (YuvMatrix::Bt601, YuvRange::Full);
            let frame = Yuv420::new(planes, width, height, matrix, range).unwrap();
            let mut preprocessor =
                Preprocessor::rotated(&preprocessing, width, height, rotation).unwrap();
            group.bench_function(format!("NV21 {rotation:?}"), |bencher| {
                bencher.iter(|| preprocessor.run_yuv420(&frame, &mut out).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
