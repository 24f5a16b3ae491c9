//! One-dimensional factors in vectors: exp(−(x−c)²/2σ²) at consecutive lattice points of one axis.
//!
//! Positions and differences are formed in f64 exactly as the definition has them; lanes outside the support
//! are zero. For an f32 grid the exponent is rounded once to f32. For an f64 grid it carries a tail, since
//! an exponent rounded to f64 would cost as many ulp as it is large.

use std::f64::consts::LOG2_E;

use crate::simd::exp::{exp2_f64, exp2_split_f32};
use crate::simd::{Simd, Vector};
use crate::volume::Element;

use super::batch::Batch;
use super::halo::MOST_VECTORS;
use super::voxel::{Means, Way};

/// log2(e) − its f64.
const LOG2_E_LOW: f64 = 2.035_527_374_093_103_3e-17;
/// An exponent whose power of two is zero in either type.
const DEAD: f64 = -1e5;

pub(super) static LANES: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// One axis of one Gaussian.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    pub origin: f64,
    pub spacing: f64,
    pub center: f64,
    pub sigma: f64,
    /// The largest |x − c| that is kept.
    pub reach: f64,
}

/// The element of a grid: what f32 and f64 do differently.
pub(super) trait Real:
    Element
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
{
    /// This type's vectors in a tier.
    type Vector<S: Simd>: Vector<Simd = S, Elem = Self>;
    /// Each factor is 2 to this power times the Gaussian. It keeps products of small factors, and factors
    /// too small for a normal number, away from zero; the tile undoes it at the end.
    const BIAS: i32;
    /// Voxels of a tile along each axis, of sums that stay in the L2 cache. Multiples of 32.
    const TILE: [usize; 3];
    /// The same for few Gaussians on a large grid, of rows as long as can be: writing them is most of the work, and takes
    /// half as long where it is done in long runs. The centres of a ball have no such tiles.
    const LONG_TILE: [usize; 3];
    /// Centres packed at a time: their factors stay in the L1 cache.
    const PACK: usize;
    const ZERO: Self;
    const MAX: f64;

    fn from_f64(value: f64) -> Self;

    /// The power of two by which weights up to `peak` are multiplied, so that sums keep away from both ends
    /// of the type's range.
    fn scale(peak: f64) -> i32;

    /// Factors, times 2^BIAS, at the lattice points from `first` on.
    fn factors<S: Simd>(simd: S, profile: &Splats<S>, first: f64) -> Self::Vector<S>;

    /// As `factors`, of a Gaussian averaged over voxels.
    fn means<S: Simd>(simd: S, profile: &Splats<S>, means: &Means, first: f64) -> Self::Vector<S>;
    /// Vector `v` of the factors of Gaussian i of a batch along axis j.
    fn line<S: Simd>(
        simd: S,
        batch: &Batch,
        shape: &Splats<S>,
        i: usize,
        j: usize,
        v: usize,
    ) -> Self::Vector<S>;
    /// Where vector `v` of a row is at most `most`, of squares in vectors of f64.
    fn at_most<S: Simd>(
        squares: &[S::F64; MOST_VECTORS],
        most: S::F64,
        v: usize,
    ) -> <Self::Vector<S> as Vector>::Mask;

    /// Vector `v` of the factors of Gaussian i of a batch along axis j of a tile of packs. Only for f32.
    fn line_factor<S: Simd>(simd: S, batch: &Batch, i: usize, j: usize, v: usize) -> Self::Vector<S>;
}

/// A profile ready for vectors.
#[derive(Clone, Copy)]
pub(super) struct Splats<S: Simd> {
    lanes: S::F64,
    origin: S::F64,
    spacing: S::F64,
    center: S::F64,
    reach: S::F64,
    /// 1/σ.
    inverse: S::F64,
    /// Only for f64 grids: a power of two near 1/σ; 1/(σ·scale) and what its rounding lost.
    scale: S::F64,
    scaled_inverse: S::F64,
    scaled_inverse_low: S::F64,
    /// What is added to exponents, in two parts.
    lift: [S::F64; 2],
    lifted: bool,
    precise: bool,
}

