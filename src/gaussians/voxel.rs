//! The mean of a Gaussian over a voxel, in vectors, to a few ulp relative to itself, also far out in the tail.
//!
//! With t the distance of the voxel's middle and s its width, both in sigmas, the mean is
//!
//! ```text
//! exp(−t²/2) · 1/s ∫ exp(−u²/2) cosh(t·u) du    over |u| ≤ s/2
//! ```
//!
//! The plain difference of two error functions loses all its digits in the tail and for voxels much narrower
//! than the Gaussian. So there are two ways:
//!
//! * Series: the integral is Σ t^(2j)/(2j)! · (the mean of u^(2j)·exp(−u²/2)), whose terms are all positive: a
//!   polynomial in t² with coefficients that only s decides. With t·s/2 up to 12 it takes up to 29 terms.
//! * Edges: for voxels so wide that it would take more, erfc(e/√2) = exp(−e²/2)·erfcx(e/√2) at the distances e of
//!   both edges, and the difference of these. Here s is above 0.6, so that hardly a digit is lost.
//!
//! A Gaussian much narrower than a voxel has means as small as its width, and all three axes together might
//! leave the range of numbers. So all means are in a unit of their own, [`unit`], which makes the largest about 1.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use crate::simd::erf::erfcx;
use crate::simd::exp::exp2_f64;
use crate::simd::{Simd, Vector};

use super::factors::Splats;

/// What means are relative to: the mean of a narrow Gaussian over the voxel around it, at most 1.
pub(super) fn unit(width: f64, sigma: f64) -> f64 {
    (TAU.sqrt() * (sigma / width)).min(1.0)
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    Series,
    Edges,
}

const MOST_TERMS: usize = 30;
/// The largest t·s/2 of the series.
const LARGEST: f64 = 12.0;

/// 1/(2j − 1) for j from 0, of which the first is not used.
const INVERSE_ODD: [f64; MOST_TERMS + 24] = {
    let mut table = [0.0; MOST_TERMS + 24];
    let mut j = 1;
    while j < table.len() {
        table[j] = 1.0 / (2 * j - 1) as f64;
        j += 1;
    }
    table
};

/// 1/(2j(2j − 1)) for j from 0, of which the first is not used.
const INVERSE_PAIR: [f64; MOST_TERMS] = {
    let mut table = [0.0; MOST_TERMS];
    let mut j = 1;
    while j < table.len() {
        table[j] = 1.0 / (2 * j * (2 * j - 1)) as f64;
        j += 1;
    }
    table
};

/// How the means of a Gaussian are computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    sigma: f64,
    pub way: Way,
    /// Half a voxel.
    pub half: f64,
    terms: usize,
    coefficients: [f64; MOST_TERMS],
    /// What the difference at the edges is multiplied by.
    factor: f64,
}

impl Means {
    /// Of no Gaussian yet.
    pub(super) const NONE: Means = Means {
        sigma: f64::NAN,
        way: Way::Edges,
        half: 0.0,
        terms: 0,
        coefficients: [0.0; MOST_TERMS],
        factor: 0.0,
    };

    /// Makes this the means over voxels of `width` of a Gaussian of `sigma`, kept up to `radius` sigmas.
    /// `precise` for f64 grids. Nothing is to be done where it is so already.
    pub(super) fn set(&mut self, width: f64, sigma: f64, radius: f64, precise: bool) {
        if self.sigma == sigma {
            return;
        }
        (self.sigma, self.half) = (sigma, 0.5 * width);
        let s = width / sigma;
        let unit = unit(width, sigma);
        let largest = (radius + 0.5 * s) * (0.5 * s);
        self.way = if largest <= LARGEST { Way::Series } else { Way::Edges };
        // mean/unit = √(2π)/s · ½(erf − erf)/unit.
        self.factor = if unit < 1.0 { 0.5 } else { 0.5 * TAU.sqrt() / s };
        if self.way == Way::Edges {
            return;
        }
        // Enough terms for 3e-17, or 3e-9.
        let (least, slope) = if precise { (9, 1.6) } else { (4, 1.7) };
        self.terms = least + (slope * largest).ceil() as usize;
        // ν_j, the mean of (2u/s)^(2j)·exp(−u²/2), downwards by partial integration. It begins with an estimate,
        // whose error a step multiplies by ratio/(2j − 1): all steps together by less than 1e-16.
        let (edge, ratio) = ((-0.125 * s * s).exp(), 0.25 * s * s);
        let start = self.terms + 1 + (1.4 * ratio).ceil() as usize;
        let mut moment = edge * INVERSE_ODD[start + 1];
        for j in (1..=start).rev() {
            moment = (moment * ratio + edge) * INVERSE_ODD[j];
            if j <= self.terms {
                self.coefficients[j - 1] = moment;
            }
        }
        let mut power = 1.0 / unit;
        for j in 0..self.terms {
            self.coefficients[j] *= power;
            power *= ratio * INVERSE_PAIR[(j + 1).min(MOST_TERMS - 1)];
        }
    }

    /// What the Gaussian at t sigmas is to be multiplied by.
    #[inline(always)]
    pub(super) fn series<S: Simd>(&self, simd: S, t: S::F64) -> S::F64 {
        let square = t.mul(t);
        let mut sum = S::F64::splat(simd, 0.0);
        for j in (0..self.terms).rev() {
            sum = sum.mul_add(square, S::F64::splat(simd, self.coefficients[j]));
        }
        sum
    }

    /// The mean at the signed distance `d`, which lost `lost` to rounding.
    #[inline(always)]
    pub(super) fn edges<S: Simd>(&self, simd: S, profile: &Splats<S>, d: S::F64, lost: S::F64) -> S::F64 {
        let splat = |value| S::F64::splat(simd, value);
        let (zero, half) = (splat(0.0), splat(self.half));
        let right = zero.le(d);
        let (d, lost) = (d.abs(), lost.select(right, zero.sub(lost)));
        // Both edges, and what their rounding lost (Knuth). Of the near one what was lost may be more than what is left:
        // they are added up.
        let near = d.sub(half);
        let back = near.sub(d);
        let rest = d.sub(near.sub(back)).sub(half.add(back)).add(lost);
        let sum = near.add(rest);
        let back = sum.sub(near);
        let (near, near_lost) = (sum, near.sub(sum.sub(back)).add(rest.sub(back)));
        let far = d.add(half);
        let forth = far.sub(d);
        let far_lost = d.sub(far.sub(forth)).add(half.sub(forth)).add(lost);

        let outside = zero.le(near);
        let near_lost = near_lost.select(outside, zero.sub(near_lost));
        let near = self.tail(simd, profile, near.abs(), near_lost);
        let far = self.tail(simd, profile, far, far_lost);
        // Where the centre lies in the voxel, both tails are what is missing.
        let difference = near.sub(far).select(outside, splat(2.0).sub(near).sub(far));
        difference.mul(splat(self.factor))
    }

    /// erfc(e/√2) at a distance e.
    #[inline(always)]
    fn tail<S: Simd>(&self, simd: S, profile: &Splats<S>, e: S::F64, lost: S::F64) -> S::F64 {
        // Nothing is left there, and nothing overflows.
        let e = e.min(S::F64::splat(simd, 64.0 * self.sigma));
        let (t, y, y_low) = profile.exponent(simd, e, lost);
        exp2_f64(simd, y, y_low).mul(erfcx(simd, t.mul(S::F64::splat(simd, FRAC_1_SQRT_2))))
    }
}
