//! How a picture becomes a network's input.

/// Torchvision's evaluation transform as numbers: the shorter side is resized, the middle is cropped,
/// and each channel `c` of the 8-bit pixels becomes `(value / 255 - mean[c]) / std[c]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocessing {
    /// Length of the shorter side after resizing, in pixels.
    pub resize: usize,
    /// Height and width of the centre crop, in pixels.
    pub crop: usize,
    /// Mean of red, green and blue, in 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of red, green and blue, in 0 to 1.
    pub std: [f32; 3],
}

impl Preprocessing {
    /// ImageNet's mean and standard deviation, a crop of 224, and the given shorter side (torchvision:
    /// 256 for x0.5 and x1.0, 232 for x1.5 and x2.0).
    pub const fn imagenet(resize: usize) -> Preprocessing {
        Preprocessing { resize, crop: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }
}
