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
                let first = if above.is_null() { centre } else { above };
                let mut max = V::load(first.add(columns.start * args.input_stride + c));
                for row in [above, centre, below] {
                    if row.is_null() {
                        continue;
                    }
                    for column in columns.clone() {
                        max = V::load(row.add(column * args.input_stride + c)).greater_or(max);
                    }
                }
                max.store(args.output.add(x * args.output_stride + c));
            }
        }
    }
}

/// The max pool of an instruction set.
macro_rules! max_pool_kernel {
    ($(#[$attribute:meta])* $vector:ty) => {
        use crate::kernels::args::WindowArgs;
        use crate::kernels::reference;
        use crate::kernels::vector::{self, Vector};

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn max_pool(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::max_pool(args),
                    false => vector::max_pool::<$vector>(args),
                }
            }
        }
    };
}
pub(in crate::kernels) use max_pool_kernel;
