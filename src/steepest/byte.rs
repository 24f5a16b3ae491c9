//! Keys of 8-bit integers, as i16, and their labels and slopes.

use crate::simd::{Mask, Simd, Vector, VectorF32, VectorI16};
use crate::steepest::integer::Key;
use crate::steepest::job::LONGEST;
use crate::steepest::rule::{LABEL_CENTER, LABEL_MASKED};
use crate::steepest::shared::{LINES, RowOut, Weights};

/// The scale of bytes.
pub(crate) const BYTE_SCALE: i16 = 128;
/// Keys of bytes begin near the least of i16, and end before this one: with ascent at zero and the codes of the longest march.
/// A voxel that does not exist has the largest of i16, or one less. That is nearly as far from the highest keys as these
/// are from the lowest, and from all others further than a difference can be: its rank is below those of all voxels around
/// the same centre.
const LAST_KEY: i16 = 3000;
const _: () = assert!(9 * (LONGEST + 1) + 3 * (LINES - 1) + 3 < LAST_KEY as usize);
/// What is added to the keys of signed bytes so that they begin there.
pub(crate) const KEY_BIAS: i16 = -BYTE_SCALE * 128;

/// The centre's key and `OFFSET` less another's is `128·d + 127` less the label: d above the lowest seven bits, and the
/// complement of the label in them.
const OFFSET: i16 = BYTE_SCALE - 1 - LABEL_CENTER as i16;

/// 1/√2, 1/√3 and √(2/3), times 2¹⁵, and what takes the place of the lowest bits in a score. The rounded product of an
/// edge's score is at least a face's score, and that of a corner's at least a face's or an edge's, exactly where they win;
/// where both differences are zero it does not matter.
/// Other lowest bits do it as well, 2 for all three of them; all bits set take one operation. (Not 1: the corner's 109
/// and the edge's 89 differ by 2e-5 of themselves.)
const EDGE_FACE: i16 = 23170;
const CORNER_FACE: i16 = 18919;
const CORNER_EDGE: i16 = 26755;
const FACE_SCORE: i16 = 74;
const EDGE_SCORE: i16 = 104;
const CORNER_SCORE: i16 = BYTE_SCALE - 1;

/// The rounded product of the score of a difference.
const fn product(difference: i16, score: i16, factor: i16) -> i16 {
    (((difference * BYTE_SCALE + score) as i32 * factor as i32 + 0x4000) >> 15) as i16
}

/// The least products of neighbours. Where a face's score is lower, so that it loses to any neighbour, a product can as well
/// be compared with these. A class without neighbours has a product that is lower still; or the centre's key is so high
/// that no voxel is much above it, and the scores of those around are larger than that product.
const EDGE_LEAST: i16 = product(-255, EDGE_SCORE, EDGE_FACE);
const CORNER_LEAST: i16 = product(-255, CORNER_SCORE, CORNER_FACE);
const _: () = assert!(product(-256, EDGE_SCORE, EDGE_FACE) < EDGE_LEAST);
const _: () = assert!(product(-256, CORNER_SCORE, CORNER_FACE) < CORNER_LEAST);

/// A vector of i16.
#[derive(Clone, Copy)]
pub(crate) struct ByteKey<V>(V);

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
        // SAFETY: the caller's promise.
        unsafe {
            if !gaps {
                let best = byte_labels::<S, V, false>(simd, weights, center.0, lowest);
                put::<S, V, SLOPE, false>(simd, weights, best, out, x);
                return;
            }
            let last = V::splat(simd, LAST_KEY);
            let removed = last.lt(center.0);
            if !removed.not().any() {
                // Masks mostly take out much at a time.
                V::splat(simd, i16::from(LABEL_MASKED)).store_bytes(out.labels.add(x));
                if SLOPE {
                    let (zero, class) = (S::F32::splat(simd, 0.0), S::F32::splat(simd, f32::from_bits(1)));
                    for part in (0..V::LANES).step_by(S::F32::LANES) {
                        out.slopes.put(simd, weights, zero, class, x + part);
                    }
                }
                return;
            }
            // (Whether a class is empty anywhere is hard to foresee where masks are noise: a branch took 1.8 times as
            // long as no mask, this 1.2.)
            let mut best = byte_labels::<S, V, true>(simd, weights, center.0, lowest);
            best.label = V::splat(simd, i16::from(LABEL_MASKED)).select(removed, best.label);
            best.rank = V::splat(simd, 0).select(removed, best.rank);
            put::<S, V, SLOPE, true>(simd, weights, best, out, x);
        }
    }
}

