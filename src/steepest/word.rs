//! Keys of 16-bit integers, as f32, and their labels and slopes.

use crate::simd::{Mask, Simd, Vector, VectorF32};
use crate::steepest::best::INTEGER;
use crate::steepest::integer::Key;
use crate::steepest::rule::{LABEL_CENTER, LABEL_MASKED};
use crate::steepest::shared::{RowOut, Weights};

/// The scale of wider integers: keys of the longest march are exact in f32.
pub(crate) const WORD_SCALE: f32 = 32.0;

/// A vector of f32.
#[derive(Clone, Copy)]
pub(crate) struct WordKey<V>(V);

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
        // (To select the winner's limit and compare once takes 1.03 of the time.)
        let [face_limit, edge_limit, corner_limit] = weights.word_limits;
        let below = V::splat(simd, face_limit)
            .lt(face_rank)
            .and(V::splat(simd, edge_limit).lt(edge_rank))
            .and(V::splat(simd, corner_limit).lt(corner_rank));
        let mut best = zero.select(below, best);
        let mut difference = zero.sub(corner.select(corner_wins, edge.select(edge_wins, face)));
        if gaps {
            let exists = center.0.lt(V::splat(simd, f32::INFINITY));
            best = best.select(exists, V::splat(simd, f32::from(LABEL_MASKED) - f32::from(LABEL_CENTER)));
            difference = difference.select(exists, zero);
        }
        let label = best.add(V::splat(simd, INTEGER + f32::from(LABEL_CENTER)));
        // SAFETY: the caller's promise.
        unsafe { label.store_low_bits::<5>(out.labels.add(x)) };
        if SLOPE {
            let splat = |class: u32| V::splat(simd, f32::from_bits(class));
            let class = splat(7).select(corner_wins, splat(3).select(edge_wins, splat(1)));
            // SAFETY: as above. (Zero less zero is +0, as is the difference.)
            unsafe {
                match out.slopes.split(weights) {
                    Some((to, split)) if !gaps => split.slopes(simd, difference, class).store(to.add(x)),
                    _ => out.slopes.put(simd, weights, difference, class, x),
                }
            }
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
    use crate::steepest::integer::wins;

    /// For each difference of a class, those of the other that are next to a tie with it.
    #[test]
    fn classes_of_words_compare_exactly_for_all_differences() {
        struct Words;
        impl Kernel for Words {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self, simd: S) {
                for (weight, square) in [(FACE_EDGE, [1, 2]), (FACE_CORNER, [1, 3]), (EDGE_CORNER, [2, 3])] {
                    for far in -65_535..=65_535i64 {
                        let tie = (far as f64 * weight).round() as i64;
                        for near in tie - 1..=tie + 1 {
                            let mut leads = [0.0f32; 16];
                            let [far_vector, near_vector] =
                                [far, near].map(|d| S::F32::splat(simd, d as f32));
                            // SAFETY: the array holds the lanes of the widest tier.
                            unsafe { lead(simd, far_vector, weight, near_vector).store(leads.as_mut_ptr()) };
                            // Ranks are of n − c: a class wins where its own is the lower.
                            let exact = wins(-far, square, -near);
                            assert_eq!(leads[0] > 0.0, exact, "{far} and {near}, {weight}");
                        }
                    }
                }
            }
        }
        Isa::supported().for_each(|isa| dispatch(isa, Words));
    }
}
