use super::{columns, kernel, relu};
use crate::kernels::args::PointwiseArgs;

kernel!(pointwise, PointwiseArgs, body);

#[inline(always)]
unsafe fn body(args: &PointwiseArgs) {
    for row in 0..args.rows {
        // SAFETY: both views cover `rows` rows; there are as many columns as inputs and outputs.
        unsafe {
            let input = args.input.data.add(row * args.input.stride);
            let output = args.output.data.add(row * args.output.stride);
            for (n, to) in columns(&args.output).enumerate() {
                let mut sum = *args.bias.add(n);
                for (k, from) in columns(&args.input).enumerate() {
                    sum = (*input.add(from)).mul_add(*args.weights.add(n * args.inputs + k), sum);
                }
                *output.add(to) = if args.relu { relu(sum) } else { sum };
            }
        }
    }
}
