//! Which column of a stage's buffer each channel occupies.
//!
//! A stage keeps its channels in columns (slots). Unit 0 fills them from the buffer before. Every later unit works in
//! place: the channels that it does not keep are consumed, and those that it makes take their places. Which of the
//! freed slots a new channel takes is free; it is chosen so that the slots which a unit reads form few contiguous
//! ranges.
//!
//! A stage has as many columns as the most channels at any time. Where there are fewer, some are spare: they count as
//! channels that the next unit which makes more than it consumes will consume.

use crate::kernels::ColumnRange;
use crate::model::{Channel, Unit};

/// The slots of one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StageSlots {
    /// Columns of the stage's buffer.
    pub columns: usize,
    /// `slots[u][i]` is the column of the `i`-th channel that unit `u` makes, one branch after the other.
    pub slots: Vec<Vec<usize>>,
    /// `order[u]` lists the channels after unit `u`, in the unit's order, by their columns.
    pub order: Vec<Vec<usize>>,
}

/// A channel by the unit that makes it and its number among that unit's channels.
type Name = (usize, usize);

/// The channels after each unit, by name. Unit 0 keeps none: it reads another buffer.
fn follow(units: &[Unit]) -> Vec<Vec<Name>> {
    let mut after: Vec<Vec<Name>> = Vec::with_capacity(units.len());
    for (u, unit) in units.iter().enumerate() {
        let name = |channel: &Channel| match *channel {
            Channel::Kept(input) => after[u - 1][input],
            Channel::Made { branch, output } => (u, unit.made_index(branch, output)),
        };
        let names = unit.outputs.iter().map(name).collect();
        after.push(names);
    }
    after
}

/// How many channels there are of each label.
type Counts = Vec<usize>;

/// The labels of a stage's channels: the unit that consumes them, or the number of units for those that the next stage
/// reads. One more is the label of columns that nothing needs any more.
struct Labels {
    /// Of the channels that each unit makes.
    made: Vec<Vec<usize>>,
    /// Of the columns that are spare after each unit and were not before.
    spare: Vec<Vec<usize>>,
    columns: usize,
}

impl Labels {
    fn new(units: &[Unit], after: &[Vec<Name>]) -> Labels {
        let end = units.len();
        let mut made: Vec<Vec<usize>> = units.iter().map(|unit| vec![0; unit.makes()]).collect();
        for (u, names) in after.iter().enumerate() {
            // The last unit whose outputs have it comes before the one that consumes it.
            names.iter().for_each(|&(made_by, i)| made[made_by][i] = u + 1);
        }
        let columns = after.iter().map(Vec::len).max().unwrap_or(0);
        // By unit: how many more channels there are after it than before it.
        let before = [columns].into_iter().chain(after.iter().map(Vec::len));
        let change =
            before.zip(after).map(|(before, after)| after.len() as isize - before as isize);
        let change: Vec<isize> = change.collect();
        let mut wanted: Vec<isize> = change.iter().map(|&change| change.max(0)).collect();
        let spare = change.iter().enumerate().map(|(u, &change)| {
            // Each goes to the next unit that wants one.
            let takers =
                (0..-change).map(|_| match (u + 1..end).find(|&taker| wanted[taker] > 0) {
                    Some(taker) => {
                        wanted[taker] -= 1;
                        taker
                    }
                    None => end + 1,
                });
            takers.collect()
        });
        let spare = spare.collect();
        Labels { made, spare, columns }
    }
}

impl StageSlots {
    /// A pure function of the units.
    pub fn new(units: &[Unit]) -> StageSlots {
        let names = follow(units);
        let Labels { made, spare, columns: count } = Labels::new(units, &names);

        // What each column holds, by label. Unit 0's channels lie sorted.
        let mut columns = [&made[0][..], &spare[0]].concat();
        columns.sort_unstable();
        let mut slots = vec![assign(&made[0], &columns, 0..count)];
        for (u, made) in made.iter().enumerate().skip(1) {
            let freed: Vec<usize> = (0..count).filter(|&c| columns[c] == u).collect();
            fill(u, units.len(), &[&made[..], &spare[u]].concat(), &freed, &mut columns);
            slots.push(assign(made, &columns, freed.iter().copied()));
        }

        let column = |&(unit, i): &Name| slots[unit][i];
        let order = names.iter().map(|names| names.iter().map(column).collect()).collect();
        StageSlots { columns: count, slots, order }
    }
}

