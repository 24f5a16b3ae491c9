//! The mean of a Gaussian over a voxel, to a few ulp relative to itself, also far out in the tail.
//!
//! The plain difference of two error functions loses all its digits in the tail and for voxels much narrower
//! than the Gaussian. So there are three ways: where the Gaussian hardly changes over the voxel, a quadrature rule;
//! where the voxel lies on one side, a difference of scaled complements erfcx(x) = exp(x²)·erfc(x),
//! with the exponential taken out; where it covers the centre, a sum of two error functions.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::factors::{exponent, power_of_two};

/// Chebyshev coefficients of (1 + 2x)·erfcx(x) in (x − K)/(x + K), which maps 0 ≤ x < ∞ to −1 ≤ t < 1.
/// Computed at 60 points in 50 digits; what is left out is below 1e-18.
const ERFCX: [f64; 27] = [
    1.1775789345674017,
    -0.004590054580646478,
    -0.08424913336651792,
    0.05920993999819189,
    -0.026658668435305753,
    0.009074997670705265,
    -0.002413163540417608,
    0.0004907758365258086,
    -6.916973302501207e-05,
    4.13902798607301e-06,
    7.74038306619849e-07,
    -2.1886401049234397e-07,
    1.076499946567091e-08,
    4.521959811218287e-09,
    -7.754400208831351e-10,
    -6.318088340886684e-11,
    2.86879501093067e-11,
    1.9455868545777347e-13,
    -9.65469674843344e-13,
    3.25254814814874e-14,
    3.3478119482868056e-14,
    -1.864562880419313e-15,
    -1.2507950530688648e-15,
    7.418235256624044e-17,
    5.068148904796111e-17,
    -2.2370566594359995e-18,
    -2.187342944303018e-18,
];
const K: f64 = 3.75;

/// Gauss–Legendre: half the nodes, and the weights of a mean.
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.181_341_891_689_181),
    (0.525_532_409_916_329, 0.156_853_322_938_943_64),
    (0.796_666_477_413_626_7, 0.111_190_517_226_687_24),
    (0.960_289_856_497_536_3, 0.050_614_268_145_188_13),
];

/// The mean of exp(−t²/2σ²) for t from `d − width/2` to `d + width/2`.
pub(super) fn mean(d: f64, width: f64, sigma: f64) -> f64 {
    // A power of two takes the numbers to where products of their halves cannot overflow.
    let scale = power_of_two((-exponent(sigma)).max(-1022));
    let (d, width, sigma) = (d.abs() * scale, width * scale, sigma * scale);
    let (middle, step) = (d / sigma, width / sigma);
    let far = middle + 0.5 * step;
    if step * far < 1.0 {
        let mut sum = 0.0;
        for (node, weight) in NODES {
            let u = 0.5 * step * node;
            sum += 2.0 * weight * (-0.5 * u * u).exp() * (middle * u).cosh();
        }
        return gaussian(d, 0.0, sigma) * sum;
    }
    let near = d - 0.5 * width;
    if near >= 0.0 {
        // What the subtraction lost.
        let lost = (d - near) - 0.5 * width;
        let difference =
            erfcx(near / sigma * FRAC_1_SQRT_2) - (-middle * step).exp() * erfcx(far * FRAC_1_SQRT_2);
        return gaussian(near, lost, sigma) * difference * ((0.5 * PI).sqrt() / step);
    }
    (erf(-near / sigma * FRAC_1_SQRT_2) + erf(far * FRAC_1_SQRT_2)) * ((0.5 * PI).sqrt() / step)
}

/// exp(−(d + lost)²/2σ²), with the rounding errors of the exponent carried along.
fn gaussian(d: f64, lost: f64, sigma: f64) -> f64 {
    let t = d / sigma;
    let t_low = (((d - t * sigma) - product_error(t, sigma)) + lost) / sigma;
    let q = t * t;
    let q_low = product_error(t, t) + 2.0 * t * t_low;
    (-0.5 * q).exp() * (1.0 - 0.5 * q_low)
}

/// What the rounding of a·b lost (Dekker): no tier is asked for a fused multiply-add here.
fn product_error(a: f64, b: f64) -> f64 {
    let split = |v: f64| {
        let big = v * 134_217_729.0;
        let high = big - (big - v);
        (high, v - high)
    };
    let ((a0, a1), (b0, b1)) = (split(a), split(b));
    a1 * b1 - (((a * b - a0 * b0) - a1 * b0) - a0 * b1)
}

/// exp(x²)·erfc(x), x ≥ 0.
fn erfcx(x: f64) -> f64 {
    if x > 1e8 {
        return 1.0 / (PI.sqrt() * x);
    }
    let t = (x - K) / (x + K);
    // Clenshaw's recurrence.
    let (mut b1, mut b2) = (0.0, 0.0);
    for &c in ERFCX[1..].iter().rev() {
        (b1, b2) = (2.0 * t * b1 - b2 + c, b1);
    }
    (t * b1 - b2 + ERFCX[0]) / (1.0 + 2.0 * x)
}

/// erf(x), x ≥ 0, to an ulp of 1.
fn erf(x: f64) -> f64 {
    1.0 - (-x * x).exp() * erfcx(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_functions_have_their_known_values() {
        // 25 digits, rounded.
        for (x, expected) in [
            (0.0, 1.0),
            (0.1, 0.896_456_979_969_126_6),
            (1.0, 0.427_583_576_155_807),
            (5.0, 0.110_704_637_733_068_63),
            (30.0, 0.018_795_888_861_416_75),
        ] {
            assert!((erfcx(x) / expected - 1.0).abs() < 1e-15, "{x}: {}", erfcx(x));
        }
        assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 3e-16);
    }

    #[test]
    fn the_three_ways_meet() {
        // Two halves of a voxel have the same mean as the whole, whichever way each takes.
        for i in 0..4000 {
            let d = f64::from(i % 100) * 0.07;
            let width = 0.01 * 1.2f64.powi(i / 100);
            let whole = mean(d, width, 1.0);
            let halves =
                0.5 * (mean(d - width / 4.0, width / 2.0, 1.0) + mean(d + width / 4.0, width / 2.0, 1.0));
            assert!((whole - halves).abs() <= 6e-15 * whole, "{d} {width}: {whole} {halves}");
        }
    }
}
