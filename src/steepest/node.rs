//! Nodes of the f32 kernels: a minimum and the code of the neighbour it comes from, and what watches over merges.

use crate::simd::{Mask, Simd, Vector, VectorF32};
use crate::steepest::convert::MODERATE;
use crate::steepest::exact::Exact;
use crate::steepest::shared::Seen;

/// Value and code.
pub(crate) type Node<S> = [<S as Simd>::F32; 2];

/// What is kept of merges and noted of values, so that no label is wrong where differences are rounded.
pub(crate) trait Guard<S: Simd> {
    /// The smallest gaps so far.
    type Gaps: Copy;
    /// What has been seen among the values.
    type Watch: Copy;
    /// Vectors in memory of the gaps.
    const GAPS: usize;
    /// Whether scores may be below the limit where the rule takes the centre, as those of no neighbour are.
    const LIMITS: bool;
    /// Whether scores may be near that limit.
    const BAND: bool;
    /// Whether a mask may have taken out the centre: its gaps say nothing then.
    const MASKED: bool;

    fn watch(simd: S) -> Self::Watch;
    fn look(simd: S, exact: &Exact, value: S::F32, watch: &mut Self::Watch);
    fn seen(simd: S, exact: &Exact, watch: Self::Watch) -> Seen;
    /// Of a merge: `b − a`, which counts where it is negative.
    fn gap(a: S::F32, b: S::F32) -> Self::Gaps;
    fn both(a: Self::Gaps, b: Self::Gaps) -> Self::Gaps;
    /// Where a gap is a negative number nearer to zero than `limit`, which is one, too.
    fn below(gaps: Self::Gaps, limit: S::F32) -> <S::F32 as Vector>::Mask;
    fn gap_vectors(gaps: Self::Gaps, put: impl FnMut(usize, S::F32));
    fn gaps_from_vectors(get: impl Fn(usize) -> S::F32) -> Self::Gaps;
}

/// The lower of two nodes, `a` on a tie, whose codes must all be below `b`'s; and its gap.
#[inline(always)]
pub(crate) fn pair<S: Simd, G: Guard<S>>(a: Node<S>, b: Node<S>) -> (Node<S>, G::Gaps) {
    let lower = b[0].lt(a[0]);
    ([b[0].min(a[0]), b[1].select(lower, a[1])], G::gap(a[0], b[0]))
}

/// The same, with the gap among others.
#[inline(always)]
pub(crate) fn merge<S: Simd, G: Guard<S>>(a: Node<S>, b: Node<S>, gaps: &mut G::Gaps) -> Node<S> {
    let (node, gap) = pair::<S, G>(a, b);
    *gaps = G::both(*gaps, gap);
    node
}

/// The negative number next to −0.
const NEXT_TO_ZERO: u32 = 1 << 31 | 1;

/// Nothing that could keep a kernel from its fastest way.
pub(crate) const PLAIN: u8 = 0;
/// A voxel may have been taken out, or have no neighbour in a class.
pub(crate) const GAPS: u8 = 1;
/// That, or a score may be near the limit where the rule takes the centre.
pub(crate) const ANYTHING: u8 = 2;

/// For any values; `CARE` is `PLAIN` or `GAPS`.
pub(crate) struct Guarded<const CARE: u8>;

impl<S: Simd, const CARE: u8> Guard<S> for Guarded<CARE> {
    type Gaps = S::F32;
    // The sum of all values, too large if one is more than twice what is moderate, and the lowest bits.
    type Watch = [S::F32; 2];
    const GAPS: usize = 1;
    const LIMITS: bool = true;
    const BAND: bool = true;
    const MASKED: bool = CARE >= GAPS;

    #[inline(always)]
    fn watch(simd: S) -> [S::F32; 2] {
        [S::F32::splat(simd, 0.0); 2]
    }
    #[inline(always)]
    fn look(simd: S, _: &Exact, value: S::F32, watch: &mut [S::F32; 2]) {
        watch[0] = value.mul_add(S::F32::splat(simd, 1.0 / (MODERATE / f32::MAX)), watch[0]);
        watch[1] = watch[1].min_bits(value);
    }
    #[inline(always)]
    fn seen(simd: S, _: &Exact, watch: [S::F32; 2]) -> Seen {
        Seen {
            moderate: !watch[0].abs().lt(S::F32::splat(simd, f32::INFINITY)).not().any(),
            negative_zero: watch[1].lt_bits(S::F32::splat(simd, f32::from_bits(NEXT_TO_ZERO))).any(),
            ..Seen::NOTHING
        }
    }
    #[inline(always)]
    fn gap(a: S::F32, b: S::F32) -> S::F32 {
        b.sub(a)
    }
    #[inline(always)]
    fn both(a: S::F32, b: S::F32) -> S::F32 {
        a.min_bits(b)
    }
    #[inline(always)]
    fn below(gaps: S::F32, limit: S::F32) -> <S::F32 as Vector>::Mask {
        gaps.lt_bits(limit)
    }
    #[inline(always)]
    fn gap_vectors(gaps: S::F32, mut put: impl FnMut(usize, S::F32)) {
        put(0, gaps);
    }
    #[inline(always)]
    fn gaps_from_vectors(get: impl Fn(usize) -> S::F32) -> S::F32 {
        get(0)
    }
}

