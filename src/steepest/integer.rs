//! The kernels of shared minima for integers of 8 and 16 bits: value and code share one number, every comparison is
//! exact.
//!
//! In words, `scale` being 128 for bytes and 32 for wider integers:
//!
//! 1. A key is `scale · value + code`; the lines come with the keys made. So the lower of two neighbours, or of equal
//!    ones that with the lower code, is one minimum, and one more voxel along x is one more in the code.
//! 2. A key of the neighbourhood less the centre's is `scale · (n − c) + label − 13`: the place in the volume cancels.
//!    The value is exact after one rounding, as ±13 is less than half of the scale, and the label are the lowest bits.
//! 3. The classes' best differences d1, d2, d3 compare exactly, each kernel in its own way: d2/√2 with d1, d3/√3
//!    with d1 and with d2/√2. Tests try all pairs of differences that are near to a tie.
//! 4. Scores of different classes tie only at zero. Then value c is the minimum, and the lowest of the three keys has
//!    the lowest code.
//! 5. Where the minima rule takes the centre is a limit on the differences of each class. At a score of −100 itself
//!    the lower index wins: there the limit falls between two codes.

use crate::simd::{Mask, Simd, Vector, VectorF32, VectorI16};
use crate::steepest::best::INTEGER;
use crate::steepest::rule::{LABEL_CENTER, LABEL_MASKED};
use crate::steepest::shared::{ROWS, RowOut, Seen, Shared, Step, Weights, position};

/// Labels of 8-bit integers where weights are as 1 : 1/√2 : 1/√3.
pub(crate) struct Bytes;

/// Labels of 16-bit integers with such weights.
pub(crate) struct Words;

macro_rules! shared {
    ($kernel:ident, $line:ty, $vectors:ident, $key:ident, $scale:expr) => {
        impl Shared for $kernel {
            type Line = $line;
            const KEPT: usize = 2;
            const EXACT: bool = true;
            const KEY_SCALE: Option<f32> = Some($scale);

            fn lanes<S: Simd>() -> usize {
                S::$vectors::LANES
            }

            #[inline(always)]
            unsafe fn step<S: Simd, const EMIT: bool, const SLOPE: bool>(
                simd: S,
                weights: &Weights,
                step: &Step<$line>,
            ) -> Seen {
                for vector in 0..step.vectors(Self::lanes::<S>()) {
                    // SAFETY: the caller's promise.
                    unsafe { column::<S, $key<S::$vectors>, EMIT, SLOPE>(simd, weights, step, vector) };
                }
                Seen::NOTHING
            }
        }
    };
}
shared!(Bytes, i16, I16, ByteKey, BYTE_SCALE as f32);
shared!(Words, f32, F32, WordKey, WORD_SCALE);

/// One vector of a block's rows.
///
/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn column<S: Simd, K: Key<S>, const EMIT: bool, const SLOPE: bool>(
    simd: S,
    weights: &Weights,
    step: &Step<K::Line>,
    vector: usize,
) {
    step.ahead.prefetch(vector * K::LANES);
    if SLOPE {
        step.ahead.prefetch_slopes(vector * K::LANES, K::LANES);
    }
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = (input::<S, K, 0>(simd, step, vector), input::<S, K, 1>(simd, step, vector));
        // Written out, as a loop would be kept one: all addresses are then constants.
        rows = row::<S, K, 0, 2, EMIT, SLOPE>(simd, weights, step, vector, rows);
        rows = row::<S, K, 1, 3, EMIT, SLOPE>(simd, weights, step, vector, rows);
        rows = row::<S, K, 2, 4, EMIT, SLOPE>(simd, weights, step, vector, rows);
        row::<S, K, 3, 5, EMIT, SLOPE>(simd, weights, step, vector, rows);
    }
    const { assert!(ROWS == 4) };
}

