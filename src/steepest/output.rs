//! The way out: slopes from what the kernels found, mask and skipped faces, and the caller's memory.

use crate::simd::{Simd, Vector};
use crate::steepest::border::prefetch_row;
use crate::steepest::job::Job;
use crate::steepest::lines::PADDED;
use crate::steepest::rule::LABEL_MASKED;
use crate::steepest::shared::position;
use crate::volume::{Element, ElementType, VolumeMut};

/// The winning differences and classes of a row, from which its slopes are made.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub weights: &'a [f64; 8],
    pub isotropic: bool,
    /// In whole vectors.
    pub differences: &'a [f32],
    pub classes: &'a [f32],
}

impl Found<'_> {
    /// The slopes of the vector from voxel `x` on, in halves. Weights are selected and not looked up: the gathers took as
    /// long as all the rest.
    #[inline(always)]
    fn halves<S: Simd>(&self, simd: S, x: usize) -> [S::F64; 2] {
        let lanes = S::F32::LANES;
        let (differences, classes) = (&self.differences[x..][..lanes], &self.classes[x..][..lanes]);
        // SAFETY: the slices have as many elements as a vector has lanes.
        let (differences, classes) =
            unsafe { (S::F32::load(simd, differences.as_ptr()), S::F32::load(simd, classes.as_ptr())) };
        let (mut differences, classes) = (S::widen(differences), S::widen(classes));
        for (difference, class) in differences.iter_mut().zip(classes) {
            let mut weight = S::F64::splat(simd, self.weights[7]);
            let others: &[usize] = if self.isotropic { &[1, 3] } else { &[1, 2, 3, 4, 5, 6] };
            for &other in others {
                let here = class.eq(S::F64::splat(simd, other as f64));
                weight = S::F64::splat(simd, self.weights[other]).select(here, weight);
            }
            *difference = difference.mul(weight);
        }
        differences
    }

    /// The slopes of a row, in whole vectors.
    #[inline(always)]
    pub fn slopes<S: Simd>(&self, simd: S, slopes: &mut [f64]) {
        let n = self.differences.len();
        for x in (0..n).step_by(S::F32::LANES) {
            let [low, high] = self.halves(simd, x);
            let slopes = &mut slopes[x..][..S::F32::LANES];
            // SAFETY: half a vector of f32 has as many lanes as one of f64.
            unsafe {
                low.store(slopes.as_mut_ptr());
                high.store(slopes.as_mut_ptr().add(S::F64::LANES));
            }
        }
    }
}

