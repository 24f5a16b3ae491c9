//! The vector vocabulary: only the operations the kernels use, once per instruction-set tier.
//!
//! An algorithm is written once, as a [`Kernel`] that is generic over [`Simd`]. [`dispatch`] carries it into
//! the tier's `#[target_feature]` shell; all that the shell calls is `#[inline(always)]`, down to the single
//! instruction. A value of a `Simd` type is the proof that this machine runs the tier: it can only be had
//! from `dispatch`, and vectors can only be made from it, so that arithmetic on vectors is safe code.

use crate::isa::Isa;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod erf;
pub(crate) mod exp;
mod portable;
mod stream;

pub(crate) use stream::{LINE, drain, stream_zeros};

/// A tier: the proof that it may be used, and its vectors.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    const ISA: Isa;
    /// Whether `mul_add` rounds once.
    const FUSED: bool;
    /// How many vectors the registers hold: kernels choose the size of their blocks by it. (A portable vector
    /// takes two registers.)
    const VECTORS: usize;
    /// Whether `look_up` of f32 takes five bits of an index, and not three.
    const LONG_TABLES: bool;
    /// Vectors of f32; as many bytes as `F64`, so twice the lanes.
    type F32: Vector<Simd = Self, Elem = f32> + VectorF32;
    /// Vectors of f64.
    type F64: Vector<Simd = Self, Elem = f64> + VectorF64;
    /// Vectors of i16.
    type I16: VectorI16<Simd = Self>;

    /// The lower and the upper half of the lanes, each exactly as f64.
    fn widen(v: Self::F32) -> [Self::F64; 2];
    /// The masks of two vectors of f64 as that of the vector of f32 which they make.
    fn join(
        low: <Self::F64 as Vector>::Mask,
        high: <Self::F64 as Vector>::Mask,
    ) -> <Self::F32 as Vector>::Mask;
    /// Two vectors of f64 rounded to one of f32.
    fn narrow(low: Self::F64, high: Self::F64) -> Self::F32;
    /// Stores two vectors of f64 rounded to f32, without joining them.
    ///
    /// # Safety
    /// `F32::LANES` elements from `to` are writable.
    unsafe fn store_narrow(low: Self::F64, high: Self::F64, to: *mut f32);
    /// For each lane the element of `table` that the lowest three bits of the lane name.
    fn look_up(self, table: &[f64; 8], index: Self::F32) -> [Self::F64; 2];
}

/// The operations that vectors of f32 and of f64 share.
///
/// Comparisons are false where a lane is NaN. No operation fuses or reorders, except `mul_add`.
pub(crate) trait Vector: Copy {
    type Simd: Simd;
    type Elem: Copy + Send + Sync + 'static;
    type Mask: Mask;
    const LANES: usize;

