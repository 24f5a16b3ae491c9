//! The class kernel: labels of f32 lines from shared minima, exact by a guard.
//!
//! In words:
//!
//! 1. Multiplying by one positive weight keeps the order of f32 differences, and two different f32
//!    differences never give the same f64 product. So among neighbours at one distance (a class) the first
//!    largest difference is the first largest score, and only one candidate a class needs its weight.
//! 2. Rounded subtraction is monotone: the largest `c − n` is `c − min n`. Minima do not depend on the
//!    centre, so they are shared: pairs of a row, then a plane's, then three planes'. A node is a minimum
//!    and the code of its neighbour; merging prefers the lower code on a tie.
//! 3. But two different n may round to one difference, and then the lower code must win although its n is
//!    not the minimum. That can only be where a merge preferred `b < a` by a gap within the rounding of the
//!    winning difference. So every merge keeps the smallest such gap; where it is that small, the voxel is
//!    flagged, and the caller decides it by the definition.
//! 4. The candidates are compared in f32. Where two scores lie within the rounding of their weights, or
//!    the best is near the centre's −100, tiny, or infinite, the voxel is flagged, too.
//!
//! Codes are `9z + 3y + x` with z and y counted from the block's corner: the order within any neighbourhood
//! is the labels', and a label is a code minus the code of the neighbourhood's corner.
//!
//! The smallest gap is kept by a minimum of the bits as signed integers: gaps of merges that preferred `b`
//! are negative floats, the smallest of them the lowest integers; all others are positive. One operation and
//! no mask, on every tier.

use crate::simd::{Mask, Simd, Vector, VectorF32};
use crate::steepest::rule::{LABEL_CENTER, Minima, REFERENCE_CENTER_SCORE, Rule};

/// Rows of output in a block.
pub(crate) const ROWS: usize = 4;
/// Rows of input that a block needs.
pub(crate) const LINES: usize = ROWS + 2;

/// Vectors kept of each row and position for the two planes that follow.
const fn kept(isotropic: bool) -> usize {
    if isotropic { 5 } else { 7 }
}

/// Elements of f32 that one slot of the ring needs for lines of `padded` elements.
pub(crate) const fn slot_elements(padded: usize) -> usize {
    ROWS * kept(false) * padded
}

/// What the kernel takes from the rule, as f32 and scaled so that the smallest weight is 1: scores then
/// never underflow to zero.
pub(crate) struct Weights {
    /// By class: |dz|, |dy|, |dx| as bits 2, 1, 0.
    class: [f32; 8],
    pub isotropic: bool,
    /// Best scores below this have label 13.
    threshold: f32,
    /// Best scores this near to the threshold are flagged.
    band: f32,
}

impl Weights {
    pub fn new(rule: &Rule) -> Option<Weights> {
        let class = rule.class_weights()?;
        let least = class[1..].iter().copied().fold(f64::INFINITY, f64::min);
        let (threshold, band) = match rule.minima {
            Minima::Reference => {
                let threshold = REFERENCE_CENTER_SCORE / least;
                (threshold, -1e-5 * threshold)
            }
            Minima::Strict => (0.0, 0.0),
            Minima::Flat => (f64::from(f32::from_bits(1)), 0.0),
        };
        Some(Weights {
            class: class.map(|w| (w / least) as f32),
            isotropic: class[1] == class[2]
                && class[1] == class[4]
                && class[3] == class[5]
                && class[3] == class[6],
            threshold: threshold as f32,
            band: band as f32,
        })
    }
}

/// One step of the march along z: plane p of the lines arrives, plane p − 1 of labels leaves.
pub(crate) struct Step {
    /// Padded lines of planes p − 2, p − 1 and p.
    pub lines: [[*const f32; LINES]; 3],
    /// Nodes of plane p − 2, to be overwritten by plane p's; and of plane p − 1.
    pub nodes: [*mut f32; 2],
    /// Code of each line's left, middle and right neighbour in plane p.
    codes: [f32; 3 * LINES],
    /// Code of the first corner of the neighbourhoods of each row of plane p − 1.
    corners: [f32; ROWS],
    /// Whole vectors of labels in a row.
    pub vectors: usize,
    /// Where the rows of output go.
    pub rows: [RowOut; ROWS],
}