/// One line of the arriving plane: the voxels themselves, and the lower of their two neighbours along x.
struct Row<K> {
    middle: K,
    pair: K,
}

/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn input<S: Simd, K: Key<S>, const LINE: usize>(
    simd: S,
    step: &Step<K::Line>,
    vector: usize,
) -> Row<K> {
    let x = position(vector, K::LANES, step.width);
    // SAFETY: the caller's promise.
    let [left, middle, right] = unsafe {
        let line = step.lines[2][LINE].add(x);
        [K::load(simd, line), K::load(simd, line.add(1)), K::load(simd, line.add(2))]
    };
    // Every voxel carries the code of a middle: the left one's is one less, the right one's one more.
    Row { middle, pair: left.lower(right.shift::<2>(simd)).shift::<-1>(simd) }
}

/// One row of the block: takes its nodes in and its labels out, given the line above (`rows.0`) and that of the row
/// itself; `NEXT` is the line below. Gives the next row's lines.
///
/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn row<
    S: Simd,
    K: Key<S>,
    const ROW: usize,
    const NEXT: usize,
    const EMIT: bool,
    const SLOPE: bool,
>(
    simd: S,
    weights: &Weights,
    step: &Step<K::Line>,
    vector: usize,
    (above, here): (Row<K>, Row<K>),
) -> (Row<K>, Row<K>) {
    // SAFETY: the caller's promise.
    let below = unsafe { input::<S, K, NEXT>(simd, step, vector) };
    let faces = above.middle.lower(here.pair).lower(below.middle);
    let edges = above.pair.lower(below.pair);
    let place = (vector * ROWS + ROW) * 2 * K::LANES;
    // SAFETY: the caller's promise.
    let [far, near] = step.nodes.map(|slot| unsafe { slot.add(place) });
    if EMIT {
        let x = position(vector, K::LANES, step.width);
        // SAFETY: the caller's promise.
        unsafe {
            let up = K::load(simd, step.lines[0][ROW + 1].add(x + 1));
            let center = K::load(simd, step.lines[1][ROW + 1].add(x + 1));
            let face = up.lower(K::load(simd, near)).lower(here.middle);
            let edge = K::load(simd, far).lower(K::load(simd, near.add(K::LANES))).lower(faces);
            let corner = K::load(simd, far.add(K::LANES)).lower(edges);
            K::label::<SLOPE>(simd, weights, step.gaps, center, [face, edge, corner], &step.rows[ROW], x);
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        faces.store(far);
        edges.store(far.add(K::LANES));
    }
    (here, below)
}

/// A vector of keys.
trait Key<S: Simd>: Copy {
    type Line;
    const LANES: usize;

    /// # Safety
    /// A vector is readable there.
    unsafe fn load(simd: S, from: *const Self::Line) -> Self;
    /// # Safety
    /// A vector is writable there.
    unsafe fn store(self, to: *mut Self::Line);
    /// The keys of `CODES` codes more. A voxel that does not exist stays one.
    fn shift<const CODES: i8>(self, simd: S) -> Self;
    /// The lower of two keys.
    fn lower(self, other: Self) -> Self;
    /// Stores the labels of the vector from voxel `x` on, given the centre's keys and the lowest of each class. With `gaps` some classes may be empty,
    /// and some centres taken out.
    ///
    /// # Safety
    /// `out` has room for them.
    unsafe fn label<const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        gaps: bool,
        center: Self,
        lowest: [Self; 3],
        out: &RowOut,
        x: usize,
    );
}

/// The scale of bytes.
const BYTE_SCALE: i16 = 128;
/// Keys of bytes end before this one. The largest of i16 is a voxel that does not exist.
const LAST_KEY: i16 = 24_000;

/// The centre's key less `OFFSET` less another's is `128·d − 27` to `128·d − 1`, and ends in the complement of the label.
const OFFSET: i16 = LABEL_CENTER as i16 + 1;