/// Columns, in any order, as ascending ranges.
#[inline(never)] // it sorts
pub(crate) fn ranges(columns: &[usize]) -> Vec<ColumnRange> {
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    let mut ranges: Vec<ColumnRange> = Vec::new();
    for start in columns {
        match ranges.last_mut() {
            Some(last) if last.end() == start => last.len += 1,
            _ => ranges.push(ColumnRange { start, len: 1 }),
        }
    }
    ranges
}

/// Gives each channel the first free column of its label.
fn assign(labels: &[usize], columns: &[usize], free: impl Iterator<Item = usize>) -> Vec<usize> {
    let most = labels.iter().max().map_or(0, |&label| label + 1);
    let mut by_label = vec![Vec::new(); most];
    for column in free {
        // What has another label is spare.
        if let Some(columns) = by_label.get_mut(columns[column]) {
            columns.push(column);
        }
    }
    let mut next = vec![0; most];
    let place = |&label: &usize| {
        next[label] += 1;
        by_label[label][next[label] - 1]
    };
    labels.iter().map(place).collect()
}

/// Relabels the columns that `unit` freed with the labels of the channels it makes.
///
/// The holes are filled from the smallest to the largest, which takes what is left, so that most holes
/// hold one label, and that of a neighbour.
fn fill(unit: usize, units: usize, labels: &[usize], freed: &[usize], columns: &mut [usize]) {
    let mut left: Counts = vec![0; units + 3];
    labels.iter().for_each(|&label| left[label] += 1);
    let mut holes: Vec<_> = ranges(freed).iter().map(|hole| (hole.len, hole.start)).collect();
    holes.sort_unstable();
    // Neighbours of a hole are never freed by the same unit, so their labels do not change here.
    for (k, &(len, start)) in holes.iter().enumerate() {
        let before = start.checked_sub(1).map(|c| columns[c]);
        let after = columns.get(start + len).copied();
        let largest = k + 1 == holes.len();
        let take = if largest { left.clone() } else { choose(unit, len, before, after, &left) };
        let mut column = start;
        for label in arrange(unit, largest, before, after, &take) {
            columns[column..column + take[label]].fill(label);
            column += take[label];
            left[label] -= take[label];
        }
    }
}

/// How many channels of each label go into a hole that is not the largest. The first label with enough
/// channels fills it: the label on both sides; a neighbour's; the unit's after the next. If none has
/// enough, it is filled from the neighbours' and then from the soonest.
fn choose(
    unit: usize,
    size: usize,
    before: Option<usize>,
    after: Option<usize>,
    left: &Counts,
) -> Counts {
    // The one with more channels first.
    let mut neighbours: Vec<usize> = before.into_iter().chain(after).collect();
    if let [a, b] = neighbours[..]
        && (left[b], a) > (left[a], b)
    {
        neighbours.reverse();
    }
    neighbours.dedup();
    let both = before.filter(|_| before == after);
    let enough = |&label: &usize| left[label] >= size;
    let wanted = both
        .into_iter()
        .chain(neighbours.iter().copied().filter(enough))
        .chain(Some(unit + 2).filter(enough))
        .chain(neighbours.iter().copied().rev())
        .chain(0..left.len());
    let mut take = vec![0; left.len()];
    let mut room = size;
    for label in wanted {
        let count = room.min(left[label] - take[label]);
        take[label] += count;
        room -= count;
    }
    take
}