impl Step {
    /// The step at which plane `plane` arrives, counted from the first plane of the march.
    pub fn new(
        plane: usize,
        vectors: usize,
        lines: [[*const f32; LINES]; 3],
        nodes: [*mut f32; 2],
        rows: [RowOut; ROWS],
    ) -> Step {
        let first = 9.0 * plane as f32;
        Step {
            lines,
            nodes,
            codes: std::array::from_fn(|i| first + i as f32),
            corners: std::array::from_fn(|row| first - 18.0 + 3.0 * row as f32),
            vectors,
            rows,
        }
    }
}

/// Where a row of output goes.
#[derive(Clone, Copy)]
pub(crate) struct RowOut {
    pub labels: *mut u8,
    /// Bit i of `flags[j]`: voxel i of vector j is undecided.
    pub flags: *mut u32,
    /// For slopes: the winning difference, and the winning label before the minima rule.
    pub differences: *mut f32,
    pub winners: *mut u8,
}

/// Takes plane p in and, with `EMIT`, plane p − 1 out; with `SLOPE` also its differences and winners.
///
/// # Safety
/// Every pointer of `step` leads to `vectors` whole vectors (lines: and 2 elements more; nodes: see
/// [`slot_elements`]), and nobody else uses what is written.
#[inline(always)]
pub(crate) unsafe fn step<S: Simd, const ISOTROPIC: bool, const EMIT: bool, const SLOPE: bool>(
    simd: S,
    weights: &Weights,
    step: &Step,
) {
    for vector in 0..step.vectors {
        // SAFETY: the caller's promise.
        unsafe {
            let mut rows = (input::<S, 0>(simd, step, vector), input::<S, 1>(simd, step, vector));
            // Written out, as a loop would be kept one: all addresses and codes are then constants.
            rows = row::<S, 0, 2, ISOTROPIC, EMIT, SLOPE>(simd, weights, step, vector, rows);
            rows = row::<S, 1, 3, ISOTROPIC, EMIT, SLOPE>(simd, weights, step, vector, rows);
            rows = row::<S, 2, 4, ISOTROPIC, EMIT, SLOPE>(simd, weights, step, vector, rows);
            row::<S, 3, 5, ISOTROPIC, EMIT, SLOPE>(simd, weights, step, vector, rows);
        }
    }
}

/// The vector at `vector` of line `LINE` of the arriving plane.
///
/// # Safety
/// As [`step`].
#[inline(always)]
unsafe fn input<S: Simd, const LINE: usize>(simd: S, step: &Step, vector: usize) -> Row<S::F32> {
    let node = |dx: usize| {
        // SAFETY: the caller's promise.
        let value = unsafe { S::F32::load(simd, step.lines[2][LINE].add(vector * S::F32::LANES + dx)) };
        Node { value, code: S::F32::splat(simd, step.codes[3 * LINE + dx]) }
    };
    let (left, right) = (node(0), node(2));
    let (pair, gaps) = (lower::<S>(left, right), right.value.sub(left.value));
    Row { middle: node(1), pair, gaps }
}

/// One row of the block: takes its nodes in and its labels out, given the lines above (`rows.0`) and at the row
/// itself; `NEXT` is the line below. Gives the next row's lines.
///
/// # Safety
/// As [`step`].
#[inline(always)]
unsafe fn row<
    S: Simd,
    const ROW: usize,
    const NEXT: usize,
    const ISOTROPIC: bool,
    const EMIT: bool,
    const SLOPE: bool,
