//! Rows of an f32 image with a mask on their way into the lines of a plane: what `convert.rs` does to any pixels, in
//! vectors of the tier. What is seen of the voxels is brought together once a plane. (To do so line by line took a quarter
//! of the copy's time.)

use crate::simd::{Mask, Simd, Vector, VectorF32};
use crate::steepest::border::prefetch_row;
use crate::steepest::convert::{Content, Form};
use crate::steepest::exact::Exact;
use crate::steepest::node::{GAPS, Guard, Guarded, Unguarded};
use crate::steepest::shared::position;

/// Rows of a plane, and of the mask, whose voxels lie side by side.
pub(crate) struct MaskedRows {
    /// The first voxel of the first row, and of its mask.
    pub from: *const f32,
    pub mask: *const u8,
    /// From row to row.
    pub step: isize,
    pub mask_step: isize,
    /// From the mask's plane to the next one's.
    pub mask_plane: isize,
    /// Voxels of a row, at least as many as a vector has.
    pub width: usize,
}

impl MaskedRows {
    /// Copies the rows to `lines`.
    ///
    /// # Safety
    /// The rows and their masks are readable, lines of so many elements are writable and lie elsewhere, and a row is a
    /// vector long at least.
    #[inline(always)]
    pub unsafe fn copy<S: Simd, const N: usize>(&self, simd: S, lines: [*mut f32; N], form: Form) -> Content {
        // SAFETY: the caller's promise.
        unsafe {
            match form.exact {
                Some(exact) => self.watched::<S, Unguarded<GAPS>, N>(simd, lines, form, &exact),
                None => self.watched::<S, Guarded<GAPS>, N>(simd, lines, form, &Exact::INTEGERS),
            }
        }
    }

    /// # Safety
    /// As `copy`.
    #[inline(always)]
    unsafe fn watched<S: Simd, G: Guard<S>, const N: usize>(
        &self,
        simd: S,
        lines: [*mut f32; N],
        form: Form,
        exact: &Exact,
    ) -> Content {
        let splat = |value| S::F32::splat(simd, value);
        let (factor, term) = (splat(form.factor), splat(form.term));
        let (zero, nothing) = (splat(0.0), splat(f32::INFINITY));
        let mut watch = G::watch(simd);
        let mut complete = zero.eq(zero);
        for (row, to) in (0..).zip(lines) {
            let from = self.from.wrapping_offset(row * self.step);
            let mask = self.mask.wrapping_offset(row * self.mask_step);
            // What the next but one plane reads: asked for one plane ahead 512³ took 1.03 of the time, and together with
            // the image's voxels, in the kernel, 1.03 to 1.1.
            let next = mask.wrapping_offset(self.mask_plane);
            prefetch_row(next.wrapping_offset(self.mask_plane), self.width);
            for vector in 0..self.width.div_ceil(S::F32::LANES) {
                let x = position(vector, S::F32::LANES, self.width);
                // SAFETY: the caller's promise.
                unsafe {
                    let kept = S::F32::nonzero(simd, mask.add(x));
                    let value = S::F32::load(simd, from.add(x)).select(kept, zero);
                    G::look(simd, exact, value, &mut watch);
                    complete = complete.and(kept);
                    // The factor is 1 or −1: the product is exact, and one rounding as good as two.
                    value.mul_add(factor, term).select(kept, nothing).store(to.add(x));
                }
            }
        }
        let seen = G::seen(simd, exact, watch);
        // (Moderate as node.rs has it: by a sum.)
        Content {
            moderate: seen.moderate && !seen.inexact,
            complete: !complete.not().any(),
            exact: !seen.inexact,
        }
    }
}
