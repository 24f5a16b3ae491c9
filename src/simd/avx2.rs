//! The AVX2 tier (with FMA): 8 lanes of f32, 4 of f64, 16 registers.

use std::arch::x86_64::*;

use super::{Kernel, Mask, Simd, Vector, VectorF32, VectorF64, VectorI16, align_stack};
use crate::isa::Isa;

#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

#[derive(Clone, Copy)]
pub(crate) struct F32(__m256);

#[derive(Clone, Copy)]
pub(crate) struct F64(__m256d);

#[derive(Clone, Copy)]
pub(crate) struct I16(__m256i);

pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx2,fma")]
    #[inline(never)]
    fn shell<K: Kernel>(kernel: K) -> K::Output {
        align_stack::<__m256i>();
        kernel.run(Avx2(()))
    }
    // SAFETY: `dispatch`, the only caller, is only given supported tiers.
    unsafe { shell(kernel) }
}

/// An intrinsic in the body of a method.
macro_rules! op {
    ($body:expr) => {
        // SAFETY: a value of this module's types exists only inside `shell`, that is, on a machine with
        // AVX2 and FMA; for pointers, the caller's promise.
        unsafe { $body }
    };
}

impl Simd for Avx2 {
    const ISA: Isa = Isa::Avx2;
    const FUSED: bool = true;
    const VECTORS: usize = 16;
    type F32 = F32;
    type F64 = F64;
    const LONG_TABLES: bool = false;
    type I16 = I16;

    #[inline(always)]
    fn widen(v: F32) -> [F64; 2] {
        op!([
            F64(_mm256_cvtps_pd(_mm256_castps256_ps128(v.0))),
            F64(_mm256_cvtps_pd(_mm256_extractf128_ps::<1>(v.0))),
        ])
    }

    #[inline(always)]
    fn join(low: F64, high: F64) -> F32 {
        // The low half of every mask; the shuffle works in 128-bit lanes, the permutation puts them in order.
        op!({
            let halves = _mm256_shuffle_ps::<0x88>(_mm256_castpd_ps(low.0), _mm256_castpd_ps(high.0));
            F32(_mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(halves))))
        })
    }

    #[inline(always)]
    fn narrow(low: F64, high: F64) -> F32 {
        op!(F32(_mm256_set_m128(_mm256_cvtpd_ps(high.0), _mm256_cvtpd_ps(low.0))))
    }

    #[inline(always)]
    unsafe fn store_narrow(low: F64, high: F64, to: *mut f32) {
        op!({
            _mm_storeu_ps(to, _mm256_cvtpd_ps(low.0));
            _mm_storeu_ps(to.add(4), _mm256_cvtpd_ps(high.0));
        })
    }

    #[inline(always)]
    fn look_up(self, table: &[f64; 8], index: F32) -> [F64; 2] {
        // The lower and the upper halves of the table's elements, each looked up and put together again. (The table is
        // the same vector after vector: parting it is done once.)
        op!({
            let (first, last) =
                (_mm256_loadu_ps(table.as_ptr().cast()), _mm256_loadu_ps(table[4..].as_ptr().cast()));
            let order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
            let lower = _mm256_permutevar8x32_ps(_mm256_shuffle_ps::<0x88>(first, last), order);
            let upper = _mm256_permutevar8x32_ps(_mm256_shuffle_ps::<0xdd>(first, last), order);
            let index = _mm256_castps_si256(index.0);
            let (lower, upper) =
                (_mm256_permutevar8x32_ps(lower, index), _mm256_permutevar8x32_ps(upper, index));
            // Lanes 0, 1, 4, 5 and 2, 3, 6, 7.
            let even = _mm256_unpacklo_ps(lower, upper);
            let odd = _mm256_unpackhi_ps(lower, upper);
            [
                F64(_mm256_castps_pd(_mm256_permute2f128_ps::<0x20>(even, odd))),
                F64(_mm256_castps_pd(_mm256_permute2f128_ps::<0x31>(even, odd))),
            ]
        })
    }
}

