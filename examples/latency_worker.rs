//! A process that times inferences on request, for comparing engines side by side.
//!
//! ```text
//! latency_worker MODEL.safetensors INPUT.f32 THREADS
//! ```
//!
//! The input is one square image, normalised, as raw little-endian f32 in NCHW order; its side follows
//! from the file's length. The program prints `{"load_ms":..,"threads":..}` when it is ready and then
//! answers one request a line:
//!
//! - `run N [CAP]` times N inferences, or as many as fit into CAP milliseconds. The answer's `t` lists
//!   wall times and `c` the process's CPU times, both in nanoseconds; `cpu` and `wall` are seconds in all.
//! - `out PATH` runs the image once and writes the logits to PATH as raw little-endian f32.
//! - `rss` tells the process's peak memory in KiB.
//! - `quit` ends it.
//!
//! Timed inferences alternate between the image and its mirror image, so that none finds its own input
//! in cache. Built for AArch64, each lies between the instructions `hint #112` and `hint #113`, which do
//! nothing but mark it for an emulator.

use shufflenet::{Input, Network, Session, SessionOptions, Threads, weights};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

#[cfg(all(unix, target_pointer_width = "64"))]
mod clock {
    #[repr(C)]
    struct TimeSpec {
        seconds: std::ffi::c_long,
        nanoseconds: std::ffi::c_long,
    }

    unsafe extern "C" {
        fn clock_gettime(id: i32, time: *mut TimeSpec) -> i32;
    }

    const CLOCK_PROCESS_CPUTIME_ID: i32 = if cfg!(target_vendor = "apple") { 12 } else { 2 };

    /// CPU time of the whole process.
    pub fn cpu_nanoseconds() -> u64 {
        let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
        // SAFETY: on 64-bit Unix, `timespec` is two 64-bit numbers.
        unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
    }
}

#[cfg(not(all(unix, target_pointer_width = "64")))]
mod clock {
    pub fn cpu_nanoseconds() -> u64 {
        0
    }
}

/// Runs `work` between the two marks.
#[inline(never)]
fn marked<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint without a meaning is a no-op.
    unsafe {
        std::arch::asm!("hint #112")
    };
    let result = work();
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("hint #113")
    };
    result
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn join(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// `run N [CAP]`
fn time(session: &mut Session, images: &[Vec<f32>; 2], count: usize, cap_ms: f64) -> String {
    let (mut wall, mut cpu) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (start, cpu_start) = (Instant::now(), clock::cpu_nanoseconds());
    for i in 0..count {
        if start.elapsed().as_secs_f64() * 1e3 > cap_ms {
            break;
        }
        let inputs = [Input::Nchw(&images[i % 2])];
        let (begin, cpu_begin) = (Instant::now(), clock::cpu_nanoseconds());
        let result = marked(|| session.run(&inputs).map(|_| ()));
        wall.push(begin.elapsed().as_nanos() as u64);
        cpu.push(clock::cpu_nanoseconds() - cpu_begin);
        if let Err(error) = result {
            return format!("{{\"error\":\"{error}\"}}");
        }
    }
    let cpu_seconds = (clock::cpu_nanoseconds() - cpu_start) as f64 * 1e-9;
    let seconds = start.elapsed().as_secs_f64();
    let (t, c) = (join(&wall), join(&cpu));
    format!("{{\"t\":[{t}],\"c\":[{c}],\"cpu\":{cpu_seconds},\"wall\":{seconds}}}")
}

/// `out PATH`
fn write_logits(session: &mut Session, image: &[f32], path: &str) -> Result<(), Box<dyn Error>> {
    let output = session.run(&[Input::Nchw(image)])?;
    let bytes: Vec<u8> = output.logits().iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok(std::fs::write(path, bytes)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, input, threads] = arguments.as_slice() else {
        return Err("usage: latency_worker MODEL.safetensors INPUT.f32 THREADS".into());
    };
    let threads = Threads::AtMost(threads.parse()?);

    let bytes = std::fs::read(input)?;
    let image: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let side = (image.len() / 3).isqrt();
    if side == 0 || bytes.len() != 12 * side * side {
        return Err(
            format!("{input}: {} bytes are no square image of 3 floats", bytes.len()).into()
        );
    }
    let mirror = image.chunks_exact(side).flat_map(|row| row.iter().rev().copied()).collect();
    let images = [image, mirror];
    drop(bytes);

    let start = Instant::now();
    let network = Network::new(weights::load(model)?)?;
    let size = Some((side, side));
    let options = SessionOptions { input_size: size, threads, ..SessionOptions::default() };
    let mut session = Session::new(&network, &options)?;
    let load = start.elapsed().as_secs_f64() * 1e3;
    println!("{{\"load_ms\":{load:.3},\"threads\":{}}}", session.threads());
    std::io::stdout().flush()?;

    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["run", count, cap @ ..] => {
                let cap = cap.first().map_or(Ok(f64::MAX), |cap| cap.parse())?;
                time(&mut session, &images, count.parse()?, cap)
            }
            ["out", path] => {
                write_logits(&mut session, &images[0], path)?;
                "{\"ok\":1}".to_owned()
            }
            ["rss"] => format!("{{\"maxrss_kb\":{}}}", peak_kib()),
            ["quit"] | [] => break,
            _ => format!("{{\"error\":\"unknown request {line:?}\"}}"),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
