use super::{kernel, taps};
use crate::kernels::args::WindowArgs;

kernel!(depthwise_s1, WindowArgs, body::<1>);
kernel!(depthwise_s2, WindowArgs, body::<2>);

/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn body<const STRIDE: usize>(args: &WindowArgs) {
    for x in 0..args.output_width {
        for c in 0..args.channels {
            // SAFETY: the rows, weights, bias and output cover `channels` channels.
            unsafe {
                let mut sum = *args.bias.add(c);
                for (tap, pixel) in taps(args, x, STRIDE) {
                    let weight = *args.weights.add(tap * args.weight_stride + c);
                    sum = (*pixel.add(c)).mul_add(weight, sum);
                }
                *args.output.add(x * args.output_stride + c) = sum;
            }
        }
    }
}