>(
    simd: S,
    weights: &Weights,
    step: &Step,
    vector: usize,
    (above, here): (Row<S::F32>, Row<S::F32>),
) -> (Row<S::F32>, Row<S::F32>) {
    let lanes = S::F32::LANES;
    // SAFETY: the caller's promise.
    let below = unsafe { input::<S, NEXT>(simd, step, vector) };
    let gaps = above.gaps.min_bits(here.gaps).min_bits(below.gaps);
    let current = if ISOTROPIC {
        let (faces, gaps) = merge::<S>(above.middle, here.pair, gaps);
        let (faces, gaps) = merge::<S>(faces, below.middle, gaps);
        let (edges, gaps) = merge::<S>(above.pair, below.pair, gaps);
        Nodes { a: faces, b: edges, c: None, gaps }
    } else {
        let (column, gaps) = merge::<S>(above.middle, below.middle, gaps);
        let (diagonal, gaps) = merge::<S>(above.pair, below.pair, gaps);
        Nodes { a: column, b: diagonal, c: Some(here.pair), gaps }
    };
    let place = (vector * ROWS + ROW) * kept(ISOTROPIC) * lanes;
    // SAFETY: the caller's promise.
    let [far_place, near_place] = step.nodes.map(|slot| unsafe { slot.add(place) });
    if EMIT {
        // SAFETY: the caller's promise.
        let (far, near, up, center) = unsafe {
            let x = vector * lanes + 1;
            (
                Nodes::<S::F32>::load::<ISOTROPIC>(simd, far_place),
                Nodes::<S::F32>::load::<ISOTROPIC>(simd, near_place),
                S::F32::load(simd, step.lines[0][ROW + 1].add(x)),
                S::F32::load(simd, step.lines[1][ROW + 1].add(x)),
            )
        };
        let up = Node { value: up, code: S::F32::splat(simd, step.corners[ROW] + 4.0) };
        let gaps = far.gaps.min_bits(near.gaps).min_bits(current.gaps);
        let mut best = Best::<S>::new(simd, gaps);
        if ISOTROPIC {
            let faces = best.merge(up, near.a);
            let faces = best.merge(faces, here.middle);
            let edges = best.merge(far.a, near.b);
            let edges = best.merge(edges, current.a);
            let corners = best.merge(far.b, current.b);
            best.first(simd, center, faces, weights.class[1]);
            best.next::<true>(simd, center, edges, weights.class[3]);
            best.next::<true>(simd, center, corners, weights.class[7]);
        } else {
            let none = Node { value: center, code: center };
            let [far_pair, near_pair, pair] = [far.c, near.c, current.c].map(|c| c.unwrap_or(none));
            best.first(simd, center, near_pair, weights.class[1]);
            best.next::<false>(simd, center, near.a, weights.class[2]);
            best.next::<false>(simd, center, near.b, weights.class[3]);
            let class = best.merge(up, here.middle);
            best.next::<false>(simd, center, class, weights.class[4]);
            let class = best.merge(far_pair, pair);
            best.next::<false>(simd, center, class, weights.class[5]);
            let class = best.merge(far.a, current.a);
            best.next::<false>(simd, center, class, weights.class[6]);
            let class = best.merge(far.b, current.b);
            best.next::<false>(simd, center, class, weights.class[7]);
        }
        // SAFETY: the caller's promise.
        unsafe { best.finish::<SLOPE>(simd, weights, step.corners[ROW], &step.rows[ROW], vector) };
    }
    // SAFETY: the caller's promise.
    unsafe { current.store(far_place) };
    (here, below)
}

/// A minimum and the code of the neighbour it comes from.
#[derive(Clone, Copy)]
struct Node<V> {
    value: V,
    code: V,
}

/// The nodes of one row of the current plane: the voxel itself, and its two neighbours along x.
struct Row<V> {
    middle: Node<V>,
    pair: Node<V>,
    gaps: V,
}

/// What is kept of a row's plane. Isotropic: faces and edges within the plane. Else: the neighbours along
/// y, along y and x, and along x.
struct Nodes<V> {
    a: Node<V>,
    b: Node<V>,
    c: Option<Node<V>>,
    gaps: V,
}

impl<V: Vector<Elem = f32>> Nodes<V> {
    #[inline(always)]
    unsafe fn load<const ISOTROPIC: bool>(simd: V::Simd, from: *const f32) -> Self {
        // SAFETY: the caller gives a place of `kept` vectors.
        let at = |i: usize| unsafe { V::load(simd, from.add(i * V::LANES)) };
        Nodes {
            a: Node { value: at(0), code: at(1) },
            b: Node { value: at(2), code: at(3) },
            gaps: at(4),
            c: if ISOTROPIC { None } else { Some(Node { value: at(5), code: at(6) }) },
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        let put = |i: usize, v: V| {
            // SAFETY: the caller gives a place of `kept` vectors.
            unsafe { v.store(to.add(i * V::LANES)) }
        };
        put(0, self.a.value);
        put(1, self.a.code);
        put(2, self.b.value);
        put(3, self.b.code);
        put(4, self.gaps);
        if let Some(c) = self.c {
            put(5, c.value);
            put(6, c.code);
        }
    }
}

/// The lower of two nodes, `a` on a tie, whose codes must all be below `b`'s; and the gaps with this one's.
#[inline(always)]
fn merge<S: Simd>(a: Node<S::F32>, b: Node<S::F32>, gaps: S::F32) -> (Node<S::F32>, S::F32) {
    (lower::<S>(a, b), gaps.min_bits(b.value.sub(a.value)))
}

#[inline(always)]
fn lower<S: Simd>(a: Node<S::F32>, b: Node<S::F32>) -> Node<S::F32> {
    let wins = b.value.lt(a.value);
    Node { value: b.value.min(a.value), code: b.code.select(wins, a.code) }
}

/// The best candidate so far of one vector of voxels.
struct Best<S: Simd> {
    score: S::F32,
    difference: S::F32,
    weight: S::F32,
    code: S::F32,
    /// Below zero where two scores were too close to be told apart in f32.
    slack: S::F32,
    gaps: S::F32,
}

/// Scores nearer than this, relative to the larger, are told apart by the definition. Weights and products
/// carry 2⁻²⁴ each, so 2.4e-7 would do. It also bounds the gap that can hide a collision, 1.2e-7.
const NEAR: f32 = 5e-7;

impl<S: Simd> Best<S> {
    #[inline(always)]
    fn new(simd: S, gaps: S::F32) -> Self {
        let zero = S::F32::splat(simd, 0.0);
        Best { score: zero, difference: zero, weight: zero, code: zero, slack: zero, gaps }
    }

