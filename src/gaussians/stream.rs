//! Grids too large for the caches, written past them line by line: whole tiles, or of a cleared grid what is not zero.

use crate::simd::{self, Kernel, Mask, Simd, Vector};

use super::factors::Real;
use super::output::Job;

/// Bytes side by side that are written past the caches even where they begin or end within a line, which others share.
const LONG_RUN: usize = 512;

/// Updates a voxel up to which one more tile along an axis takes less time than is saved by cutting tiles at lines.
const FEW_UPDATES: f64 = 16.0;

/// How much of a grid Gaussians may touch, in blocks of `blocks.rs` and counted as often as they are touched, for two
/// ways to write it.
pub(super) struct Cuts {
    /// It is cleared in one go, and then only what is not zero is written.
    pub cleared_below: f64,
    /// Tiles are long.
    pub long_below: f64,
}

impl<T: Real> Job<'_, T> {
    /// Measured, on Zen 4; see benches/NOTES.md. Ordinary tiles cost the more the more of their rows begin or end
    /// within a line.
    pub(super) fn cuts(&self) -> Cuts {
        let (cleared_below, long_below) = match self.shift {
            _ if !self.adjacent() => (0.5, 0.0),
            Some(0) => (0.2, 4.0),
            _ if self.is_flat() => (0.2, 10.0),
            Some(_) => (0.4, 3.0),
            None => (0.6, 10.0),
        };
        Cuts { cleared_below, long_below }
    }

    /// Whether rows follow each other in memory and in long tiles.
    pub(super) fn is_flat(&self) -> bool {
        let [_, ny, nx] = self.axes.map(|axis| axis.n);
        nx <= T::LONG_TILE[2] && self.rows_follow(nx) && ny > 1
    }

    /// Whether rows of so many voxels follow each other in memory.
    #[inline(always)]
    pub(super) fn rows_follow(&self, voxels: usize) -> bool {
        self.stride[2] == 1 && self.stride[1] == voxels as isize
    }

    /// For `shift`, of a grid of so many updates a voxel: `None` if rows are not whole lines, or if to cut tiles at them
    /// gains nothing. (Where rows begin within a line there may be one more tile along the axis.)
    pub(super) fn find_shift(&self, updates: f64) -> Option<usize> {
        let line = (simd::LINE / size_of::<T>()) as isize;
        let shift = self.out as usize % simd::LINE / size_of::<T>();
        let fits = self.adjacent() && (0..2).all(|j| self.stride[j] % line == 0);
        (fits && (shift == 0 || updates <= FEW_UPDATES)).then_some(shift)
    }

    /// Whether the grid is too large for the caches, and voxels along rows are side by side.
    fn adjacent(&self) -> bool {
        self.large && self.stride[2] == 1 && self.out.is_aligned()
    }

    /// Whether a tile of so many rows and voxels a row is written past the caches.
    #[inline(always)]
    pub(super) fn streams(&self, [_, rows, voxels]: [usize; 3]) -> bool {
        let run = if self.rows_follow(voxels) { rows * voxels } else { voxels };
        let overwritten = !self.accumulate && !self.cleared;
        overwritten && self.adjacent() && (self.shift.is_some() || run * size_of::<T>() >= LONG_RUN)
    }

    /// Whether lines of a cleared grid are written past the caches.
    pub(super) fn streams_lines(&self) -> bool {
        self.cleared && self.shift.is_some()
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
        let follow = job.rows_follow(extent[2]) && buffer.is_none_or(|(_, pitch)| pitch[1] == extent[2]);
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
    let zero = <T::Vector<S>>::splat(simd, T::ZERO);
    let head = row.align_offset(simd::LINE).min(sums.len());
    let tail = head + (sums.len() - head) / line * line;
    // SAFETY: the caller's promise; lines are written where they begin.
    unsafe {
        for x in (0..head).chain(tail..sums.len()) {
            *row.add(x) = sums[x] * scalars[0] * scalars[1] + T::ZERO;
        }
        for x in (head..tail).step_by(lanes) {
            let sum = <T::Vector<S>>::load(simd, sums.as_ptr().add(x));
            sum.mul(factors[0]).mul(factors[1]).add(zero).stream(row.add(x));
        }
    }
}

