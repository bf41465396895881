//! Widths and depths, and the layers that follow from them.

use super::{Layer, LayerKind, Preprocessing, Unit};
use crate::Error;

/// One stage: a unit of stride 2, then units of stride 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Number of units, the one of stride 2 included; at least 1.
    pub units: usize,
    /// Output channels; even, at least 2.
    pub channels: usize,
}

/// The shape of a ShuffleNet v2 (paper, Table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Output channels of the first convolution and the max pool; 24 in the paper.
    pub stem_channels: usize,
    /// Stages 2, 3 and 4.
    pub stages: [Stage; 3],
    /// Output channels of the last convolution: the length of the pooled features.
    pub feature_channels: usize,
    /// Number of classes: the length of the logits.
    pub classes: usize,
}

/// No width or depth may be larger: a layer's weights can then be counted on every target.
const MAX_CHANNELS: usize = 1 << 15;

impl Architecture {
    /// A network with the paper's depths (4, 8 and 4 units) and its 24 stem channels.
    pub const fn new(
        stage_channels: [usize; 3],
        feature_channels: usize,
        classes: usize,
    ) -> Architecture {
        let [a, b, c] = stage_channels;
        Architecture {
            stem_channels: 24,
            stages: [
                Stage { units: 4, channels: a },
                Stage { units: 8, channels: b },
                Stage { units: 4, channels: c },
            ],
            feature_channels,
            classes,
        }
    }

    /// Half the paper's width.
    pub const X0_5: Architecture = Architecture::new([48, 96, 192], 1024, 1000);
    /// The paper's width.
    pub const X1_0: Architecture = Architecture::new([116, 232, 464], 1024, 1000);
    /// One and a half times the paper's width.
    pub const X1_5: Architecture = Architecture::new([176, 352, 704], 1024, 1000);
    /// Twice the paper's width.
    pub const X2_0: Architecture = Architecture::new([244, 488, 976], 2048, 1000);

    /// The same network with another number of classes.
    pub const fn with_classes(self, classes: usize) -> Architecture {
        Architecture { classes, ..self }
    }