macro_rules! vector {
    ($vector:ident, $elem:ident, $lanes:literal, $mask_of:ident, $mantissa:literal, $bias:literal,
     $splat:ident, $load:ident, $store:ident, $stream:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $fmadd:ident, $fmsub:ident,
     $min:ident, $max:ident, $andnot:ident, $round:ident, $cmp:ident, $blend:ident,
     $movemask:ident, $and:ident, $or:ident, $xor:ident, $to_int:ident, $from_int:ident, $shift:ident) => {
        impl Vector for $vector {
            type Simd = Avx2;
            type Elem = $elem;
            type Mask = $vector;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(_: Avx2, value: $elem) -> Self {
                op!($vector($splat(value)))
            }
            #[inline(always)]
            unsafe fn load(_: Avx2, from: *const $elem) -> Self {
                op!($vector($load(from)))
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                op!($store(to, self.0))
            }
            #[inline(always)]
            unsafe fn stream(self, to: *mut $elem) {
                op!($stream(to, self.0))
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                op!($vector($add(self.0, other.0)))
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                op!($vector($sub(self.0, other.0)))
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                op!($vector($mul(self.0, other.0)))
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                op!($vector($div(self.0, other.0)))
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                op!($vector($fmadd(self.0, factor.0, term.0)))
            }
            #[inline(always)]
            fn mul_add_where(self, mask: Self, factor: Self, term: Self) -> Self {
                // A select would be a blend of three instructions on some machines.
                op!($vector($fmadd($and(self.0, mask.0), factor.0, term.0)))
            }
            #[inline(always)]
            fn mul_error(self, factor: Self, product: Self) -> Self {
                op!($vector($fmsub(self.0, factor.0, product.0)))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                op!($vector($min(self.0, other.0)))
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                op!($vector($max(self.0, other.0)))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                op!($vector($andnot($splat(-0.0), self.0)))
            }
            #[inline(always)]
            fn round(self) -> Self {
                op!($vector($round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                // The sum's lowest bits hold the biased exponent; the shift moves them to their place.
                op!({
                    let magic = $splat(((1u64 << $mantissa) + $bias) as $elem);
                    $vector($from_int($shift::<$mantissa>($to_int($add(self.0, magic)))))
                })
            }
            #[inline(always)]
            fn lt(self, other: Self) -> Self {
                op!($vector($cmp::<_CMP_LT_OQ>(self.0, other.0)))
            }
            #[inline(always)]
            fn le(self, other: Self) -> Self {
                op!($vector($cmp::<_CMP_LE_OQ>(self.0, other.0)))
            }
            #[inline(always)]
            fn eq(self, other: Self) -> Self {
                op!($vector($cmp::<_CMP_EQ_OQ>(self.0, other.0)))
            }
            #[inline(always)]
            fn select(self, mask: Self, other: Self) -> Self {
                op!($vector($blend(other.0, self.0, mask.0)))
            }
            #[inline(always)]
            fn mask(simd: Avx2, word: &u32, first: usize) -> Self {
                debug_assert!(first + $lanes <= 32 && first % $lanes == 0);
                $mask_of(simd, word, first)
            }
        }

        impl Mask for $vector {
            #[inline(always)]
            fn and(self, other: Self) -> Self {
                op!($vector($and(self.0, other.0)))
            }
            #[inline(always)]
            fn or(self, other: Self) -> Self {
                op!($vector($or(self.0, other.0)))
            }
            #[inline(always)]
            fn not(self) -> Self {
                op!($vector($xor(self.0, $from_int(_mm256_set1_epi32(-1)))))
            }
            #[inline(always)]
            fn bits(self) -> u32 {
                op!($movemask(self.0) as u32)
            }
            #[inline(always)]
            fn any(self) -> bool {
                self.bits() != 0
            }
        }
    };
}
vector!(
    F32,
    f32,
    8,
    mask_of_f32,
    23,
    127,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_stream_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_fmsub_ps,
    _mm256_min_ps,
    _mm256_max_ps,
    _mm256_andnot_ps,
    _mm256_round_ps,
    _mm256_cmp_ps,
    _mm256_blendv_ps,
    _mm256_movemask_ps,
    _mm256_and_ps,
    _mm256_or_ps,
    _mm256_xor_ps,
    _mm256_castps_si256,
    _mm256_castsi256_ps,
    _mm256_slli_epi32
);
vector!(
    F64,
    f64,
    4,
    mask_of_f64,
    52,
    1023,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_stream_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fmadd_pd,
    _mm256_fmsub_pd,
    _mm256_min_pd,
    _mm256_max_pd,
    _mm256_andnot_pd,
    _mm256_round_pd,
    _mm256_cmp_pd,
    _mm256_blendv_pd,
    _mm256_movemask_pd,
    _mm256_and_pd,
    _mm256_or_pd,
    _mm256_xor_pd,
    _mm256_castpd_si256,
    _mm256_castsi256_pd,
    _mm256_slli_epi64
);

/// Stores integers from 0 to 255 as bytes.
///
/// # Safety
/// Eight bytes are writable, on a machine with the tier's features.
#[inline(always)]
unsafe fn store_words(words: __m256i, to: *mut u8) {
    op!({
        let (low, high) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        let halves = _mm_packus_epi32(low, high);
        _mm_storel_epi64(to.cast(), _mm_packus_epi16(halves, halves));
    })
}

impl VectorF32 for F32 {
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        op!(store_words(_mm256_cvtps_epi32(self.0), to))
    }
    #[inline(always)]
    fn integers(self) -> Self {
        op!(F32(_mm256_cvtepi32_ps(_mm256_castps_si256(self.0))))
    }
    #[inline(always)]
    fn look_up(self, _: Avx2, table: &[f32; 32]) -> Self {
        op!(F32(_mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr()), _mm256_castps_si256(self.0))))
    }
    #[inline(always)]
    unsafe fn store_low_bits<const BITS: u32>(self, to: *mut u8) {
        op!({
            let words = _mm256_castps_si256(self.0);
            store_words(_mm256_and_si256(words, _mm256_set1_epi32((1 << BITS) - 1)), to);
        })
    }
    #[inline(always)]
    fn min_bits(self, other: Self) -> Self {
        op!(F32(_mm256_castsi256_ps(_mm256_min_epi32(
            _mm256_castps_si256(self.0),
            _mm256_castps_si256(other.0)
        ))))
    }
    #[inline(always)]
    fn max_unsigned(self, other: Self) -> Self {
        op!(F32(_mm256_castsi256_ps(_mm256_max_epu32(
            _mm256_castps_si256(self.0),
            _mm256_castps_si256(other.0)
        ))))
    }
    #[inline(always)]
    fn and_bits(self, other: Self) -> Self {
        op!(F32(_mm256_and_ps(self.0, other.0)))
    }
    #[inline(always)]
    fn collect_differing(self, a: Self, b: Self) -> Self {
        op!(F32(_mm256_castsi256_ps(_mm256_or_si256(
            _mm256_castps_si256(self.0),
            _mm256_xor_si256(_mm256_castps_si256(a.0), _mm256_castps_si256(b.0))
        ))))
    }
    #[inline(always)]
    unsafe fn nonzero(_: Avx2, from: *const u8) -> Self {
        op!({
            let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            F32(_mm256_castsi256_ps(_mm256_cmpgt_epi32(bytes, _mm256_setzero_si256())))
        })
    }
    #[inline(always)]
    fn lt_bits(self, other: Self) -> Self {
        op!(F32(_mm256_castsi256_ps(_mm256_cmpgt_epi32(
            _mm256_castps_si256(other.0),
            _mm256_castps_si256(self.0)
        ))))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        op!(F32(_mm256_sqrt_ps(self.0)))
    }
    #[inline(always)]
    unsafe fn store_runs(self, end: Self, to: *mut u32) {
        // A shift by more than there are bits leaves 0.
        op!({
            let from = |v: __m256| _mm256_sllv_epi32(_mm256_set1_epi32(-1), _mm256_cvttps_epi32(v));
            _mm256_storeu_si256(to.cast(), _mm256_andnot_si256(from(end.0), from(self.0)))
        })
    }
}

