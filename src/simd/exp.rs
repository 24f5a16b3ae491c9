//! The exponential in vectors: 2 to the power of a lane that is zero or negative.
//!
//! With n = round(y), 2^y = 2^n · 2^(y−n): an exponent, and on |y−n| ≤ ½ a polynomial 1 + r·P(r) whose largest
//! relative error was made as small as possible (Remez exchange in 60 digits; 2.5e-9 for f32, 1.8e-17 for f64).
//! Against the exact 2^y the result is within 1.5 ulp in both types wherever 2^y is a normal number; where
//! it is not, the result is zero. 2^0 is exactly 1. The tests walk the whole range.

use super::{Simd, Vector};

const F32: [f32; 6] =
    [std::f32::consts::LN_2, 0.240_226_5, 0.055_503_27, 0.009_618_057, 0.001_340_042_8, 0.000_154_614_45];

const F64: [f64; 11] = [
    0.693_147_180_559_945_7,
    0.240_226_506_959_100_97,
    0.055_504_108_664_790_39,
    0.009_618_129_107_607_003,
    0.001_333_355_815_343_996_6,
    0.000_154_035_304_415_721_32,
    1.525_272_738_519_382e-5,
    1.321_544_267_532_949_5e-6,
    1.018_064_765_924_373_4e-7,
    7.072_570_412_880_226e-9,
    4.078_071_929_599_788e-10,
];

/// 2^(n + r) for a whole n from −126 to 127 and |r| a little above ½ at most; other n give a meaningless lane.
#[inline(always)]
pub(crate) fn exp2_split_f32<S: Simd>(simd: S, n: S::F32, r: S::F32) -> S::F32 {
    let [c0, c1, c2, c3, c4, c5] = F32;
    let mut p = S::F32::splat(simd, c5);
    for c in [c4, c3, c2, c1, c0, 1.0] {
        p = p.mul_add(r, S::F32::splat(simd, c));
    }
    p.mul(n.power_of_two())
}

/// 2^(y + tail) for y ≤ 0 and a tail of at most a few ulp of y, which a plain f64 cannot hold.
#[inline(always)]
pub(crate) fn exp2_f64<S: Simd>(simd: S, y: S::F64, tail: S::F64) -> S::F64 {
    let least = S::F64::splat(simd, -1022.0);
    let normal = least.le(y);
    // Lanes far below would make n and r meaningless; their result is replaced at the end.
    let y = y.max(least);
    let n = y.round();
    let r = y.sub(n).add(tail);
    let (last, others) = F64.split_last().expect("a polynomial");
    let mut p = S::F64::splat(simd, *last);
    for &c in others.iter().rev() {
        p = p.mul_add(r, S::F64::splat(simd, c));
    }
    let value = p.mul_add(r, S::F64::splat(simd, 1.0)).mul(n.power_of_two());
    value.select(normal, S::F64::splat(simd, 0.0))
}
