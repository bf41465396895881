use super::{load, pieces, store};
use crate::kernels::args::RowSumArgs;
use wide::f32x8;

/// # Safety
/// As for [`RowSumFn`](crate::kernels::args::RowSumFn).
pub(in crate::kernels) unsafe extern "C" fn row_sum(args: &RowSumArgs) {
    for y in 0..args.height {
        for (c, len) in pieces(args.channels) {
            // SAFETY: the input covers `height * width` pixels of `channels` channels.
            unsafe {
                let mut sum = f32x8::ZERO;
                for x in 0..args.width {
                    sum += load(args.input.add((y * args.width + x) * args.stride + c), len);
                }
                let sums = args.sums.add(c);
                store(sums, load(sums, len) + sum, len);
            }
        }
    }
}
