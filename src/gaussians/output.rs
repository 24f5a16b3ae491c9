//! The grid in the caller's memory: tiles written, added or cleared.

use crate::simd::{self, Kernel, Mask, Simd, Vector};

use super::bins::Bins;
use super::factors::{Real, exponent, power_of_two};
use super::stream::Stream;
use super::support::{Axis, Rules};

/// The whole call, as every tile sees it. Axes are in the kernel's order: the last has the smallest stride.
pub(super) struct Job<'a, T> {
    pub axes: [Axis; 3],
    pub rules: Rules,
    pub bins: &'a Bins<'a>,
    /// Element (0, 0, 0) of the grid.
    pub out: *mut T,
    pub stride: [isize; 3],
    pub accumulate: bool,
    /// The grid has been cleared: only what is not zero is written.
    pub cleared: bool,
    /// The grid is too large for the caches: what can be is written past them.
    pub large: bool,
    /// Tiles are cut where lines are: the first along axis 2 is so many voxels shorter than others.
    pub shift: Option<usize>,
    /// Whether factors can be made from lines.
    pub lines: bool,
    /// Weights are multiplied by 2 to this power; sums are divided by it and by the factors' bias.
    pub scale: i32,
}

// SAFETY: tiles write disjoint parts of the grid, which the caller of `sum` lends for writing.
unsafe impl<T> Sync for Job<'_, T> {}

impl<T: Real> Job<'_, T> {
    /// Writes a tile, or adds it. The buffer comes with the steps between its planes and rows; `None` is a
    /// tile of zeros.
    #[inline(always)]
    pub(super) fn write<S: Simd>(
        &self,
        simd: S,
        start: [usize; 3],
        extent: [usize; 3],
        buffer: Option<(&[T], [usize; 2])>,
    ) {
        if buffer.is_none() && (self.accumulate || self.cleared) {
            return;
        }
        if self.streams(extent) {
            simd::dispatch(S::ISA, Stream { job: self, start, extent, buffer });
            return;
        }
        let lanes = <T::Vector<S>>::LANES;
        let step = self.stride[2];
        let [unscale, more] = self.unscale();
        let (factor, factor_more) = (<T::Vector<S>>::splat(simd, unscale), <T::Vector<S>>::splat(simd, more));
        let zero = <T::Vector<S>>::splat(simd, T::ZERO);
        for z in 0..extent[0] {
            if buffer.is_none() && self.rows_follow(extent[2]) {
                let offset = (start[0] + z) as isize * self.stride[0]
                    + start[1] as isize * self.stride[1]
                    + start[2] as isize;
                // SAFETY: rows that follow each other, all within the grid; zero bytes are zeros.
                unsafe { self.out.offset(offset).write_bytes(0, extent[1] * extent[2]) };
                continue;
            }
            for y in 0..extent[1] {
                let offset = (start[0] + z) as isize * self.stride[0]
                    + (start[1] + y) as isize * self.stride[1]
                    + start[2] as isize * step;
                // SAFETY: the voxel lies within the grid.
                let row = unsafe { self.out.offset(offset) };
                let Some((buffer, pitch)) = buffer else {
                    if step == 1 {
                        // SAFETY: the row of the tile lies within the grid; zero bytes are zeros.
                        unsafe { row.write_bytes(0, extent[2]) };
                    } else {
                        for x in 0..extent[2] {
                            // SAFETY: the voxel lies within the grid.
                            unsafe { *row.offset(x as isize * step) = T::ZERO };
                        }
                    }
                    continue;
                };
                let sums = &buffer[z * pitch[0] + y * pitch[1]..][..extent[2]];
                let mut x = 0;
                while step == 1 && x + lanes <= extent[2] {
                    // SAFETY: a vector within the buffer's row and the grid's row.
                    unsafe {
                        let to = row.add(x);
                        let sum = <T::Vector<S>>::load(simd, sums[x..].as_ptr()).mul(factor).mul(factor_more);
                        if !self.accumulate && !self.cleared {
                            sum.add(zero).store(to);
                        } else if sum.eq(zero).not().bits() != 0 {
                            // (Half of the rows of touched blocks are zero where supports are narrow. Memory that is not
                            // in the caches costs more than to find out.)
                            let before = if self.accumulate { <T::Vector<S>>::load(simd, to) } else { zero };
                            // (Their sum, but −0 stays where nothing is added, as where nothing is written.)
                            before.sub(zero.sub(sum)).store(to);
                        }
                    }
                    x += lanes;
                }
                for (x, &sum) in sums.iter().enumerate().skip(x) {
                    // SAFETY: the voxel lies within the grid.
                    unsafe {
                        let to = row.offset(x as isize * step);
                        let sum = sum * unscale * more;
                        let before = if self.accumulate { *to } else { T::ZERO };
                        *to = before - (T::ZERO - sum);
                    }
                }
            }
        }
    }

    /// What sums are multiplied by on their way into the grid: two powers of two. The second is 1 but where an f32 grid
    /// is to hold peaks near 2^190 and above. Then a zero stays zero, and what is 1e-38 of the peak is infinite.
    #[inline(always)]
    pub(super) fn unscale(&self) -> [T; 2] {
        let (both, most) = (-self.scale - 3 * T::BIAS, exponent(T::MAX));
        let first = both.min(most);
        [first, (both - first).min(most)].map(|e| T::from_f64(power_of_two(e)))
    }

    /// Sets plane z to zero.
    fn clear_plane(&self, z: usize) {
        let [_, ny, nx] = self.axes.map(|axis| axis.n);
        // SAFETY: the plane exists.
        let plane = unsafe { self.out.offset(z as isize * self.stride[0]) };
        if self.rows_follow(nx) {
            // SAFETY: the rows of the plane follow each other; zero bytes are zeros.
            unsafe { plane.write_bytes(0, ny * nx) };
            return;
        }
        for y in 0..ny {
            for x in 0..nx {
                // SAFETY: the voxel lies within the grid.
                unsafe { *plane.offset(y as isize * self.stride[1] + x as isize * self.stride[2]) = T::ZERO };
            }
        }
    }

    /// Adds a row of sums to the grid, from voxel [z, y, x] on.
    ///
    /// # Safety
    /// The voxels lie within the grid.
    #[inline(always)]
    unsafe fn add_row<S: Simd>(&self, simd: S, [z, y, x]: [usize; 3], sums: &[T]) {
        let lanes = <T::Vector<S>>::LANES;
        // (Halo tiles are not for peaks so high that the second is not 1.)
        let [unscale, _] = self.unscale();
        let (factor, zero) = (<T::Vector<S>>::splat(simd, unscale), <T::Vector<S>>::splat(simd, T::ZERO));
        let offset = z as isize * self.stride[0] + y as isize * self.stride[1] + x as isize * self.stride[2];
        let mut i = 0;
        // SAFETY: the caller's promise; a vector ends within the row.
        unsafe {
            let row = self.out.offset(offset);
            while self.stride[2] == 1 && i + lanes <= sums.len() {
                let sum = <T::Vector<S>>::load(simd, sums.as_ptr().add(i));
                let before = <T::Vector<S>>::load(simd, row.add(i));
                before.sub(zero.sub(sum.mul(factor))).store(row.add(i));
                i += lanes;
            }
            while i < sums.len() {
                let to = row.offset(i as isize * self.stride[2]);
                *to = *to - (T::ZERO - *sums.get_unchecked(i) * unscale);
                i += 1;
            }
        }
    }
}

