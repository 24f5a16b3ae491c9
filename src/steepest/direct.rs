//! One row of labels by the definition's own arithmetic, in vectors of f64: 26 differences, 26 products.
//!
//! It serves what the class kernel cannot: F64, U32 and I32 images, custom weights, extreme spacings, and the
//! rows of an F32 image that hold NaN or infinity.

use crate::simd::{Mask, Simd, Vector, VectorF32, VectorF64};
use crate::steepest::border::EXISTS;
use crate::steepest::rule::{LABEL_CENTER, Minima, REFERENCE_CENTER_SCORE, Rule};

/// The nine padded lines around a row, (dz, dy) in raster order, and the marks beside them.
pub(crate) struct Neighborhood {
    pub lines: [*const f64; 9],
    pub marks: [*const f64; 9],
    /// Every neighbour exists: the marks need not be looked at.
    pub complete: bool,
}

/// Labels and slopes of `n` voxels.
///
/// # Safety
/// From each line and each mark, `n` rounded up to whole vectors of f32, and 2 more, are readable; to
/// `labels` and `slopes`, `n` rounded up is writable.
#[inline(always)]
pub(crate) unsafe fn row<S: Simd>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    n: usize,
    labels: *mut u8,
    slopes: *mut f64,
) {
    // SAFETY: the caller's promise, handed on.
    unsafe {
        match (rule.single, around.complete) {
            (true, true) => row_of::<S, true, false>(simd, rule, around, n, labels, slopes),
            (true, false) => row_of::<S, true, true>(simd, rule, around, n, labels, slopes),
            (false, true) => row_of::<S, false, false>(simd, rule, around, n, labels, slopes),
            (false, false) => row_of::<S, false, true>(simd, rule, around, n, labels, slopes),
        }
    }
}

/// # Safety
/// As [`row`].
#[inline(always)]
unsafe fn row_of<S: Simd, const SINGLE: bool, const GAPS: bool>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    n: usize,
    labels: *mut u8,
    slopes: *mut f64,
) {
    for x in (0..n).step_by(S::F32::LANES) {
        let halves = [0, S::F64::LANES].map(|half| {
            // SAFETY: x + LANES stays within `n` rounded up.
            let best = unsafe { half_of::<S, SINGLE, GAPS>(simd, rule, around, x + half) };
            // SAFETY: as above.
            unsafe { best.score.store(slopes.add(x + half)) };
            best.label(simd, rule.minima)
        });
        // SAFETY: as above.
        unsafe { S::narrow(halves[0], halves[1]).store_bytes(labels.add(x)) };
    }
}

/// The best neighbours of the vector of f64 at `x`.
///
/// # Safety
/// As [`row`], with `x` a position within the row.
#[inline(always)]
unsafe fn half_of<S: Simd, const SINGLE: bool, const GAPS: bool>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    x: usize,
) -> Best<S> {
    // SAFETY: the caller's promise.
    let best = unsafe { scan::<S, SINGLE, GAPS, false>(simd, rule, around, x) };
    if rule.minima == Minima::Reference && best.sum.eq(best.sum).not().bits() != 0 {
        // Perhaps a NaN among the scores, perhaps only ∞ − ∞ in their sum.
        // SAFETY: the caller's promise.
        return unsafe { scan::<S, SINGLE, GAPS, true>(simd, rule, around, x) };
    }
    best
}

/// The largest score among the neighbours of each voxel of a vector, and its lowest index.
struct Best<S: Simd> {
    score: S::F64,
    index: S::F64,
    /// NaN if a score is.
    sum: S::F64,
}

/// Scores of 26 neighbours in the order of their indices. With `NANS`, the first NaN wins; else none does.
///
/// # Safety
/// As [`half_of`].
#[inline(always)]
unsafe fn scan<S: Simd, const SINGLE: bool, const GAPS: bool, const NANS: bool>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    x: usize,
) -> Best<S> {
    let splat = |value| S::F64::splat(simd, value);
    // SAFETY: the caller's promise, for dx 0 to 2.
    let load = |line: *const f64, dx: usize| unsafe { S::F64::load(simd, line.add(x + dx)) };
    let center = load(around.lines[4], 1);
    let mut best =
        Best::<S> { score: splat(f64::NEG_INFINITY), index: splat(f64::from(LABEL_CENTER)), sum: splat(0.0) };
    let mut take = |i: usize| {
        let (line, dx) = (i / 3, i % 3);
        // Lines are negated for ascent, so the difference is always centre minus neighbour.
        let mut difference = center.sub(load(around.lines[line], dx));
        if SINGLE {
            // f64 has more than twice the digits of f32: rounding twice is rounding once.
            difference = difference.round_to_f32();
        }
        let mut score = difference.mul(splat(rule.weights[i]));
        if GAPS {
            let exists = load(around.marks[line], dx).eq(splat(EXISTS));
            score = score.select(exists, splat(f64::NEG_INFINITY));
        }
        let mut wins = best.score.lt(score);
        if NANS {
            wins = wins.or(score.eq(score).not().and(best.score.eq(best.score)));
            best.score = score.select(wins, best.score);
        } else {
            // As the selection would, but without the comparison in the chain from neighbour to neighbour.
            best.score = score.max(best.score);
            best.sum = best.sum.add(score);
        }
        best.index = splat(i as f64).select(wins, best.index);
    };
    // Written out, as the compiler keeps a loop of 26.
    macro_rules! take {
        ($($i:literal)*) => { $(take($i);)* };
    }
    take!(0 1 2 3 4 5 6 7 8 9 10 11 12 14 15 16 17 18 19 20 21 22 23 24 25 26);
    best
}

impl<S: Simd> Best<S> {
    /// The labels by the minima rule, as numbers.
    #[inline(always)]
    fn label(&self, simd: S, minima: Minima) -> S::F64 {
        let splat = |value| S::F64::splat(simd, value);
        let center = splat(f64::from(LABEL_CENTER));
        let lowest = match minima {
            Minima::Reference => {
                // The centre wins above the best, and at a tie with a higher index.
                let score = splat(REFERENCE_CENTER_SCORE);
                let tie = self.score.eq(score).and(center.lt(self.index));
                self.score.lt(score).or(tie)
            }
            Minima::Strict => self.score.lt(splat(0.0)),
            Minima::Flat => self.score.le(splat(0.0)),
        };
        center.select(lowest, self.index)
    }
}