impl<S: Simd> Splats<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, profile: &Profile, precise: bool) -> Self {
        let splat = |value| S::F64::splat(simd, value);
        // SAFETY: the array holds the lanes of the widest tier.
        let lanes = unsafe { S::F64::load(simd, LANES.as_ptr()) };
        // A denormal sigma has no inverse; its Gaussian is one voxel at most.
        let inverse = (1.0 / profile.sigma).min(f64::MAX);
        let (mut scale, mut scaled_inverse, mut low) = (1.0, 0.0, splat(0.0));
        if precise {
            scale = power_of_two((-exponent(profile.sigma)).max(-1022));
            let sigma = profile.sigma * scale;
            scaled_inverse = 1.0 / sigma;
            let product = splat(scaled_inverse).mul(splat(sigma));
            let error = splat(scaled_inverse).mul_error(splat(sigma), product);
            low = splat(1.0).sub(product).sub(error).mul(splat(scaled_inverse));
        }
        Splats {
            lanes,
            origin: splat(profile.origin),
            spacing: splat(profile.spacing),
            center: splat(profile.center),
            reach: splat(profile.reach),
            inverse: splat(inverse),
            scale: splat(scale),
            scaled_inverse: splat(scaled_inverse),
            scaled_inverse_low: low,
            lift: [splat(0.0); 2],
            lifted: false,
            precise,
        }
    }

    /// The same Gaussian as a multiple of its value at a lattice point. (Of point samples.)
    #[inline(always)]
    pub(super) fn relative_to(&self, simd: S, point: Option<f64>) -> Self {
        let Some(point) = point else { return *self };
        let (mut exponents, mut tails) = ([0.0; 8], [0.0; 8]);
        let (d, lost) = self.distances(simd, point);
        let (y, y_low) = if self.precise {
            let (_, y, y_low) = self.exponent(simd, d, lost);
            (y, y_low)
        } else {
            let t = d.mul(self.inverse);
            (t.mul(t).mul(S::F64::splat(simd, -0.5 * LOG2_E)), S::F64::splat(simd, 0.0))
        };
        // SAFETY: the arrays hold the lanes of the widest tier.
        unsafe {
            y.store(exponents.as_mut_ptr());
            y_low.store(tails.as_mut_ptr());
        }
        let lift = [-exponents[0], -tails[0]].map(|lift| S::F64::splat(simd, lift));
        Splats { lift, lifted: true, ..*self }
    }

    /// The same Gaussian elsewhere.
    #[inline(always)]
    pub(super) fn with_center(&self, simd: S, center: f64) -> Self {
        Splats { center: S::F64::splat(simd, center), ..*self }
    }

    /// Squared distances in sigmas at the lattice points from `first` on.
    #[inline(always)]
    pub(super) fn squares(&self, simd: S, first: f64) -> S::F64 {
        let t = self.positions(simd, first).sub(self.center).mul(self.inverse);
        t.mul(t)
    }

    /// As `squares`, of the points of each voxel that are nearest to the centre.
    #[inline(always)]
    pub(super) fn nearest_squares(&self, simd: S, half: f64, first: f64) -> S::F64 {
        let d = self.positions(simd, first).sub(self.center).abs();
        let t = d.sub(S::F64::splat(simd, half)).max(S::F64::splat(simd, 0.0)).mul(self.inverse);
        t.mul(t)
    }

    /// Distances from the centre at the lattice points from `first` on, and what their rounding lost.
    #[inline(always)]
    pub(super) fn distances(&self, simd: S, first: f64) -> (S::F64, S::F64) {
        let x = self.positions(simd, first);
        let d = x.sub(self.center);
        // Knuth's sum.
        let back = d.sub(x);
        (d, x.sub(d.sub(back)).sub(self.center.add(back)))
    }

    /// For a distance and what it lost: the distance t in sigmas, and log2(exp(−t²/2)) in two parts.
    #[inline(always)]
    pub(super) fn exponent(&self, simd: S, d: S::F64, lost: S::F64) -> (S::F64, S::F64, S::F64) {
        let splat = |value| S::F64::splat(simd, value);
        let (scaled, scaled_low) = (d.mul(self.scale), lost.mul(self.scale));
        let t = scaled.mul(self.scaled_inverse);
        let t_low = scaled
            .mul_error(self.scaled_inverse, t)
            .add(scaled.mul(self.scaled_inverse_low))
            .add(scaled_low.mul(self.scaled_inverse));
        let q = t.mul(t);
        let q_low = t.mul_error(t, q).add(t.add(t).mul(t_low));
        let half = splat(-0.5 * LOG2_E);
        let y = q.mul(half);
        let y_low = q.mul_error(half, y).add(q.mul(splat(-0.5 * LOG2_E_LOW))).add(q_low.mul(half));
        (t, y, y_low)
    }

    /// Which voxels meet the support.
    #[inline(always)]
    fn meeting(&self, simd: S, half: f64, first: f64) -> <S::F64 as Vector>::Mask {
        let d = self.positions(simd, first).sub(self.center).abs();
        d.sub(S::F64::splat(simd, half)).le(self.reach)
    }

    /// Positions of the lattice points from `first` on.
    #[inline(always)]
    fn positions(&self, simd: S, first: f64) -> S::F64 {
        let k = self.lanes.add(S::F64::splat(simd, first));
        self.origin.add(k.mul(self.spacing))
    }
}

