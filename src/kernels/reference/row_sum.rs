use super::kernel;
use crate::kernels::args::RowSumArgs;

kernel!(row_sum, RowSumArgs, body);

#[inline(always)]
unsafe fn body(args: &RowSumArgs) {
    for y in 0..args.height {
        for c in 0..args.channels {
            // SAFETY: the input covers `height * width` pixels of `channels` channels.
            unsafe {
                let mut sum = 0.0f32;
                for x in 0..args.width {
                    sum += *args.input.add((y * args.width + x) * args.stride + c);
                }
                *args.sums.add(c) += sum;
            }
        }
    }
}
