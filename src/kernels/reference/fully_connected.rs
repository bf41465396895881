use super::{columns, kernel, relu};
use crate::kernels::args::PointwiseArgs;

/// Inputs in a block. Part of the definition: another size gives other bits.
const BLOCK: usize = 64;

kernel!(fully_connected, PointwiseArgs, body);

/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn body(args: &PointwiseArgs) {
    for row in 0..args.rows {
        // SAFETY: both views cover `rows` rows; there are as many columns as inputs and outputs.
        unsafe {
            let input = args.input.data.add(row * args.input.stride);
            let output = args.output.data.add(row * args.output.stride);
            for (n, to) in columns(&args.output).enumerate() {
                let mut sum = *args.bias.add(n);
                let mut block = 0.0f32;
                for (k, from) in columns(&args.input).enumerate() {
                    if k > 0 && k % BLOCK == 0 {
                        sum += block;
                        block = 0.0;
                    }
                    block =
                        (*input.add(from)).mul_add(*args.weights.add(n * args.inputs + k), block);
                }
                sum += block;
                *output.add(to) = if args.relu { relu(sum) } else { sum };
            }
        }
    }
}
