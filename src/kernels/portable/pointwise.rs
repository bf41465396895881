use super::{LANES, ranges, relu, store};
use crate::kernels::args::{ColumnRange, PointwiseArgs};
use wide::f32x8;

/// Rows in a tile: with 8 outputs, 8 accumulators of 4 floats each leave half of 16 registers.
const ROWS: usize = 4;

/// # Safety
/// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
pub(in crate::kernels) unsafe extern "C" fn pointwise(args: &PointwiseArgs) {
    let mut row = 0;
    while row < args.rows {
        // SAFETY: promised by the caller; `row` and the rows after it exist.
        unsafe {
            if row + ROWS <= args.rows {
                rows::<ROWS>(args, row);
                row += ROWS;
            } else {
                rows::<1>(args, row);
                row += 1;
            }
        }
    }
}

/// All outputs of `N` rows, a panel at a time.
#[inline(always)]
unsafe fn rows<const N: usize>(args: &PointwiseArgs, row: usize) {
    // SAFETY: promised by the caller.
    let (inputs, outputs) = unsafe { (ranges(&args.input), ranges(&args.output)) };
    let mut cursor = Cursor { ranges: outputs, used: 0 };
    for n in (0..args.outputs).step_by(LANES) {
        // SAFETY: the matrix has a panel for every 8 outputs; the views cover the rows.
        unsafe {
            let mut weights = args.weights.add(n * args.inputs).cast::<[f32; LANES]>();
            let bias = f32x8::from(args.bias.add(n).cast::<[f32; LANES]>().read_unaligned());
            let mut sums = [bias; N];
            for range in inputs {
                for k in range.start..range.end() {
                    let weight = f32x8::from(weights.read_unaligned());
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let value = *args.input.data.add((row + i) * args.input.stride + k);
                        *sum = f32x8::splat(value).mul_add(weight, *sum);
                    }
                    weights = weights.add(1);
                }
            }
            let values = sums.map(|sum| if args.relu { relu(sum) } else { sum });
            let mut lane = 0;
            let panel = LANES.min(args.outputs - n);
            while lane < panel {
                let (column, len) = cursor.take(panel - lane);
                for (i, value) in values.iter().enumerate() {
                    let to = args.output.data.add((row + i) * args.output.stride + column);
                    store_lanes(to, *value, lane, len);
                }
                lane += len;
            }
        }
    }
}

/// Stores `len` lanes from `lane` on.
#[inline(always)]
unsafe fn store_lanes(to: *mut f32, value: f32x8, lane: usize, len: usize) {
    if lane == 0 {
        // SAFETY: promised by the caller.
        return unsafe { store(to, value, len) };
    }
    let lanes = value.to_array();
    // SAFETY: promised by the caller; `lane + len` is at most 8.
    unsafe { std::ptr::copy_nonoverlapping(lanes.as_ptr().add(lane), to, len) };
}

/// A position in a list of ranges.
struct Cursor<'a> {
    ranges: &'a [ColumnRange],
    used: usize,
}

impl Cursor<'_> {
    /// The next column, and how many of the wanted ones follow it without a gap.
    #[inline(always)]
    fn take(&mut self, wanted: usize) -> (usize, usize) {
        let range = self.ranges[0];
        let len = wanted.min(range.len - self.used);
        let column = range.start + self.used;
        self.used += len;
        if self.used == range.len {
            self.ranges = &self.ranges[1..];
            self.used = 0;
        }
        (column, len)
    }
}
