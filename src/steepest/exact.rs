//! Values whose differences are all exact: multiples of one number within a range that f32 has digits for.
//!
//! Integers kept as f32 are such values, counts scaled by a power of two, and random numbers made of 24 bits. The
//! kernels then need no guard (`float.rs`). A few voxels tell whether it is worth trying; whether it holds is looked
//! at for every voxel on its way into a kernel.

use crate::volume::{ElementType, Volume};

/// Adding `shift` to a value and taking it away again loses nothing, and its bits under `mask` are at most those of
/// `bound`.
///
/// Two forms: no value is negative, and multiples of `bound · 2⁻²⁴` have all 24 digits between `−bound` and 0, where the
/// shift takes them; or values have both signs, and all numbers near `3 · bound` are multiples of `bound · 2⁻²²`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    pub shift: f32,
    pub mask: f32,
    pub bound: f32,
}

const ALL_BITS: u32 = u32::MAX;
pub(crate) const NO_SIGN: u32 = u32::MAX >> 1;

impl Exact {
    /// All 16-bit integers.
    pub const INTEGERS: Exact = Exact::of_both_signs(4_194_304.0);

    const fn of_both_signs(bound: f32) -> Exact {
        Exact { shift: 3.0 * bound, mask: f32::from_bits(NO_SIGN), bound }
    }

    /// What the values of an image may be like, in these planes.
    pub fn guess(image: &Volume, planes: [usize; 2]) -> Option<Exact> {
        match image.element_type() {
            ElementType::U8 | ElementType::I8 | ElementType::U16 | ElementType::I16 => Some(Exact::INTEGERS),
            ElementType::F32 => Exact::of_samples(samples(image, planes)),
            _ => None,
        }
    }

    fn of_samples(samples: impl Iterator<Item = f32>) -> Option<Exact> {
        let (mut largest, mut negative, mut digit) = (0.0f32, false, i32::MAX);
        for value in samples.filter(|&value| value != 0.0) {
            if !value.is_normal() {
                return None;
            }
            largest = largest.max(value.abs());
            negative |= value < 0.0;
            // The place of the last binary digit.
            let mantissa = value.to_bits() | 1 << 23;
            digit = digit.min((value.to_bits() >> 23 & 255) as i32 - 150 + mantissa.trailing_zeros() as i32);
        }
        let top = (largest.to_bits() >> 23) as i32 - 127 + i32::from(largest.to_bits() << 9 != 0);
        let room = digit.saturating_add(if negative { 22 } else { 24 });
        // Scores are up to 2²⁴ · 10⁴ times a difference: beyond 2⁸⁰ they might be infinite.
        let room = room.min(80);
        if digit == i32::MAX || top > room || top < -80 {
            return None;
        }
        // Half of the room for larger values than these, half for finer ones.
        let bound = 2f32.powi(top + (room - top) / 2);
        let of_one_sign = Exact { shift: -bound, mask: f32::from_bits(ALL_BITS), bound };
        Some(if negative { Exact::of_both_signs(bound) } else { of_one_sign })
    }

    /// The bits that a value loses: 0 if it is one of these, and its bits under `mask` are not above the bound.
    #[inline(always)]
    pub fn lost(&self, value: f32) -> u32 {
        ((value + self.shift) - self.shift).to_bits() ^ value.to_bits()
    }

    /// No difference is larger.
    pub fn largest_difference(&self) -> f32 {
        if self.shift < 0.0 { self.bound } else { 2.0 * self.bound }
    }
}

/// A few pieces of rows all over these planes of a volume. (Others may not be there yet.)
fn samples(image: &Volume, planes: [usize; 2]) -> impl Iterator<Item = f32> {
    const PIECES: usize = 8;
    const LENGTH: usize = 16;
    let shape = image.shape();
    let length = shape[2].min(LENGTH);
    (0..PIECES).flat_map(move |i| {
        // Odd steps modulo 8 visit all eight places of each axis.
        let place = |step: usize, n: usize| (i * step % PIECES * 2 + 1) * (n - 1) / (2 * PIECES);
        let plane = planes[0] + place(1, planes[1] - planes[0]);
        let start = [plane, place(3, shape[1]), place(5, shape[2] - length + 1)];
        (0..length).map(move |x| {
            // SAFETY: the indices lie within the shape, and the caller knows the image to be F32.
            unsafe { *image.at::<f32>([start[0], start[1], start[2] + x]) }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::Exact;

    fn holds(exact: &Exact, value: f32) -> bool {
        exact.lost(value) == 0 && value.to_bits() & exact.mask.to_bits() <= exact.bound.to_bits()
    }

    fn guess(values: &[f32]) -> Option<Exact> {
        Exact::of_samples(values.iter().copied())
    }

    /// Of values that are held to be exact, every difference is.
    #[test]
    fn differences_of_what_holds_are_exact() {
        let cases: [&[f32]; 7] = [
            &[1e24, 5e23],
            &[0.5, 0.25 + 1.0 / 16_777_216.0, 0.999_999_94],
            &[1.0, 2.0, 4095.0],
            &[-1000.0, 3071.0, 5.0],
            &[-0.125, 0.375],
            &[16_777_216.0, 3.0],
            &[-4_194_304.0, 1.0],
        ];
        let mut state = 1u32;
        for values in cases {
            let exact = guess(values).expect("multiples of one number");
            assert!(values.iter().all(|&value| holds(&exact, value)), "{values:?}: {exact:?}");
            let mut held = values.to_vec();
            for i in 0..200_000 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Any bits, then bits near to the bound and to the finest multiples.
                let value = match i % 4 {
                    0 => f32::from_bits(state),
                    1 => f32::from_bits(exact.bound.to_bits().wrapping_add(state >> 30).wrapping_sub(2)),
                    2 => (state >> 8) as f32 * exact.bound / 16_777_216.0,
                    _ => ((state >> 8) as f32 - 8_388_608.0) * exact.bound / 8_388_608.0,
                };
                if holds(&exact, value) {
                    assert!(value.is_finite());
                    let other = held[state as usize % held.len()];
                    let difference = f64::from(value) - f64::from(other);
                    assert_eq!(f64::from(value - other), difference, "{value} - {other}: {exact:?}");
                    assert!(difference.abs() <= f64::from(exact.largest_difference()));
                    held.push(value);
                }
            }
            assert!(held.len() > 1000, "{values:?}");
            assert!((exact.largest_difference() * crate::steepest::best::SCALE * 1e4).is_finite());
        }
    }

    #[test]
    fn other_values_are_not_tried() {
        for values in [
            &[][..],
            &[0.0],
            &[2e24],
            &[f32::NAN, 1.0],
            &[1.0, f32::INFINITY],
            &[1e-39],
            &[0.1, 1e-3],
            &[-0.1, 0.7],
        ] {
            assert!(guess(values).is_none(), "{values:?}");
        }
    }
}