impl Job<'_> {
    /// Applies mask and skipped faces to a piece of a row, and writes it: the labels unless they are `written`
    /// where they belong already.
    #[inline(always)]
    pub fn finish<S: Simd>(
        &self,
        simd: S,
        [z, y]: [usize; 2],
        x: [usize; 2],
        labels: &mut [u8],
        slopes: &mut [f64],
        written: bool,
    ) {
        let n = x[1] - x[0];
        self.take_out([z, y, x[0]], &mut labels[..n], slopes);
        for face in [0, self.source.image.shape()[2] - 1] {
            if self.skipped(2, face) && (x[0]..x[1]).contains(&face) {
                (labels[face - x[0]], slopes[face - x[0]]) = (0, 0.0);
            }
        }
        let at = [z, y, x[0]];
        if let Some(slope) = &self.slope {
            slope.prefetch_below(at, n);
        }
        match self.labels.element_type() {
            _ if written => {}
            ElementType::F32 => self.labels.put::<f32>(at, labels[..n].iter().map(|&v| f32::from(v))),
            _ => self.labels.put::<u8>(at, labels[..n].iter().copied()),
        }
        if let Some(slope) = &self.slope {
            match slope.element_type() {
                ElementType::F32 if slope.stride()[2] == 1 && n >= S::F32::LANES => {
                    // SAFETY: the row's n slopes are adjacent, of type F32, and this task's alone.
                    let to = unsafe { slope.at::<f32>(at) };
                    for vector in 0..n.div_ceil(S::F32::LANES) {
                        let x = position(vector, S::F32::LANES, n);
                        let halves = [0, S::F64::LANES].map(|half| {
                            // SAFETY: slopes are as long as the widest row, and x + LANES ends within n.
                            unsafe { S::F64::load(simd, slopes[x + half..].as_ptr()) }
                        });
                        // SAFETY: as above.
                        unsafe { S::narrow(halves[0], halves[1]).store(to.add(x)) };
                    }
                }
                ElementType::F32 => slope.put::<f32>(at, slopes[..n].iter().map(|&v| v as f32)),
                _ => slope.put::<f64>(at, slopes[..n].iter().copied()),
            }
        }
    }

    /// Label and slope of the voxels that the mask removes, from `start` on. Without a branch: masks are hard to foresee.
    #[inline(always)]
    fn take_out(&self, start: [usize; 3], labels: &mut [u8], slopes: &mut [f64]) {
        let Some(mask) = &self.source.mask else { return };
        let mut gathered = [0u8; PADDED];
        let mask = mask.row(start, labels.len(), &mut gathered);
        for (label, &kept) in labels.iter_mut().zip(mask) {
            *label = if kept != 0 { *label } else { LABEL_MASKED };
        }
        if self.slope.is_some() {
            for (slope, &kept) in slopes.iter_mut().zip(mask) {
                *slope = if kept != 0 { *slope } else { 0.0 };
            }
        }
    }

    /// Writes the slopes of n voxels from `at` on, if they are adjacent f32, nothing has been taken out and nothing is to be
    /// decided: at once, without a row of f64 between. Answers whether it could.
    #[inline(always)]
    pub fn write_slopes<S: Simd>(&self, simd: S, at: [usize; 3], n: usize, found: Found) -> bool {
        let Some(slope) = &self.slope else { return true };
        let adjacent = slope.element_type() == ElementType::F32 && slope.stride()[2] == 1;
        if !adjacent || self.source.mask.is_some() || n < S::F32::LANES {
            return false;
        }
        slope.prefetch_below(at, n);
        // SAFETY: the row's n slopes are adjacent, of type F32, and this task's alone.
        let to = unsafe { slope.at::<f32>(at) };
        for vector in 0..n.div_ceil(S::F32::LANES) {
            let x = position(vector, S::F32::LANES, n);
            let [low, high] = found.halves(simd, x);
            // SAFETY: x and a vector end within n.
            unsafe { S::narrow(low, high).store(to.add(x)) };
        }
        true
    }

    pub fn write_zeros(&self, [z, y]: [usize; 2], x: [usize; 2]) {
        let at = [z, y, x[0]];
        let n = x[1] - x[0];
        if n == 0 {
            // Perhaps behind the row's end, where no voxel is to be pointed at.
            return;
        }
        for output in [Some(&self.labels), self.slope.as_ref()].into_iter().flatten() {
            match output.element_type() {
                ElementType::F64 => output.put(at, std::iter::repeat_n(0.0f64, n)),
                ElementType::F32 => output.put(at, std::iter::repeat_n(0.0f32, n)),
                _ => output.put(at, std::iter::repeat_n(0u8, n)),
            }
        }
    }
}

impl VolumeMut<'_> {
    /// Asks for the row below `at` along axis 0, which the march writes next: rows of output are too short for
    /// the processor to see the pattern. (256³ on one thread: bytes 0.46 to 0.37 ns a voxel, f32 with slopes
    /// 1.96 to 1.42.)
    #[inline(always)]
    fn prefetch_below(&self, at: [usize; 3], n: usize) {
        if at[0] + 1 < self.shape()[0] && self.stride()[2] == 1 {
            let size = self.element_type().size();
            // SAFETY: the voxel below lies within the shape.
            let start = unsafe { self.at_bytes([at[0] + 1, at[1], at[2]]) };
            prefetch_row(start, n * size);
        }
    }

    /// Writes values along x, from voxel `at` on. All of them lie within the volume, and belong to the
    /// calling task alone.
    #[inline(always)]
    fn put<T: Element>(&self, at: [usize; 3], values: impl ExactSizeIterator<Item = T>) {
        debug_assert!(at[2] + values.len() <= self.shape()[2]);
        let step = self.stride()[2];
        // SAFETY: the index is within the volume, the type the volume's: the callers match on it.
        let to = unsafe { self.at::<T>(at) };
        if step == 1 {
            for (i, value) in values.enumerate() {
                // SAFETY: voxel `at` + i along x.
                unsafe { *to.add(i) = value };
            }
        } else {
            for (i, value) in values.enumerate() {
                // SAFETY: voxel `at` + i along x.
                unsafe { *to.offset(i as isize * step) = value };
            }
        }
    }
}
