use super::{columns, kernel, relu};
use crate::kernels::args::PointwiseArgs;

kernel!(pointwise, PointwiseArgs, body);

/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn body(args: &PointwiseArgs) {
    // SAFETY: the output covers `rows` rows, and has as many columns as there are outputs.
    unsafe {
        for row in 0..args.rows {
            let output = args.output.data.add(row * args.output.stride);
            for (n, to) in columns(&args.output).enumerate() {
                *output.add(to) = pixel_output(args, row, n);
            }
        }
    }
}

/// Output `n` of one pixel: a chain of multiply-adds from the bias.
///
/// # Safety
/// As for the kernel; the row and the output exist.
#[inline(always)]
pub(super) unsafe fn pixel_output(args: &PointwiseArgs, row: usize, n: usize) -> f32 {
    // SAFETY: the input covers the row, and has as many columns as there are inputs.
    unsafe {
        let input = args.input.data.add(row * args.input.stride);
        let mut sum = *args.bias.add(n);
        for (k, column) in columns(&args.input).enumerate() {
            sum = (*input.add(column)).mul_add(*args.weights.add(n * args.inputs + k), sum);
        }
        if args.relu { relu(sum) } else { sum }
    }
}
