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
    let (width, images, args) = (args.width, args.images, &args.pointwise);
    let pixels = args.rows / images;
    // SAFETY: the input covers `rows` rows and the output one for each image; there are as many columns
    // as inputs and outputs.
    unsafe {
        for image in 0..images {
            for (n, to) in columns(&args.output).enumerate() {
                let mut total = 0.0f32;
                for y in 0..pixels / width {
                    let mut row = 0.0f32;
                    for x in 0..width {
                        row += pixel_output(args, image * pixels + y * width + x, n);
                    }
                    total += row;
                }
                *args.output.data.add(image * args.output.stride + to) = total / pixels as f32;
            }
        }
    }
}
