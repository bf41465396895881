use super::{for_taps, load, pieces, store};
use crate::kernels::args::WindowArgs;

/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
pub(in crate::kernels) unsafe extern "C" fn depthwise_s1(args: &WindowArgs) {
    // SAFETY: promised by the caller.
    unsafe { body::<1>(args) }
}

/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
pub(in crate::kernels) unsafe extern "C" fn depthwise_s2(args: &WindowArgs) {
    // SAFETY: promised by the caller.
    unsafe { body::<2>(args) }
}

#[inline(always)]
unsafe fn body<const STRIDE: usize>(args: &WindowArgs) {
    for x in 0..args.output_width {
        for (c, len) in pieces(args.channels) {
            // SAFETY: the rows, weights, bias and output cover `channels` channels.
            unsafe {
                let mut sum = load(args.bias.add(c), len);
                for_taps(args, x, STRIDE, |tap, pixel| {
                    let weight = load(args.weights.add(tap * args.weight_stride + c), len);
                    sum = load(pixel.add(c), len).mul_add(weight, sum);
                });
                store(args.output.add(x * args.output_stride + c), sum, len);
            }
        }
    }
}
