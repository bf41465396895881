use super::{kernel, relu, taps};
use crate::kernels::args::WindowArgs;

kernel!(stem, WindowArgs, body);

/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn body(args: &WindowArgs) {
    for x in 0..args.output_width {
        for c in 0..args.channels {
            // SAFETY: pixels have 3 channels; weights, bias and output cover `channels` channels.
            unsafe {
                let mut sum = *args.bias.add(c);
                for (tap, pixel) in taps(args, x, 2) {
                    for colour in 0..3 {
                        let weight = *args.weights.add((tap * 3 + colour) * args.weight_stride + c);
                        let input = *pixel.add(colour * args.colour_stride);
                        sum = input.mul_add(weight, sum);
                    }
                }
                *args.output.add(x * args.output_stride + c) = relu(sum);
            }
        }
    }
}
