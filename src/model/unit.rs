//! A stage's units as data: which channels each reads, keeps and makes, and in which order they leave it.
//!
//! Split, concat and channel shuffle are an order, and nothing else: there is no other trace of them.

/// Where an output channel of a unit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The input channel of that number, untouched.
    Kept(usize),
    /// What a branch made.
    Made {
        /// The branch's number.
        branch: usize,
        /// The channel's number among the branch's outputs.
        output: usize,
    },
}

/// One branch: what it reads, and how many channels it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The unit's input channels, in the order in which the first convolution's weights have them.
    pub reads: Vec<usize>,
    /// Output channels.
    pub makes: usize,
}

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// One or two.
    pub branches: Vec<Branch>,
    /// Every output channel, in their order. No input is kept twice, and every made channel stands once.
    pub outputs: Vec<Channel>,
}

/// All channels of a branch, in their order.
pub(crate) fn made(branch: usize, count: usize) -> Vec<Channel> {
    (0..count).map(|output| Channel::Made { branch, output }).collect()
}

/// What a shuffle of two groups makes of two halves of the same length: channels of both in turn.
pub(crate) fn interleaved(a: Vec<Channel>, b: Vec<Channel>) -> Vec<Channel> {
    a.into_iter().zip(b).flat_map(|(a, b)| [a, b]).collect()
}

impl Unit {
    /// Torchvision's unit of stride 2: two branches of all inputs, shuffled.
    pub(crate) fn downsampling(inputs: usize, channels: usize) -> Unit {
        let half = channels / 2;
        let branch = || Branch { reads: (0..inputs).collect(), makes: half };
        Unit {
            branches: vec![branch(), branch()],
            outputs: interleaved(made(0, half), made(1, half)),
        }
    }

    /// Torchvision's unit of stride 1: the first half is kept, the second goes into the branch, and what comes
    /// out of it is shuffled with the first.
    pub(crate) fn basic(channels: usize) -> Unit {
        let half = channels / 2;
        let kept = (0..half).map(Channel::Kept).collect();
        Unit {
            branches: vec![Branch { reads: (half..channels).collect(), makes: half }],
            outputs: interleaved(kept, made(0, half)),
        }
    }

    /// A made channel's number among those of all branches.
    pub(crate) fn made_index(&self, branch: usize, output: usize) -> usize {
        self.branches[..branch].iter().map(|branch| branch.makes).sum::<usize>() + output
    }

    /// Channels that all branches make.
    pub(crate) fn makes(&self) -> usize {
        self.branches.iter().map(|branch| branch.makes).sum()
    }
}