impl Real for f32 {
    type Vector<S: Simd> = S::F32;
    const BIAS: i32 = 21;
    const TILE: [usize; 3] = [32, 32, 64];
    const LONG_TILE: [usize; 3] = [8, 32, 256];
    const PACK: usize = 64;
    const ZERO: f32 = 0.0;
    const MAX: f64 = f32::MAX as f64;

    #[inline(always)]
    fn from_f64(value: f64) -> f32 {
        value as f32
    }

    fn scale(peak: f64) -> i32 {
        // Times the three factors' biases: peaks near 2^63.
        (-exponent(peak)).clamp(-1022, 63)
    }

    #[inline(always)]
    fn factors<S: Simd>(simd: S, profile: &Splats<S>, first: f64) -> S::F32 {
        let low = exponents(simd, profile, first);
        let high = exponents(simd, profile, first + S::F64::LANES as f64);
        biased_exp2(simd, low, high)
    }

    #[inline(always)]
    fn means<S: Simd>(simd: S, profile: &Splats<S>, means: &Means, first: f64) -> S::F32 {
        let second = first + S::F64::LANES as f64;
        let kept =
            S::join(profile.meeting(simd, means.half, first), profile.meeting(simd, means.half, second));
        let mean = match means.way {
            Way::Series => {
                let (low, low_series) = mean_in_parts(simd, profile, means, first);
                let (high, high_series) = mean_in_parts(simd, profile, means, second);
                biased_exp2(simd, low, high).mul(S::narrow(low_series, high_series))
            }
            Way::Edges => {
                let bias = S::F64::splat(simd, power_of_two(f32::BIAS));
                let (d, lost) = profile.distances(simd, first);
                let low = means.edges(simd, profile, d, lost);
                let (d, lost) = profile.distances(simd, second);
                let high = means.edges(simd, profile, d, lost);
                S::narrow(low.mul(bias), high.mul(bias))
            }
        };
        mean.select(kept, S::F32::splat(simd, 0.0))
    }

    #[inline(always)]
    fn line<S: Simd>(simd: S, batch: &Batch, _: &Splats<S>, i: usize, j: usize, v: usize) -> S::F32 {
        batch.single(simd, i, j, v)
    }

    #[inline(always)]
    fn at_most<S: Simd>(
        squares: &[S::F64; MOST_VECTORS],
        most: S::F64,
        v: usize,
    ) -> <S::F32 as Vector>::Mask {
        S::join(squares[2 * v].le(most), squares[2 * v + 1].le(most))
    }

    #[inline(always)]
    fn line_factor<S: Simd>(simd: S, batch: &Batch, i: usize, j: usize, v: usize) -> S::F32 {
        batch.factor(simd, i, j, v)
    }
}

/// Exponents for an f32 grid.
#[inline(always)]
fn exponents<S: Simd>(simd: S, profile: &Splats<S>, first: f64) -> S::F64 {
    let d = profile.positions(simd, first).sub(profile.center);
    let t = d.mul(profile.inverse);
    let y = t.mul(t).mul(S::F64::splat(simd, -0.5 * LOG2_E)).add(profile.lift[0]);
    y.select(d.abs().le(profile.reach), S::F64::splat(simd, DEAD))
}

