//! How a picture becomes a network's input.

/// How a picture is resized before the middle is cut out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The shorter side becomes [`Preprocessing::resize`], and the longer keeps the ratio: torchvision's
    /// `Resize(256)`.
    #[default]
    Crop,
    /// Both sides become `resize`, and the ratio is lost: torchvision's `Resize((224, 224))`.
    Stretch,
    /// The longer side becomes `resize`, and the shorter keeps the ratio; what is missing is filled with the
    /// mean, equally on both sides: timm's crop mode `border`.
    Pad,
}

impl Fit {
    /// All of them.
    pub const ALL: [Fit; 3] = [Fit::Crop, Fit::Stretch, Fit::Pad];

    /// `crop`, `stretch` or `pad`.
    pub const fn name(self) -> &'static str {
        match self {
            Fit::Crop => "crop",
            Fit::Stretch => "stretch",
            Fit::Pad => "pad",
        }
    }
}

/// Torchvision's evaluation transform as numbers: the picture is resized, the middle is cropped, and each
/// channel `c` of the 8-bit pixels becomes `(value / 255 - mean[c]) / std[c]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocessing {
    /// Which sides `resize` is the length of.
    pub fit: Fit,
    /// Length of these sides after resizing, in pixels.
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
        Preprocessing {
            fit: Fit::Crop,
            resize,
            crop: 224,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }

    /// The same for another crop: `resize` follows in proportion, rounded.
    #[must_use]
    pub fn with_crop(self, crop: usize) -> Preprocessing {
        let (resize, from) = (self.resize as u128 * crop as u128, self.crop.max(1) as u128);
        let resize = usize::try_from((resize + from / 2) / from).unwrap_or(usize::MAX);
        Preprocessing { resize: resize.max(1), crop, ..self }
    }

    /// Whether the resized picture can be smaller than the crop, so that black is around it.
    pub fn has_black_border(&self) -> bool {
        self.fit != Fit::Pad && self.resize < self.crop
    }
}
