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
                let mut values = taps(args, x, 2).map(|(_, pixel)| *pixel.add(c));
                let first = values.next().unwrap_or(0.0); // the centre is always there
                let max = values.fold(first, |max, value| if value > max { value } else { max });
                *args.output.add(x * args.output_stride + c) = max;
            }
        }
    }
}