/// 2 to the power of y ≤ 0 and of the bias, for an f32 grid. An exponent rounded to f32 would cost up to 1e-6: its
/// whole part is taken off before.
#[inline(always)]
fn biased_exp2<S: Simd>(simd: S, low: S::F64, high: S::F64) -> S::F32 {
    let (dead, least) = (S::F64::splat(simd, -1000.0), S::F32::splat(simd, -126.0));
    let (low, high) = (low.max(dead), high.max(dead));
    let (low_whole, high_whole) = (low.round(), high.round());
    let whole = S::narrow(low_whole, high_whole).add(S::F32::splat(simd, f32::BIAS as f32));
    let fraction = S::narrow(low.sub(low_whole), high.sub(high_whole));
    let value = exp2_split_f32(simd, whole.max(least), fraction);
    value.select(least.le(whole), S::F32::splat(simd, 0.0))
}

/// log2 of the Gaussian, and the factor that makes its mean of it, for an f32 grid.
#[inline(always)]
fn mean_in_parts<S: Simd>(simd: S, profile: &Splats<S>, means: &Means, first: f64) -> (S::F64, S::F64) {
    let t = profile.positions(simd, first).sub(profile.center).mul(profile.inverse);
    (t.mul(t).mul(S::F64::splat(simd, -0.5 * LOG2_E)), means.series(simd, t))
}

impl Real for f64 {
    type Vector<S: Simd> = S::F64;
    // 2^-1022 is small enough for every eps; the tile's scale alone keeps products normal.
    const BIAS: i32 = 0;
    const TILE: [usize; 3] = [32, 32, 32];
    const LONG_TILE: [usize; 3] = [8, 32, 128];
    const PACK: usize = 32;
    const ZERO: f64 = 0.0;
    const MAX: f64 = f64::MAX;

    #[inline(always)]
    fn from_f64(value: f64) -> f64 {
        value
    }

    fn scale(peak: f64) -> i32 {
        (512 - exponent(peak)).clamp(-1022, 1022)
    }

    #[inline(always)]
    fn line<S: Simd>(simd: S, batch: &Batch, shape: &Splats<S>, i: usize, j: usize, v: usize) -> S::F64 {
        batch.precise(simd, shape, i, j, v)
    }

    #[inline(always)]
    fn at_most<S: Simd>(
        squares: &[S::F64; MOST_VECTORS],
        most: S::F64,
        v: usize,
    ) -> <S::F64 as Vector>::Mask {
        squares[v].le(most)
    }

    #[inline(always)]
    fn line_factor<S: Simd>(_: S, _: &Batch, _: usize, _: usize, _: usize) -> S::F64 {
        unreachable!("lines are for f32")
    }

    #[inline(always)]
    fn factors<S: Simd>(simd: S, profile: &Splats<S>, first: f64) -> S::F64 {
        let (d, lost) = profile.distances(simd, first);
        let kept = d.abs().le(profile.reach);
        let (_, mut y, mut y_low) = profile.exponent(simd, d, lost);
        if profile.lifted {
            let [lift, lift_low] = profile.lift;
            // Knuth's sum.
            let sum = y.add(lift);
            let back = sum.sub(y);
            y_low = y_low.add(lift_low).add(y.sub(sum.sub(back)).add(lift.sub(back)));
            y = sum;
        }
        exp2_f64(simd, y.select(kept, S::F64::splat(simd, DEAD)), y_low)
    }

    #[inline(always)]
    fn means<S: Simd>(simd: S, profile: &Splats<S>, means: &Means, first: f64) -> S::F64 {
        let kept = profile.meeting(simd, means.half, first);
        let (d, lost) = profile.distances(simd, first);
        let mean = match means.way {
            Way::Series => {
                let (t, y, y_low) = profile.exponent(simd, d, lost);
                means.series(simd, t).mul(exp2_f64(simd, y, y_low))
            }
            Way::Edges => means.edges(simd, profile, d, lost),
        };
        mean.select(kept, S::F64::splat(simd, 0.0))
    }
}

/// The exponent e of a positive number, 2^e ≤ value < 2^(e+1); −1022 for smaller ones.
pub(super) fn exponent(value: f64) -> i32 {
    ((value.to_bits() >> 52) as i32 & 0x7ff).max(1) - 1023
}

/// 2^e, for e from −1022 to 1023.
pub(super) fn power_of_two(e: i32) -> f64 {
    debug_assert!((-1022..=1023).contains(&e));
    f64::from_bits(((e + 1023) as u64) << 52)
}