    #[inline(always)]
    fn merge(&mut self, a: Node<S::F32>, b: Node<S::F32>) -> Node<S::F32> {
        let (node, gaps) = merge::<S>(a, b, self.gaps);
        self.gaps = gaps;
        node
    }

    #[inline(always)]
    fn first(&mut self, simd: S, center: S::F32, candidate: Node<S::F32>, weight: f32) {
        self.weight = S::F32::splat(simd, weight);
        self.difference = center.sub(candidate.value);
        self.score = self.difference.mul(self.weight);
        self.code = candidate.code;
    }

    /// Takes the next class in. `DISTINCT` promises that its weight differs from all before.
    #[inline(always)]
    fn next<const DISTINCT: bool>(&mut self, simd: S, center: S::F32, candidate: Node<S::F32>, weight: f32) {
        let weight = S::F32::splat(simd, weight);
        let difference = center.sub(candidate.value);
        let score = difference.mul(weight);
        let higher = self.score.lt(score);
        // Equal scores of different weights are zeros, or flagged; the lower code wins.
        let first = self.score.eq(score).and(candidate.code.lt(self.code));
        let wins = higher.or(first);
        let best = score.max(self.score);
        let mut slack = best.abs().mul_add(S::F32::splat(simd, -NEAR), self.score.sub(score).abs());
        if !DISTINCT {
            // Equal differences of equal weights are a true tie.
            let tie = self.difference.eq(difference).and(self.weight.eq(weight));
            slack = S::F32::splat(simd, 0.0).select(tie, slack);
            self.weight = weight.select(wins, self.weight);
        }
        self.slack = slack.min(self.slack);
        self.score = best;
        self.code = candidate.code.select(wins, self.code);
        self.difference = difference.select(wins, self.difference);
    }

    /// Applies the minima rule, flags what is undecided, and stores.
    #[inline(always)]
    unsafe fn finish<const SLOPE: bool>(
        self,
        simd: S,
        weights: &Weights,
        corner: f32,
        out: &RowOut,
        vector: usize,
    ) {
        let splat = |value| S::F32::splat(simd, value);
        let x = vector * S::F32::LANES;
        let size = self.score.abs();
        // A collision needs a gap of 2⁻²³ of the winning difference, which is no larger than its score.
        let hidden = self.gaps.le_bits(size.mul_add(splat(-NEAR), splat(-1e-37)));
        let band = self.score.sub(splat(weights.threshold)).abs().sub(splat(weights.band));
        let near = band.min(self.slack).lt(splat(0.0));
        let tiny = size.lt(splat(1e-37)).and(self.score.eq(splat(0.0)).not());
        let huge = splat(1e38).lt(size);
        let flags = hidden.or(near).or(tiny).or(huge);
        let label = self.code.sub(splat(corner));
        let lowest = self.score.lt(splat(weights.threshold));
        // SAFETY: the caller's promise.
        unsafe {
            *out.flags.add(vector) = flags.bits();
            splat(f32::from(LABEL_CENTER)).select(lowest, label).store_bytes(out.labels.add(x));
            if SLOPE {
                label.store_bytes(out.winners.add(x));
                self.difference.store(out.differences.add(x));
            }
        }
    }
}
