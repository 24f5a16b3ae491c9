//! The AVX-512 tier (F, BW, DQ, VL): 16 lanes of f32, 8 of f64, 32 registers, masks in registers of their own.

use std::arch::x86_64::*;

use super::{Kernel, Mask, Simd, Vector, VectorF32, VectorF64, VectorI16, align_stack};
use crate::isa::Isa;

#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

#[derive(Clone, Copy)]
pub(crate) struct F32(__m512);

#[derive(Clone, Copy)]
pub(crate) struct F64(__m512d);

#[derive(Clone, Copy)]
pub(crate) struct I16(__m512i);

pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    #[inline(never)]
    fn shell<K: Kernel>(kernel: K) -> K::Output {
        align_stack::<__m512i>();
        kernel.run(Avx512(()))
    }
    // SAFETY: `dispatch`, the only caller, is only given supported tiers.
    unsafe { shell(kernel) }
}

/// An intrinsic in the body of a method.
macro_rules! op {
    ($body:expr) => {
        // SAFETY: a value of this module's types exists only inside `shell`, that is, on a machine with
        // these features; for pointers, the caller's promise.
        unsafe { $body }
    };
}

impl Simd for Avx512 {
    const ISA: Isa = Isa::Avx512;
    const FUSED: bool = true;
    const VECTORS: usize = 32;
    type F32 = F32;
    type F64 = F64;
    const LONG_TABLES: bool = true;
    type I16 = I16;

    #[inline(always)]
    fn widen(v: F32) -> [F64; 2] {
        op!([
            F64(_mm512_cvtps_pd(_mm512_castps512_ps256(v.0))),
            F64(_mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(v.0))),
        ])
    }

    #[inline(always)]
    fn join(low: __mmask8, high: __mmask8) -> __mmask16 {
        op!(_mm512_kunpackb(__mmask16::from(high), __mmask16::from(low)))
    }

    #[inline(always)]
    fn narrow(low: F64, high: F64) -> F32 {
        op!({
            let low = _mm512_castps256_ps512(_mm512_cvtpd_ps(low.0));
            F32(_mm512_insertf32x8::<1>(low, _mm512_cvtpd_ps(high.0)))
        })
    }

    #[inline(always)]
    unsafe fn store_narrow(low: F64, high: F64, to: *mut f32) {
        op!({
            _mm256_storeu_ps(to, _mm512_cvtpd_ps(low.0));
            _mm256_storeu_ps(to.add(8), _mm512_cvtpd_ps(high.0));
        })
    }

    #[inline(always)]
    fn look_up(self, table: &[f64; 8], index: F32) -> [F64; 2] {
        op!({
            let table = _mm512_loadu_pd(table.as_ptr());
            let index = _mm512_castps_si512(index.0);
            let low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(index));
            let high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64::<1>(index));
            [F64(_mm512_permutexvar_pd(low, table)), F64(_mm512_permutexvar_pd(high, table))]
        })
    }
}

