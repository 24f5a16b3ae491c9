//! One tile of the grid where many narrow Gaussians meet: rows streamed through the cache.
//!
//! With supports of a few voxels the blocks of `tile.rs` are mostly zeros. Here each Gaussian is added on its own,
//! its whole support of a width known at compile time, to a buffer with room for the supports that stick out
//! of the tile along y and x, so that nothing is clipped and the loops over rows are unrolled:
//!
//! ```text
//! for Gaussian that reaches the tile:
//!     gx, gy, A·gz from the first lattice point of its support on
//!     for z of the support within the tile:
//!         for y of the support: buffer[z][y][x..] += (gx · gz[z]) · gy[y]
//! ```
//!
//! A Gaussian that reaches several tiles is made again in each. Halo tiles that own their Gaussians
//! need no repeats, but must be merged in turns; with owned tiles the order of every sum is the sort's.

use crate::simd::{Kernel, Simd, Vector};

use super::bins::Candidates;
use super::factors::{Profile, Real, Splats, power_of_two};
use super::pack::{Images, images};
use super::tile::{Job, Scratch};

/// The widest support, in voxels. (Up to 16 this was measured too: from 9 on, registers held over packs are
/// as fast or faster.)
pub(super) const WIDEST: usize = 8;

/// Lanes of a support, rounded up to vectors of at most 16.
const LONGEST: usize = 16;

/// Rows of a plane of the buffer, and elements of a row, for supports of `width` voxels.
const fn pitch(tile: [usize; 3], width: usize) -> (usize, usize) {
    // A row's last vector may begin at the tile's last voxel.
    (tile[1] + 2 * (width - 1), (tile[2] + width - 1 + LONGEST).next_multiple_of(16))
}

/// Elements of the buffer for supports of `width` voxels.
pub(super) const fn memory(tile: [usize; 3], width: usize) -> usize {
    let (rows, row) = pitch(tile, width);
    tile[0] * rows * row
}

/// The sum over one tile, in the shell of a tier.
pub(super) struct StreamTile<'a, 'b, T> {
    pub job: &'a Job<'b, T>,
    /// Its first voxel.
    pub start: [usize; 3],
    pub scratch: &'a mut Scratch<T>,
    /// An upper bound of the supports' voxels along an axis.
    pub width: usize,
}

/// The compile-time width that serves supports of up to WIDEST voxels.
pub(super) const fn step(width: usize) -> usize {
    match width {
        0..=5 => 5,
        6 | 7 => 7,
        _ => WIDEST,
    }
}

impl<T: Real> Kernel for StreamTile<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match step(self.width) {
            5 => self.sum::<S, 5>(simd),
            7 => self.sum::<S, 7>(simd),
            _ => self.sum::<S, WIDEST>(simd),
        }
    }
}

