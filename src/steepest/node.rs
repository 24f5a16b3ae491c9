//! Nodes of the f32 kernels: a minimum and the code of the neighbour it comes from, in one of two forms.

use crate::simd::{Mask, Simd, Vector, VectorF32};

/// How a node is held: a minimum, and the code of the neighbour it comes from.
pub(crate) trait Form<S: Simd> {
    type Node: Copy;
    /// The smallest gaps so far.
    type Gaps: Copy;
    /// What has been seen among the values.
    type Watch: Copy;
    /// Vectors in memory of a node, and of the gaps.
    const NODE: usize;
    const GAPS: usize;
    /// Differences are integers within ±65535, or infinite where no neighbour exists.
    const INTEGERS: bool;

    fn watch(simd: S) -> Self::Watch;
    fn look(simd: S, value: S::F32, watch: &mut Self::Watch);
    /// Whether all values were finite, and whether −0 was among them.
    fn seen(simd: S, watch: Self::Watch) -> [bool; 2];
    fn node(simd: S, value: S::F32, code: S::F32) -> Self::Node;
    /// Value and code.
    fn split(simd: S, node: Self::Node) -> [S::F32; 2];
    /// The lower of two nodes, `a` on a tie, whose codes must all be below `b`'s; and its gap.
    fn pair(a: Self::Node, b: Self::Node) -> (Self::Node, Self::Gaps);
    fn merge(a: Self::Node, b: Self::Node, gaps: &mut Self::Gaps) -> Self::Node;
    fn both(a: Self::Gaps, b: Self::Gaps) -> Self::Gaps;
    /// `flags`, and where a gap is within `limit`, a negative number: there a collision may be hidden.
    fn collides(gaps: Self::Gaps, limit: S::F32, flags: <S::F32 as Vector>::Mask)
    -> <S::F32 as Vector>::Mask;
    fn vectors(node: Self::Node, put: impl FnMut(usize, S::F32));
    fn from_vectors(get: impl Fn(usize) -> S::F32) -> Self::Node;
    fn gap_vectors(gaps: Self::Gaps, put: impl FnMut(usize, S::F32));
    fn gaps_from_vectors(get: impl Fn(usize) -> S::F32) -> Self::Gaps;
}

/// Value and code apart, and gaps.
pub(crate) struct Guarded<S>(S);

impl<S: Simd> Form<S> for Guarded<S> {
    type Node = [S::F32; 2];
    type Gaps = S::F32;
    // The sum of all values times 0, and the lowest bits.
    type Watch = [S::F32; 2];
    const NODE: usize = 2;
    const GAPS: usize = 1;
    const INTEGERS: bool = false;

    #[inline(always)]
    fn watch(simd: S) -> [S::F32; 2] {
        [S::F32::splat(simd, 0.0); 2]
    }
    #[inline(always)]
    fn look(simd: S, value: S::F32, watch: &mut [S::F32; 2]) {
        watch[0] = value.mul_add(S::F32::splat(simd, 0.0), watch[0]);
        watch[1] = watch[1].min_bits(value);
    }
    #[inline(always)]
    fn seen(simd: S, watch: [S::F32; 2]) -> [bool; 2] {
        let finite = watch[0].eq(watch[0]).not().bits() == 0;
        [finite, watch[1].le_bits(S::F32::splat(simd, -0.0)).bits() != 0]
    }

    #[inline(always)]
    fn node(_: S, value: S::F32, code: S::F32) -> [S::F32; 2] {
        [value, code]
    }
    #[inline(always)]
    fn split(_: S, node: [S::F32; 2]) -> [S::F32; 2] {
        node
    }
    #[inline(always)]
    fn pair(a: [S::F32; 2], b: [S::F32; 2]) -> ([S::F32; 2], S::F32) {
        let lower = b[0].lt(a[0]);
        ([b[0].min(a[0]), b[1].select(lower, a[1])], b[0].sub(a[0]))
    }
    #[inline(always)]
    fn merge(a: [S::F32; 2], b: [S::F32; 2], gaps: &mut S::F32) -> [S::F32; 2] {
        let (node, gap) = Self::pair(a, b);
        *gaps = gaps.min_bits(gap);
        node
    }
    #[inline(always)]
    fn both(a: S::F32, b: S::F32) -> S::F32 {
        a.min_bits(b)
    }
    #[inline(always)]
    fn collides(gaps: S::F32, limit: S::F32, flags: <S::F32 as Vector>::Mask) -> <S::F32 as Vector>::Mask {
        gaps.le_bits(limit).or(flags)
    }
    #[inline(always)]
    fn vectors(node: [S::F32; 2], mut put: impl FnMut(usize, S::F32)) {
        put(0, node[0]);
        put(1, node[1]);
    }
    #[inline(always)]
    fn from_vectors(get: impl Fn(usize) -> S::F32) -> [S::F32; 2] {
        [get(0), get(1)]
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

/// The nodes of one row and plane. `c` is kept only where voxels are not cubes.
pub(crate) struct Nodes<S: Simd, F: Form<S>> {
    pub a: F::Node,
    pub b: F::Node,
    pub c: F::Node,
    pub gaps: F::Gaps,
}

impl<S: Simd, F: Form<S>> Nodes<S, F> {
    /// # Safety
    /// As many vectors as are kept are readable.
    #[inline(always)]
    pub unsafe fn load<const ISOTROPIC: bool>(simd: S, from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        let at = |i: usize| unsafe { S::F32::load(simd, from.add(i * S::F32::LANES)) };
        let a = F::from_vectors(at);
        Nodes {
            a,
            b: F::from_vectors(|i| at(F::NODE + i)),
            gaps: F::gaps_from_vectors(|i| at(2 * F::NODE + i)),
            c: if ISOTROPIC { a } else { F::from_vectors(|i| at(2 * F::NODE + F::GAPS + i)) },
        }
    }

    /// # Safety
    /// As many vectors as are kept are writable.
    #[inline(always)]
    pub unsafe fn store<const ISOTROPIC: bool>(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        let put = |i: usize, v: S::F32| unsafe { v.store(to.add(i * S::F32::LANES)) };
        F::vectors(self.a, put);
        F::vectors(self.b, |i, v| put(F::NODE + i, v));
        F::gap_vectors(self.gaps, |i, v| put(2 * F::NODE + i, v));
        if !ISOTROPIC {
            F::vectors(self.c, |i, v| put(2 * F::NODE + F::GAPS + i, v));
        }
    }
}