/// 1/√2, 1/√3 and √(2/3), times 2¹⁵. With a score of 128·d − 1 for faces and edges and 128·d − 2 for corners, the
/// rounded product of an edge's score is above a face's, and that of a corner's at least a face's or an edge's, exactly
/// where they win. (Both −1: wrong for the corner's 109 and the edge's 89, which differ by 8e-6 of themselves.)
const EDGE_FACE: i16 = 23170;
const CORNER_FACE: i16 = 18919;
const CORNER_EDGE: i16 = 26755;

/// A vector of i16: with signed values and the codes of the longest march, keys of bytes fit.
#[derive(Clone, Copy)]
struct ByteKey<V>(V);

impl<S: Simd, V: VectorI16<Simd = S>> Key<S> for ByteKey<V> {
    type Line = i16;
    const LANES: usize = V::LANES;

    #[inline(always)]
    unsafe fn load(simd: S, from: *const i16) -> Self {
        // SAFETY: the caller's promise.
        ByteKey(unsafe { V::load(simd, from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i16) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store(to) }
    }
    #[inline(always)]
    fn shift<const CODES: i8>(self, simd: S) -> Self {
        ByteKey(self.0.add_saturating(V::splat(simd, i16::from(CODES))))
    }
    #[inline(always)]
    fn lower(self, other: Self) -> Self {
        ByteKey(self.0.min(other.0))
    }
    #[inline(always)]
    unsafe fn label<const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        gaps: bool,
        center: Self,
        [face, edge, corner]: [Self; 3],
        out: &RowOut,
        x: usize,
    ) {
        let lowest = [face.0, edge.0, corner.0];
        let empty = gaps && V::splat(simd, LAST_KEY).lt(face.0.max(edge.0).max(corner.0)).any();
        let ByteBest { mut label, rank, class } = if empty {
            byte_labels::<S, V, true>(simd, weights, center.0, lowest)
        } else {
            byte_labels::<S, V, false>(simd, weights, center.0, lowest)
        };
        let removed = V::splat(simd, LAST_KEY).lt(center.0);
        if gaps {
            label = V::splat(simd, i16::from(LABEL_MASKED)).select(removed, label);
        }
        // SAFETY: the caller's promise.
        unsafe { label.store_low_bytes(out.labels.add(x)) };
        if SLOPE {
            // 128·d − 1 by 256, divided by 2¹⁵ and rounded.
            let mut difference =
                rank.or(V::splat(simd, BYTE_SCALE - 1)).mul_round(V::splat(simd, i16::MAX / BYTE_SCALE + 1));
            if empty {
                let nothing = rank.eq(V::splat(simd, i16::MIN));
                difference = V::splat(simd, NO_DIFFERENCE).select(nothing, difference);
            }
            if gaps {
                difference = V::splat(simd, 0).select(removed, difference);
            }
            let mut memory = [[0i16; MOST_LANES]; 2];
            const { assert!(V::LANES <= MOST_LANES) };
            // SAFETY: the arrays have room for a vector.
            unsafe {
                difference.store(memory[0].as_mut_ptr());
                class.store(memory[1].as_mut_ptr());
            }
            for part in (0..V::LANES).step_by(S::F32::LANES) {
                // SAFETY: as above.
                let (mut difference, class) = unsafe {
                    (
                        S::F32::load_i16(simd, memory[0][part..].as_ptr()),
                        S::F32::load_i16(simd, memory[1][part..].as_ptr()),
                    )
                };
                if empty {
                    let nothing = difference.eq(S::F32::splat(simd, f32::from(NO_DIFFERENCE)));
                    difference = S::F32::splat(simd, f32::NEG_INFINITY).select(nothing, difference);
                }
                let class = class.add(S::F32::splat(simd, INTEGER));
                // SAFETY: the caller's promise.
                unsafe { out.slopes.put(simd, weights, difference, class, x + part) };
            }
        }
    }
}

