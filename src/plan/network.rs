//! A model ready to run: planned and packed.

use super::{ChannelOrder, Plan};
use crate::Error;
use crate::cpu::Cpu;
use crate::kernels::{Layout, Matrix, Operation, Taps, select_known};
use crate::model::{
    Architecture, Description, Layer, LayerKind, LayerWeights, Model, Preprocessing,
};
use std::fmt;
use std::sync::Arc;

/// A model with its plan and its packed weights. Immutable, cheap to clone, shared by any number of
/// [`Session`](crate::Session)s on any threads.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    architecture: Architecture,
    description: Description,
    cpu: Cpu,
    layers: Vec<Layer>,
    plan: Plan,
    weights: Vec<Packed>,
}

/// One layer's weights.
enum Packed {
    Taps(Arc<Taps>),
    Matrix(Arc<Matrix>),
}

impl Network {
    /// Plans and packs a model for this CPU, or for as much of it as `SHUFFLENET_CPU` allows.
    ///
    /// # Errors
    /// [`Error::Argument`] when `SHUFFLENET_CPU` is wrong.
    pub fn new(model: Model) -> Result<Network, Error> {
        Ok(Network::for_cpu(model, Cpu::from_env()?))
    }

    /// Plans and packs a model for the kernels of the given CPU. Sessions with another mask still run
    /// on it, with weights repacked for themselves.
    pub fn for_cpu(model: Model, cpu: Cpu) -> Network {
        let (architecture, weights, description) = model.into_parts();
        let (plan, layers) = (Plan::new(&architecture), architecture.layers());
        // Each layer's unpacked weights are freed as soon as it is packed.
        let packed = weights.into_iter().zip(&layers).zip(plan.orders());
        let weights = packed.map(|((weights, layer), order)| pack(cpu, layer, order, weights));
        let weights = weights.collect();
        Network(Arc::new(Inner { architecture, description, cpu, layers, plan, weights }))
    }

    /// Widths, depths and class count.
    pub fn architecture(&self) -> &Architecture {
        &self.0.architecture
    }

    /// How pictures are prepared for this model.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.0.description.preprocessing
    }

    /// What the classes are called, in their order; empty if the model's file does not say.
    pub fn labels(&self) -> &[Box<str>] {
        &self.0.description.labels
    }

    /// Where the model comes from, if its file says so.
    pub fn provenance(&self) -> Option<&str> {
        self.0.description.provenance.as_deref()
    }

    /// Every layer with weights, as [`Architecture::layers`] lists them.
    pub fn layers(&self) -> &[Layer] {
        &self.0.layers
    }

    /// Where every channel lies.
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// The CPU that the weights are packed for.
    pub fn cpu(&self) -> Cpu {
        self.0.cpu
    }

    /// The weights of layer number `layer`, a stem or depthwise convolution.
    pub(crate) fn taps(&self, layer: usize) -> Arc<Taps> {
        match &self.0.weights[layer] {
            Packed::Taps(taps) => Arc::clone(taps),
            Packed::Matrix(_) => unreachable!("layer {layer} has a matrix"),
        }
    }

    /// The weights of layer number `layer`, a pointwise convolution or `fc`, in a layout.
    pub(crate) fn matrix(&self, layer: usize, layout: Layout) -> Result<Arc<Matrix>, Error> {
        match (self.packed_matrix(layer, layout), &self.0.weights[layer]) {
            (Some(matrix), _) => Ok(matrix),
            (None, Packed::Matrix(matrix)) => matrix.to_layout(layout).map(Arc::new),
            (None, Packed::Taps(_)) => unreachable!("layer {layer} has taps"),
        }
    }

    /// The same, if that layer has a matrix in this layout already.
    pub(crate) fn packed_matrix(&self, layer: usize, layout: Layout) -> Option<Arc<Matrix>> {
        match &self.0.weights[layer] {
            Packed::Matrix(matrix) if matrix.layout() == layout => Some(Arc::clone(matrix)),
            _ => None,
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({:?})", self.0.architecture)
    }
}

/// Packs one layer, its channels in the plan's order.
fn pack(cpu: Cpu, layer: &Layer, order: &ChannelOrder, weights: LayerWeights) -> Packed {
    let LayerWeights { mut weight, mut bias } = weights;
    reorder(&mut weight, &order.outputs);
    reorder(&mut bias, &order.outputs);
    let taps = |count: usize, element: &dyn Fn(usize, usize) -> f32| {
        Packed::Taps(Arc::new(Taps::from_elements(count, layer.outputs, element, |c| bias[c])))
    };
    let operation = match layer.kind {
        LayerKind::Stem => return taps(27, &|t, c| weight[c * 27 + t % 3 * 9 + t / 3]),
        LayerKind::Depthwise { .. } => return taps(9, &|t, c| weight[c * 9 + t]),
        LayerKind::Pointwise => Operation::Pointwise,
        LayerKind::FullyConnected => Operation::FullyConnected,
    };
    if !order.inputs.is_sorted() {
        let row = &mut vec![0.0; layer.inputs];
        for weights in weight.chunks_exact_mut(layer.inputs) {
            row.copy_from_slice(weights);
            for (to, &from) in weights.iter_mut().zip(&order.inputs) {
                *to = row[from];
            }
        }
    }
    let layout = select_known(cpu, operation).layout().unwrap_or(Layout::RowMajor);
    Packed::Matrix(Arc::new(Matrix::from_rows(layout, layer.inputs, weight, bias)))
}

/// Makes row `n` of a matrix what row `order[n]` was, for a permutation `order` of its rows.
fn reorder(matrix: &mut [f32], order: &[usize]) {
    if order.is_sorted() {
        return;
    }
    let len = matrix.len() / order.len();
    let mut first = Vec::with_capacity(len);
    let mut moved = vec![false; order.len()];
    // Along each cycle of the permutation, with one row aside.
    for start in 0..order.len() {
        let mut to = start;
        while !std::mem::replace(&mut moved[to], true) {
            let from = order[to];
            if to == start {
                first.clear();
                first.extend_from_slice(&matrix[to * len..][..len]);
            }
            if from == start {
                matrix[to * len..][..len].copy_from_slice(&first);
            } else {
                matrix.copy_within(from * len..(from + 1) * len, to * len);
            }
            to = from;
        }
    }
}