/// The order of labels inside a hole: the left neighbour's first and the right one's last, the others
/// between them by descending label. In the largest hole of units 1 and 2 two orders do better, since
/// they keep together what units 3 to 6 read.
fn arrange(
    unit: usize,
    largest: bool,
    before: Option<usize>,
    after: Option<usize>,
    take: &Counts,
) -> Vec<usize> {
    let taken = |label: &usize| take[*label] > 0;
    let inner = |label: &usize| Some(*label) != before && Some(*label) != after;
    let ascending: Vec<usize> = (0..take.len()).filter(taken).filter(inner).collect();
    let middle: Vec<usize> = match unit {
        1 if largest => {
            let (first, rest) = ascending.split_at(ascending.len().min(1));
            first.iter().chain(rest.iter().rev()).copied().collect()
        }
        2 if largest => {
            let odd = ascending.iter().skip(1).step_by(2);
            let odd_descending: Vec<_> = odd.collect::<Vec<_>>().into_iter().rev().collect();
            ascending.iter().step_by(2).chain(odd_descending).copied().collect()
        }
        _ => ascending.into_iter().rev().collect(),
    };
    let first = before.filter(taken);
    let last = after.filter(taken).filter(|_| before != after);
    first.into_iter().chain(middle).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Branch, interleaved, made};
    use proptest::prelude::*;

    /// The orders that are in use, each by a unit of stride 2 and one of stride 1 of so many channels.
    type Order = fn(usize) -> [Unit; 2];

    /// Of two equal branches; the unit of stride 1 reads `read`.
    fn pair(downsampled: Vec<Channel>, read: Vec<usize>, outputs: Vec<Channel>) -> [Unit; 2] {
        let half = read.len();
        let branch = |reads| Branch { reads, makes: half };
        let both = vec![branch((0..half).collect()), branch((0..half).collect())];
        [
            Unit { branches: both, outputs: downsampled },
            Unit { branches: vec![branch(read)], outputs },
        ]
    }

    fn kept(channels: impl Iterator<Item = usize>) -> Vec<Channel> {
        channels.map(Channel::Kept).collect()
    }

    fn torchvision(channels: usize) -> [Unit; 2] {
        [Unit::downsampling(channels / 2, channels), Unit::basic(channels)]
    }

    fn randl(channels: usize) -> [Unit; 2] {
        let h = channels / 2;
        let downsampled = interleaved(made(1, h), made(0, h));
        pair(downsampled, (h..channels).collect(), interleaved(kept(0..h), made(0, h)))
    }

    fn keras(channels: usize) -> [Unit; 2] {
        let h = channels / 2;
        let downsampled = interleaved(made(1, h), made(0, h));
        pair(downsampled, (h..channels).collect(), interleaved(made(0, h), kept(0..h)))
    }

    fn megvii(channels: usize) -> [Unit; 2] {
        let h = channels / 2;
        let (even, odd) = ((0..h).map(|i| 2 * i), (0..h).map(|i| 2 * i + 1));
        let downsampled = [made(0, h), made(1, h)].concat();
        pair(downsampled, odd.collect(), [kept(even), made(0, h)].concat())
    }

    fn tropcomplique(channels: usize) -> [Unit; 2] {
        let h = channels / 2;
        let shuffled: Vec<usize> = (0..h).flat_map(|i| [i, h + i]).collect();
        let (first, second) = shuffled.split_at(h);
        let outputs = [made(0, h), kept(second.iter().copied())].concat();
        pair([made(0, h), made(1, h)].concat(), first.to_vec(), outputs)
    }

    const ORDERS: [Order; 5] = [torchvision, randl, keras, megvii, tropcomplique];

    fn stage(order: Order, channels: usize, units: usize) -> Vec<Unit> {
        let [downsampling, basic] = order(channels);
        let mut stage = vec![basic; units];
        stage[0] = downsampling;
        stage
    }

    /// Runs a stage on its slots, with names as data, and beside it without slots. Panics where a unit would read
    /// anything but its channels, or overwrite one that is still needed. Returns the ranges that each reads.
    fn run(units: &[Unit]) -> Vec<usize> {
        let slots = StageSlots::new(units);
        let mut buffer: Vec<Option<Name>> = vec![None; slots.columns];
        let mut plain: Vec<Name> = Vec::new();
        let mut counts = Vec::new();
        for (u, unit) in units.iter().enumerate() {
            if u > 0 {
                for branch in &unit.branches {
                    let columns: Vec<usize> =
                        branch.reads.iter().map(|&i| slots.order[u - 1][i]).collect();
                    counts.push(ranges(&columns).len());
                    for (&channel, column) in branch.reads.iter().zip(columns) {
                        assert_eq!(buffer[column], Some(plain[channel]), "unit {u}");
                    }
                }
            }
            for (i, &column) in slots.slots[u].iter().enumerate() {
                buffer[column] = Some((u, i));
            }
            plain = unit.outputs.iter().fold(Vec::new(), |mut after, channel| {
                after.push(match *channel {
                    Channel::Kept(input) => plain[input],
                    Channel::Made { branch: 0, output } => (u, output),
                    Channel::Made { output, .. } => (u, unit.branches[0].makes + output),
                });
                after
            });
            let found: Vec<_> = slots.order[u].iter().map(|&column| buffer[column]).collect();
            assert!(found.iter().copied().eq(plain.iter().copied().map(Some)), "unit {u}");
        }
        counts
    }

    #[test]
    fn the_papers_widths_read_few_ranges_in_every_order() {
        for order in ORDERS {
            for channels in [48, 96, 116, 232, 464, 928, 176, 352, 704, 244, 488, 976] {
                assert_eq!(run(&stage(order, channels, 4)), [1, 1, 2], "{channels} channels");
            }
            for channels in [96, 232, 464, 928, 352, 488] {
                let eight = run(&stage(order, channels, 8));
                assert_eq!(eight, [1, 1, 2, 2, 3, 3, 3], "{channels} channels");
                let nine = run(&stage(order, channels, 9)).into_iter().max();
                assert!(nine <= Some(6), "{channels} channels: {nine:?}");
            }
        }
    }

    #[test]
    fn eight_units_read_at_most_five_ranges() {
        for channels in (2..=1000).step_by(2) {
            let most = run(&stage(torchvision, channels, 8)).into_iter().max();
            assert!(most <= Some(5), "{channels} channels: {most:?}");
        }
    }

    /// Randl's second stage: 24 and 24 channels, of which 24 are kept while 24 become 92.
    #[test]
    fn a_unit_that_widens_reads_one_range_and_needs_no_more_columns() {
        let branch = |reads, makes| Branch { reads, makes };
        let widening = Unit {
            branches: vec![branch((24..48).collect(), 92)],
            outputs: [kept(0..24), made(0, 92)].concat(),
        };
        let mut units = vec![Unit::basic(116); 4];
        units[0] = Unit::downsampling(24, 48);
        units[1] = widening;
        assert_eq!(run(&units), [1, 1, 1]);
        let slots = StageSlots::new(&units);
        assert_eq!((slots.columns, ranges(&slots.slots[1]).len()), (116, 1));
    }

    /// Units of one or two branches that keep, drop, make and order as they like.
    fn any_stage() -> impl Strategy<Value = Vec<Unit>> {
        let unit = (any::<u64>(), 1usize..40, 0usize..3);
        prop::collection::vec(unit, 1..12).prop_map(|units| {
            let mut channels = 0;
            let make = |(seed, makes, branches): (u64, usize, usize)| {
                // Numbers by a multiplication, so that a case is short to print.
                let mut state = seed | 1;
                let mut next = |below: usize| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 33) as usize % below
                };
                let inputs: Vec<usize> = (0..channels).filter(|_| next(2) == 0).collect();
                let branch = |makes| Branch { reads: inputs.clone(), makes };
                let branches = if branches == 2 {
                    vec![branch(makes), branch(1 + makes / 2)]
                } else {
                    vec![branch(makes)]
                };
                let kept = (0..channels).filter(|_| next(3) > 0).map(Channel::Kept);
                let mut outputs: Vec<Channel> = kept.collect();
                for (b, branch) in branches.iter().enumerate() {
                    outputs.extend(made(b, branch.makes));
                }
                for i in (1..outputs.len()).rev() {
                    outputs.swap(i, next(i + 1));
                }
                channels = outputs.len();
                Unit { branches, outputs }
            };
            units.into_iter().map(make).collect()
        })
    }

    proptest! {
        #[test]
        fn any_width_keeps_every_channel(half in 1usize..300, units in 1usize..20, order in 0usize..5) {
            run(&stage(ORDERS[order], half * 2, units));
        }

        #[test]
        fn any_units_keep_every_channel(units in any_stage()) {
            run(&units);
        }
    }
}
