//! The best candidate of a vector of voxels: classes compared in f32, and where that does not decide.

use crate::simd::{Mask, Simd, Vector, VectorF32};
use crate::steepest::node::Form;
use crate::steepest::rule::LABEL_CENTER;
use crate::steepest::shared::{RowOut, Weights};

/// The best candidate so far of one vector of voxels.
pub(crate) struct Best<S: Simd> {
    pub score: S::F32,
    difference: S::F32,
    /// The class's `Weights::group`.
    group: S::F32,
    class: S::F32,
    code: S::F32,
    /// Below zero where two scores were too close to be told apart in f32.
    slack: S::F32,
}

/// Scores nearer than this, relative to the larger, are told apart by the definition. Weights and products
/// carry 2⁻²⁴ each, so 2.4e-7 would do. It also bounds the gap that can hide a collision, 1.2e-7.
pub(crate) const NEAR: f32 = 5e-7;

impl<S: Simd> Best<S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        let zero = S::F32::splat(simd, 0.0);
        Best { score: zero, difference: zero, group: zero, class: zero, code: zero, slack: zero }
    }

    #[inline(always)]
    pub fn first(
        &mut self,
        simd: S,
        weights: &Weights,
        center: S::F32,
        [value, code]: [S::F32; 2],
        class: usize,
    ) {
        self.group = S::F32::splat(simd, weights.group[class]);
        self.class = S::F32::splat(simd, class as f32);
        self.difference = center.sub(value);
        self.score = self.difference.mul(S::F32::splat(simd, weights.class[class]));
        self.code = code;
    }

    /// Takes the next class in. `DISTINCT` promises that its weight differs from all before.
    #[inline(always)]
    pub fn next<const DISTINCT: bool>(
        &mut self,
        simd: S,
        weights: &Weights,
        center: S::F32,
        [value, code]: [S::F32; 2],
        class: usize,
    ) {
        let weight = S::F32::splat(simd, weights.class[class]);
        let difference = center.sub(value);
        let score = difference.mul(weight);
        let higher = self.score.lt(score);
        // Equal scores of different weights are zeros, or flagged; the lower code wins.
        let first = self.score.eq(score).and(code.lt(self.code));
        let wins = higher.or(first);
        let best = score.max(self.score);
        let mut slack = best.abs().mul_add(S::F32::splat(simd, -NEAR), self.score.sub(score).abs());
        if !DISTINCT {
            // Equal differences of equal weights are a true tie.
            let group = S::F32::splat(simd, weights.group[class]);
            let tie = self.difference.eq(difference).and(self.group.eq(group));
            slack = S::F32::splat(simd, 0.0).select(tie, slack);
            self.group = group.select(wins, self.group);
        }
        self.slack = slack.min(self.slack);
        self.score = best;
        self.code = code.select(wins, self.code);
        self.difference = difference.select(wins, self.difference);
        self.class = S::F32::splat(simd, class as f32).select(wins, self.class);
    }

    /// Where f32 cannot decide the label.
    #[inline(always)]
    pub fn undecided<F: Form<S>>(&self, simd: S, weights: &Weights) -> <S::F32 as Vector>::Mask {
        let splat = |value| S::F32::splat(simd, value);
        let size = self.score.abs();
        let band = self.score.sub(splat(weights.threshold)).abs().sub(splat(weights.band));
        let near = band.min(self.slack).lt(splat(0.0));
        if F::INTEGERS {
            return near;
        }
        let tiny = size.lt(splat(1e-37)).and(self.score.eq(splat(0.0)).not());
        let huge = splat(1e38).lt(size);
        near.or(tiny).or(huge)
    }

    /// Applies the minima rule and stores the vector of voxels from `x` on.
    ///
    /// # Safety
    /// `out` has room for it.
    #[inline(always)]
    pub unsafe fn store<const SLOPE: bool>(
        self,
        simd: S,
        weights: &Weights,
        corner: S::F32,
        out: &RowOut,
        x: usize,
    ) {
        let label = self.code.sub(corner);
        let lowest = self.score.lt(S::F32::splat(simd, weights.threshold));
        let center = S::F32::splat(simd, f32::from(LABEL_CENTER));
        // SAFETY: the caller's promise.
        unsafe {
            center.select(lowest, label).store_bytes(out.labels.add(x));
            if SLOPE {
                self.class.store(out.classes.add(x));
                self.difference.store(out.differences.add(x));
            }
        }
    }
}