/// The mask of the lanes whose bits are set in a word. (The bits that are asked for stay the same in a loop, so that
/// this is a broadcast from memory and two operations.)
#[inline(always)]
fn mask_of_f32(_: Avx2, word: &u32, first: usize) -> F32 {
    op!({
        let each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        let each = _mm256_sll_epi32(each, _mm_cvtsi32_si128(first as i32));
        let set = _mm256_and_si256(_mm256_set1_epi32(*word as i32), each);
        F32(_mm256_castsi256_ps(_mm256_cmpeq_epi32(set, each)))
    })
}

/// The same for f64.
#[inline(always)]
fn mask_of_f64(_: Avx2, word: &u32, first: usize) -> F64 {
    op!({
        // Both halves of a lane hold the word.
        let each = _mm256_setr_epi64x(0x1_0000_0001, 0x2_0000_0002, 0x4_0000_0004, 0x8_0000_0008);
        let each = _mm256_sll_epi32(each, _mm_cvtsi32_si128(first as i32));
        let set = _mm256_and_si256(_mm256_set1_epi32(*word as i32), each);
        F64(_mm256_castsi256_pd(_mm256_cmpeq_epi32(set, each)))
    })
}

impl VectorF64 for F64 {
    #[inline(always)]
    fn round_to_f32(self) -> Self {
        op!(F64(_mm256_cvtps_pd(_mm256_cvtpd_ps(self.0))))
    }
}

