//! The complementary error function in vectors, scaled so that it keeps its digits however far out.
//!
//! erfcx(x) = exp(x²)·erfc(x) falls from 1 at zero like 1/(√π·x), so (1 + 2x)·erfcx(x) hardly changes. With t = (x −
//! K)/(x + K), which maps 0 ≤ x < ∞ to −1 ≤ t < 1, that is a polynomial of degree 24 to 4e-18 (from Chebyshev points,
//! in 60 digits). With the rounding of its evaluation the result is within 5 ulp for every x ≥ 0; the tests walk the
//! range.

use super::{Simd, Vector};

const K: f64 = 3.75;
const POLYNOMIAL: [f64; 25] = [
    1.237_512_630_837_827_5,
    -0.140_240_598_585_546_97,
    0.003_585_415_485_464_429_3,
    0.082_276_738_490_145_2,
    -0.108_803_930_141_748_86,
    0.092_304_321_160_377_48,
    -0.058_693_398_589_636_77,
    0.028_362_277_418_956_406,
    -0.009_746_579_558_029_276,
    0.001_755_625_852_895_295_4,
    0.000_293_713_665_591_344_8,
    -0.000_290_154_080_540_841_7,
    5.164_909_889_268_241e-5,
    2.238_423_915_508_223e-5,
    -1.144_414_623_770_052_4e-5,
    -9.735_598_967_367_75e-7,
    1.751_637_648_849_062e-6,
    -5.721_823_060_322_409e-8,
    -2.586_685_071_615_588_4e-7,
    2.326_350_870_885_912_4e-8,
    3.867_533_424_222_235_4e-8,
    -3.744_210_080_962_018e-9,
    -5.173_990_214_011_309_5e-9,
    3.111_433_380_979_925_4e-10,
    4.251_471_444_796_39e-10,
];

/// exp(x²)·erfc(x) for x ≥ 0.
#[inline(always)]
pub(crate) fn erfcx<S: Simd>(simd: S, x: S::F64) -> S::F64 {
    let splat = |value| S::F64::splat(simd, value);
    // Beyond, and at infinity, K is lost beside x.
    let bounded = x.min(splat(1e100));
    let t = bounded.sub(splat(K)).div(bounded.add(splat(K)));
    let (last, others) = POLYNOMIAL.split_last().expect("a polynomial");
    let mut p = splat(*last);
    for &c in others.iter().rev() {
        p = p.mul_add(t, splat(c));
    }
    p.div(x.add(x).add(splat(1.0)))
}
