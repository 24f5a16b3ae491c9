//! Many narrow Gaussians: halo tiles.
//!
//! With supports of a few voxels, or balls of up to sixteen, the blocks of `blocks.rs` are mostly zeros, and a Gaussian
//! at a tile's edge is made again for every tile it reaches. Here each belongs to one tile, by the lowest lattice point
//! of its support, and is added whole to a buffer with room for what sticks out, so that nothing is clipped, and the
//! loops over its rows have lengths known at compile time:
//!
//! ```text
//! clear the grid
//! for piece of the Gaussians of a tile, the tiles colour by colour:
//!     buffer = 0
//!     for Gaussian of the piece:
//!         make gx, gy, A·gz from the lowest lattice point on
//!         for z, y of the support: buffer[z][y][x..] += (gx · gz[z]) · gy[y]
//!     wait for the earlier pieces of this tile and its neighbours
//!     add the buffer to the grid
//! ```
//!
//! The order in which pieces are added to a voxel is that of their numbers, whoever computes them.

use std::ops::Range;

use crate::error::Error;
use crate::isa::Isa;
use crate::scratch::{Scratch, reserve};
use crate::simd::{self, Kernel, Simd, Vector};
use crate::threads::{Reporter, Tasks, Turns};
use crate::volume::ElementType;

use super::batch::{self, BATCH, Batch, LEAST_EXPONENT, Place};
use super::bins::Widths;
use super::corners::Corners;
use super::factors::{Real, Splats, power_of_two};
use super::halo_ball::Kept;
use super::output::{Clear, Job, Merge};
use super::sort::MOST_CELLS;
use super::support::{Axis, Rules};
use super::{Sampling, Support};

/// The widest supports, in voxels: of all, and of balls in larger tiles.
const WIDEST: [usize; 2] = [8, 16];

/// Lower corners in a tile for supports of up to H voxels, along each axis. Tiles that are as equal as can be have at
/// least half of them, and no fewer than H: then only neighbours meet.
const fn tile_sides(h: usize) -> [usize; 3] {
    if h == 8 { [16, 16, 32] } else { [32; 3] }
}

/// The planes, rows and voxels of the buffer: a corner may lie one further up, where rounding put a lattice point out of
/// the support.
const fn buffer_sides(h: usize) -> [usize; 3] {
    let [z, y, x] = tile_sides(h);
    [z + h, y + h, x + h]
}

/// Vectors of the widest row, of which the narrowest have four lanes.
pub(super) const MOST_VECTORS: usize = 4;

/// Gaussians of a piece: larger tiles are shared between threads.
const PIECE: usize = 8192;

/// Centres a voxel from which clearing and merging buffers pay, on grids in the caches and on larger ones: boxes on f32
/// grids, and others, which take longer by tiles. Measured on Zen 4.
const DENSE: [[f64; 2]; 2] = [[0.015, 0.05], [0.01, 0.02]];

/// The tiles, if the Gaussians are narrow and many.
pub(super) fn plan<T: Real>(
    axes: &[Axis; 3],
    rules: &Rules,
    widths: Widths,
    large: bool,
) -> Result<Option<Corners>, Error> {
    let all_within = |width: usize| widths.most.iter().all(|&reach| (2.0 * reach).floor() < width as f64);
    let width = match rules.support {
        _ if all_within(WIDEST[0]) => WIDEST[0],
        // Each takes as long as the widest.
        Support::Ball if all_within(WIDEST[1]) && widths.least.iter().all(|&reach| reach > 3.5) => WIDEST[1],
        _ => return Ok(None),
    };
    let exponent = 0.5 * rules.radius_squared * std::f64::consts::LOG2_E;
    if rules.sampling != Sampling::Point || exponent > LEAST_EXPONENT || widths.some_are_relative(rules) {
        return Ok(None);
    }
    let Some(corners) = Corners::new(axes, tile_sides(width), width, MOST_CELLS)? else { return Ok(None) };
    let room = (corners.count.iter().product::<usize>() * tile_sides(width).iter().product::<usize>()) as f64;
    let others = rules.support == Support::Ball || T::TYPE != ElementType::F32;
    let dense = DENSE[usize::from(others)][usize::from(large)];
    Ok((widths.count as f64 >= dense * room).then_some(corners))
}

/// Some Gaussians of a tile.
struct Piece {
    tile: usize,
    places: Range<usize>,
}

/// The whole sum.
pub(super) fn sum<T: Real>(
    job: &Job<T>,
    corners: &Corners,
    isa: Isa,
    threads: usize,
    reporter: &mut Reporter,
    span: [f64; 2],
) -> Result<(), Error> {
    if corners.width == WIDEST[0] {
        sum_wide::<T, { WIDEST[0] }>(job, corners, isa, threads, reporter, span)
    } else {
        sum_wide::<T, { WIDEST[1] }>(job, corners, isa, threads, reporter, span)
    }
}

