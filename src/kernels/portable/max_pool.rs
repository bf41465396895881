use super::{for_taps, load, pieces, store};
use crate::kernels::args::WindowArgs;
use wide::f32x8;

/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
pub(in crate::kernels) unsafe extern "C" fn max_pool(args: &WindowArgs) {
    for x in 0..args.output_width {
        for (c, len) in pieces(args.channels) {
            // SAFETY: the rows and the output cover `channels` channels.
            unsafe {
                let mut max: Option<f32x8> = None;
                for_taps(args, x, 2, |_, pixel| {
                    let value = load(pixel.add(c), len);
                    max = Some(max.map_or(value, |max| value.simd_gt(max).bitselect(value, max)));
                });
                if let Some(max) = max {
                    store(args.output.add(x * args.output_stride + c), max, len);
                }
            }
        }
    }
}
