//! Max pool 3x3, stride 2.

use super::{Vector, channel_vectors};
use crate::kernels::args::WindowArgs;

/// There are at least `V::LANES` channels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
pub(in crate::kernels) unsafe fn max_pool<V: Vector>(args: &WindowArgs) {
    let [above, centre, below] = args.rows;
    for x in 0..args.output_width {
        let columns = (2 * x).saturating_sub(1)..(2 * x + 2).min(args.input_width);
        for c in channel_vectors::<V>(args.channels) {
            // SAFETY: rows and output cover the channels; pixels stay inside the rows.
            unsafe {
                let load =
                    |row: *const f32, column| V::load(row.add(column * args.input_stride + c));
                let first = if above.is_null() { centre } else { above };
                let mut max = load(first, columns.start);
                for row in [above, centre, below].into_iter().filter(|row| !row.is_null()) {
                    for column in columns.clone() {
                        max = load(row, column).greater_or(max);
                    }
                }
                max.store(args.output.add(x * args.output_stride + c));
            }
        }
    }
}
