//! Max pool 3x3, stride 2: the greatest of each column of the window, then of the columns. Neighbouring
//! outputs share a column.

use super::{Vector, channel_vectors, opaque};
use crate::kernels::args::WindowArgs;

/// There are at least `V::LANES` channels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
pub(in crate::kernels) unsafe fn max_pool<V: Vector>(args: &WindowArgs) {
    let &WindowArgs { rows: [above, centre, below], input_width: width, .. } = args;
    // In bytes.
    let [step, output_step] = [args.input_stride, args.output_stride].map(|n| n * size_of::<f32>());
    // What is outside the image is its neighbour's value, taken a second time: that changes no maximum.
    let above = if above.is_null() { centre } else { above };
    let below = if below.is_null() { centre } else { below };
    for c in channel_vectors::<V>(args.channels) {
        // SAFETY: promised by the caller; the columns lie inside the image, and as many pixels inside the
        // output row.
        unsafe {
            let mut rows = [above.add(c), centre.add(c), below.add(c)];
            let mut to = args.output.add(c);
            let mut left = column::<V>(rows, 0);
            // Two outputs at a time, then one.
            for _ in 0..width / 4 {
                let columns: [V; 4] = [
                    column(rows, 0),
                    column(rows, step),
                    column(rows, 2 * step),
                    column(rows, 3 * step),
                ];
                greatest(left, columns[0], columns[1]).store(to);
                greatest(columns[1], columns[2], columns[3]).store(to.byte_add(output_step));
                left = columns[3];
                rows = after(rows, 4 * step);
                to = to.wrapping_byte_add(2 * output_step);
            }
            if width % 4 >= 2 {
                let [middle, right] = [column(rows, 0), column(rows, step)];
                greatest(left, middle, right).store(to);
                left = right;
                rows = after(rows, 2 * step);
                to = to.wrapping_byte_add(output_step);
            }
            if !width.is_multiple_of(2) {
                greatest(left, left, column(rows, 0)).store(to);
            }
        }
    }
}

/// The rows, so many bytes on. Opaque, or the compiler steps a pointer for each row and column.
#[inline(always)]
fn after([above, centre, below]: [*const f32; 3], bytes: usize) -> [*const f32; 3] {
    [
        opaque(above.wrapping_byte_add(bytes)),
        opaque(centre.wrapping_byte_add(bytes)),
        opaque(below.wrapping_byte_add(bytes)),
    ]
}

/// The greatest of three, the first of equal ones.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn greatest<V: Vector>(left: V, middle: V, right: V) -> V {
    // SAFETY: promised by the caller.
    unsafe { right.greater_or(middle.greater_or(left)) }
}

/// The greatest of a column, `offset` bytes from the first.
///
/// # Safety
/// The rows cover it, and the CPU has the vector's instructions.
#[inline(always)]
unsafe fn column<V: Vector>([above, centre, below]: [*const f32; 3], offset: usize) -> V {
    // SAFETY: promised by the caller.
    unsafe {
        greatest(
            V::load(above.byte_add(offset)),
            V::load(centre.byte_add(offset)),
            V::load(below.byte_add(offset)),
        )
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
