//! Slopes from winning differences and classes, on their way to memory.

use crate::isa::Isa;
use crate::simd::{Kernel, Simd, Vector, VectorF32, dispatch};
use crate::steepest::shared::{Weights, unit_weights};

/// Where a row of slopes goes.
#[derive(Clone, Copy)]
pub(crate) enum Slopes {
    Single(*mut f32),
    Double(*mut f64),
}

impl Slopes {
    /// Stores the slope of voxel `x`.
    ///
    /// # Safety
    /// There is room for it.
    #[inline(always)]
    pub unsafe fn set(self, x: isize, slope: f64) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Slopes::Single(to) => *to.offset(x) = slope as f32,
                Slopes::Double(to) => *to.offset(x) = slope,
            }
        }
    }

    /// Makes the slopes of a vector of voxels, from their winning differences and the numbers of the classes in the
    /// lanes' lowest bits, and stores them from voxel `x` on.
    ///
    /// In f64, as a rounded product with a rounded weight is not the rounded slope. Weights by selection, or from
    /// memory in a pass of its own, took 1.5 times as long as everything else together.
    ///
    /// # Safety
    /// There is room for a vector.
    #[inline(always)]
    pub unsafe fn put<S: Simd>(
        self,
        simd: S,
        weights: &Weights,
        difference: S::F32,
        class: S::F32,
        x: usize,
    ) {
        let [low, high] = S::widen(difference);
        let [low_weight, high_weight] = simd.look_up(&weights.exact, class);
        let (low, high) = (low.mul(low_weight), high.mul(high_weight));
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Slopes::Single(to) => S::store_narrow(low, high, to.add(x)),
                Slopes::Double(to) => {
                    low.store(to.add(x));
                    high.store(to.add(x + S::F64::LANES));
                }
            }
        }
    }

    /// Where slopes go and what they are made with, if they can be made in f32.
    #[inline(always)]
    pub fn split(self, weights: &Weights) -> Option<(*mut f32, &SplitWeights)> {
        match (self, &weights.split) {
            (Slopes::Single(to), Some(split)) => Some((to, split)),
            _ => None,
        }
    }
}

/// The weights of classes as sums of two f32: the slopes of integers are made in f32, by a product and a fused
/// multiply–add.
///
/// The sum is within 2⁻⁴⁸ of the weight, and so the slope wrong at most where the product lies that near to the middle of
/// two f32. Whether it is ever, is tried with all differences that there are.
pub(crate) struct SplitWeights {
    high: [f32; 32],
    low: [f32; 32],
}

impl SplitWeights {
    /// For differences up to `largest`, which come `scale` times as large, a power of two.
    pub fn new(isa: Isa, weights: &[f64; 8], scale: f32, largest: u32) -> Option<SplitWeights> {
        // By class, and by the complement of a label's five bits. (No class of cubes has the number of a label that is
        // not of that class itself.)
        let weight = |i: usize| {
            let away = |digit: usize| usize::from(digit != 1);
            let label = 31 - i;
            let class = away(label / 9) * 4 + away(label / 3 % 3) * 2 + away(label % 3);
            weights[if label < 27 { class } else { i }]
        };
        let high: [f32; 32] = std::array::from_fn(|i| weight(i) as f32);
        let low: [f32; 32] = std::array::from_fn(|i| (weight(i) - f64::from(high[i])) as f32);
        let split = SplitWeights { high: high.map(|w| w / scale), low: low.map(|w| w / scale) };
        dispatch(isa, Trial { split: &split, weights, scale, largest }).then_some(split)
    }

    /// For 16-bit integers: their differences are too many to try them all in a call, so a test has done it for voxels
    /// that are cubes of 1, and a power of two changes no digit.
    pub fn of_words(isa: Isa, weights: &[f64; 8]) -> Option<SplitWeights> {
        let unit = unit_weights();
        let scale = weights[1];
        let power = scale.to_bits().trailing_zeros() >= f64::MANTISSA_DIGITS - 1;
        let moderate = (1e-18..1e18).contains(&scale);
        let tried = power && moderate && (1..8).all(|i| weights[i] == scale * unit[i]);
        if tried { SplitWeights::new(isa, weights, 1.0, 0) } else { None }
    }

    /// The slopes of a vector of differences, all of them numbers.
    #[inline(always)]
    pub fn slopes<S: Simd>(&self, simd: S, difference: S::F32, index: S::F32) -> S::F32 {
        let (high, low) = (index.look_up(simd, &self.high), index.look_up(simd, &self.low));
        difference.mul_add(high, difference.mul(low))
    }
}

/// Whether the slopes of integers are right for these weights.
struct Trial<'a> {
    split: &'a SplitWeights,
    weights: &'a [f64; 8],
    scale: f32,
    largest: u32,
}

impl Kernel for Trial<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let Trial { split, weights, scale, largest } = self;
        if !S::FUSED {
            return false;
        }
        // A difference of the other sign has the slope of the other sign.
        for class in [1, 3, 7] {
            let index = S::F32::splat(simd, f32::from_bits(class));
            let weight = weights[class as usize];
            for first in (0..=largest).step_by(S::F32::LANES) {
                let (mut differences, mut slopes) = ([0.0; 16], [0.0; 16]);
                for (lane, difference) in differences.iter_mut().enumerate() {
                    *difference = (first + lane as u32) as f32 * scale;
                }
                // SAFETY: the arrays hold the lanes of the widest tier.
                unsafe {
                    let differences = S::F32::load(simd, differences.as_ptr());
                    split.slopes(simd, differences, index).store(slopes.as_mut_ptr());
                }
                let right = slopes.iter().take(S::F32::LANES).enumerate().all(|(lane, made)| {
                    let slope = (f64::from(first + lane as u32) * weight) as f32;
                    made.to_bits() == slope.to_bits()
                });
                if !right {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SplitWeights::of_words` relies on it.
    #[test]
    fn slopes_of_words_are_exact_for_cubes_of_one() {
        for isa in Isa::supported() {
            let split = SplitWeights::new(isa, &unit_weights(), 1.0, 65_535);
            assert_eq!(split.is_some(), isa != Isa::Portable, "{isa:?}");
        }
    }

    #[test]
    fn weights_that_would_be_wrong_are_found() {
        for isa in Isa::supported() {
            // The slope of 1 lies next to the middle of two f32; the parts end 2⁻⁴⁸ of it too early.
            let weight = 1.0 + 2f64.powi(-24) + 2f64.powi(-52);
            assert!(SplitWeights::new(isa, &[weight; 8], 1.0, 255).is_none());
            // Infinite weights are of no use.
            assert!(SplitWeights::new(isa, &unit_weights().map(|w| w * 1e200), 1.0, 255).is_none());
        }
    }
}