/// The best neighbours of a vector of bytes.
struct ByteBest<V> {
    label: V,
    /// The rank of the best, whatever the rule says.
    rank: V,
    class: V,
}

/// Stands for the difference with no neighbour: beyond those of bytes.
const NO_DIFFERENCE: i16 = -256;

/// Lanes of a vector of i16 on the tier with the longest.
const MOST_LANES: usize = 32;

/// Labels of bytes; with `EMPTY` where a class may have no neighbour at all.
#[inline(always)]
fn byte_labels<S: Simd, V: VectorI16<Simd = S>, const EMPTY: bool>(
    simd: S,
    weights: &Weights,
    center: V,
    [face, edge, corner]: [V; 3],
) -> ByteBest<V> {
    // No closures here, and no array::map: what the compiler does not inline would lose the tier's instructions.
    let start = center.sub_saturating(V::splat(simd, OFFSET));
    let mut face_rank = start.sub_saturating(face);
    let mut edge_rank = start.sub_saturating(edge);
    let mut corner_rank = start.sub_saturating(corner);
    let low_bits = V::splat(simd, BYTE_SCALE - 1);
    let (mut face_score, mut edge_score) = (face_rank.or(low_bits), edge_rank.or(low_bits));
    let corner_score = corner_rank.or(low_bits).add_saturating(V::splat(simd, -1));
    let mut edge_face = edge_score.mul_round(V::splat(simd, EDGE_FACE));
    let mut corner_face = corner_score.mul_round(V::splat(simd, CORNER_FACE));
    let mut corner_edge = corner_score.mul_round(V::splat(simd, CORNER_EDGE));
    if EMPTY {
        // An empty class loses to all others, and is below every limit.
        let (last, least) = (V::splat(simd, LAST_KEY), V::splat(simd, i16::MIN));
        let (no_face, no_edge, no_corner) = (last.lt(face), last.lt(edge), last.lt(corner));
        face_score = least.select(no_face, face_score);
        face_rank = least.select(no_face, face_rank);
        edge_score = least.select(no_edge, edge_score);
        edge_rank = least.select(no_edge, edge_rank);
        edge_face = least.select(no_edge, edge_face);
        corner_rank = least.select(no_corner, corner_rank);
        corner_face = least.select(no_corner, corner_face);
        corner_edge = least.select(no_corner, corner_edge);
    }
    let edge_wins = face_score.lt(edge_face);
    let corner_loses = corner_face.lt(face_score).or(corner_edge.lt(edge_score));
    let best = edge_rank.select(edge_wins, face_rank);
    let best = best.select(corner_loses, corner_rank);
    // The largest difference is zero: the classes that have it tie, and the lowest code has the highest rank.
    let highest = face_rank.max(edge_rank).max(corner_rank);
    let best = highest.select(highest.or(low_bits).eq(V::splat(simd, -1)), best);
    let [face_limit, edge_limit, corner_limit] = weights.byte_limits;
    let below = face_rank
        .lt(V::splat(simd, face_limit))
        .and(edge_rank.lt(V::splat(simd, edge_limit)))
        .and(corner_rank.lt(V::splat(simd, corner_limit)));
    let class =
        V::splat(simd, 3).select(edge_wins, V::splat(simd, 1)).select(corner_loses, V::splat(simd, 7));
    let label = V::splat(simd, i16::from(LABEL_CENTER)).select(below, best.not_and(low_bits));
    ByteBest { label, rank: best, class }
}

/// A limit on differences as one on the ranks of bytes.
pub(crate) fn byte_limit(limit: f64) -> i16 {
    // Saturates above the rank of an empty class, and below all others.
    ((limit * f64::from(BYTE_SCALE) - f64::from(OFFSET)) as i16).max(i16::MIN + 1)
}

/// The scale of wider integers: keys of the longest march are exact in f32.
const WORD_SCALE: f32 = 32.0;