/// Stores labels, and slopes; with `EMPTY` the difference may be one with no neighbour.
///
/// # Safety
/// `out` has room for them from voxel `x` on.
#[inline(always)]
unsafe fn put<S: Simd, V: VectorI16<Simd = S>, const SLOPE: bool, const EMPTY: bool>(
    simd: S,
    weights: &Weights,
    best: ByteBest<V>,
    out: &RowOut,
    x: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { best.label.store_bytes(out.labels.add(x)) };
    if !SLOPE {
        return;
    }
    let split = if EMPTY { None } else { out.slopes.split(weights) };
    // Below the difference, what its weight is looked up by: with split weights in long tables the complement of the
    // label.
    let mut indexed = best.rank;
    if split.is_none() || !S::LONG_TABLES {
        // A corner is class 7, an edge 4 less, a face 2 less again; the bits above are not looked at.
        let zero = V::splat(simd, 0);
        let less = V::splat(simd, 2).select(best.edge_loses, zero).or(V::splat(simd, 4));
        let less = less.select(best.corner_loses, zero);
        indexed = best.rank.or(V::splat(simd, BYTE_SCALE - 1)).xor(less);
    }
    let indices = indexed.double();
    for part in (0..V::LANES).step_by(S::F32::LANES) {
        let index = indices[part / S::F32::LANES];
        let scaled = index.and_bits(S::F32::splat(simd, f32::from_bits(UPPER))).integers();
        // SAFETY: the caller's promise.
        unsafe {
            if let Some((to, split)) = split {
                split.slopes(simd, scaled, index).store(to.add(x + part));
                continue;
            }
            let mut difference = scaled.mul(S::F32::splat(simd, 1.0 / SLOPE_SCALE));
            if EMPTY {
                let nothing = scaled.eq(S::F32::splat(simd, f32::from(NO_RANK) * UPPER_HALF));
                difference = S::F32::splat(simd, f32::NEG_INFINITY).select(nothing, difference);
            }
            out.slopes.put(simd, weights, difference, index, x + part);
        }
    }
}

/// The best neighbours of a vector of bytes.
struct ByteBest<V: VectorI16> {
    label: V,
    /// The rank of the best, whatever the rule says; where differences of zero tie, of any of them.
    rank: V,
    /// Where a face's neighbour is better than an edge's, and one of the two better than a corner's.
    edge_loses: V::Mask,
    corner_loses: V::Mask,
}

/// Stands for the rank with no neighbour: below those of bytes.
const NO_RANK: i16 = i16::MIN;
/// Ranks of classes without neighbours are no higher.
const LAST_EMPTY: i16 = LAST_KEY + OFFSET - (i16::MAX - 1);

/// The scale of an i16 that is the upper half of 32 bits, and of a difference as a key there.
const UPPER_HALF: f32 = 65_536.0;
pub(crate) const SLOPE_SCALE: f32 = BYTE_SCALE as f32 * UPPER_HALF;
/// All of those bits but for the lower half and the bits of a key that are not its value's.
const UPPER: u32 = (-BYTE_SCALE as u32) << 16;

