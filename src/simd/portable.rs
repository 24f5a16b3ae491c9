//! The portable tier: `wide`'s vectors of eight f32 and four f64, compiled for what every processor of the
//! target has. `wide` picks its instructions at compile time, so it serves this tier alone.

use wide::{f32x8, f64x4, i16x8, u16x8};

use super::{Kernel, Mask, Simd, Vector, VectorF32, VectorF64, VectorI16};
use crate::isa::Isa;

#[derive(Clone, Copy)]
pub(crate) struct Portable(());

#[inline(never)]
pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Portable(()))
}

impl Simd for Portable {
    const ISA: Isa = Isa::Portable;
    const FUSED: bool = false;
    const VECTORS: usize = if cfg!(target_arch = "aarch64") { 16 } else { 8 };
    type F32 = f32x8;
    type F64 = f64x4;
    const LONG_TABLES: bool = false;
    type I16 = i16x8;

    #[inline(always)]
    fn widen(v: f32x8) -> [f64x4; 2] {
        let v = v.to_array();
        [0, 4].map(|i| f64x4::new(std::array::from_fn(|lane| f64::from(v[i + lane]))))
    }

    #[inline(always)]
    fn join(low: f64x4, high: f64x4) -> f32x8 {
        let (low, high) = (low.to_array(), high.to_array());
        let half = |mask: f64| f32::from_bits(mask.to_bits() as u32);
        f32x8::new(std::array::from_fn(|i| if i < 4 { half(low[i]) } else { half(high[i - 4]) }))
    }

    #[inline(always)]
    fn narrow(low: f64x4, high: f64x4) -> f32x8 {
        let (low, high) = (low.to_array(), high.to_array());
        f32x8::new(std::array::from_fn(|i| if i < 4 { low[i] as f32 } else { high[i - 4] as f32 }))
    }

    #[inline(always)]
    unsafe fn store_narrow(low: f64x4, high: f64x4, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { Self::narrow(low, high).store(to) }
    }

    #[inline(always)]
    fn look_up(self, table: &[f64; 8], index: f32x8) -> [f64x4; 2] {
        let index = index.to_array();
        [0, 4]
            .map(|i| f64x4::new(std::array::from_fn(|lane| table[(index[i + lane].to_bits() & 7) as usize])))
    }
}

impl Mask for f32x8 {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }
    #[inline(always)]
    fn not(self) -> Self {
        !self
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bitmask()
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.to_bitmask() != 0
    }
}

impl Mask for i16x8 {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }
    #[inline(always)]
    fn not(self) -> Self {
        !self
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bitmask()
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.to_bitmask() != 0
    }
}

impl Mask for f64x4 {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }
    #[inline(always)]
    fn not(self) -> Self {
        !self
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bitmask()
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.to_bitmask() != 0
    }
}

/// For every pattern of bits its mask.
macro_rules! masks {
    ($bits:ident, $lanes:literal) => {{
        let mut masks = [[0; $lanes]; 1 << $lanes];
        let mut i = 0;
        while i < $lanes << $lanes {
            masks[i / $lanes][i % $lanes] = if i / $lanes >> (i % $lanes) & 1 == 0 { 0 } else { $bits::MAX };
            i += 1;
        }
        masks
    }};
}