impl<T: Real> StreamTile<'_, '_, T> {
    #[inline(always)]
    fn sum<S: Simd, const W: usize>(self, simd: S) {
        let StreamTile { job, start, scratch, .. } = self;
        let Job { axes, rules, bins, .. } = job;
        let extent = [0, 1, 2].map(|j| T::TILE[j].min(axes[j].n - start[j]));
        let mut runs = std::mem::take(&mut scratch.runs);
        bins.runs(axes, start, extent, &mut runs);

        let (rows, row) = pitch(T::TILE, W);
        let buffer = &mut scratch.elements()[..T::TILE[0] * rows * row];
        let first = start.map(|v| v as f64);
        let last = [0, 1, 2].map(|j| (start[j] + extent[j] - 1) as f64);
        let scale = power_of_two(job.scale);

        let mut empty = true;
        let mut coming = Candidates::new(bins, &runs, start, extent);
        while let Some(index) = coming.next() {
            let (center, sigma) = (bins.center(index), bins.sigma(index));
            let spans = [0, 1, 2].map(|j| rules.span(&axes[j], center[j], sigma[j]));
            let (Some(z), Some(y), Some(x)) = (
                images(&axes[0], spans[0], first[0], last[0]),
                images(&axes[1], spans[1], first[1], last[1]),
                images(&axes[2], spans[2], first[2], last[2]),
            ) else {
                continue;
            };
            if empty {
                buffer.fill(T::ZERO);
                empty = false;
            }
            let reaching = [z, y, x];
            let lowest = spans.map(|span| (span.middle - span.reach).ceil());
            for image in 0..z.count * y.count * x.count {
                let mut rest = image;
                let mut corner = [0isize; 3];
                let mut fits = true;
                for j in 0..3 {
                    let Images { first, count } = reaching[j];
                    let mut offset = lowest[j] - first;
                    if count > 1 {
                        offset -= (rest % count) as f64 * axes[j].n as f64;
                        rest /= count;
                    }
                    fits &= offset > -(W as f64) && offset < T::TILE[j] as f64;
                    // SAFETY: only used if it fits; otherwise cut to what an isize holds.
                    corner[j] = unsafe { offset.clamp(-1e9, 1e9).to_int_unchecked() };
                }
                if !fits {
                    debug_assert!(false, "a support that does not meet the tile");
                    continue;
                }
                let mut factors = [[T::ZERO; LONGEST]; 3];
                for j in 0..3 {
                    let (axis, reach) = (&axes[j], rules.radius * sigma[j]);
                    let (origin, spacing) = (axis.origin, axis.spacing);
                    let profile = Profile { origin, spacing, center: center[j], sigma: sigma[j], reach };
                    let splats = Splats::new(simd, &profile, size_of::<T>() == 8);
                    for v in 0..vectors::<S, T>(W) {
                        let at = v * <T::Vector<S>>::LANES;
                        let factor = T::factors(simd, &splats, lowest[j] + at as f64);
                        // SAFETY: W lanes rounded up to vectors fit LONGEST.
                        unsafe { factor.store(factors[j].as_mut_ptr().add(at)) };
                    }
                }
                let weight = T::from_f64((bins.weight(index) * scale).clamp(-T::MAX, T::MAX));
                add::<S, T, W>(simd, &factors, weight, corner, buffer);
            }
        }
        scratch.runs = runs;
        let margin = W - 1;
        let sums = &scratch.elements()[..T::TILE[0] * rows * row];
        let sums = if empty { None } else { Some((&sums[margin * row + margin..], [rows * row, row])) };
        job.write(simd, start, extent, sums);
    }
}

/// Vectors of a support of `width` voxels.
#[inline(always)]
const fn vectors<S: Simd, T: Real>(width: usize) -> usize {
    width.div_ceil(<T::Vector<S> as Vector>::LANES)
}

/// Adds one Gaussian to the buffer.
#[inline(always)]
fn add<S: Simd, T: Real, const W: usize>(
    simd: S,
    factors: &[[T; LONGEST]; 3],
    weight: T,
    corner: [isize; 3],
    buffer: &mut [T],
) {
    let lanes = <T::Vector<S>>::LANES;
    let count = vectors::<S, T>(W);
    let (rows, row) = pitch(T::TILE, W);
    assert!(buffer.len() >= T::TILE[0] * rows * row);
    let low = (-corner[0]).max(0) as usize;
    let high = (T::TILE[0] as isize - corner[0]).clamp(0, W as isize) as usize;
    let margin = W as isize - 1;
    let offset = (corner[1] + margin) * row as isize + corner[2] + margin;
    let weights = <T::Vector<S>>::splat(simd, weight);
    let mut x = [weights; WIDEST.div_ceil(4)];
    for v in 0..count {
        // SAFETY: a row of factors holds W lanes rounded up to vectors.
        x[v] = unsafe { <T::Vector<S>>::load(simd, factors[2].as_ptr().add(v * lanes)) }.mul(weights);
    }
    for z in low..high {
        let plane = (corner[0] + z as isize) * (rows * row) as isize + offset;
        let z_factor = <T::Vector<S>>::splat(simd, factors[0][z]);
        let mut products = x;
        for v in 0..count {
            products[v] = x[v].mul(z_factor);
        }
        for y in 0..W {
            let y_factor = <T::Vector<S>>::splat(simd, factors[1][y]);
            for v in 0..count {
                // SAFETY: z is a plane of the tile. The corner lies from −(W−1) to the tile's last voxel, so
                // rows and lanes lie within the margins on both sides; the length was checked.
                unsafe {
                    let at = buffer.as_mut_ptr().offset(plane + (y * row + v * lanes) as isize);
                    products[v].mul_add(y_factor, <T::Vector<S>>::load(simd, at)).store(at);
                }
            }
        }
    }
}