/// A vector of f32.
#[derive(Clone, Copy)]
struct WordKey<V>(V);

impl<S: Simd<F32 = V>, V: Vector<Simd = S, Elem = f32> + VectorF32> Key<S> for WordKey<V> {
    type Line = f32;
    const LANES: usize = V::LANES;

    #[inline(always)]
    unsafe fn load(simd: S, from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        WordKey(unsafe { V::load(simd, from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store(to) }
    }
    #[inline(always)]
    fn shift<const CODES: i8>(self, simd: S) -> Self {
        WordKey(self.0.add(V::splat(simd, f32::from(CODES))))
    }
    #[inline(always)]
    fn lower(self, other: Self) -> Self {
        WordKey(other.0.min(self.0))
    }
    /// An empty class needs no care: it is +∞, and so are its rank and what it loses by; NaN where both classes are empty
    /// loses, too.
    #[inline(always)]
    unsafe fn label<const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        gaps: bool,
        center: Self,
        [face, edge, corner]: [Self; 3],
        out: &RowOut,
        x: usize,
    ) {
        let ranks = [face.0.sub(center.0), edge.0.sub(center.0), corner.0.sub(center.0)];
        let [face_rank, edge_rank, corner_rank] = ranks;
        let (face, edge, corner) =
            (rounded(simd, face_rank), rounded(simd, edge_rank), rounded(simd, corner_rank));
        let zero = V::splat(simd, 0.0);
        let edge_wins = zero.lt(lead(simd, edge, FACE_EDGE, face));
        let corner_wins = zero.lt(lead(simd, corner, FACE_CORNER, face)).and(zero.lt(lead(
            simd,
            corner,
            EDGE_CORNER,
            edge,
        )));
        let best = edge_rank.select(edge_wins, face_rank);
        let best = corner_rank.select(corner_wins, best);
        // The largest difference is zero: the classes that have it tie, and the lowest code has the lowest rank.
        let lowest = corner_rank.min(edge_rank.min(face_rank));
        let best = lowest.select(lowest.abs().lt(V::splat(simd, 0.5 * WORD_SCALE)), best);
        let [face_limit, edge_limit, corner_limit] = weights.word_limits;
        let below = V::splat(simd, face_limit)
            .lt(face_rank)
            .and(V::splat(simd, edge_limit).lt(edge_rank))
            .and(V::splat(simd, corner_limit).lt(corner_rank));
        let mut best = zero.select(below, best);
        let exists = center.0.lt(V::splat(simd, f32::INFINITY));
        if gaps {
            best = best.select(exists, V::splat(simd, f32::from(LABEL_MASKED) - f32::from(LABEL_CENTER)));
        }
        let label = best.add(V::splat(simd, INTEGER + f32::from(LABEL_CENTER)));
        // SAFETY: the caller's promise.
        unsafe { label.store_low_bits::<5>(out.labels.add(x)) };
        if SLOPE {
            let mut difference = zero.sub(corner.select(corner_wins, edge.select(edge_wins, face)));
            if gaps {
                difference = difference.select(exists, zero);
            }
            let splat = |class: u32| V::splat(simd, f32::from_bits(class));
            let class = splat(7).select(corner_wins, splat(3).select(edge_wins, splat(1)));
            // SAFETY: as above. (Zero less zero is +0, as is the difference.)
            unsafe { out.slopes.put(simd, weights, difference, class, x) };
        }
    }
}

/// A limit on differences as one on the ranks of words, which go the other way.
pub(crate) fn word_limit(limit: f64) -> f32 {
    (-limit * f64::from(WORD_SCALE)) as f32
}

/// The difference n − c of a rank.
#[inline(always)]
fn rounded<S: Simd, V: Vector<Simd = S, Elem = f32>>(simd: S, rank: V) -> V {
    let integer = V::splat(simd, INTEGER);
    rank.mul_add(V::splat(simd, 1.0 / WORD_SCALE), integer).sub(integer)
}

const FACE_EDGE: f64 = std::f64::consts::FRAC_1_SQRT_2;
const FACE_CORNER: f64 = 0.577_350_269_189_625_8;
const EDGE_CORNER: f64 = 0.816_496_580_927_726;

/// `near − weight · far`, with the right sign for differences of all 16-bit integers.
///
/// The least that is not zero is 2.7e-6: |far² · weight² − near²| is at least a third. In two parts the weight is 1e-15
/// off; the first product less `near` is rounded where it is large, and the sign beyond doubt. Where a product is
/// rounded before the sum, the first two of three parts have 8 bits each, so that they multiply exactly.
#[inline(always)]
fn lead<S: Simd, V: Vector<Simd = S, Elem = f32>>(simd: S, far: V, weight: f64, near: V) -> V {
    let bits = |value: f64, bits: i32| (value * f64::from(1 << bits)).floor() / f64::from(1 << bits);
    if S::FUSED {
        let high = f64::from(weight as f32);
        let lead = far.mul_add(V::splat(simd, -high as f32), near);
        far.mul_add(V::splat(simd, (high - weight) as f32), lead)
    } else {
        let high = bits(weight, 8);
        let middle = bits(weight - high, 16);
        let lead = far.mul_add(V::splat(simd, -high as f32), near);
        let lead = far.mul_add(V::splat(simd, -middle as f32), lead);
        far.mul_add(V::splat(simd, (high + middle - weight) as f32), lead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::simd::{Kernel, dispatch};

    const CLASSES: [(f64, i16); 3] =
        [(FACE_EDGE, EDGE_FACE), (FACE_CORNER, CORNER_FACE), (EDGE_CORNER, CORNER_EDGE)];

    /// The square of a class's weight is 1/2, 1/3 or 2/3.
    fn wins(far: i64, weight: f64, near: i64) -> bool {
        let (up, down) = if weight == EDGE_CORNER {
            (2, 3)
        } else if weight == FACE_EDGE {
            (1, 2)
        } else {
            (1, 3)
        };
        far.signum() * far * far * up > near.signum() * near * near * down
    }

    #[test]
    fn classes_of_bytes_compare_exactly_for_all_pairs_of_differences() {
        for (weight, factor) in CLASSES {
            let less = if weight == FACE_EDGE { 1 } else { 2 };
            for far in -255..=255i32 {
                for near in -255..=255i32 {
                    let (far_score, near_score) = (128 * far - less, 128 * near - 1);
                    let product = (far_score * i32::from(factor) + 0x4000) >> 15;
                    if (far, near) != (0, 0) {
                        let exact = wins(far.into(), weight, near.into());
                        assert_eq!(product + less > near_score + 1, exact, "{far} and {near} with {factor}");
                    }
                }
            }
        }
    }

    /// For each difference of a class, those of the other that are next to a tie with it.
    #[test]
    fn classes_of_words_compare_exactly_for_all_differences() {
        struct Words;
        impl Kernel for Words {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self, simd: S) {
                for (weight, _) in CLASSES {
                    for far in -65_535..=65_535i64 {
                        let tie = (far as f64 * weight).round() as i64;
                        for near in tie - 1..=tie + 1 {
                            let mut leads = [0.0f32; 16];
                            let [far_vector, near_vector] =
                                [far, near].map(|d| S::F32::splat(simd, d as f32));
                            // SAFETY: the array holds the lanes of the widest tier.
                            unsafe { lead(simd, far_vector, weight, near_vector).store(leads.as_mut_ptr()) };
                            // Ranks are of n − c: a class wins where its own is the lower.
                            assert_eq!(
                                leads[0] > 0.0,
                                wins(-far, weight, -near),
                                "{far} and {near}, {weight}"
                            );
                        }
                    }
                }
            }
        }
        Isa::supported().for_each(|isa| dispatch(isa, Words));
    }
}
