//! Running allocates nothing, on any thread. Alone in its file: the allocator counts for the whole
//! process.

mod common;
#[cfg(unix)]
#[path = "common/fork.rs"]
mod fork;

use shufflenet::cpu::{Cpu, Level};
use shufflenet::image::{
    PixelFormat, Pixels, Plane, Preprocessor, Rotation, Yuv420, YuvMatrix, YuvRange,
};
use shufflenet::model::Architecture;
use shufflenet::{Input, Network, Session, SessionOptions, Threads};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        BYTES.fetch_add(layout.size(), Ordering::SeqCst);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    work();
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

/// From C too, after a run that failed as well, and where pictures are resized once the first of a size was.
#[cfg(feature = "capi")]
fn running_from_c_allocates_nothing() {
    use shufflenet::capi::*;
    use std::ptr;

    let (width, height, side) = (48, 64, 48);
    let bytes = vec![100_u8; 3 * width * height];
    let floats = vec![0.5_f32; 3 * side * side];
    let options = sn_session_options {
        struct_size: size_of::<sn_session_options>() as u32,
        height: side as u32,
        width: side as u32,
        batch: 2,
        threads: 1,
        exact_threads: 0,
        cpu: ptr::null(),
        cores: ptr::null(),
        core_count: 0,
    };
    let picture = sn_image {
        struct_size: size_of::<sn_image>() as u32,
        format: SN_RGB,
        width: side as u32,
        height: side as u32,
        data: bytes.as_ptr(),
        size: bytes.len(),
        row_stride: 0,
        fit: SN_FIT_NONE,
        rotation: 0,
    };
    let pictures = [picture, sn_image { height: height as u32, fit: SN_FIT_CROP, ..picture }];
    let wrong = sn_image { fit: 9, ..picture };
    let plane =
        sn_plane { data: bytes.as_ptr(), size: bytes.len(), row_stride: 0, pixel_stride: 0 };
    let frame = sn_yuv_image {
        struct_size: size_of::<sn_yuv_image>() as u32,
        matrix: SN_BT601,
        range: SN_FULL_RANGE,
        rotation: 0,
        width: width as u32,
        height: height as u32,
        planes: [plane; 3],
    };
    let image = sn_float_image {
        struct_size: size_of::<sn_float_image>() as u32,
        layout: SN_NHWC,
        data: floats.as_ptr(),
        count: floats.len(),
    };
    let file = common::safetensors(&Architecture::X0_5);
    let (mut network, mut session) = (ptr::null_mut(), ptr::null_mut());
    let ok = |status| assert_eq!(status, sn_status::SN_OK);
    // SAFETY: pointers are to what stands above, as long as it says.
    unsafe {
        ok(sn_network_open_memory(file.as_ptr().cast(), file.len(), ptr::null(), &mut network));
        ok(sn_session_create(network, &options, &mut session));
        let run = || {
            ok(sn_session_run(session, pictures.as_ptr(), 2));
            ok(sn_session_run_yuv(session, &frame, 1));
            ok(sn_session_run_floats(session, &image, 1));
        };
        run();
        assert_eq!(sn_session_run(session, &wrong, 1), sn_status::SN_INVALID_ARGUMENT);
        assert_eq!(allocations(run), 0, "from C");
        ok(sn_session_free(&mut session));
        ok(sn_network_free(&mut network));
    }
}

/// Dropped in a forked process, which has none of its threads, a session gives its memory back, but for what
/// threads themselves take.
#[cfg(unix)]
fn forked_processes_free_sessions() {
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let image = common::input(64, 64);
    for batch in [1, 3] {
        let before = BYTES.load(Ordering::SeqCst);
        let options = SessionOptions {
            input_size: Some((64, 64)),
            batch: Some(batch),
            threads: Threads::Exactly(3),
            ..SessionOptions::default()
        };
        let mut session = Session::new(&network, &options).unwrap();
        session.run(&vec![Input::Nchw(&image); batch]).unwrap();
        let taken = BYTES.load(Ordering::SeqCst) - before;
        assert!(taken > 100_000, "{taken} bytes");
        // The parent's session lives on in the parent.
        assert!(fork::returns_in_fork(move || {
            drop(session);
            let left = BYTES.load(Ordering::SeqCst).saturating_sub(before);
            assert!(left < 4000, "{left} of {taken} bytes are left");
        }));
    }
}

// One test function, so that no other test allocates meanwhile.
#[test]
fn running_allocates_nothing() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1]))) > 0, "the counter counts");

    let (height, width) = (40, 37);
    let model = common::model(&Architecture::X0_5);
    let image = common::input(height, width);
    let bytes = vec![200; 4 * height * width];
    let pixels = Pixels::new(&bytes, width, height, 4 * width, PixelFormat::Bgra).unwrap();
    for level in Level::available() {
        let cpu = Cpu::detect().with_level(level).unwrap();
        let network = Network::for_cpu(model.clone(), cpu);
        for (batch, threads) in [(1, 1), (3, 1), (1, 3), (3, 2)] {
            let options = SessionOptions {
                input_size: Some((height, width)),
                batch: Some(batch),
                threads: Threads::Exactly(threads),
                ..SessionOptions::default()
            };
            let mut session = Session::new(&network, &options).unwrap();
            let images = [Input::Nchw(&image), Input::Pixels(pixels), Input::Nchw(&image)];
            if threads > 1 {
                // Threads allocate when they begin, and when they first sleep.
                std::thread::sleep(Duration::from_millis(50));
            }
            let count = allocations(|| {
                for _ in 0..20 {
                    session.run(&images[..batch]).unwrap();
                }
            });
            assert_eq!(count, 0, "{level}, batch {batch}, {threads} threads");
        }
    }

    let preprocessing = Architecture::X0_5.default_preprocessing();
    let mut preprocessor = Preprocessor::new(&preprocessing, width, height).unwrap();
    let mut crop = vec![0; 3 * preprocessor.crop() * preprocessor.crop()];
    assert_eq!(allocations(|| preprocessor.run(&pixels, &mut crop).unwrap()), 0, "preprocessing");

    let plane = |pixel_stride| Plane { data: &bytes, row_stride: 2 * width, pixel_stride };
    let planes = [plane(1), plane(2), plane(2)];
    let frame = Yuv420::new(planes, width, height, YuvMatrix::Bt601, YuvRange::Full).unwrap();
    for rotation in Rotation::ALL {
        let mut preprocessor =
            Preprocessor::rotated(&preprocessing, width, height, rotation).unwrap();
        let count = allocations(|| preprocessor.run_yuv420(&frame, &mut crop).unwrap());
        assert_eq!(count, 0, "a camera's frame, {rotation:?}");
    }
    #[cfg(feature = "capi")]
    running_from_c_allocates_nothing();
    #[cfg(unix)]
    forked_processes_free_sessions();
}