    fn splat(simd: Self::Simd, value: Self::Elem) -> Self;
    /// # Safety
    /// `LANES` elements from `from` are readable; no alignment is needed.
    unsafe fn load(simd: Self::Simd, from: *const Self::Elem) -> Self;
    /// # Safety
    /// `LANES` elements from `to` are writable; no alignment is needed.
    unsafe fn store(self, to: *mut Self::Elem);
    /// A store past the caches, where the tier has one; [`drain`] completes it.
    ///
    /// # Safety
    /// `LANES` elements from `to` are writable, and `to` is aligned to a cache line or a vector's size within it.
    #[inline(always)]
    unsafe fn stream(self, to: *mut Self::Elem) {
        // SAFETY: the caller's promise.
        unsafe { self.store(to) }
    }

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self · factor + term`, with one rounding or two as the tier has it. Never where bits matter.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `mul_add` where the mask is set, else `term`; `factor` is finite.
    fn mul_add_where(self, mask: Self::Mask, factor: Self, term: Self) -> Self;
    /// The rounding error of `self · factor`: `product` plus it is exact (barring under- and overflow).
    fn mul_error(self, factor: Self, product: Self) -> Self;
    /// `self` where `self < other`, else `other`: so `other` on ties, ±0 among them, and on NaN.
    fn min(self, other: Self) -> Self;
    /// `self` where `self > other`, else `other`.
    fn max(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// To the nearest integer, ties to even; |self| below 2²² (f32) or 2⁵¹ (f64).
    fn round(self) -> Self;
    /// 2 to the power of an integral-valued lane, which must give a normal number.
    fn power_of_two(self) -> Self;

    fn lt(self, other: Self) -> Self::Mask;
    fn le(self, other: Self) -> Self::Mask;
    fn eq(self, other: Self) -> Self::Mask;
    /// `self` where the mask is set, else `other`.
    fn select(self, mask: Self::Mask, other: Self) -> Self;
    /// The mask whose lanes are the bits of a word from bit `first` on, a multiple of `LANES`.
    fn mask(simd: Self::Simd, word: &u32, first: usize) -> Self::Mask;
}

/// One truth value a lane.
pub(crate) trait Mask: Copy {
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn not(self) -> Self;
    /// Bit i is lane i.
    fn bits(self) -> u32;
    fn any(self) -> bool;
}

/// What only vectors of f32 do.
pub(crate) trait VectorF32: Vector {
    /// The bits of each lane, read as a signed integer, as a number.
    fn integers(self) -> Self;
    /// For each lane of `self` the element of `table` that its lowest bits name, five or three of them.
    fn look_up(self, simd: Self::Simd, table: &[f32; 32]) -> Self;
    /// Stores each lane, an integer from 0 to 255, as a byte.
    ///
    /// # Safety
    /// `LANES` bytes from `to` are writable.
    unsafe fn store_bytes(self, to: *mut u8);
    /// Stores the lowest `BITS` (up to 8) of each lane's bits as a byte.
    ///
    /// # Safety
    /// `LANES` bytes from `to` are writable.
    unsafe fn store_low_bits<const BITS: u32>(self, to: *mut u8);
    /// The lane whose bits, read as a signed integer, are the smaller: of two negative numbers the one
    /// nearer to zero, of a negative and a positive one the negative.
    fn min_bits(self, other: Self) -> Self;
    /// The lane whose bits, read as an unsigned integer, are the larger.
    fn max_unsigned(self, other: Self) -> Self;
    /// The bits that both have.
    fn and_bits(self, other: Self) -> Self;
    /// The bits of `self`, and those in which `a` and `b` differ.
    fn collect_differing(self, a: Self, b: Self) -> Self;
    /// Which of the bytes from `from` on are not zero, one a lane.
    ///
    /// # Safety
    /// `LANES` bytes from `from` are readable.
    unsafe fn nonzero(simd: Self::Simd, from: *const u8) -> Self::Mask;
    /// Where the bits, read as a signed integer, are below `other`'s.
    fn lt_bits(self, other: Self) -> Self::Mask;
    fn sqrt(self) -> Self;
    /// Stores for each lane the word whose bits from `self` to below `end` are set. Both are whole numbers from 0 on,
    /// `end` not below `self`; what lies behind the last bit is lost.
    ///
    /// # Safety
    /// `LANES` words from `to` are writable.
    unsafe fn store_runs(self, end: Self, to: *mut u32);
}

/// What only vectors of f64 do.
pub(crate) trait VectorF64: Vector {
    /// Each lane rounded to the nearest f32, and widened again.
    fn round_to_f32(self) -> Self;
}

/// What the kernel for bytes needs of vectors of i16.
pub(crate) trait VectorI16: Copy {
    type Simd: Simd;
    type Mask: Mask;
    const LANES: usize;

    fn splat(simd: Self::Simd, value: i16) -> Self;
    /// # Safety
    /// `LANES` elements from `from` are readable; no alignment is needed.
    unsafe fn load(simd: Self::Simd, from: *const i16) -> Self;
    /// # Safety
    /// `LANES` elements from `to` are writable; no alignment is needed.
    unsafe fn store(self, to: *mut i16);
    /// Stores the lanes, all of them from 0 to 255, as bytes.
    ///
    /// # Safety
    /// `LANES` bytes from `to` are writable.
    unsafe fn store_bytes(self, to: *mut u8);

    /// The lanes in their order, each as the upper and as the lower half of the bits of a lane: in one vector of f32 or
    /// in two, as many as it takes.
    fn double(self) -> [<Self::Simd as Simd>::F32; 2];
    /// The sum, or i16::MAX or MIN beyond it.
    fn add_saturating(self, other: Self) -> Self;
    /// The difference, or i16::MAX or MIN beyond it.
    fn sub_saturating(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    /// The lower of two as unsigned numbers.
    fn min_unsigned(self, other: Self) -> Self;
    /// The product divided by 2¹⁵ and rounded to the nearest integer, upwards if there are two.
    fn mul_round(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `self` with the bits of `mask` as they are in `bits`, which has no others.
    fn with_bits(self, mask: Self, bits: Self) -> Self;
    /// The bits of `mask` that are not set in `self`.
    fn not_and(self, mask: Self) -> Self;
    fn lt(self, other: Self) -> Self::Mask;
    /// `self` where the mask is set, else `other`.
    fn select(self, mask: Self::Mask, other: Self) -> Self;
}

/// Work that is written once for every tier.
pub(crate) trait Kernel {
    type Output;
    /// Runs with the tier's vectors. Implementations are `#[inline(always)]`, as is all they call.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs `kernel` in the shell of tier `isa`, which must be supported.
///
/// Inside a kernel, `dispatch(S::ISA, …)` makes a part of it a function of its own, with the tier's
/// instructions: the loops then do not compete for registers.
#[inline]
pub(crate) fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    debug_assert!(isa.is_supported());
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::enter(kernel),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::enter(kernel),
        _ => portable::enter(kernel),
    }
}

/// Makes the compiler align the stack frame of the function this is inlined into to `A`, by a local that it must keep.
/// Without one it learns too late that vectors have to be put aside there, and leaves them on any multiple of 16 bytes:
/// most then lie across two cache lines, which costs the kernels that run out of registers a tenth of the time.
#[inline(always)]
fn align_stack<A>() {
    let local = std::mem::MaybeUninit::<A>::uninit();
    std::hint::black_box(&local);
}

/// Asks for a cache line ahead of its use. The address may be anything: nothing is read.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch does not fault.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests;
