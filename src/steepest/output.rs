//! The way out: what is left to do to rows of labels and slopes, and the caller's memory.

use std::mem::MaybeUninit;

use crate::simd::{Kernel, Simd, Vector};
use crate::steepest::border::prefetch_row;
use crate::steepest::job::Job;
use crate::steepest::rule::LABEL_MASKED;
use crate::steepest::shared::position;
use crate::steepest::slopes::Slopes;
use crate::steepest::turned::Outlets;
use crate::volume::{Element, ElementType, VolumeMut};

/// Applies mask and skipped faces to a piece of a row, and writes it to the caller's memory. A kernel of its own: most
/// rows do not need it, and its code is there once.
pub(crate) struct Finish<'a, 'b, 'c> {
    pub job: &'a Job<'b>,
    /// The row's z and y.
    pub row: [usize; 2],
    pub x: [usize; 2],
    pub labels: &'a mut [u8],
    pub slopes: &'a mut [f64],
    /// There may be voxels that the mask removes.
    pub masked: bool,
    /// The labels are where they belong already.
    pub written: bool,
    pub outlets: &'a mut Outlets<'c>,
}

impl Kernel for Finish<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Finish { job, row: [z, y], x, labels, slopes, masked, written, outlets } = self;
        let n = x[1] - x[0];
        if masked {
            job.take_out([z, y, x[0]], &mut labels[..n], slopes);
        }
        for face in [0, job.source.image.shape()[2] - 1] {
            if job.skipped(2, face) && (x[0]..x[1]).contains(&face) {
                (labels[face - x[0]], slopes[face - x[0]]) = (0, 0.0);
            }
        }
        let at = [z, y, x[0]];
        match job.labels.element_type() {
            _ if written => {}
            ElementType::F32 => {
                outlets.labels.put::<f32>(&job.labels, at, labels[..n].iter().map(|&v| f32::from(v)));
            }
            _ => outlets.labels.put::<u8>(&job.labels, at, labels[..n].iter().copied()),
        }
        if let Some(slope) = &job.slope {
            slope.prefetch_below(at, n);
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
                ElementType::F32 => {
                    outlets.slopes.put::<f32>(slope, at, slopes[..n].iter().map(|&v| v as f32));
                }
                _ => outlets.slopes.put::<f64>(slope, at, slopes[..n].iter().copied()),
            }
        }
    }
}

impl Job<'_> {
    /// Label and slope of the voxels that the mask removes, from `start` on. Without a branch: masks are hard to foresee.
    #[inline(always)]
    fn take_out(&self, start: [usize; 3], labels: &mut [u8], slopes: &mut [f64]) {
        let Some(mask) = &self.source.mask else { return };
        let mut gathered = MaybeUninit::uninit();
        // SAFETY: the labels' voxels; masks are of U8 and have their shape.
        let mask = unsafe { mask.row(start, labels.len(), &mut gathered) };
        for (label, &kept) in labels.iter_mut().zip(mask) {
            *label = if kept != 0 { *label } else { LABEL_MASKED };
        }
        if self.slope.is_some() {
            for (slope, &kept) in slopes.iter_mut().zip(mask) {
                *slope = if kept != 0 { *slope } else { 0.0 };
            }
        }
    }

    pub fn write_zeros(&self, [z, y]: [usize; 2], x: [usize; 2], outlets: &mut Outlets) {
        let at = [z, y, x[0]];
        let n = x[1] - x[0];
        if n == 0 {
            // Perhaps behind the row's end, where no voxel is to be pointed at.
            return;
        }
        let Outlets { labels, slopes } = outlets;
        for (volume, outlet) in [(Some(&self.labels), labels), (self.slope.as_ref(), slopes)] {
            let Some(volume) = volume else { continue };
            match volume.element_type() {
                ElementType::F64 => outlet.put(volume, at, std::iter::repeat_n(0.0f64, n)),
                ElementType::F32 => outlet.put(volume, at, std::iter::repeat_n(0.0f32, n)),
                _ => outlet.put(volume, at, std::iter::repeat_n(0u8, n)),
            }
        }
    }
}

impl VolumeMut<'_> {
    /// Where the slopes from voxel `at` on go, which lie side by side.
    ///
    /// # Safety
    /// The volume is of F32 or F64, and the voxel lies within its shape.
    #[inline(always)]
    pub(crate) unsafe fn slopes_at(&self, at: [usize; 3]) -> Slopes {
        debug_assert!(self.stride()[2] == 1);
        // SAFETY: the caller's promise.
        unsafe {
            match self.element_type() {
                ElementType::F32 => Slopes::Single(self.at(at)),
                _ => Slopes::Double(self.at(at)),
            }
        }
    }

    /// Asks for the row below `at` along axis 0, which the march writes next: rows of output are too short for
    /// the processor to see the pattern. (256³ on one thread: bytes 0.46 to 0.37 ns a voxel, f32 with slopes
    /// 1.96 to 1.42.)
    #[inline(always)]
    fn prefetch_below(&self, at: [usize; 3], n: usize) {
        if at[0] + 1 < self.shape()[0] && self.stride()[2] == 1 {
            let size = self.element_type().size();
            prefetch_row(self.address_of([at[0] + 1, at[1], at[2]].map(|i| i as isize)), n * size);
        }
    }

    /// Writes values along x, from voxel `at` on.
    ///
    /// # Safety
    /// The volume is of `T`, all voxels lie within it, and they are the calling task's alone.
    #[inline(always)]
    pub(crate) unsafe fn put<T: Element>(&self, at: [usize; 3], values: impl ExactSizeIterator<Item = T>) {
        debug_assert!(at[2] + values.len() <= self.shape()[2]);
        let step = self.stride()[2];
        // SAFETY: the caller's promise.
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