macro_rules! vector {
    ($vector:ident, $elem:ident, $lanes:literal, $bits:ident, $mantissa:literal, $bias:literal, $splitter:literal) => {
        impl Vector for $vector {
            type Simd = Portable;
            type Elem = $elem;
            type Mask = $vector;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(_: Portable, value: $elem) -> Self {
                <$vector>::splat(value)
            }
            #[inline(always)]
            unsafe fn load(_: Portable, from: *const $elem) -> Self {
                // SAFETY: the caller's promise; the array has the element's alignment.
                <$vector>::new(unsafe { *from.cast::<[$elem; $lanes]>() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: the caller's promise; the array has the element's alignment.
                unsafe { *to.cast::<[$elem; $lanes]>() = self.to_array() }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                self / other
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                self * factor + term
            }
            #[inline(always)]
            fn mul_add_where(self, mask: Self, factor: Self, term: Self) -> Self {
                (self & mask) * factor + term
            }
            #[inline(always)]
            fn mul_error(self, factor: Self, product: Self) -> Self {
                // Without a fused multiply-add: halves of the mantissas multiply exactly (Dekker).
                let split = |v: Self| {
                    let big = v * <$vector>::splat($splitter);
                    let high = big - (big - v);
                    (high, v - high)
                };
                let ((a, b), (c, d)) = (split(self), split(factor));
                b * d - (((product - a * c) - b * c) - a * d)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // SSE2 has exactly this operation; NEON's treats NaN and ±0 differently.
                if cfg!(target_arch = "x86_64") {
                    self.fast_min(other)
                } else {
                    self.lt(other).select(self, other)
                }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // SSE2 has exactly this operation; NEON's treats NaN and ±0 differently.
                if cfg!(target_arch = "x86_64") {
                    self.fast_max(other)
                } else {
                    other.lt(self).select(self, other)
                }
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$vector>::abs(self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                // Adding 1.5·2^mantissa leaves no bits for a fraction.
                let magic = <$vector>::splat(1.5 * (1u64 << $mantissa) as $elem);
                (self + magic) - magic
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                // The sum's lowest bits hold the biased exponent; the shift moves them to their place.
                let magic = <$vector>::splat(((1u64 << $mantissa) + $bias) as $elem);
                let sums = (self + magic).to_array();
                <$vector>::new(sums.map(|sum| $elem::from_bits(sum.to_bits() << $mantissa)))
            }

            #[inline(always)]
            fn lt(self, other: Self) -> Self {
                self.simd_lt(other)
            }
            #[inline(always)]
            fn le(self, other: Self) -> Self {
                self.simd_le(other)
            }
            #[inline(always)]
            fn eq(self, other: Self) -> Self {
                self.simd_eq(other)
            }
            #[inline(always)]
            fn select(self, mask: Self, other: Self) -> Self {
                mask.select(self, other)
            }
            #[inline(always)]
            fn mask(_: Portable, word: &u32, first: usize) -> Self {
                const MASKS: [[$bits; $lanes]; 1 << $lanes] = masks!($bits, $lanes);
                static TABLE: [[$bits; $lanes]; 1 << $lanes] = MASKS;
                // (A comparison lane by lane took three times as long as this table.)
                <$vector>::new(TABLE[(*word >> first) as usize % TABLE.len()].map($elem::from_bits))
            }
        }
    };
}
vector!(f32x8, f32, 8, u32, 23, 127, 4097.0);
vector!(f64x4, f64, 4, u64, 52, 1023, 134217729.0);

impl VectorF32 for f32x8 {
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // Integers from 2²³ on stand in the lowest bits of their own f32.
        let bytes = (self + f32x8::splat(8388608.0)).to_array().map(|v| v.to_bits() as u8);
        // SAFETY: the caller's promise.
        unsafe { *to.cast::<[u8; 8]>() = bytes }
    }
    #[inline(always)]
    fn integers(self) -> Self {
        f32x8::new(self.to_array().map(|bits| bits.to_bits() as i32 as f32))
    }
    #[inline(always)]
    fn look_up(self, _: Portable, table: &[f32; 32]) -> Self {
        f32x8::new(self.to_array().map(|index| table[(index.to_bits() & 7) as usize]))
    }
    #[inline(always)]
    unsafe fn store_low_bits<const BITS: u32>(self, to: *mut u8) {
        let bytes = self.to_array().map(|v| v.to_bits() as u8 & ((1u32 << BITS) - 1) as u8);
        // SAFETY: the caller's promise.
        unsafe { *to.cast::<[u8; 8]>() = bytes }
    }
    #[inline(always)]
    fn min_bits(self, other: Self) -> Self {
        let (a, b) = (self.to_array(), other.to_array());
        f32x8::new(std::array::from_fn(|i| {
            f32::from_bits((a[i].to_bits() as i32).min(b[i].to_bits() as i32) as u32)
        }))
    }
    #[inline(always)]
    fn max_unsigned(self, other: Self) -> Self {
        let (a, b) = (self.to_array(), other.to_array());
        f32x8::new(std::array::from_fn(|i| f32::from_bits(a[i].to_bits().max(b[i].to_bits()))))
    }
    #[inline(always)]
    fn and_bits(self, other: Self) -> Self {
        self & other
    }
    #[inline(always)]
    fn collect_differing(self, a: Self, b: Self) -> Self {
        self | (a ^ b)
    }
    #[inline(always)]
    unsafe fn nonzero(_: Portable, from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        let bytes = unsafe { from.cast::<[u8; 8]>().read() };
        f32x8::new(bytes.map(f32::from)).simd_ne(f32x8::splat(0.0))
    }
    #[inline(always)]
    fn lt_bits(self, other: Self) -> Self {
        let (a, b) = (self.to_array(), other.to_array());
        f32x8::new(std::array::from_fn(|i| {
            f32::from_bits(if (a[i].to_bits() as i32) < b[i].to_bits() as i32 { u32::MAX } else { 0 })
        }))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        <f32x8>::sqrt(self)
    }
    #[inline(always)]
    unsafe fn store_runs(self, end: Self, to: *mut u32) {
        // The bits from the n-th on are −2ⁿ; there are none from the 32nd. (SSE2 cannot shift each lane by a number of
        // its own. Lane by lane, words that are put together on the stack were read back before they had been written:
        // that took three times as long.)
        let words = bits_from(self) & !bits_from(end);
        // SAFETY: the caller's promise; the array has a word's alignment.
        unsafe { *to.cast::<[i32; 8]>() = words.to_array() }
    }
}

/// The bits from the n-th on, in each lane; n is a whole number from 0 on.
#[inline(always)]
fn bits_from(n: f32x8) -> wide::i32x8 {
    let behind = f32x8::splat(32.0);
    // As in `power_of_two`, with a one on top of the exponent: the sign.
    let magic = f32x8::splat((1 << 23) as f32 + 127.0 + 256.0);
    let sums = (n.fast_min(behind) + magic).to_array();
    let powers = f32x8::new(sums.map(|sum| f32::from_bits(sum.to_bits() << 23)));
    (powers & n.simd_lt(behind)).fast_trunc_int()
}

impl VectorF64 for f64x4 {
    #[inline(always)]
    fn round_to_f32(self) -> Self {
        f64x4::new(self.to_array().map(|v| f64::from(v as f32)))
    }
}

impl VectorI16 for i16x8 {
    type Simd = Portable;
    type Mask = i16x8;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(_: Portable, value: i16) -> Self {
        <i16x8>::splat(value)
    }
    #[inline(always)]
    unsafe fn load(_: Portable, from: *const i16) -> Self {
        // SAFETY: the caller's promise; the array has the element's alignment.
        <i16x8>::new(unsafe { *from.cast::<[i16; 8]>() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i16) {
        // SAFETY: the caller's promise; the array has the element's alignment.
        unsafe { *to.cast::<[i16; 8]>() = self.to_array() }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { *to.cast::<[u8; 8]>() = self.to_array().map(|v| v as u8) }
    }
    #[inline(always)]
    fn double(self) -> [f32x8; 2] {
        let lanes = self.to_array().map(|lane| u32::from(lane as u16));
        [f32x8::new(lanes.map(|lane| f32::from_bits(lane << 16 | lane))); 2]
    }
    #[inline(always)]
    fn add_saturating(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    #[inline(always)]
    fn sub_saturating(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        <i16x8>::min(self, other)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        <i16x8>::max(self, other)
    }
    #[inline(always)]
    fn min_unsigned(self, other: Self) -> Self {
        let unsigned = |v: Self| u16x8::new(v.to_array().map(|lane| lane as u16));
        Self::new(unsigned(self).min(unsigned(other)).to_array().map(|lane| lane as i16))
    }
    #[inline(always)]
    fn mul_round(self, other: Self) -> Self {
        self.mul_scale_round(other)
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }
    #[inline(always)]
    fn with_bits(self, mask: Self, bits: Self) -> Self {
        (self & !mask) | bits
    }
    #[inline(always)]
    fn not_and(self, mask: Self) -> Self {
        !self & mask
    }
    #[inline(always)]
    fn lt(self, other: Self) -> Self {
        self.simd_lt(other)
    }
    #[inline(always)]
    fn select(self, mask: Self, other: Self) -> Self {
        mask.select(self, other)
    }
}
