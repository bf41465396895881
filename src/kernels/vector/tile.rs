//! The inner loop of everything that multiplies a matrix: some rows times some vectors of outputs, in
//! registers.

use super::{MOST_UNROLLED, Vector, opaque, unrolled};
use crate::kernels::layout::LINE;

/// Rows in the largest tile.
pub(super) const MOST_ROWS: usize = 16;

/// Part of a row's inputs: they are neighbours, and so are their weights.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// The first row's first input.
    pub inputs: *const f32,
    /// Weights of the first input.
    pub weights: *const f32,
    /// Number of inputs.
    pub len: usize,
}

/// Memory that will be read soon.
pub(super) struct Ahead {
    pub at: *const f32,
    /// Floats to go on for every cache line that is asked for. With less than a line, lines are asked for
    /// more than once.
    pub step: usize,
}

/// Where weights lie: vector `j` of an input's outputs is vector `j % per_panel` of panel
/// `j / per_panel`.
#[derive(Clone, Copy)]
pub(super) struct WeightSteps {
    /// From one input's weights to the next's.
    pub input: usize,
    /// From one panel to the next.
    pub panel: usize,
    /// Vectors in a panel.
    pub per_panel: usize,
}

impl WeightSteps {
    #[inline(always)]
    fn offset<V: Vector>(self, vector: usize) -> usize {
        vector / self.per_panel * self.panel + vector % self.per_panel * V::LANES
    }
}

/// Adds a segment's products to the sums of `ROWS` rows, `row_stride` floats apart, times `VECTORS`
/// vectors of outputs. Moves `ahead` over memory that will be read soon, and asks for it.
///
/// # Safety
/// The segment has at least one input; its inputs and weights exist for every row and vector, and the
/// CPU has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn accumulate<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    segment: Segment,
    row_stride: usize,
    steps: WeightSteps,
    mut ahead: Option<&mut Ahead>,
) {
    let Segment { inputs, mut weights, len } = segment;
    // A quarter as much as is read of the weights, or a little more.
    let lines = (V::STEP * VECTORS * V::LANES).div_ceil(4 * LINE);
    // SAFETY: promised by the caller; a few inputs at a time, then one.
    unsafe {
        let mut groups = row_groups::<ROWS>(inputs, row_stride);
        for _ in 0..len / V::STEP {
            if let Some(ahead) = &mut ahead {
                for i in 0..lines {
                    V::prefetch(ahead.at.wrapping_add(i * LINE));
                }
                ahead.at = ahead.at.wrapping_add(lines * ahead.step);
            }
            if V::STEP == 2 {
                two::<V, ROWS, VECTORS>(sums, &groups, row_stride, weights, steps);
            } else {
                four::<V, ROWS, VECTORS, false>(sums, &groups, row_stride, weights, steps);
            }
            advance(&mut groups, V::STEP);
            weights = weights.add(V::STEP * steps.input);
        }
        for _ in 0..len % V::STEP {
            one::<V, ROWS, VECTORS, false>(sums, &groups, row_stride, weights, steps);
            advance(&mut groups, 1);
            weights = weights.add(steps.input);
        }
    }
}

/// [`accumulate`] for nine inputs, without a loop: the compiler keeps sums in registers from one call to
/// the next.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
pub(super) unsafe fn accumulate_nine<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    inputs: *const f32,
    weights: *const f32,
    row_stride: usize,
    steps: WeightSteps,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut groups = row_groups::<ROWS>(inputs, row_stride);
        four::<V, ROWS, VECTORS, true>(sums, &groups, row_stride, weights, steps);
        advance(&mut groups, 4);
        four::<V, ROWS, VECTORS, true>(
            sums,
            &groups,
            row_stride,
            weights.add(4 * steps.input),
            steps,
        );
        advance(&mut groups, 4);
        one::<V, ROWS, VECTORS, true>(
            sums,
            &groups,
            row_stride,
            weights.add(8 * steps.input),
            steps,
        );
    }
}

/// The same for three columns of three colours, colour by colour, each in a plane of its own: the first
/// plane's first input, and how far the next plane is. Reads one column more.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
pub(super) unsafe fn accumulate_planes<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    planes: (*const f32, usize),
    weights: *const f32,
    row_stride: usize,
    steps: WeightSteps,
) {
    // SAFETY: promised by the caller.
    unsafe {
        column_of_planes::<V, 0, ROWS, VECTORS>(sums, planes, weights, row_stride, steps);
        column_of_planes::<V, 1, ROWS, VECTORS>(sums, planes, weights, row_stride, steps);
        column_of_planes::<V, 2, ROWS, VECTORS>(sums, planes, weights, row_stride, steps);
    }
}

/// Column `I` of [`accumulate_planes`].
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
unsafe fn column_of_planes<V: Vector, const I: i32, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    (inputs, colour_stride): (*const f32, usize),
    weights: *const f32,
    row_stride: usize,
    steps: WeightSteps,
) {
    // SAFETY: promised by the caller. Opaque, for the compiler would keep what other columns load, too.
    unsafe {
        unrolled!(3, |colour| {
            let inputs = opaque(inputs.wrapping_add(colour * colour_stride));
            let quads = quads::<V, ROWS>(&row_groups::<ROWS>(inputs, row_stride), row_stride);
            let factors = factors(weights, 3 * I as usize + colour, steps);
            products::<V, I, ROWS, VECTORS, true>(sums, &quads, factors);
        });
    }
}