    /// The variant's usual name (`x0.5`, `x1.0`, `x1.5`, `x2.0`), whatever the class count, or
    /// `custom`.
    pub fn name(&self) -> &'static str {
        let named = [
            ("x0.5", Architecture::X0_5),
            ("x1.0", Architecture::X1_0),
            ("x1.5", Architecture::X1_5),
            ("x2.0", Architecture::X2_0),
        ];
        let found = named.iter().find(|(_, a)| a.with_classes(self.classes) == *self);
        found.map_or("custom", |(name, _)| name)
    }

    /// Torchvision's evaluation transform for this variant.
    pub fn default_preprocessing(&self) -> Preprocessing {
        let wide = matches!(self.name(), "x1.5" | "x2.0");
        Preprocessing::imagenet(if wide { 232 } else { 256 })
    }

    /// Checks that the numbers describe a network.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the number, its value and its range.
    pub fn validate(&self) -> Result<(), Error> {
        let range = |name, found: usize| match found {
            1..=MAX_CHANNELS => Ok(()),
            _ => Err(Error::argument(name, found, format!("1 to {MAX_CHANNELS}"))),
        };
        range("stem channels", self.stem_channels)?;
        range("feature channels", self.feature_channels)?;
        range("classes", self.classes)?;
        for stage in &self.stages {
            range("units of a stage", stage.units)?;
            range("channels of a stage", stage.channels)?;
            if !stage.channels.is_multiple_of(2) {
                return Err(Error::argument(
                    "channels of a stage",
                    stage.channels,
                    "an even number",
                ));
            }
        }
        Ok(())
    }

    /// Every layer with weights, in the order of torchvision's state dict.
    pub fn layers(&self) -> Vec<Layer> {
        let conv = |prefix: &str, index: usize, kind, inputs, outputs, relu| Layer {
            name: format!("{prefix}.{index}"),
            batch_norm: Some(format!("{prefix}.{}", index + 1)),
            kind,
            inputs,
            outputs,
            relu,
        };
        let mut layers = vec![conv("conv1", 0, LayerKind::Stem, 3, self.stem_channels, true)];
        let mut inputs = self.stem_channels;
        for (s, stage) in self.stages.iter().enumerate() {
            let half = stage.channels / 2;
            for unit in 0..stage.units {
                let branch = |n: usize| format!("stage{}.{unit}.branch{n}", s + 2);
                let stride = if unit == 0 { 2 } else { 1 };
                let depthwise = LayerKind::Depthwise { stride };
                if unit == 0 {
                    layers.push(conv(&branch(1), 0, depthwise, inputs, inputs, false));
                    layers.push(conv(&branch(1), 2, LayerKind::Pointwise, inputs, half, true));
                }
                let inputs = if unit == 0 { inputs } else { half };
                layers.push(conv(&branch(2), 0, LayerKind::Pointwise, inputs, half, true));
                layers.push(conv(&branch(2), 3, depthwise, half, half, false));
                layers.push(conv(&branch(2), 5, LayerKind::Pointwise, half, half, true));
            }
            inputs = stage.channels;
        }
        layers.push(conv("conv5", 0, LayerKind::Pointwise, inputs, self.feature_channels, true));
        layers.push(Layer {
            name: "fc".to_owned(),
            batch_norm: None,
            kind: LayerKind::FullyConnected,
            inputs: self.feature_channels,
            outputs: self.classes,
            relu: false,
        });
        layers
    }

    /// The units of stage 2, 3 or 4 (here 0, 1 and 2), of which there is at least one.
    pub(crate) fn units(&self, stage: usize) -> Vec<Unit> {
        let Stage { units, channels } = self.stages[stage];
        let inputs = match stage {
            0 => self.stem_channels,
            _ => self.stages[stage - 1].channels,
        };
        let mut all = vec![Unit::basic(channels); units];
        all[0] = Unit::downsampling(inputs, channels);
        all
    }

    /// How many of the [`layers`](Architecture::layers) a branch of a unit has.
    pub(crate) fn branch_layers(&self, unit: usize, branch: usize) -> usize {
        // Of two branches, the first begins with its depthwise convolution.
        if unit == 0 && branch == 0 { 2 } else { 3 }
    }

    /// Height and width of every layer's output, for images of that height and width (each at least
    /// 1), in the order of [`Architecture::layers`].
    pub fn output_sizes(&self, height: usize, width: usize) -> Vec<(usize, usize)> {
        let mut unit = (height, width);
        let mut sizes = Vec::new();
        for layer in self.layers() {
            let scaled = |(h, w)| (layer.output_size(h), layer.output_size(w));
            // Both branches of a unit start from its input.
            let size = match (layer.kind, layer.name.as_str()) {
                (LayerKind::Stem, _) => {
                    let (h, w) = scaled(unit);
                    unit = (h.div_ceil(2), w.div_ceil(2)); // the max pool
                    (h, w)
                }
                (LayerKind::FullyConnected, _) => (1, 1),
                (_, name) if name.ends_with("branch2.3") => {
                    unit = scaled(unit);
                    unit
                }
                (LayerKind::Pointwise, name) if name.ends_with("branch1.2") => {
                    (unit.0.div_ceil(2), unit.1.div_ceil(2))
                }
                _ => scaled(unit),
            };
            sizes.push(size);
        }
        sizes
    }

    /// Multiply-adds of an image of that height and width, without biases and pooling.
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let sizes = self.output_sizes(height, width);
        let layers = self.layers();
        layers.iter().zip(sizes).fold(0, |sum, (l, (h, w))| sum.saturating_add(l.macs(h, w)))
    }

    /// Learned parameters as torchvision counts them: weights, two per batch norm channel, and the
    /// bias of `fc`.
    pub fn parameters(&self) -> u64 {
        let count = |sum: u64, l: &Layer| {
            let others = l.outputs as u64 * if l.batch_norm.is_some() { 2 } else { 1 };
            sum.saturating_add(l.macs(1, 1)).saturating_add(others)
        };
        self.layers().iter().fold(0, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_torchvisions() {
        let found =
            [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0]
                .map(|a| a.parameters());
        assert_eq!(found, [1_366_792, 2_278_604, 3_503_624, 7_393_996]);
    }

    #[test]
    fn macs_are_the_papers() {
        let found =
            [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0]
                .map(|a| (a.macs(224, 224) as f64 / 1e5).round() / 10.0);
        assert_eq!(found, [40.5, 144.9, 295.8, 583.3]);
    }

    #[test]
    fn names_ignore_the_class_count_only() {
        assert_eq!(Architecture::X1_5.with_classes(7).name(), "x1.5");
        let mut other = Architecture::X1_5;
        other.stages[1].units = 7;
        assert_eq!(other.name(), "custom");
    }

    #[test]
    fn wide_variants_are_resized_to_232() {
        let found =
            [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0]
                .map(|a| a.with_classes(3).default_preprocessing().resize);
        assert_eq!(found, [256, 256, 232, 232]);
        assert_eq!(Architecture::new([24, 48, 96], 512, 10).default_preprocessing().resize, 256);
    }

    #[test]
    fn impossible_widths_are_refused() {
        let odd = Architecture::new([48, 97, 192], 1024, 1000).validate().unwrap_err();
        assert_eq!(odd.to_string(), "channels of a stage is 97, expected an even number");
        assert!(Architecture::X0_5.with_classes(0).validate().is_err());
        assert!(Architecture::new([48, 96, 1 << 20], 1024, 1000).validate().is_err());
    }
}