/// Labels of bytes; with `EMPTY` where a class may have no neighbour at all.
#[inline(always)]
fn byte_labels<S: Simd, V: VectorI16<Simd = S>, const EMPTY: bool>(
    simd: S,
    weights: &Weights,
    center: V,
    [face, edge, corner]: [V; 3],
) -> ByteBest<V> {
    // No closures here, and no array::map: what the compiler does not inline would lose the tier's instructions.
    let start = center.add_saturating(V::splat(simd, OFFSET));
    let face_rank = start.sub_saturating(face);
    let edge_rank = start.sub_saturating(edge);
    let corner_rank = start.sub_saturating(corner);
    let low_bits = V::splat(simd, BYTE_SCALE - 1);
    let face_score = face_rank.with_bits(low_bits, V::splat(simd, FACE_SCORE));
    let edge_score = edge_rank.with_bits(low_bits, V::splat(simd, EDGE_SCORE));
    let corner_score = corner_rank.or(low_bits);
    let edge_face = edge_score.mul_round(V::splat(simd, EDGE_FACE));
    let corner_face = corner_score.mul_round(V::splat(simd, CORNER_FACE));
    let corner_edge = corner_score.mul_round(V::splat(simd, CORNER_EDGE));
    let (mut edge_rival, mut corner_rival) = (face_score, face_score);
    if EMPTY {
        // The rank of an empty class is below that of any neighbour, and loses to it as a face's. But times the weight of
        // an edge or a corner it is above the least scores.
        edge_rival = edge_rival.max(V::splat(simd, EDGE_LEAST));
        corner_rival = corner_rival.max(V::splat(simd, CORNER_LEAST));
    }
    let edge_loses = edge_face.lt(edge_rival);
    let corner_loses = corner_face.lt(corner_rival).or(corner_edge.lt(edge_score));
    let best = face_rank.select(edge_loses, edge_rank);
    let best = best.select(corner_loses, corner_rank);
    // Where the largest difference is zero the classes that have it tie, and the lowest code has the highest rank. That
    // rank is then no more than the complement of the code: anywhere else more bits of it are set.
    let highest = face_rank.max(edge_rank).max(corner_rank);
    let label = best.not_and(low_bits).min_unsigned(highest.xor(low_bits));
    // (One comparison of the largest, and the rest where that is below a limit: 0.96 of the time, and 1.8 times as long
    // where that is hard to foresee. Of the largest of what compares with faces': no gain.)
    let [face_limit, edge_limit, corner_limit] = weights.byte_limits;
    let below = face_rank
        .lt(V::splat(simd, face_limit))
        .and(edge_rank.lt(V::splat(simd, edge_limit)))
        .and(corner_rank.lt(V::splat(simd, corner_limit)));
    let label = V::splat(simd, i16::from(LABEL_CENTER)).select(below, label);
    let mut rank = best;
    if EMPTY {
        // (Not computed where there are no slopes.)
        let nothing = V::splat(simd, LAST_KEY).lt(face.min(edge).min(corner));
        rank = V::splat(simd, NO_RANK).select(nothing, rank);
    }
    ByteBest { label, rank, edge_loses, corner_loses }
}

/// Whether a class without neighbours is below these limits, as it has to be, whatever the centre.
pub(crate) fn empty_is_below(limits: [i16; 3]) -> bool {
    limits.iter().all(|&limit| limit > LAST_EMPTY)
}

/// A limit on differences as one on the ranks of bytes.
pub(crate) fn byte_limit(limit: f64) -> i16 {
    // Saturates above the least rank of an empty class, and below those of all neighbours.
    ((limit * f64::from(BYTE_SCALE) + f64::from(OFFSET)) as i16).max(NO_RANK + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steepest::integer::wins;

    #[test]
    fn classes_of_bytes_compare_exactly_for_all_pairs_of_differences() {
        for (factor, [far_score, near_score], square) in [
            (EDGE_FACE, [EDGE_SCORE, FACE_SCORE], [1, 2]),
            (CORNER_FACE, [CORNER_SCORE, FACE_SCORE], [1, 3]),
            (CORNER_EDGE, [CORNER_SCORE, EDGE_SCORE], [2, 3]),
        ] {
            for far in -255..=255 {
                for near in -255..=255 {
                    if (far, near) != (0, 0) {
                        let exact = wins(far.into(), square, near.into());
                        let won = product(far, far_score, factor) >= near * BYTE_SCALE + near_score;
                        assert_eq!(won, exact, "{far} and {near} with {factor}");
                    }
                }
            }
        }
    }
}
