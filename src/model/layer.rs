//! The layers of a network, by torchvision's names.

use std::fmt;

/// What a layer computes. Every convolution has a bias once batch norm is folded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Full 3x3 convolution, stride 2, padding 1.
    Stem,
    /// 3x3 convolution of each channel by itself, padding 1.
    Depthwise {
        /// 1 or 2, in both directions.
        stride: usize,
    },
    /// 1x1 convolution.
    Pointwise,
    /// Matrix times vector.
    FullyConnected,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerKind::Stem => f.write_str("stem"),
            LayerKind::Depthwise { stride } => write!(f, "depthwise, stride {stride}"),
            LayerKind::Pointwise => f.write_str("pointwise"),
            LayerKind::FullyConnected => f.write_str("fully connected"),
        }
    }
}

/// One layer: its place in the state dict and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Name of the convolution or matrix in torchvision's state dict, such as `stage2.0.branch1.0`.
    pub name: String,
    /// Name of the batch norm that follows, such as `stage2.0.branch1.1`; `fc` has none.
    pub batch_norm: Option<String>,
    /// What it computes.
    pub kind: LayerKind,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl Layer {
    /// Shape of the weight as torchvision stores it: `[outputs, inputs (1 if depthwise), kernel
    /// height, kernel width]`, or `[outputs, inputs]` for the fully connected layer.
    pub fn weight_shape(&self) -> Vec<usize> {
        match self.kind {
            LayerKind::Stem => vec![self.outputs, self.inputs, 3, 3],
            LayerKind::Depthwise { .. } => vec![self.outputs, 1, 3, 3],
            LayerKind::Pointwise => vec![self.outputs, self.inputs, 1, 1],
            LayerKind::FullyConnected => vec![self.outputs, self.inputs],
        }
    }

    /// Height or width of the output for an input of that height or width.
    pub fn output_size(&self, input: usize) -> usize {
        match self.kind {
            LayerKind::Stem | LayerKind::Depthwise { stride: 2 } => input.div_ceil(2),
            _ => input,
        }
    }

    /// Multiply-adds of an output of that height and width, not counting the bias.
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let sizes = self.weight_shape().into_iter().chain([height, width]);
        sizes.fold(1, |product: u64, size| product.saturating_mul(size as u64))
    }
}
