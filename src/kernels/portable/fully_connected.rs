use super::{LANES, ranges, relu};
use crate::kernels::args::PointwiseArgs;
use wide::f32x8;

/// As in the reference.
const BLOCK: usize = 64;

/// # Safety
/// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
pub(in crate::kernels) unsafe extern "C" fn fully_connected(args: &PointwiseArgs) {
    // SAFETY: promised by the caller.
    let (inputs, outputs) = unsafe { (ranges(&args.input), ranges(&args.output)) };
    for row in 0..args.rows {
        let columns = || inputs.iter().flat_map(|range| range.start..range.end());
        let mut to = outputs.iter().flat_map(|range| range.start..range.end());
        for n in (0..args.outputs).step_by(LANES) {
            // SAFETY: the matrix has a panel for every 8 outputs; the views cover the row.
            unsafe {
                let mut weights = args.weights.add(n * args.inputs).cast::<[f32; LANES]>();
                let input = args.input.data.add(row * args.input.stride);
                let mut sum = f32x8::from(args.bias.add(n).cast::<[f32; LANES]>().read_unaligned());
                let mut block = f32x8::ZERO;
                for (k, column) in columns().enumerate() {
                    if k > 0 && k % BLOCK == 0 {
                        sum += block;
                        block = f32x8::ZERO;
                    }
                    let weight = f32x8::from(weights.read_unaligned());
                    block = f32x8::splat(*input.add(column)).mul_add(weight, block);
                    weights = weights.add(1);
                }
                sum += block;
                let lanes = if args.relu { relu(sum) } else { sum }.to_array();
                for (value, column) in lanes.into_iter().zip(to.by_ref().take(LANES)) {
                    *args.output.data.add(row * args.output.stride + column) = value;
                }
            }
        }
    }
}
