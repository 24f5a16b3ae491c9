//! One row of labels by the definition's own arithmetic, in vectors of f64: 26 differences, 26 products.
//!
//! It serves what the class kernels cannot: F64, U32 and I32 images, weights that differ within a class, extreme
//! spacings, and the rows of an F32 image that hold NaN or infinity.

use crate::simd::{Mask, Simd, Vector, VectorF32, VectorF64};
use crate::steepest::border::EXISTS;
use crate::steepest::rule::{LABEL_CENTER, Minima, REFERENCE_CENTER_SCORE, Rule};

/// The nine padded lines around a row, (dz, dy) in raster order, and the marks beside them.
pub(crate) struct Neighborhood {
    pub lines: [*const f64; 9],
    pub marks: [*const f64; 9],
    pub gaps: Gaps,
}

/// Which neighbours may not exist, and how that is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// All do.
    None,
    /// Those that do not are infinite, while all others are moderate and all weights positive: so none of them wins. (A
    /// comparison and a selection less for each neighbour.)
    Infinite,
    /// The marks tell.
    Marked,
}

const NONE: u8 = Gaps::None as u8;
const INFINITE: u8 = Gaps::Infinite as u8;
const MARKED: u8 = Gaps::Marked as u8;

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
        match (rule.single, around.gaps) {
            (true, Gaps::None) => row_of::<S, true, NONE>(simd, rule, around, n, labels, slopes),
            (true, _) => row_of::<S, true, MARKED>(simd, rule, around, n, labels, slopes),
            (false, Gaps::None) => row_of::<S, false, NONE>(simd, rule, around, n, labels, slopes),
            (false, Gaps::Infinite) => row_of::<S, false, INFINITE>(simd, rule, around, n, labels, slopes),
            (false, Gaps::Marked) => row_of::<S, false, MARKED>(simd, rule, around, n, labels, slopes),
        }
    }
}

/// # Safety
/// As [`row`].
#[inline(always)]
unsafe fn row_of<S: Simd, const SINGLE: bool, const GAPS: u8>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    n: usize,
    labels: *mut u8,
    slopes: *mut f64,
) {
    for x in (0..n).step_by(S::F32::LANES) {
        // SAFETY: x + LANES stays within `n` rounded up. (No closure: see `take`.)
        unsafe {
            let low = half_of::<S, SINGLE, GAPS>(simd, rule, around, x);
            let high = half_of::<S, SINGLE, GAPS>(simd, rule, around, x + S::F64::LANES);
            low.score.store(slopes.add(x));
            high.score.store(slopes.add(x + S::F64::LANES));
            S::narrow(low.label(simd, rule.minima), high.label(simd, rule.minima)).store_bytes(labels.add(x));
        }
    }
}

/// The best neighbours of the vector of f64 at `x`.
///
/// # Safety
/// As [`row`], with `x` a position within the row.
#[inline(always)]
unsafe fn half_of<S: Simd, const SINGLE: bool, const GAPS: u8>(
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
unsafe fn scan<S: Simd, const SINGLE: bool, const GAPS: u8, const NANS: bool>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    x: usize,
) -> Best<S> {
    let splat = |value| S::F64::splat(simd, value);
    // SAFETY: the caller's promise.
    let mut center = unsafe { S::F64::load(simd, around.lines[4].add(x + 1)) };
    if GAPS == INFINITE {
        // Of two that do not exist the difference were no number; what comes of these centres does not matter.
        center = center.select(center.lt(splat(f64::INFINITY)), splat(0.0));
    }
    let mut best =
        Best::<S> { score: splat(f64::NEG_INFINITY), index: splat(f64::from(LABEL_CENTER)), sum: splat(0.0) };
    // Written out, as the compiler keeps a loop of 26.
    macro_rules! take {
        // SAFETY: the caller's promise.
        ($($i:literal)*) => { unsafe { $(best.take::<SINGLE, GAPS, NANS>(simd, rule, around, x, center, $i);)* } };
    }
    take!(0 1 2 3 4 5 6 7 8 9 10 11 12 14 15 16 17 18 19 20 21 22 23 24 25 26);
    best
}

impl<S: Simd> Best<S> {
    /// Takes neighbour `i` in. (A function and not a closure of `scan`: what is not inlined must not lose the
    /// tier's instructions.)
    ///
    /// # Safety
    /// As [`half_of`].
    #[inline(always)]
    unsafe fn take<const SINGLE: bool, const GAPS: u8, const NANS: bool>(
        &mut self,
        simd: S,
        rule: &Rule,
        around: &Neighborhood,
        x: usize,
        center: S::F64,
        i: usize,
    ) {
        let (line, dx) = (i / 3, i % 3);
        let splat = |value| S::F64::splat(simd, value);
        // Lines are negated for ascent, so the difference is always centre minus neighbour.
        // SAFETY: the caller's promise, for dx 0 to 2.
        let mut difference = center.sub(unsafe { S::F64::load(simd, around.lines[line].add(x + dx)) });
        if SINGLE {
            // f64 has more than twice the digits of f32: rounding twice is rounding once.
            difference = difference.round_to_f32();
        }
        let mut score = difference.mul(splat(rule.weights[i]));
        if GAPS == MARKED {
            // SAFETY: as above.
            let mark = unsafe { S::F64::load(simd, around.marks[line].add(x + dx)) };
            score = score.select(mark.eq(splat(EXISTS)), splat(f64::NEG_INFINITY));
        }
        let mut wins = self.score.lt(score);
        if NANS {
            wins = wins.or(score.eq(score).not().and(self.score.eq(self.score)));
            self.score = score.select(wins, self.score);
        } else {
            // As the selection would, but without the comparison in the chain from neighbour to neighbour.
            self.score = score.max(self.score);
            self.sum = self.sum.add(score);
        }
        self.index = splat(i as f64).select(wins, self.index);
    }

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