fn sum_wide<T: Real, const H: usize>(
    job: &Job<T>,
    corners: &Corners,
    isa: Isa,
    threads: usize,
    reporter: &mut Reporter,
    span: [f64; 2],
) -> Result<(), Error> {
    // Sixteen lanes for eight voxels only cross more cache lines.
    let isa = if T::TYPE == ElementType::F32 { isa.min(Isa::Avx2) } else { isa };
    let planes = if job.accumulate { 0 } else { job.axes[0].n };
    let tiles = corners.count.iter().product::<usize>();
    let mut order = reserve(tiles, "the order of tiles")?;
    order.extend(0..tiles);
    // (In place: a stable sort would need memory.)
    order.sort_unstable_by_key(|&tile| (corners.color(tile), tile));
    let mut pieces =
        reserve(tiles + job.bins.places(0..corners.cells()).len() / PIECE, "the pieces of tiles")?;
    // The pieces of each tile.
    let mut pieces_of = reserve(tiles, "the pieces of tiles")?;
    pieces_of.resize(tiles, 0..0);
    for tile in order {
        let first = pieces.len();
        let places = job.bins.places(tile * corners.cells_a_tile..(tile + 1) * corners.cells_a_tile);
        for start in places.clone().step_by(PIECE) {
            pieces.push(Piece { tile, places: start..places.end.min(start + PIECE) });
        }
        pieces_of[tile] = first..pieces.len();
    }
    let [_, rows, row] = buffer_sides(H);
    let turns = Turns::new(pieces.len())?;
    let width = job.bins.width();
    let scratch = || Scratch::<T>::new(buffer_sides(H).iter().product());
    let clear = |z| simd::dispatch(isa, Clear { job, planes: z..z + 1 });
    Tasks { threads, count: pieces.len(), reporter, span }.run_after(planes, clear, scratch, |scratch, i| {
        let over = turns.over(i);
        let (Piece { tile, places }, buffer) = (&pieces[i], scratch.as_mut_slice());
        let at = corners.tile(*tile);
        let ranges = [0, 1, 2].map(|j| corners.range(j, at[j]));
        let first = ranges.map(|range| range.0);
        simd::dispatch(isa, AddPiece::<T, H> { job, places: places.clone(), first, width, buffer });
        for neighbor in corners.neighbors(*tile) {
            let Range { start, end } = pieces_of[neighbor];
            (start..end.min(i)).for_each(|earlier| turns.wait_for(earlier));
        }
        let extent = ranges.map(|range| range.1 + H - 1);
        simd::dispatch(isa, Merge { job, buffer, first, extent, pitch: [rows * row, row] });
        drop(over);
    })
}

/// The sum over a piece, in the shell of a tier.
struct AddPiece<'a, 'b, T, const H: usize> {
    job: &'a Job<'b, T>,
    places: Range<usize>,
    /// The tile's first corner.
    first: [isize; 3],
    /// The voxels that supports have, but for a few with one more.
    width: usize,
    buffer: &'a mut [T],
}

impl<T: Real, const H: usize> Kernel for AddPiece<'_, '_, T, H> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match (H, self.job.rules.support) {
            (8, Support::Box) => self.sum_wide::<S, 5, 6, 7, false>(simd),
            (8, Support::Ball) => self.sum_wide::<S, 5, 6, 7, true>(simd),
            (_, Support::Box) => unreachable!("boxes are narrow"),
            (_, Support::Ball) => self.sum_wide::<S, 10, 12, 14, true>(simd),
        }
    }
}

impl<T: Real, const H: usize> AddPiece<'_, '_, T, H> {
    /// For supports of up to A, B, C or H voxels.
    #[inline(always)]
    fn sum_wide<S: Simd, const A: usize, const B: usize, const C: usize, const BALL: bool>(self, simd: S) {
        match self.width {
            width if width <= A => self.sum::<S, A, BALL>(simd),
            width if width <= B => self.sum::<S, B, BALL>(simd),
            width if width <= C => self.sum::<S, C, BALL>(simd),
            _ => self.sum::<S, H, BALL>(simd),
        }
    }

