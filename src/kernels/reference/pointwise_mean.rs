use super::{columns, kernel, pixel_output};
use crate::kernels::args::PointwiseMeanArgs;

kernel!(pointwise_mean, PointwiseMeanArgs, body);

/// Each image row is summed left to right from 0, the rows' sums are added from the top to 0, and the
/// total is divided by the number of pixels.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn body(args: &PointwiseMeanArgs) {
    let (width, args) = (args.width, &args.pointwise);
    // SAFETY: the input covers `rows` rows and the output one; there are as many columns as inputs and
    // outputs.
    unsafe {
        for (n, to) in columns(&args.output).enumerate() {
            let mut total = 0.0f32;
            for y in 0..args.rows / width {
                let mut row = 0.0f32;
                for x in 0..width {
                    row += pixel_output(args, y * width + x, n);
                }
                total += row;
            }
            *args.output.data.add(to) = total / args.rows as f32;
        }
    }
}