/// Pointers to every third row: the two rows after it are reached from there.
type RowGroups = [*const f32; MOST_UNROLLED.div_ceil(3)];

#[inline(always)]
fn row_groups<const ROWS: usize>(inputs: *const f32, row_stride: usize) -> RowGroups {
    let mut groups = [inputs; MOST_UNROLLED.div_ceil(3)];
    for i in 1..ROWS.div_ceil(3) {
        groups[i] = opaque(groups[i - 1].wrapping_add(3 * row_stride));
    }
    groups
}

/// A loop, for `array::map` may remain a call where a crate is compiled in several units.
#[inline(always)]
fn advance(groups: &mut RowGroups, inputs: usize) {
    for group in groups {
        *group = group.wrapping_add(inputs);
    }
}

/// Four inputs of each row.
///
/// # Safety
/// They exist, and the CPU has the vector's instructions.
#[inline(always)]
unsafe fn quads<V: Vector, const ROWS: usize>(
    groups: &RowGroups,
    row_stride: usize,
) -> [V::Quad; ROWS] {
    // SAFETY: promised by the caller.
    unsafe {
        let mut quads = [V::one(groups[0], 0, 0); ROWS];
        unrolled!(ROWS, |row| quads[row] = V::quad(groups[row / 3], row % 3, row_stride));
        quads
    }
}

/// Adds four inputs of each row times their weights; settles each sum before the next, if asked to.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
unsafe fn four<V: Vector, const ROWS: usize, const VECTORS: usize, const SETTLE: bool>(
    sums: &mut [[V; VECTORS]; ROWS],
    groups: &RowGroups,
    row_stride: usize,
    weights: *const f32,
    steps: WeightSteps,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let quads = quads::<V, ROWS>(groups, row_stride);
        if V::GATHERED && !SETTLE {
            let [a, b, c, d] = V::gathered([
                factors(weights, 0, steps),
                factors(weights, 1, steps),
                factors(weights, 2, steps),
                factors(weights, 3, steps),
            ]);
            products::<V, 0, ROWS, VECTORS, SETTLE>(sums, &quads, a);
            products::<V, 1, ROWS, VECTORS, SETTLE>(sums, &quads, b);
            products::<V, 2, ROWS, VECTORS, SETTLE>(sums, &quads, c);
            products::<V, 3, ROWS, VECTORS, SETTLE>(sums, &quads, d);
        } else {
            products::<V, 0, ROWS, VECTORS, SETTLE>(sums, &quads, factors(weights, 0, steps));
            products::<V, 1, ROWS, VECTORS, SETTLE>(sums, &quads, factors(weights, 1, steps));
            products::<V, 2, ROWS, VECTORS, SETTLE>(sums, &quads, factors(weights, 2, steps));
            products::<V, 3, ROWS, VECTORS, SETTLE>(sums, &quads, factors(weights, 3, steps));
        }
    }
}

/// Adds two inputs of each row times their weights.
///
/// # Safety
/// As for [`accumulate`]; the vector's quads load nothing.
#[inline(always)]
unsafe fn two<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    groups: &RowGroups,
    row_stride: usize,
    weights: *const f32,
    steps: WeightSteps,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let quads = quads::<V, ROWS>(groups, row_stride);
        products::<V, 0, ROWS, VECTORS, false>(sums, &quads, factors(weights, 0, steps));
        products::<V, 1, ROWS, VECTORS, false>(sums, &quads, factors(weights, 1, steps));
    }
}

/// Adds one input of each row times its weights, and settles each sum if asked to.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
unsafe fn one<V: Vector, const ROWS: usize, const VECTORS: usize, const SETTLE: bool>(
    sums: &mut [[V; VECTORS]; ROWS],
    groups: &RowGroups,
    row_stride: usize,
    weights: *const f32,
    steps: WeightSteps,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut quads = [V::one(groups[0], 0, 0); ROWS];
        unrolled!(ROWS, |row| quads[row] = V::one(groups[row / 3], row % 3, row_stride));
        products::<V, 0, ROWS, VECTORS, SETTLE>(sums, &quads, factors(weights, 0, steps));
    }
}

/// Weights of the input that is so many after the first.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
unsafe fn factors<V: Vector, const VECTORS: usize>(
    weights: *const f32,
    input: usize,
    steps: WeightSteps,
) -> [V; VECTORS] {
    // SAFETY: promised by the caller.
    unsafe {
        let weights = weights.add(input * steps.input);
        let mut factors = [V::zero(); VECTORS];
        for (j, factor) in factors.iter_mut().enumerate() {
            *factor = V::load(weights.add(steps.offset::<V>(j)));
        }
        factors
    }
}

/// Adds one input of each row times its weights: input `I` of the quads. Settles each sum if asked to.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
unsafe fn products<
    V: Vector,
    const I: i32,
    const ROWS: usize,
    const VECTORS: usize,
    const SETTLE: bool,
>(
    sums: &mut [[V; VECTORS]; ROWS],
    quads: &[V::Quad; ROWS],
    factors: [V; VECTORS],
) {
    // SAFETY: promised by the caller.
    unsafe {
        unrolled!(ROWS, |row| {
            let input = V::pick::<I>(quads[row]);
            for vector in 0..VECTORS {
                let sum = &mut sums[row][vector];
                *sum = factors[vector].multiply_add_picked::<I>(input, *sum);
                if SETTLE {
                    *sum = sum.settled();
                }
            }
        });
    }
}
