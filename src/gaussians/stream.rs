//! Tiles of a grid that is too large for the caches, written past them: line by line, with what is zero.

use crate::simd::{self, Kernel, Simd, Vector};

use super::factors::Real;
use super::output::Job;

/// Bytes side by side that are written past the caches even where they begin or end within a line, which others share.
const LONG_RUN: usize = 512;

/// Updates a voxel up to which one more tile along an axis takes less time than is saved by cutting tiles at lines.
const FEW_UPDATES: f64 = 16.0;

impl<T: Real> Job<'_, T> {
    /// For `shift`, of a grid of so many updates a voxel: `None` if rows are not whole lines, or if to cut tiles at them
    /// gains nothing. (Where rows begin within a line there may be one more tile along the axis.)
    pub(super) fn find_shift(&self, updates: f64) -> Option<usize> {
        let line = (simd::LINE / size_of::<T>()) as isize;
        let shift = self.out as usize % simd::LINE / size_of::<T>();
        let fits = self.streams(LONG_RUN) && (0..2).all(|j| self.stride[j] % line == 0);
        (fits && (shift == 0 || updates <= FEW_UPDATES)).then_some(shift)
    }

    /// Whether rows of a tile, of so many voxels, are written past the caches.
    #[inline(always)]
    pub(super) fn streams(&self, voxels: usize) -> bool {
        self.large
            && !self.accumulate
            && self.stride[2] == 1
            && self.out.is_aligned()
            && (self.shift.is_some() || voxels * size_of::<T>() >= LONG_RUN)
    }
}

/// A tile written past the caches. A function of its own: in that of `write` it made other tiles slower.
pub(super) struct Stream<'a, 'b, T> {
    pub job: &'a Job<'b, T>,
    pub start: [usize; 3],
    pub extent: [usize; 3],
    /// The sums with the steps between planes and rows, or zeros.
    pub buffer: Option<(&'a [T], [usize; 2])>,
}

impl<T: Real> Kernel for Stream<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Stream { job, start, extent, buffer } = self;
        // Rows that follow each other, in the grid and in the buffer, are one.
        let follow =
            job.stride[1] == extent[2] as isize && buffer.is_none_or(|(_, pitch)| pitch[1] == extent[2]);
        let (rows, count) = if follow { (1, extent[1] * extent[2]) } else { (extent[1], extent[2]) };
        let factors = job.unscale().map(|factor| <T::Vector<S>>::splat(simd, factor));
        for z in 0..extent[0] {
            for y in 0..rows {
                let offset = (start[0] + z) as isize * job.stride[0]
                    + (start[1] + y) as isize * job.stride[1]
                    + start[2] as isize;
                // SAFETY: the row lies within the grid.
                unsafe {
                    let row = job.out.offset(offset);
                    match buffer {
                        Some((buffer, pitch)) => {
                            let sums = &buffer[z * pitch[0] + y * pitch[1]..][..count];
                            stream_row(simd, factors, job.unscale(), sums, row);
                        }
                        None => simd::stream_zeros::<T::Vector<S>>(simd, T::ZERO, row, count),
                    }
                }
            }
        }
        simd::drain();
    }
}

/// A tile, of which some blocks have been touched, written past the caches: the others are zeros.
pub(super) struct StreamParts<'a, 'b, T> {
    pub job: &'a Job<'b, T>,
    pub start: [usize; 3],
    pub extent: [usize; 3],
    pub buffer: &'a mut [T],
    /// Steps between planes and rows of the buffer.
    pub pitch: [usize; 2],
    /// Sides of a block.
    pub block: [usize; 3],
    /// For each layer of planes and of rows a bit for each block that has been touched.
    pub touched: &'a [[u64; 16]; 16],
}

impl<T: Real> Kernel for StreamParts<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let StreamParts { job, start, extent, buffer, pitch, block, touched } = self;
        let factors = job.unscale().map(|factor| <T::Vector<S>>::splat(simd, factor));
        for z in 0..extent[0] {
            for y in 0..extent[1] {
                let offset = (start[0] + z) as isize * job.stride[0]
                    + (start[1] + y) as isize * job.stride[1]
                    + start[2] as isize;
                // SAFETY: the row lies within the grid.
                let row = unsafe { job.out.offset(offset) };
                let blocks = touched[z / block[0]][y / block[1]];
                if blocks == 0 {
                    // SAFETY: as above.
                    unsafe { simd::stream_zeros::<T::Vector<S>>(simd, T::ZERO, row, extent[2]) };
                    continue;
                }
                let sums = &mut buffer[z * pitch[0] + y * pitch[1]..][..pitch[1]];
                for (i, sums) in sums.chunks_exact_mut(block[2]).enumerate() {
                    if blocks >> i & 1 == 0 {
                        sums.fill(T::ZERO);
                    }
                }
                // SAFETY: as above.
                unsafe { stream_row(simd, factors, job.unscale(), &sums[..extent[2]], row) };
            }
        }
        simd::drain();
    }
}

/// # Safety
/// As many elements from `row` on as there are sums are writable and aligned.
#[inline(always)]
unsafe fn stream_row<S: Simd, T: Real>(
    simd: S,
    factors: [T::Vector<S>; 2],
    scalars: [T; 2],
    sums: &[T],
    row: *mut T,
) {
    let (lanes, line) = (<T::Vector<S>>::LANES, simd::LINE / size_of::<T>());
    let head = row.align_offset(simd::LINE).min(sums.len());
    let tail = head + (sums.len() - head) / line * line;
    // SAFETY: the caller's promise; lines are written where they begin.
    unsafe {
        for x in (0..head).chain(tail..sums.len()) {
            *row.add(x) = sums[x] * scalars[0] * scalars[1];
        }
        for x in (head..tail).step_by(lanes) {
            let sum = <T::Vector<S>>::load(simd, sums.as_ptr().add(x));
            sum.mul(factors[0]).mul(factors[1]).stream(row.add(x));
        }
    }
}
