//! Which column of a stage's buffer each channel occupies.
//!
//! A stage of `n` units keeps its `C` channels in `C` columns (slots). Unit 0 fills them all. Every later
//! unit consumes the half of the channels that the split sends into its branch, and its own `C/2`
//! channels take the places of the consumed ones. Which of the freed slots a new channel takes is free;
//! it is chosen so that the slots which a unit reads form few contiguous ranges.

use crate::kernels::ColumnRange;

/// The slots of one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StageSlots {
    /// `slots[u][i]` is the column of the `i`-th channel that unit `u` makes: `C` channels for unit 0
    /// (those of branch 1, then those of branch 2), `C/2` for every other.
    pub slots: Vec<Vec<usize>>,
    /// `order[u]` lists the channels after unit `u` as torchvision orders them, by their columns.
    pub order: Vec<Vec<usize>>,
}

/// A channel by the unit that makes it and its number among that unit's channels.
type Channel = (usize, usize);

/// The channels before each unit and after the last, in torchvision's order: split, branch, concat and
/// shuffle, followed by name. Entry 0 is what unit 0 leaves.
fn follow(channels: usize, units: usize) -> Vec<Vec<Channel>> {
    let half = channels / 2;
    // The shuffle of two groups takes channels from both in turn.
    let mut names: Vec<Channel> = (0..half).flat_map(|i| [(0, i), (0, half + i)]).collect();
    let mut after = vec![names.clone()];
    for unit in 1..units {
        names = (0..half).flat_map(|i| [names[i], (unit, i)]).collect();
        after.push(names.clone());
    }
    after
}

/// How many channels there are of each label.
type Counts = Vec<usize>;

impl StageSlots {
    /// A pure function of the stage's width (even, at least 2) and its number of units.
    pub fn new(channels: usize, units: usize) -> StageSlots {
        let half = channels / 2;
        let names = follow(channels, units);

        // The label of a channel is the unit that consumes it; `units` stands for the next stage.
        let mut labels: Vec<Vec<usize>> =
            (0..units).map(|u| vec![units; if u == 0 { channels } else { half }]).collect();
        for (unit, before) in (1..units).zip(&names) {
            for &(made_by, i) in &before[half..] {
                labels[made_by][i] = unit;
            }
        }

        // What each column holds, by label. Unit 0's channels lie sorted.
        let mut columns = labels[0].clone();
        columns.sort_unstable();
        let mut slots = vec![assign(&labels[0], &columns, 0..channels)];
        for (unit, labels) in labels.iter().enumerate().skip(1) {
            let freed: Vec<usize> = (0..channels).filter(|&c| columns[c] == unit).collect();
            fill(unit, units, labels, &freed, &mut columns);
            slots.push(assign(labels, &columns, freed.iter().copied()));
        }

        let column = |&(unit, i): &Channel| slots[unit][i];
        let order = names.iter().map(|names| names.iter().map(column).collect()).collect();
        StageSlots { slots, order }
    }
}

/// Columns, in any order, as ascending ranges.
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
        by_label[columns[column]].push(column);
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
    use proptest::prelude::*;

    /// A stage without slots: channels by name, moved by split, concat and shuffle. Independent of
    /// `follow`.
    fn plain_order(channels: usize, units: usize) -> Vec<Channel> {
        let shuffle = |concatenated: Vec<Channel>| -> Vec<Channel> {
            let half = concatenated.len() / 2;
            let mut shuffled = vec![(0, 0); concatenated.len()];
            for (i, &channel) in concatenated.iter().enumerate() {
                shuffled[i % half * 2 + i / half] = channel;
            }
            shuffled
        };
        let mut x = shuffle((0..channels).map(|i| (0, i)).collect());
        for unit in 1..units {
            let (identity, _) = x.split_at(channels / 2);
            let made = (0..channels / 2).map(|i| (unit, i));
            x = shuffle(identity.iter().copied().chain(made).collect());
        }
        x
    }

    /// Runs a stage on its slots, with channel names as data. Panics where a unit would read anything
    /// but its half, or overwrite a channel that is still needed.
    fn run(channels: usize, units: usize) -> Vec<usize> {
        let slots = StageSlots::new(channels, units);
        let mut buffer: Vec<Option<Channel>> = vec![None; channels];
        for (i, &column) in slots.slots[0].iter().enumerate() {
            assert_eq!(buffer[column].replace((0, i)), None);
        }
        for unit in 1..units {
            let order: Vec<Channel> = plain_order(channels, unit);
            let mut consumed: Vec<Option<Channel>> =
                order[channels / 2..].iter().map(|&channel| Some(channel)).collect();
            let mut read: Vec<Option<Channel>> = Vec::new();
            for range in ranges(&slots.slots[unit]) {
                read.extend_from_slice(&buffer[range.start..range.end()]);
            }
            consumed.sort_unstable();
            read.sort_unstable();
            assert_eq!(read, consumed);
            for (i, &column) in slots.slots[unit].iter().enumerate() {
                buffer[column] = Some((unit, i));
            }
        }
        let last = slots.order.last().unwrap();
        let found: Vec<Channel> = last.iter().map(|&column| buffer[column].unwrap()).collect();
        assert_eq!(found, plain_order(channels, units));
        (1..units).map(|unit| ranges(&slots.slots[unit]).len()).collect()
    }

    #[test]
    fn the_papers_widths_read_few_ranges() {
        for channels in [48, 192, 116, 464, 176, 704, 244, 976] {
            assert_eq!(run(channels, 4), [1, 1, 2], "{channels} channels");
        }
        for channels in [96, 232, 352, 488] {
            assert_eq!(run(channels, 8), [1, 1, 2, 2, 3, 3, 3], "{channels} channels");
        }
    }

    #[test]
    fn eight_units_read_at_most_five_ranges() {
        for channels in (2..=1000).step_by(2) {
            let most = run(channels, 8).into_iter().max();
            assert!(most <= Some(5), "{channels} channels: {most:?}");
        }
    }

    proptest! {
        #[test]
        fn any_stage_keeps_every_channel(half in 1usize..300, units in 1usize..20) {
            run(half * 2, units);
        }
    }
}
