//! The network as data: its shape, its layers in order, and their folded weights. No arithmetic.

mod architecture;
mod description;
mod layer;
mod preprocessing;
mod unit;

pub use architecture::{Architecture, Stage};
pub(crate) use description::Description;
pub use layer::{Layer, LayerKind};
pub use preprocessing::{Fit, Preprocessing};
#[cfg(test)]
pub(crate) use unit::{Branch, interleaved, made};
pub(crate) use unit::{Channel, Unit};

use crate::Error;

/// One layer's parameters with batch norm folded in.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// Row-major, in the layer's [`Layer::weight_shape`].
    pub weight: Vec<f32>,
    /// One value per output channel.
    pub bias: Vec<f32>,
}

/// A ShuffleNet v2 with its weights: what a file describes, before any plan is made for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    architecture: Architecture,
    layers: Vec<LayerWeights>,
    description: Description,
}

impl Model {
    /// A model from parts; `layers` stand in the order of [`Architecture::layers`].
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible architecture or a wrong number of layers,
    /// [`Error::TensorShape`] for a weight or bias of the wrong length, [`Error::NotFinite`] for an
    /// infinity or a NaN, each with the layer's name.
    pub fn new(
        architecture: Architecture,
        layers: Vec<LayerWeights>,
        preprocessing: Preprocessing,
    ) -> Result<Model, Error> {
        architecture.validate()?;
        let specs = architecture.layers();
        if specs.len() != layers.len() {
            return Err(Error::argument("number of layers", layers.len(), specs.len()));
        }
        for (spec, layer) in specs.iter().zip(&layers) {
            let parts = [
                ("weight", &layer.weight, spec.weight_shape()),
                ("bias", &layer.bias, vec![spec.outputs]),
            ];
            for (part, values, expected) in parts {
                let name = || format!("{}.{part}", spec.name);
                if values.len() != expected.iter().product::<usize>() {
                    return Err(Error::TensorShape {
                        name: name(),
                        found: vec![values.len()],
                        expected,
                    });
                }
                if let Some(index) = values.iter().position(|v| !v.is_finite()) {
                    return Err(Error::NotFinite { name: name(), index });
                }
            }
        }
        let description = Description { preprocessing, labels: Vec::new(), provenance: None };
        Ok(Model::from_parts(architecture, layers, description))
    }

    /// A model from parts that are known to be right.
    pub(crate) fn from_parts(
        architecture: Architecture,
        layers: Vec<LayerWeights>,
        description: Description,
    ) -> Model {
        Model { architecture, layers, description }
    }

    /// Widths, depths and class count.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How pictures are prepared for this model.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.description.preprocessing
    }

    /// The folded weights, in the order of [`Architecture::layers`].
    pub fn layers(&self) -> &[LayerWeights] {
        &self.layers
    }

    /// What the classes are called, in their order; empty if the file does not say.
    pub fn labels(&self) -> &[Box<str>] {
        &self.description.labels
    }

    /// Where the model comes from, if the file says so.
    pub fn provenance(&self) -> Option<&str> {
        self.description.provenance.as_deref()
    }

    pub(crate) fn into_parts(self) -> (Architecture, Vec<LayerWeights>, Description) {
        (self.architecture, self.layers, self.description)
    }
}
