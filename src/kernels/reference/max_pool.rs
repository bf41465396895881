use super::{kernel, taps};
use crate::kernels::args::WindowArgs;

kernel!(max_pool, WindowArgs, body);

/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn body(args: &WindowArgs) {
    for x in 0..args.output_width {
        for c in 0..args.channels {
            // SAFETY: the rows and the output cover `channels` channels.
            unsafe {
                let mut max: Option<f32> = None;
                for column in 0..3 {
                    let values = taps(args, x, 2).filter(|(tap, _)| tap % 3 == column);
                    let values = values.map(|(_, pixel)| *pixel.add(c));
                    max = max.into_iter().chain(values.reduce(greater)).reduce(greater);
                }
                let max = max.unwrap_or(0.0); // the centre is always there
                *args.output.add(x * args.output_stride + c) = max;
            }
        }
    }
}

/// Of equal ones, and where there is a NaN, the first.
fn greater(max: f32, value: f32) -> f32 {
    if value > max { value } else { max }
}
