//! Keys of 8-bit integers, as i16, and their labels and slopes.

use crate::simd::{Mask, Simd, Vector, VectorF32, VectorI16};
use crate::steepest::best::INTEGER;
use crate::steepest::integer::Key;
use crate::steepest::rule::{LABEL_CENTER, LABEL_MASKED};
use crate::steepest::shared::{RowOut, Weights};

/// The scale of bytes.
pub(crate) const BYTE_SCALE: i16 = 128;
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
        let removed = V::splat(simd, LAST_KEY).lt(center.0);
        if gaps && !removed.not().any() {
            // Masks mostly take out much at a time.
            // SAFETY: the caller's promise.
            unsafe { V::splat(simd, i16::from(LABEL_MASKED)).store_low_bytes(out.labels.add(x)) };
            if SLOPE {
                let (zero, class) = (S::F32::splat(simd, 0.0), S::F32::splat(simd, f32::from_bits(1)));
                for part in (0..V::LANES).step_by(S::F32::LANES) {
                    // SAFETY: the caller's promise.
                    unsafe { out.slopes.put(simd, weights, zero, class, x + part) };
                }
            }
            return;
        }
        let lowest = [face.0, edge.0, corner.0];
        let empty = gaps && V::splat(simd, LAST_KEY).lt(face.0.max(edge.0).max(corner.0)).any();
        let ByteBest { mut label, rank, class } = if empty {
            byte_labels::<S, V, true>(simd, weights, center.0, lowest)
        } else {
            byte_labels::<S, V, false>(simd, weights, center.0, lowest)
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steepest::integer::wins;

    #[test]
    fn classes_of_bytes_compare_exactly_for_all_pairs_of_differences() {
        for (factor, square, less) in
            [(EDGE_FACE, [1, 2], 1), (CORNER_FACE, [1, 3], 2), (CORNER_EDGE, [2, 3], 2)]
        {
            for far in -255..=255i32 {
                for near in -255..=255i32 {
                    let (far_score, near_score) = (128 * far - less, 128 * near - 1);
                    let product = (far_score * i32::from(factor) + 0x4000) >> 15;
                    if (far, near) != (0, 0) {
                        let exact = wins(far.into(), square, near.into());
                        assert_eq!(product + less > near_score + 1, exact, "{far} and {near} with {factor}");
                    }
                }
            }
        }
    }
}
