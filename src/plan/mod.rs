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
use crate::model::Architecture;
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
    /// The units in order.
    pub units: Vec<UnitPlan>,
    /// `order[i]` is the column in which torchvision's channel `i` of the stage's output lies.
    pub order: Vec<usize>,
}

/// The columns that a unit's convolutions read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlan {
    /// What branch 2 (in unit 0: both branches) reads; of the stage before in unit 0, else of its own.
    pub reads: Vec<ColumnRange>,
    /// What branch 1 writes; empty but in unit 0.
    pub branch1_writes: Vec<ColumnRange>,
    /// What branch 2 writes.
    pub branch2_writes: Vec<ColumnRange>,
}

/// The order in which a layer meets its channels, by torchvision's numbers within that layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelOrder {
    /// Of the inputs, as they are read.
    pub inputs: Vec<usize>,
    /// Of the outputs, as they are written.
    pub outputs: Vec<usize>,
}

/// Indices of `columns`, by ascending column.
fn ascending(columns: &[usize]) -> Vec<usize> {
    let mut pairs: Vec<(usize, usize)> = columns.iter().copied().zip(0..).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, index)| index).collect()
}

fn natural(channels: usize) -> Vec<usize> {
    (0..channels).collect()
}

impl Plan {
    /// Plans a network of a valid architecture.
    pub(crate) fn new(architecture: &Architecture) -> Plan {
        let stem = natural(architecture.stem_channels);
        let mut orders = vec![ChannelOrder { inputs: natural(3), outputs: stem.clone() }];
        // Torchvision's number of the channel in each column of the buffer read next.
        let mut columns = stem;
        let stages = architecture.stages.map(|stage| {
            let half = stage.channels / 2;
            let slots = StageSlots::new(stage.channels, stage.units);
            let units = (0..stage.units).map(|u| {
                let (branch1, branch2) = slots.slots[u].split_at(slots.slots[u].len() - half);
                let (reads, inputs) = if u == 0 {
                    (ranges(&natural(columns.len())), columns.clone())
                } else {
                    // The split sends the second half of the channels into the branch.
                    let consumed = &slots.order[u - 1][half..];
                    (ranges(consumed), ascending(consumed))
                };
                let mut layer = |inputs: &[usize], outputs: &[usize]| {
                    let (inputs, outputs) = (inputs.to_vec(), outputs.to_vec());
                    orders.push(ChannelOrder { inputs, outputs });
                };
                if u == 0 {
                    layer(&inputs, &inputs);
                    layer(&inputs, &ascending(branch1));
                }
                layer(&inputs, &natural(half));
                layer(&natural(half), &natural(half));
                layer(&natural(half), &ascending(branch2));
                UnitPlan { reads, branch1_writes: ranges(branch1), branch2_writes: ranges(branch2) }
            });
            let units = units.collect();
            let order = slots.order[stage.units - 1].clone();
            columns = ascending(&order);
            StagePlan { units, order }
        });
        let features = natural(architecture.feature_channels);
        orders.push(ChannelOrder { inputs: columns.clone(), outputs: features.clone() });
        orders.push(ChannelOrder { inputs: features, outputs: natural(architecture.classes) });
        Plan { stages, orders }
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