macro_rules! vector {
    ($vector:ident, $elem:ident, $lanes:literal, $mask:ident, $mantissa:literal, $bias:literal,
     $splat:ident, $load:ident, $store:ident, $stream:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $fmadd:ident, $fmadd_where:ident, $fmsub:ident,
     $min:ident, $max:ident, $abs:ident, $round:ident, $cmp:ident, $blend:ident,
     $to_int:ident, $from_int:ident, $shift:ident) => {
        impl Vector for $vector {
            type Simd = Avx512;
            type Elem = $elem;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(_: Avx512, value: $elem) -> Self {
                op!($vector($splat(value)))
            }
            #[inline(always)]
            unsafe fn load(_: Avx512, from: *const $elem) -> Self {
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
            fn mul_add_where(self, mask: $mask, factor: Self, term: Self) -> Self {
                op!($vector($fmadd_where(self.0, factor.0, term.0, mask)))
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
                op!($vector($abs(self.0)))
            }
            #[inline(always)]
            fn round(self) -> Self {
                op!($vector($round::<_MM_FROUND_TO_NEAREST_INT>(self.0)))
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
            fn lt(self, other: Self) -> $mask {
                op!($cmp::<_CMP_LT_OQ>(self.0, other.0))
            }
            #[inline(always)]
            fn le(self, other: Self) -> $mask {
                op!($cmp::<_CMP_LE_OQ>(self.0, other.0))
            }
            #[inline(always)]
            fn eq(self, other: Self) -> $mask {
                op!($cmp::<_CMP_EQ_OQ>(self.0, other.0))
            }
            #[inline(always)]
            fn select(self, mask: $mask, other: Self) -> Self {
                op!($vector($blend(mask, other.0, self.0)))
            }
            #[inline(always)]
            fn mask(_: Avx512, word: &u32, first: usize) -> $mask {
                debug_assert!(first + $lanes <= 32 && first % $lanes == 0);
                // SAFETY: these lanes are whole bytes of the word. (The shift alone would not be a load of the mask.)
                unsafe {
                    std::ptr::from_ref(word).cast::<u8>().add(first / 8).cast::<$mask>().read_unaligned()
                }
            }
        }

        impl Mask for $mask {
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
                u32::from(self)
            }
            #[inline(always)]
            fn any(self) -> bool {
                self != 0
            }
        }
    };
}
vector!(
    F32,
    f32,
    16,
    __mmask16,
    23,
    127,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_stream_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_mask3_fmadd_ps,
    _mm512_fmsub_ps,
    _mm512_min_ps,
    _mm512_max_ps,
    _mm512_abs_ps,
    _mm512_roundscale_ps,
    _mm512_cmp_ps_mask,
    _mm512_mask_blend_ps,
    _mm512_castps_si512,
    _mm512_castsi512_ps,
    _mm512_slli_epi32
);
vector!(
    F64,
    f64,
    8,
    __mmask8,
    52,
    1023,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_stream_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_fmadd_pd,
    _mm512_mask3_fmadd_pd,
    _mm512_fmsub_pd,
    _mm512_min_pd,
    _mm512_max_pd,
    _mm512_abs_pd,
    _mm512_roundscale_pd,
    _mm512_cmp_pd_mask,
    _mm512_mask_blend_pd,
    _mm512_castpd_si512,
    _mm512_castsi512_pd,
    _mm512_slli_epi64
);

impl VectorF32 for F32 {
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        op!(_mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0))))
    }
    #[inline(always)]
    fn integers(self) -> Self {
        op!(F32(_mm512_cvtepi32_ps(_mm512_castps_si512(self.0))))
    }
    #[inline(always)]
    fn look_up(self, _: Avx512, table: &[f32; 32]) -> Self {
        op!({
            let (first, last) = (_mm512_loadu_ps(table.as_ptr()), _mm512_loadu_ps(table[16..].as_ptr()));
            F32(_mm512_permutex2var_ps(first, _mm512_castps_si512(self.0), last))
        })
    }
    #[inline(always)]
    unsafe fn store_low_bits<const BITS: u32>(self, to: *mut u8) {
        op!({
            let bytes = _mm512_cvtepi32_epi8(_mm512_castps_si512(self.0));
            _mm_storeu_si128(to.cast(), _mm_and_si128(bytes, _mm_set1_epi8(((1u32 << BITS) - 1) as i8)));
        })
    }
    #[inline(always)]
    fn min_bits(self, other: Self) -> Self {
        op!(F32(_mm512_castsi512_ps(_mm512_min_epi32(
            _mm512_castps_si512(self.0),
            _mm512_castps_si512(other.0)
        ))))
    }
    #[inline(always)]
    fn max_unsigned(self, other: Self) -> Self {
        op!(F32(_mm512_castsi512_ps(_mm512_max_epu32(
            _mm512_castps_si512(self.0),
            _mm512_castps_si512(other.0)
        ))))
    }
    #[inline(always)]
    fn and_bits(self, other: Self) -> Self {
        op!(F32(_mm512_and_ps(self.0, other.0)))
    }
    #[inline(always)]
    fn collect_differing(self, a: Self, b: Self) -> Self {
        op!(F32(_mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0xf6>(
            _mm512_castps_si512(self.0),
            _mm512_castps_si512(a.0),
            _mm512_castps_si512(b.0)
        ))))
    }
    #[inline(always)]
    unsafe fn nonzero(_: Avx512, from: *const u8) -> __mmask16 {
        op!({
            let bytes = _mm_loadu_si128(from.cast());
            _mm_test_epi8_mask(bytes, bytes)
        })
    }
    #[inline(always)]
    fn lt_bits(self, other: Self) -> __mmask16 {
        op!(_mm512_cmplt_epi32_mask(_mm512_castps_si512(self.0), _mm512_castps_si512(other.0)))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        op!(F32(_mm512_sqrt_ps(self.0)))
    }
    #[inline(always)]
    unsafe fn store_runs(self, end: Self, to: *mut u32) {
        // A shift by more than there are bits leaves 0.
        op!({
            let from = |v: __m512| _mm512_sllv_epi32(_mm512_set1_epi32(-1), _mm512_cvttps_epi32(v));
            _mm512_storeu_si512(to.cast(), _mm512_andnot_si512(from(end.0), from(self.0)))
        })
    }
}

