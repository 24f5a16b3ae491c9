//! Sums of a Gaussian over many evenly spaced points, at a cost that does not grow with their number.

use crate::simd::{Simd, Vector};

use super::Sampling;
use super::factors::{Profile, Real, Splats};
use super::support::{Axis, Rules};
use super::voxel::{Means, unit};

/// From this sigma on, in steps between the points, sums need no term for each point.
pub(super) const WIDE: f64 = 32.0;

/// The sum of exp(−d²/2σ²) over d = low, low + step, …, high, with σ at least [`WIDE`] steps.
///
/// It is the integral from half a step before to half a step behind, plus derivatives at these ends (the formula
/// of Euler and Maclaurin, for midpoints). What follows the fifth derivative is below 8.3e-7·(step/σ)⁷ times the
/// seventh, which is below 300: less than 1e-16 of the sum, which is at least √(2π)·σ/step·(0.9 of what lies
/// between the ends).
#[inline(always)]
pub(super) fn wide_sum<S: Simd>(simd: S, low: f64, high: f64, step: f64, sigma: f64) -> f64 {
    let (low, high) = (low - 0.5 * step, high + 0.5 * step);
    let h = step / sigma;
    // The integral as the mean over one wide voxel.
    let (middle, width) = (0.5 * (low + high), high - low);
    let mut means = Means::NONE;
    means.set(width, sigma, middle.abs() / sigma, true);
    let profile = Profile { origin: middle, spacing: 0.0, center: 0.0, sigma, reach: f64::MAX };
    let splats = Splats::new(simd, &profile, true);
    let mut lanes = [0.0; 8];
    // SAFETY: the array holds the lanes of the widest tier.
    unsafe { f64::means(simd, &splats, &means, 0.0).store(lanes.as_mut_ptr()) };
    let mean = lanes[0] * unit(width, sigma);
    mean * (width / step) + ends(high / sigma, h) - ends(low / sigma, h)
}

/// The sum of a Gaussian's kept values at lattice point `k` and at `count − 1` points behind it, each a period
/// further, with sigma at least [`WIDE`] periods.
#[inline(always)]
pub(super) fn wide_images<S: Simd>(
    simd: S,
    rules: &Rules,
    axis: &Axis,
    center: f64,
    sigma: f64,
    k: f64,
    count: u64,
) -> f64 {
    let distance = |image: u64| axis.position(k + image as f64 * axis.n as f64) - center;
    let kept = |image: u64| rules.keeps(axis, distance(image), sigma);
    // At most a few images at the ends are not kept: the count is that of a whole tile.
    let (mut first, mut behind) = (0, count);
    while first < behind && !kept(first) {
        first += 1;
    }
    while first < behind && !kept(behind - 1) {
        behind -= 1;
    }
    if first == behind {
        return 0.0;
    }
    let (low, high, period) = (distance(first), distance(behind - 1), axis.n as f64 * axis.spacing);
    match rules.sampling {
        Sampling::Point => wide_sum(simd, low, high, period, sigma),
        // A voxel is small beside sigma, which a rule of eight points hardly notices.
        Sampling::Voxel => {
            let mut sum = 0.0;
            for (node, weight) in NODES {
                let shift = 0.5 * node * axis.spacing;
                sum += weight * wide_sum(simd, low - shift, high - shift, period, sigma);
                sum += weight * wide_sum(simd, low + shift, high + shift, period, sigma);
            }
            sum
        }
    }
}

/// Gauss and Legendre's rule for a mean: half of its nodes and weights.
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.181_341_891_689_181),
    (0.525_532_409_916_329, 0.156_853_322_938_943_64),
    (0.796_666_477_413_626_7, 0.111_190_517_226_687_24),
    (0.960_289_856_497_536_3, 0.050_614_268_145_188_13),
];

/// −f′h/24 + 7f‴h³/5760 − 31f⁗′h⁵/967680 of f = exp(−t²/2).
fn ends(t: f64, h: f64) -> f64 {
    let q = t * t;
    let f = (-0.5 * q).exp();
    let (first, third, fifth) = (-t, t * (3.0 - q), -t * (q * (q - 10.0) + 15.0));
    let h2 = h * h;
    f * h * (-first / 24.0 + h2 * (7.0 / 5760.0 * third - h2 * (31.0 / 967_680.0) * fifth))
}
