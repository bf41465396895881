//! From a model to steps: slots, channel orders, packed weights, bands, arena.

mod network;
mod schedule;
mod slots;
mod split;
mod step;

pub use network::Network;
pub(crate) use schedule::{Bands, MOST_IN_GROUP, ROWS_OF_PIXELS, Schedule, window_rows_of};
#[cfg(test)]
pub(crate) use split::Phase;
pub(crate) use split::{Needs, Split};
pub(crate) use step::{
    Area, ClassifyStep, Conv5Step, DownsampleStep, NextEdges, Owner, Region, StemStep, Step,
    UnitStep,
};

use crate::kernels::ColumnRange;
use crate::model::{Architecture, Layer, LayerKind};
use slots::{StageSlots, ranges};

/// Where every channel lies, for a whole network: a pure function of its architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    stages: [StagePlan; 3],
    orders: Vec<ChannelOrder>,
}

/// One stage's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePlan {
    /// Columns of the stage's buffer.
    pub columns: usize,
    /// The units in order.
    pub units: Vec<UnitPlan>,
    /// `order[i]` is the column in which channel `i` of the stage's output lies.
    pub order: Vec<usize>,
}

/// The columns of a unit, by branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlan {
    /// One or two.
    pub branches: Vec<BranchPlan>,
}

/// The columns that a branch reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPlan {
    /// Of the stage before in unit 0, else of its own.
    pub reads: Vec<ColumnRange>,
    /// Of its own stage.
    pub writes: Vec<ColumnRange>,
}

/// The order in which a layer meets its channels, by the model's numbers within that layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelOrder {
    /// Of the inputs, as they are read.
    pub inputs: Vec<usize>,
    /// Of the outputs, as they are written.
    pub outputs: Vec<usize>,
}

/// Indices of `columns`, by ascending column.
#[inline(never)] // it sorts
fn ascending(columns: &[usize]) -> Vec<usize> {
    let mut pairs: Vec<(usize, usize)> = columns.iter().copied().zip(0..).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, index)| index).collect()
}

fn natural(channels: usize) -> Vec<usize> {
    (0..channels).collect()
}

/// The channel orders of one layer after the other.
struct Orders<'a> {
    layers: std::slice::Iter<'a, Layer>,
    orders: Vec<ChannelOrder>,
}

impl Orders<'_> {
    /// The next `count` layers: a branch that reads these channels, in this order, and writes these columns.
    #[inline(never)] // called from several places
    fn chain(&mut self, mut inputs: Vec<usize>, count: usize, writes: &[usize]) {
        let is_matrix = |layer: &Layer| !matches!(layer.kind, LayerKind::Depthwise { .. });
        let last = self.layers.as_slice()[..count].iter().rposition(is_matrix);
        for (i, layer) in self.layers.by_ref().take(count).enumerate() {
            let outputs = match is_matrix(layer) {
                true if Some(i) == last => ascending(writes),
                true => natural(layer.outputs),
                false => inputs.clone(),
            };
            self.orders.push(ChannelOrder { inputs, outputs: outputs.clone() });
            inputs = outputs;
        }
    }
}

impl Plan {
    /// Plans a network of a valid architecture.
    pub(crate) fn new(architecture: &Architecture) -> Plan {
        let layers = architecture.layers();
        let mut orders = Orders { layers: layers.iter(), orders: Vec::with_capacity(layers.len()) };
        orders.chain(natural(3), 1, &natural(architecture.stem_channels));
        // The columns of the channels that are read next.
        let mut order = natural(architecture.stem_channels);
        let stages = std::array::from_fn(|stage| {
            let units = architecture.units(stage);
            let slots = StageSlots::new(&units);
            let planned = units.iter().enumerate().map(|(u, unit)| {
                let made = &mut &slots.slots[u][..];
                let branches = unit.branches.iter().enumerate().map(|(b, branch)| {
                    let columns: Vec<usize> = branch.reads.iter().map(|&i| order[i]).collect();
                    let writes = made.split_off(..branch.makes).unwrap_or_default();
                    orders.chain(ascending(&columns), architecture.branch_layers(u, b), writes);
                    BranchPlan { reads: ranges(&columns), writes: ranges(writes) }
                });
                let branches = branches.collect();
                order.clone_from(&slots.order[u]);
                UnitPlan { branches }
            });
            let units = planned.collect();
            StagePlan { columns: slots.columns, units, order: order.clone() }
        });
        let features = natural(architecture.feature_channels);
        orders.chain(ascending(&order), 1, &features);
        orders.chain(features, 1, &natural(architecture.classes));
        Plan { stages, orders: orders.orders }
    }

    /// Stages 2, 3 and 4.
    pub fn stages(&self) -> &[StagePlan; 3] {
        &self.stages
    }

    /// By layer, as in [`Architecture::layers`].
    pub(crate) fn orders(&self) -> &[ChannelOrder] {
        &self.orders
    }
}
