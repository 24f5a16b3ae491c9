//! The best candidate of a vector of voxels: classes compared in f32, and where that does not decide.

use crate::simd::{Mask, Simd, Vector, VectorF32};
use crate::steepest::node::{Guard, Node};
use crate::steepest::rule::{LABEL_CENTER, LABEL_MASKED};
use crate::steepest::shared::{RowOut, Weights};

/// Codes of nodes are this more than themselves: whatever is taken away, what is left are the lowest bits.
pub(crate) const INTEGER: f32 = 12_582_912.0;

/// The best candidate so far of one vector of voxels.
pub(crate) struct Best<S: Simd> {
    pub score: S::F32,
    /// The largest score of the others.
    second: S::F32,
    difference: S::F32,
    /// The class's `Weights::group`.
    group: S::F32,
    /// In the lowest bits.
    class: S::F32,
    code: S::F32,
}

/// Scores nearer than this, relative to the larger, are told apart by the definition. Weights and products
/// carry 2⁻²⁴ each, so 2.4e-7 would do. It also bounds the gap that can hide a collision, 1.2e-7.
pub(crate) const NEAR: f32 = 5e-7;

/// Scores are this many times as large, so that no product loses digits for being tiny. That values are moderate
/// (`convert.rs`) keeps them from being too large.
pub(crate) const SCALE: f32 = 16_777_216.0;

impl<S: Simd> Best<S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        let zero = S::F32::splat(simd, 0.0);
        Best { score: zero, second: zero, difference: zero, group: zero, class: zero, code: zero }
    }

    #[inline(always)]
    pub fn first(
        &mut self,
        simd: S,
        weights: &Weights,
        center: S::F32,
        [value, code]: Node<S>,
        class: usize,
    ) {
        self.group = S::F32::splat(simd, weights.group[class]);
        self.class = S::F32::splat(simd, f32::from_bits(class as u32));
        self.difference = center.sub(value);
        self.score = self.difference.mul(S::F32::splat(simd, weights.class[class]));
        self.second = S::F32::splat(simd, f32::NEG_INFINITY);
        self.code = code;
    }

    /// Takes the next class in. `DISTINCT` promises that its weight differs from all before.
    #[inline(always)]
    pub fn next<const DISTINCT: bool>(
        &mut self,
        simd: S,
        weights: &Weights,
        center: S::F32,
        [value, code]: Node<S>,
        class: usize,
    ) {
        let weight = S::F32::splat(simd, weights.class[class]);
        let difference = center.sub(value);
        let score = difference.mul(weight);
        let higher = self.score.lt(score);
        // Equal scores of different weights are zeros, or flagged; the lower code wins.
        let first = self.score.eq(score).and(code.lt(self.code));
        let wins = higher.or(first);
        let mut lower = score.min(self.score);
        if !DISTINCT {
            // Equal differences of equal weights are a true tie.
            let group = S::F32::splat(simd, weights.group[class]);
            let tie = self.difference.eq(difference).and(self.group.eq(group));
            lower = S::F32::splat(simd, f32::NEG_INFINITY).select(tie, lower);
            self.group = group.select(wins, self.group);
        }
        self.second = lower.max(self.second);
        self.score = score.max(self.score);
        self.code = code.select(wins, self.code);
        self.difference = difference.select(wins, self.difference);
        self.class = S::F32::splat(simd, f32::from_bits(class as u32)).select(wins, self.class);
    }

    /// Where f32 cannot decide the label: another score is too near to the best or to the rule's limit, or a gap is so
    /// small that a collision may be hidden. (A collision needs one of 2⁻²³ of the winning difference, which is no larger
    /// than its score.)
    #[inline(always)]
    pub fn undecided<G: Guard<S>>(
        &self,
        simd: S,
        weights: &Weights,
        gaps: G::Gaps,
    ) -> <S::F32 as Vector>::Mask {
        let splat = |value| S::F32::splat(simd, value);
        let size = self.score.abs();
        // Not below zero for zeros, whose ties are true, nor for what is infinite: where no neighbour or centre exists.
        let slack = size.mul_add(splat(-NEAR), self.score.sub(self.second));
        let mut undecided = slack.lt(splat(0.0));
        if G::BAND {
            let [low, high] = weights.band;
            undecided = undecided.or(splat(low).lt(self.score).and(self.score.lt(splat(high))));
        }
        if G::GAPS > 0 {
            let limit = size.mul_add(splat(-NEAR / SCALE), splat(-1e-37));
            undecided = undecided.or(G::below(gaps, limit));
        }
        undecided
    }

    /// Applies the minima rule, if it may take the centre, and stores the vector of voxels from `x` on. A mask may have
    /// taken out those of `centers` that are +∞.
    ///
    /// # Safety
    /// `out` has room for it.
    #[inline(always)]
    pub unsafe fn store<G: Guard<S>, const SLOPE: bool>(
        self,
        simd: S,
        weights: &Weights,
        corner: S::F32,
        centers: Option<S::F32>,
        out: &RowOut,
        x: usize,
    ) {
        let mut label = self.code.sub(corner);
        let mut difference = self.difference;
        if G::LIMITS {
            let lowest = self.score.lt(S::F32::splat(simd, weights.threshold));
            label = S::F32::splat(simd, INTEGER + f32::from(LABEL_CENTER)).select(lowest, label);
        }
        if let Some(centers) = centers.filter(|_| G::MASKED) {
            let exists = centers.lt(S::F32::splat(simd, f32::INFINITY));
            label = label.select(exists, S::F32::splat(simd, INTEGER + f32::from(LABEL_MASKED)));
            difference = difference.select(exists, S::F32::splat(simd, 0.0));
        }
        // SAFETY: the caller's promise.
        unsafe {
            label.store_low_bits::<8>(out.labels.add(x));
            if SLOPE {
                out.slopes.put(simd, weights, difference, self.class, x);
            }
        }
    }
}
