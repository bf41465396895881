use super::{for_taps, load, pieces, relu, store};
use crate::kernels::args::WindowArgs;
use wide::f32x8;

/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
pub(in crate::kernels) unsafe extern "C" fn stem(args: &WindowArgs) {
    for x in 0..args.output_width {
        for (c, len) in pieces(args.channels) {
            // SAFETY: pixels have 3 channels; weights, bias and output cover `channels` channels.
            unsafe {
                let mut sum = load(args.bias.add(c), len);
                for_taps(args, x, 2, |tap, pixel| {
                    for colour in 0..3 {
                        let row = tap * 3 + colour;
                        let weight = load(args.weights.add(row * args.weight_stride + c), len);
                        sum = f32x8::splat(*pixel.add(colour)).mul_add(weight, sum);
                    }
                });
                store(args.output.add(x * args.output_stride + c), relu(sum), len);
            }
        }
    }
}