/// For values whose differences are all exact: multiples of one number within a range. Then there is nothing to guard,
/// but every value has to be looked at.
pub(crate) struct Unguarded<const CARE: u8>;

impl<S: Simd, const CARE: u8> Guard<S> for Unguarded<CARE> {
    type Gaps = ();
    // The bits that were lost to rounding, and the highest bits.
    type Watch = [S::F32; 2];
    const GAPS: usize = 0;
    const LIMITS: bool = CARE >= GAPS;
    const BAND: bool = CARE >= ANYTHING;
    const MASKED: bool = CARE >= GAPS;

    #[inline(always)]
    fn watch(simd: S) -> [S::F32; 2] {
        [S::F32::splat(simd, 0.0); 2]
    }
    #[inline(always)]
    fn look(simd: S, exact: &Exact, value: S::F32, watch: &mut [S::F32; 2]) {
        let shift = S::F32::splat(simd, exact.shift);
        watch[0] = watch[0].collect_differing(value, value.add(shift).sub(shift));
        watch[1] = watch[1].max_unsigned(value.and_bits(S::F32::splat(simd, exact.mask)));
    }
    #[inline(always)]
    fn seen(simd: S, exact: &Exact, watch: [S::F32; 2]) -> Seen {
        let zero = S::F32::splat(simd, 0.0);
        let lost = watch[0].lt_bits(zero).or(zero.lt_bits(watch[0]));
        let beyond = watch[1].lt_bits(zero).or(S::F32::splat(simd, exact.bound).lt_bits(watch[1]));
        Seen { inexact: lost.or(beyond).any(), ..Seen::NOTHING }
    }
    #[inline(always)]
    fn gap(_: S::F32, _: S::F32) {}
    #[inline(always)]
    fn both(_: (), _: ()) {}
    #[inline(always)]
    fn below(_: (), limit: S::F32) -> <S::F32 as Vector>::Mask {
        limit.lt(limit)
    }
    #[inline(always)]
    fn gap_vectors(_: (), _: impl FnMut(usize, S::F32)) {}
    #[inline(always)]
    fn gaps_from_vectors(_: impl Fn(usize) -> S::F32) {}
}

/// The nodes of one row and plane. `c` is kept only where voxels are not cubes.
pub(crate) struct Nodes<S: Simd, G: Guard<S>> {
    pub a: Node<S>,
    pub b: Node<S>,
    pub c: Node<S>,
    pub gaps: G::Gaps,
}

impl<S: Simd, G: Guard<S>> Nodes<S, G> {
    /// # Safety
    /// As many vectors as are kept are readable.
    #[inline(always)]
    pub unsafe fn load<const ISOTROPIC: bool>(simd: S, from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        let at = |i: usize| unsafe { S::F32::load(simd, from.add(i * S::F32::LANES)) };
        let a = [at(0), at(1)];
        Nodes {
            a,
            b: [at(2), at(3)],
            gaps: G::gaps_from_vectors(|i| at(4 + i)),
            c: if ISOTROPIC { a } else { [at(4 + G::GAPS), at(5 + G::GAPS)] },
        }
    }

    /// # Safety
    /// As many vectors as are kept are writable.
    #[inline(always)]
    pub unsafe fn store<const ISOTROPIC: bool>(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        let put = |i: usize, v: S::F32| unsafe { v.store(to.add(i * S::F32::LANES)) };
        put(0, self.a[0]);
        put(1, self.a[1]);
        put(2, self.b[0]);
        put(3, self.b[1]);
        G::gap_vectors(self.gaps, |i, v| put(4 + i, v));
        if !ISOTROPIC {
            put(4 + G::GAPS, self.c[0]);
            put(5 + G::GAPS, self.c[1]);
        }
    }
}