impl VectorI16 for I16 {
    type Simd = Avx2;
    type Mask = I16;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(_: Avx2, value: i16) -> Self {
        op!(I16(_mm256_set1_epi16(value)))
    }
    #[inline(always)]
    unsafe fn load(_: Avx2, from: *const i16) -> Self {
        op!(I16(_mm256_loadu_si256(from.cast())))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i16) {
        op!(_mm256_storeu_si256(to.cast(), self.0))
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        op!({
            let (low, high) = (_mm256_castsi256_si128(self.0), _mm256_extracti128_si256::<1>(self.0));
            _mm_storeu_si128(to.cast(), _mm_packus_epi16(low, high));
        })
    }
    #[inline(always)]
    fn double(self) -> [F32; 2] {
        // Unpacking takes from each half its lower half or its upper.
        op!({
            let v = _mm256_permute4x64_epi64::<0b11_01_10_00>(self.0);
            [
                F32(_mm256_castsi256_ps(_mm256_unpacklo_epi16(v, v))),
                F32(_mm256_castsi256_ps(_mm256_unpackhi_epi16(v, v))),
            ]
        })
    }
    #[inline(always)]
    fn add_saturating(self, other: Self) -> Self {
        op!(I16(_mm256_adds_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn sub_saturating(self, other: Self) -> Self {
        op!(I16(_mm256_subs_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        op!(I16(_mm256_min_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        op!(I16(_mm256_max_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn min_unsigned(self, other: Self) -> Self {
        op!(I16(_mm256_min_epu16(self.0, other.0)))
    }
    #[inline(always)]
    fn mul_round(self, other: Self) -> Self {
        op!(I16(_mm256_mulhrs_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        op!(I16(_mm256_or_si256(self.0, other.0)))
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        op!(I16(_mm256_xor_si256(self.0, other.0)))
    }
    #[inline(always)]
    fn with_bits(self, mask: Self, bits: Self) -> Self {
        op!(I16(_mm256_or_si256(_mm256_andnot_si256(mask.0, self.0), bits.0)))
    }
    #[inline(always)]
    fn not_and(self, mask: Self) -> Self {
        op!(I16(_mm256_andnot_si256(self.0, mask.0)))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> I16 {
        op!(I16(_mm256_cmpgt_epi16(other.0, self.0)))
    }
    #[inline(always)]
    fn select(self, mask: I16, other: Self) -> Self {
        op!(I16(_mm256_blendv_epi8(other.0, self.0, mask.0)))
    }
}

impl Mask for I16 {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        op!(I16(_mm256_and_si256(self.0, other.0)))
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        op!(I16(_mm256_or_si256(self.0, other.0)))
    }
    #[inline(always)]
    fn not(self) -> Self {
        op!(I16(_mm256_xor_si256(self.0, _mm256_set1_epi32(-1))))
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        // Two bits a lane in the byte mask; the even ones, closed up.
        let mut bits = op!(_mm256_movemask_epi8(self.0) as u32) & 0x5555_5555;
        for (shift, kept) in [(1, 0x3333_3333), (2, 0x0f0f_0f0f), (4, 0x00ff_00ff), (8, 0x0000_ffff)] {
            bits = (bits | bits >> shift) & kept;
        }
        bits
    }
    #[inline(always)]
    fn any(self) -> bool {
        op!(_mm256_movemask_epi8(self.0) != 0)
    }
}