/// A part of the grid set to zero.
pub(super) struct Clear<'a, 'b, T> {
    pub job: &'a Job<'b, T>,
    pub planes: std::ops::Range<usize>,
}

impl<T: Real> Kernel for Clear<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Clear { job, planes } = self;
        let [_, ny, nx] = job.axes.map(|axis| axis.n);
        if job.stride != [(ny * nx) as isize, nx as isize, 1] {
            planes.for_each(|z| job.clear_plane(z));
            return;
        }
        let count = planes.len() * ny * nx;
        // SAFETY: the planes exist and follow each other; zero bytes are zeros.
        unsafe {
            let first = job.out.add(planes.start * ny * nx);
            if job.large && first.is_aligned() {
                simd::stream_zeros::<T::Vector<S>>(simd, T::ZERO, first, count);
                simd::drain();
            } else {
                first.write_bytes(0, count);
            }
        }
    }
}

/// Adds a buffer that sticks out of its tile: what lies outside is folded into the grid along periodic axes, and
/// dropped along others.
pub(super) struct Merge<'a, 'b, T> {
    pub job: &'a Job<'b, T>,
    pub buffer: &'a [T],
    /// The first voxel of the buffer, perhaps before the grid, and how many there are.
    pub first: [isize; 3],
    pub extent: [usize; 3],
    /// Steps between planes and rows of the buffer.
    pub pitch: [usize; 2],
}

impl<T: Real> Kernel for Merge<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Merge { job, buffer, first, extent, pitch } = self;
        for z in 0..extent[0] {
            let Some(to_z) = place(&job.axes[0], first[0] + z as isize) else { continue };
            for y in 0..extent[1] {
                let Some(to_y) = place(&job.axes[1], first[1] + y as isize) else { continue };
                let row = &buffer[z * pitch[0] + y * pitch[1]..][..extent[2]];
                let mut x = 0;
                while x < row.len() {
                    let Some(to_x) = place(&job.axes[2], first[2] + x as isize) else {
                        // Before the grid: on to its first voxel. Behind it: done.
                        let before = (-(first[2] + x as isize)).max(0) as usize;
                        x += if before > 0 { before } else { row.len() };
                        continue;
                    };
                    let end = row.len().min(x + (job.axes[2].n - to_x));
                    // SAFETY: the voxels up to the end of the row lie within the grid.
                    unsafe { job.add_row(simd, [to_z, to_y, to_x], &row[x..end]) };
                    x = end;
                }
            }
        }
    }
}

/// The voxel at a lattice point, if there is one.
#[inline(always)]
fn place(axis: &Axis, at: isize) -> Option<usize> {
    let n = axis.n as isize;
    if (0..n).contains(&at) {
        Some(at as usize)
    } else if axis.periodic {
        Some(at.rem_euclid(n) as usize)
    } else {
        None
    }
}