impl VectorF64 for F64 {
    #[inline(always)]
    fn round_to_f32(self) -> Self {
        op!(F64(_mm512_cvtps_pd(_mm512_cvtpd_ps(self.0))))
    }
}

impl VectorI16 for I16 {
    type Simd = Avx512;
    type Mask = __mmask32;
    const LANES: usize = 32;

    #[inline(always)]
    fn splat(_: Avx512, value: i16) -> Self {
        op!(I16(_mm512_set1_epi16(value)))
    }
    #[inline(always)]
    unsafe fn load(_: Avx512, from: *const i16) -> Self {
        op!(I16(_mm512_loadu_si512(from.cast())))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i16) {
        op!(_mm512_storeu_si512(to.cast(), self.0))
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        op!(_mm256_storeu_si256(to.cast(), _mm512_cvtepi16_epi8(self.0)))
    }
    #[inline(always)]
    fn double(self) -> [F32; 2] {
        // Unpacking takes from each quarter its lower half or its upper.
        op!({
            let order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
            let v = _mm512_permutexvar_epi64(order, self.0);
            [
                F32(_mm512_castsi512_ps(_mm512_unpacklo_epi16(v, v))),
                F32(_mm512_castsi512_ps(_mm512_unpackhi_epi16(v, v))),
            ]
        })
    }
    #[inline(always)]
    fn add_saturating(self, other: Self) -> Self {
        op!(I16(_mm512_adds_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn sub_saturating(self, other: Self) -> Self {
        op!(I16(_mm512_subs_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        op!(I16(_mm512_min_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        op!(I16(_mm512_max_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn min_unsigned(self, other: Self) -> Self {
        op!(I16(_mm512_min_epu16(self.0, other.0)))
    }
    #[inline(always)]
    fn mul_round(self, other: Self) -> Self {
        op!(I16(_mm512_mulhrs_epi16(self.0, other.0)))
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        op!(I16(_mm512_or_si512(self.0, other.0)))
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        op!(I16(_mm512_xor_si512(self.0, other.0)))
    }
    #[inline(always)]
    fn with_bits(self, mask: Self, bits: Self) -> Self {
        op!(I16(_mm512_or_si512(_mm512_andnot_si512(mask.0, self.0), bits.0)))
    }
    #[inline(always)]
    fn not_and(self, mask: Self) -> Self {
        op!(I16(_mm512_andnot_si512(self.0, mask.0)))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> __mmask32 {
        op!(_mm512_cmplt_epi16_mask(self.0, other.0))
    }
    #[inline(always)]
    fn select(self, mask: __mmask32, other: Self) -> Self {
        op!(I16(_mm512_mask_blend_epi16(mask, other.0, self.0)))
    }
}

impl Mask for __mmask32 {
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
        self
    }
    #[inline(always)]
    fn any(self) -> bool {
        self != 0
    }
}