/// The lines of a tile that are not zero, written past the caches into a grid that has been cleared. Tiles are cut at
/// lines.
pub(super) struct StreamLines<'a, 'b, T> {
    pub job: &'a Job<'b, T>,
    /// The tile's first voxel, and where the grid begins and ends in the tile.
    pub start: [isize; 3],
    pub inset: [usize; 3],
    pub extent: [usize; 3],
    pub buffer: &'a [T],
    /// Steps between planes and rows of the buffer.
    pub pitch: [usize; 2],
    /// Sides of a block.
    pub block: [usize; 3],
    /// For each layer of planes and of rows a bit for each block that has been touched; what was not has any sums.
    pub touched: &'a [[u64; 16]; 16],
}

impl<T: Real> Kernel for StreamLines<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let StreamLines { job, start, inset, extent, buffer, pitch, block, touched } = self;
        let factors = job.unscale().map(|factor| <T::Vector<S>>::splat(simd, factor));
        for z_layer in 0..extent[0].div_ceil(block[0]) {
            for y_layer in 0..extent[1].div_ceil(block[1]) {
                let blocks = touched[z_layer][y_layer];
                if blocks == 0 {
                    continue;
                }
                for i in 0..block[0] * block[1] {
                    let (z, y) = (z_layer * block[0] + i / block[1], y_layer * block[1] + i % block[1]);
                    if z < inset[0] || z >= extent[0] || y < inset[1] || y >= extent[1] {
                        continue;
                    }
                    let sums = &buffer[z * pitch[0] + y * pitch[1]..][..pitch[1]];
                    let offset = (start[0] + z as isize) * job.stride[0]
                        + (start[1] + y as isize) * job.stride[1]
                        + start[2];
                    let row = job.out.wrapping_offset(offset);
                    // SAFETY: the voxels of the row between inset and extent lie within the grid.
                    unsafe {
                        stream_lines(simd, factors, job.unscale(), blocks, sums, [inset[2], extent[2]], row)
                    };
                }
            }
        }
        simd::drain();
    }
}

/// The lines of a row of blocks that are not zero.
///
/// # Safety
/// The elements `within` from `row` on are writable; where a vector of sums begins, a vector in memory does.
#[inline(always)]
unsafe fn stream_lines<S: Simd, T: Real>(
    simd: S,
    factors: [T::Vector<S>; 2],
    scalars: [T; 2],
    mut blocks: u64,
    sums: &[T],
    within: [usize; 2],
    row: *mut T,
) {
    let (lanes, line) = (<T::Vector<S>>::LANES, simd::LINE / size_of::<T>());
    let parts = line / lanes;
    let zero = <T::Vector<S>>::splat(simd, T::ZERO);
    while blocks != 0 {
        let first = blocks.trailing_zeros() as usize / parts * parts;
        let bits = blocks >> first;
        blocks &= !(((1 << parts) - 1) << first);
        let x = first * lanes;
        if x < within[0] || x + line > within[1] {
            for x in x.max(within[0])..(x + line).min(within[1]) {
                let sum = sums[x] * scalars[0] * scalars[1] + T::ZERO;
                if bits >> (x / lanes - first) & 1 != 0 && sum != T::ZERO {
                    // SAFETY: the caller's promise.
                    unsafe { *row.wrapping_add(x) = sum };
                }
            }
            continue;
        }
        let sums = &sums[x..x + line];
        let mut differ = 0;
        // SAFETY: vectors of the line's sums, and of the line itself.
        unsafe {
            for part in 0..parts {
                let sum = touched_sum(simd, bits >> part, factors, &sums[part * lanes..]);
                differ |= sum.eq(zero).not().bits();
            }
            if differ != 0 {
                for part in 0..parts {
                    let sum = touched_sum(simd, bits >> part, factors, &sums[part * lanes..]);
                    sum.stream(row.wrapping_add(x + part * lanes));
                }
            }
        }
    }
}

/// The sums of a block's row, zero if the block's bit is not set.
///
/// # Safety
/// There are as many sums as lanes.
#[inline(always)]
unsafe fn touched_sum<S: Simd, T: Real>(
    simd: S,
    bit: u64,
    factors: [T::Vector<S>; 2],
    sums: &[T],
) -> T::Vector<S> {
    let zero = <T::Vector<S>>::splat(simd, T::ZERO);
    if bit & 1 == 0 {
        return zero;
    }
    // SAFETY: the caller's promise.
    let sum = unsafe { <T::Vector<S>>::load(simd, sums.as_ptr()) };
    sum.mul(factors[0]).mul(factors[1]).add(zero)
}