    #[inline(always)]
    fn sum<S: Simd, const W: usize, const BALL: bool>(self, simd: S) {
        let AddPiece { job, places, first, buffer, .. } = self;
        let Job { axes, rules, bins, .. } = job;
        let [planes, rows, row] = buffer_sides(H);
        assert!(W <= H && buffer.len() >= planes * rows * row);
        buffer.fill(T::ZERO);
        let tile = Place { first, last: tile_sides(H), pitch: [rows * row, row, 1] };
        let mut batch = Batch::new();
        let shared = bins.shared_sigma();
        let mut shapes = batch::shapes(simd, axes, rules, shared.unwrap_or([1.0; 3]));
        if let Some(sigma) = shared {
            (0..BATCH).for_each(|i| batch.set_sigma(i, axes, rules, sigma));
        }
        let scale = power_of_two(job.scale);
        let mut factors = Factors([[[T::ZERO; H]; 3]; BATCH]);
        let mut kept = Kept::<H>::NONE;
        for start in places.clone().step_by(BATCH) {
            let places = start..places.end.min(start + BATCH);
            if shared.is_none() {
                for (i, place) in places.clone().enumerate() {
                    batch.set_sigma(i, axes, rules, bins.sigma(place));
                }
            }
            batch.take_halo(simd, axes, bins, places.clone(), &tile);
            for (i, place) in places.clone().enumerate() {
                if shared.is_none() && size_of::<T>() == 8 {
                    shapes = batch::shapes(simd, axes, rules, bins.sigma(place));
                }
                make::<S, T, H>(simd, &batch, &shapes, i, &mut factors.0[i]);
            }
            for (i, place) in places.enumerate() {
                let Some(at) = batch.offset(i) else {
                    debug_assert!(false, "a support that does not begin in its tile");
                    continue;
                };
                let weight = T::from_f64((bins.weight(place) * scale).clamp(-T::MAX, T::MAX));
                // SAFETY: the corner was found to be at most a tile's side, and the buffer has H more each way.
                unsafe {
                    let at = buffer.as_mut_ptr().add(at);
                    if W == H || batch.fits(i, W) {
                        if BALL {
                            kept.find::<S, W>(simd, axes, rules, &batch, i);
                        }
                        add::<S, T, H, W, BALL>(simd, &factors.0[i], &kept, weight, at);
                    } else {
                        if BALL {
                            kept.find::<S, H>(simd, axes, rules, &batch, i);
                        }
                        add::<S, T, H, H, BALL>(simd, &factors.0[i], &kept, weight, at);
                    }
                }
            }
        }
    }
}

/// The factors of a batch along the three axes.
#[repr(C, align(64))]
struct Factors<T, const H: usize>([[[T; H]; 3]; BATCH]);

/// Makes the factors of Gaussian i of a batch.
#[inline(always)]
fn make<S: Simd, T: Real, const H: usize>(
    simd: S,
    batch: &Batch,
    shapes: &[Splats<S>; 3],
    i: usize,
    factors: &mut [[T; H]; 3],
) {
    let lanes = <T::Vector<S>>::LANES;
    assert!(H.is_multiple_of(lanes));
    for j in 0..3 {
        for v in 0..H / lanes {
            let line = T::line(simd, batch, &shapes[j], i, j, v);
            // SAFETY: a vector of the H factors.
            unsafe { line.store(factors[j].as_mut_ptr().add(v * lanes)) };
        }
    }
}

/// Adds one Gaussian to the buffer, from its corner on.
///
/// # Safety
/// H planes, rows and voxels from `buffer` on are in the buffer.
#[inline(always)]
unsafe fn add<S: Simd, T: Real, const H: usize, const W: usize, const BALL: bool>(
    simd: S,
    factors: &[[T; H]; 3],
    kept: &Kept<H>,
    weight: T,
    buffer: *mut T,
) {
    let lanes = <T::Vector<S>>::LANES;
    let vectors = W.div_ceil(lanes);
    let [_, rows, row] = buffer_sides(H);
    assert!(vectors <= MOST_VECTORS && H.is_multiple_of(lanes));
    let weight = <T::Vector<S>>::splat(simd, weight);
    let mut x = [weight; MOST_VECTORS];
    let squares = kept.squares(simd);
    for v in 0..vectors {
        // SAFETY: a vector of the H factors.
        x[v] = unsafe { <T::Vector<S>>::load(simd, factors[2].as_ptr().add(v * lanes)) }.mul(weight);
    }
    for z in 0..W {
        let factor = <T::Vector<S>>::splat(simd, factors[0][z]);
        let mut products = x;
        for v in 0..vectors {
            products[v] = x[v].mul(factor);
        }
        for y in 0..W {
            let factor = <T::Vector<S>>::splat(simd, factors[1][y]);
            for v in 0..vectors {
                // SAFETY: plane z < H, row y < H, and whole vectors of H voxels.
                unsafe {
                    let at = buffer.add((z * rows + y) * row + v * lanes);
                    let sum = <T::Vector<S>>::load(simd, at);
                    let sum = if BALL {
                        let mask = T::at_most::<S>(&squares, kept.most(simd, z, y), v);
                        products[v].mul_add_where(mask, factor, sum)
                    } else {
                        products[v].mul_add(factor, sum)
                    };
                    sum.store(at);
                }
            }
        }
    }
}
