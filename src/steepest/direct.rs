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
        match (rule.minima == Minima::Reference, around.complete) {
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
unsafe fn row_of<S: Simd, const REFERENCE: bool, const GAPS: bool>(
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
            unsafe { half_of::<S, REFERENCE, GAPS>(simd, rule, around, x + half, slopes) }
        });
        // SAFETY: as above.
        unsafe { S::narrow(halves[0], halves[1]).store_bytes(labels.add(x)) };
    }
}

/// Labels, as numbers, of the vector of f64 at `x`; stores its slopes.
///
/// # Safety
/// As [`row`], with `x` a position within the row.
#[inline(always)]
unsafe fn half_of<S: Simd, const REFERENCE: bool, const GAPS: bool>(
    simd: S,
    rule: &Rule,
    around: &Neighborhood,
    x: usize,
    slopes: *mut f64,
) -> S::F64 {
    let splat = |value| S::F64::splat(simd, value);
    // SAFETY: the caller's promise, for line 0 to 8 and dx 0 to 2.
    let load = |line: *const f64, dx: usize| unsafe { S::F64::load(simd, line.add(x + dx)) };
    let center = load(around.lines[4], 1);
    let (mut best, mut slope) = (splat(f64::NEG_INFINITY), splat(f64::NEG_INFINITY));
    let mut label = splat(f64::from(LABEL_CENTER));
    for i in 0..27 {
        if i == usize::from(LABEL_CENTER) {
            if REFERENCE {
                let score = splat(REFERENCE_CENTER_SCORE);
                let wins = best.lt(score);
                best = score.select(wins, best);
                label = splat(f64::from(LABEL_CENTER)).select(wins, label);
            }
            continue;
        }
        // Lines are negated for ascent, so the difference is always centre minus neighbour.
        let mut difference = center.sub(load(around.lines[i / 3], i % 3));
        if rule.single {
            // f64 has more than twice the digits of f32: rounding twice is rounding once.
            difference = difference.round_to_f32();
        }
        let score = difference.mul(splat(rule.weights[i]));
        let mut wins = best.lt(score);
        let mut steeper = slope.lt(score);
        if REFERENCE {
            let first_nan = score.eq(score).not().and(best.eq(best));
            wins = wins.or(first_nan);
            steeper = steeper.or(first_nan);
        }
        if GAPS {
            let exists = load(around.marks[i / 3], i % 3).eq(splat(EXISTS));
            wins = wins.and(exists);
            steeper = steeper.and(exists);
        }
        best = score.select(wins, best);
        label = splat(i as f64).select(wins, label);
        slope = score.select(steeper, slope);
    }
    // SAFETY: the caller's promise.
    unsafe { slope.store(slopes.add(x)) };
    let lowest = match rule.minima {
        Minima::Reference => return label,
        Minima::Strict => best.lt(splat(0.0)),
        Minima::Flat => best.le(splat(0.0)),
    };
    splat(f64::from(LABEL_CENTER)).select(lowest, label)
}
