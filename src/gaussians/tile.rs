//! One tile of the grid: the sum of the Gaussians that reach it.
//!
//! ```text
//! buffer = 0
//! for pack of up to 64 Gaussians that reach the tile:
//!     make their factors gx, gy, A·gz over the tile; mark the layers of blocks they touch
//!     for block (z × y rows × one vector) that any of them touches:
//!         sums = the block of the buffer, in registers
//!         for Gaussian that touches the block (set bits, in order):
//!             sums[z][y] += (gx · gz[z]) · gy[y]
//!         the block of the buffer = sums
//! grid tile = buffer                               (or is added to)
//! ```
//!
//! Registers are loaded and stored once for all Gaussians of a pack, not once for each: a row held in the
//! L1 cache can be updated at most half as fast. Who touches a block is the AND of three sets of bits. A
//! Gaussian's bits, its order and so every sum depend on the input alone, not on who computes the tile.
//!
//! BALL takes the same loop, with a mask for each row, which `ball.rs` has made. It costs twice as much as BOX: the masks
//! of a Gaussian take about as long as half of its blocks, and a row with a mask one and a half times one without.
//! (Two f64 comparisons a vector in this loop took 1.3 times as long over all; one comparison in f32, and no masks in
//! memory, is slower than a mask from memory by half a row.) Packs of half the size, blocks of half the size gained nothing.

use crate::error::Error;
use crate::simd::{Kernel, Simd, Vector};

use super::Support;
use super::ball::Ball;
use super::batch::{BATCH, Batch};
use super::bins::{Candidates, Run};
use super::factors::{Real, power_of_two};
use super::output::Job;
use super::pack::{self, Images, Pack, images, sides};

/// Elements of a tile's buffer.
const fn voxels<T: Real, const LONG: bool>() -> usize {
    sides::<T, LONG>()[0] * sides::<T, LONG>()[1] * sides::<T, LONG>()[2]
}

/// The working memory of one thread.
pub(super) struct Scratch<T, const LONG: bool> {
    lines: Vec<Line>,
    /// Ranges of records that may reach the tile.
    runs: Vec<Run>,
    element: std::marker::PhantomData<T>,
}

/// A cache line, for its alignment.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

impl<T: Real, const LONG: bool> Scratch<T, LONG> {
    pub(super) fn new(support: Support) -> Result<Self, Error> {
        let bytes = Self::sizes(support).iter().sum::<usize>();
        let count = bytes.div_ceil(size_of::<Line>());
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).map_err(|_| Error::memory(bytes, "a tile of the grid"))?;
        lines.resize(count, Line([0; 8]));
        Ok(Scratch { lines, runs: Vec::new(), element: std::marker::PhantomData })
    }

    /// Bytes of the tile's buffer, of a pack's factors, and of the three parts of a ball.
    fn sizes(support: Support) -> [usize; 5] {
        let (squares, least, words) = match support {
            Support::Box => (0, 0, 0),
            Support::Ball => Ball::<T>::memory(),
        };
        let elements = [voxels::<T, LONG>(), T::PACK * pack::rows::<T, LONG>()].map(|n| n * size_of::<T>());
        [
            elements[0],
            elements[1],
            squares * size_of::<f64>(),
            least * size_of::<T>(),
            words * size_of::<u32>(),
        ]
    }

    /// The tile's buffer, a pack's factors, and what BALL needs.
    fn parts(&mut self, support: Support, exact: bool) -> (&mut [T], &mut [T], Ball<'_, T>) {
        let sizes = Self::sizes(support);
        // (Each is a multiple of a cache line, which is a multiple of every alignment.)
        let mut rest = &mut self.lines[..];
        let [buffer, factors, squares, least, words] = sizes.map(|bytes| {
            let lines;
            (lines, rest) = std::mem::take(&mut rest).split_at_mut(bytes / size_of::<Line>());
            lines.as_mut_ptr()
        });
        let [buffer_len, factors_len, _, least_len, _] = sizes.map(|bytes| bytes / size_of::<T>());
        // SAFETY: lines are plain memory without padding, these are apart and long enough, and any bits are a T (f32 or
        // f64), an f64 or a u32.
        unsafe {
            let ball = Ball::new(
                std::slice::from_raw_parts_mut(squares.cast(), sizes[2] / size_of::<f64>()),
                std::slice::from_raw_parts_mut(least.cast(), least_len),
                std::slice::from_raw_parts_mut(words.cast(), sizes[4] / size_of::<u32>()),
                exact,
            );
            let buffer = std::slice::from_raw_parts_mut(buffer.cast(), buffer_len);
            (buffer, std::slice::from_raw_parts_mut(factors.cast(), factors_len), ball)
        }
    }
}

/// The sum over one tile, in the shell of a tier. With PARTS, where Gaussians are added to a grid, only blocks that
/// they touch are visited. (In one function the two ways cost the whole tiles a third of their time for writing.)
pub(super) struct SumTile<'a, 'b, T, const LONG: bool, const PARTS: bool> {
    pub job: &'a Job<'b, T>,
    /// Its first voxel.
    pub start: [usize; 3],
    pub scratch: &'a mut Scratch<T, LONG>,
}

impl<T: Real, const LONG: bool, const PARTS: bool> Kernel for SumTile<'_, '_, T, LONG, PARTS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // As many sums as leave registers for the factors; measured per tier.
        if S::VECTORS >= 32 {
            self.sum::<S, 2, 8>(simd);
        } else if S::VECTORS >= 16 {
            self.sum::<S, 2, 4>(simd);
        } else {
            self.sum::<S, 2, 2>(simd);
        }
    }
}

impl<T: Real, const LONG: bool, const PARTS: bool> SumTile<'_, '_, T, LONG, PARTS> {
    #[inline(always)]
    fn sum<S: Simd, const BZ: usize, const BY: usize>(self, simd: S) {
        let SumTile { job, start, scratch } = self;
        let Job { axes, rules, bins, .. } = job;
        let extent = [0, 1, 2].map(|j| sides::<T, LONG>()[j].min(axes[j].n - start[j]));
        let mut runs = std::mem::take(&mut scratch.runs);
        bins.runs(axes, start, extent, &mut runs);

        let (buffer, factors, ball) = scratch.parts(rules.support, bins.lines_are_exact());
        let mut pack = Pack::new(factors, ball, [BZ, BY, <T::Vector<S>>::LANES]);
        let scale = power_of_two(job.scale);
        let ball = rules.support == Support::Ball;

        let mut empty = true;
        // PARTS: for each layer of planes and of rows a bit for each block that has been touched.
        let mut touched = [[0u64; 16]; 16];
        let mut coming = Candidates::new(bins, &runs, start, extent);
        let mut lines = job.lines.then(|| Lines::new(job));
        // A Gaussian whose images do not all fit in the pack, and how many of them are done.
        let mut waiting: Option<(usize, u64)> = None;
        loop {
            pack.clear();
            match &mut lines {
                Some(lines) => lines.fill(simd, job, &mut pack, &mut coming, start, extent, scale),
                None => fill(simd, job, &mut pack, &mut coming, &mut waiting, start, extent, scale),
            }
            if pack.len == 0 {
                break;
            }
            pack.finish();
            if PARTS {
                clear::<S, T, LONG, BZ, BY>(&pack, &mut touched, buffer);
            } else if empty {
                buffer.fill(T::ZERO);
            }
            empty = false;
            if ball && !LONG {
                add::<S, T, LONG, BZ, BY, true>(simd, &pack, rules.radius_squared, buffer);
            } else {
                add::<S, T, LONG, BZ, BY, false>(simd, &pack, 0.0, buffer);
            }
        }
        scratch.runs = runs;
        let (buffer, _, _) = scratch.parts(rules.support, false);
        let pitch = [sides::<T, LONG>()[1] * sides::<T, LONG>()[2], sides::<T, LONG>()[2]];
        if !PARTS {
            job.write(simd, start, extent, if empty { None } else { Some((buffer, pitch)) });
            return;
        }
        for z in 0..sides::<T, LONG>()[0] / BZ {
            for y in 0..sides::<T, LONG>()[1] / BY {
                let mut blocks = touched[z][y];
                while blocks != 0 {
                    let first = blocks.trailing_zeros() as usize;
                    let count = (blocks >> first).trailing_ones() as usize;
                    blocks &= blocks + (1 << first);
                    let corner = [z * BZ, y * BY, first * <T::Vector<S>>::LANES];
                    let size = [BZ, BY, count * <T::Vector<S>>::LANES];
                    let from = corner[0] * pitch[0] + corner[1] * pitch[1] + corner[2];
                    let extent = [0, 1, 2].map(|j| size[j].min(extent[j] - corner[j]));
                    let start = [0, 1, 2].map(|j| start[j] + corner[j]);
                    job.write(simd, start, extent, Some((&buffer[from..], pitch)));
                }
            }
        }
    }
}

/// Clears the blocks that a pack touches and none before it did. (To ask for their place in the grid meanwhile gained
/// nothing.)
#[inline(always)]
fn clear<S: Simd, T: Real, const LONG: bool, const BZ: usize, const BY: usize>(
    pack: &Pack<T, LONG>,
    touched: &mut [[u64; 16]; 16],
    buffer: &mut [T],
) {
    let (sides, lanes) = (sides::<T, LONG>(), <T::Vector<S>>::LANES);
    for z in 0..sides[0] / BZ {
        for y in 0..sides[1] / BY {
            let rows = pack.touched[0][z] & pack.touched[1][y];
            if rows == 0 {
                continue;
            }
            for x in 0..sides[2] / lanes {
                if rows & pack.touched[2][x] == 0 || touched[z][y] >> x & 1 != 0 {
                    continue;
                }
                touched[z][y] |= 1 << x;
                for row in (0..BZ * BY).map(|i| (z * BZ + i / BY) * sides[1] + y * BY + i % BY) {
                    buffer[row * sides[2] + x * lanes..][..lanes].fill(T::ZERO);
                }
            }
        }
    }
}

/// Fills a pack with the Gaussians that come next.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn fill<S: Simd, T: Real, const LONG: bool>(
    simd: S,
    job: &Job<T>,
    pack: &mut Pack<T, LONG>,
    coming: &mut Candidates,
    waiting: &mut Option<(usize, u64)>,
    start: [usize; 3],
    extent: [usize; 3],
    scale: f64,
) {
    let Job { axes, rules, bins, .. } = job;
    let first = start.map(|v| v as f64);
    let last = [0, 1, 2].map(|j| (start[j] + extent[j] - 1) as f64);
    while pack.len < T::PACK {
        let (index, done) = match waiting.take() {
            Some(next) => next,
            None => match coming.next() {
                Some(index) => (index, 0),
                None => break,
            },
        };
        let (center, sigma) = (bins.center(index), bins.sigma(index));
        let spans = [0, 1, 2].map(|j| rules.span(&axes[j], center[j], sigma[j]));
        let (Some(z), Some(y), Some(x)) = (
            images(&axes[0], spans[0], first[0], last[0]),
            images(&axes[1], spans[1], first[1], last[1]),
            images(&axes[2], spans[2], first[2], last[2]),
        ) else {
            continue;
        };
        let mut reaching = [z, y, x];
        if rules.support == Support::Ball {
            // A box sums its images axis by axis; the images of a ball are Gaussians of their own.
            let combinations = z.count * y.count * x.count;
            if done + 1 < combinations {
                *waiting = Some((index, done + 1));
            }
            let mut rest = done;
            for j in 0..3 {
                let Images { first, count } = reaching[j];
                let image = (rest % count) as f64;
                rest /= count;
                reaching[j] = Images { first: first + image * axes[j].n as f64, count: 1 };
            }
        }
        let weight = T::from_f64((bins.weight(index) * scale).clamp(-T::MAX, T::MAX));
        for j in 0..3 {
            let weight = if j == 0 { weight } else { T::from_f64(1.0) };
            let (axis, span, images) = (&axes[j], spans[j], reaching[j]);
            pack.fill(simd, rules, j, axis, center[j], sigma[j], span, images, extent[j], weight);
        }
        if rules.support == Support::Ball {
            let middle = [0, 1, 2].map(|j| spans[j].middle - reaching[j].first);
            pack.fill_ball(simd, rules, axes, middle, sigma);
        }
        pack.len += 1;
    }
}

/// Batches of centres on their way into packs of f32.
struct Lines {
    batch: Batch,
    places: [usize; BATCH],
    next: usize,
    len: usize,
    shared: bool,
}

impl Lines {
    #[inline(always)]
    fn new<T: Real>(job: &Job<T>) -> Lines {
        let mut batch = Batch::new();
        let shared = job.bins.shared_sigma();
        if let Some(sigma) = shared {
            (0..BATCH).for_each(|i| batch.set_sigma(i, &job.axes, &job.rules, sigma));
        }
        Lines { batch, places: [0; BATCH], next: 0, len: 0, shared: shared.is_some() }
    }

    /// Fills a pack with the Gaussians that come next.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn fill<S: Simd, T: Real, const LONG: bool>(
        &mut self,
        simd: S,
        job: &Job<T>,
        pack: &mut Pack<T, LONG>,
        coming: &mut Candidates,
        start: [usize; 3],
        extent: [usize; 3],
        scale: f64,
    ) {
        let Job { axes, rules, bins, .. } = job;
        while pack.len < T::PACK {
            if self.next == self.len {
                (self.next, self.len) = (0, 0);
                while self.len < BATCH
                    && let Some(place) = coming.next()
                {
                    if !self.shared {
                        self.batch.set_sigma(self.len, axes, rules, bins.sigma(place));
                    }
                    self.places[self.len] = place;
                    self.len += 1;
                }
                if self.len == 0 {
                    break;
                }
                self.batch.take_pack(simd, axes, bins, &self.places[..self.len], start, extent);
            }
            let i = self.next;
            self.next += 1;
            let ends = [
                self.batch.range(i, 0, extent[0]),
                self.batch.range(i, 1, extent[1]),
                self.batch.range(i, 2, extent[2]),
            ];
            if ends.iter().any(|(first, end)| first >= end) {
                continue;
            }
            let weight = T::from_f64((bins.weight(self.places[i]) * scale).clamp(-T::MAX, T::MAX));
            for j in 0..3 {
                let weight = if j == 0 { weight } else { T::from_f64(1.0) };
                pack.fill_line(simd, &self.batch, i, j, (ends[j].0, ends[j].1 - 1), weight);
            }
            if rules.support == Support::Ball {
                let (center, sigma) = (bins.center(self.places[i]), bins.sigma(self.places[i]));
                pack.fill_squares(simd, axes, center, &self.batch, i, ends);
                let middle = [0, 1, 2].map(|j| axes[j].index(center[j]) - self.batch.tile_first(i, j));
                pack.fill_ball(simd, rules, axes, middle, sigma);
            }
            pack.len += 1;
        }
    }
}

/// Adds a pack to the tile's buffer, block by block.
#[inline(always)]
fn add<S: Simd, T: Real, const LONG: bool, const BZ: usize, const BY: usize, const BALL: bool>(
    simd: S,
    pack: &Pack<T, LONG>,
    limit: f64,
    buffer: &mut [T],
) {
    let lanes = <T::Vector<S>>::LANES;
    assert!(BY <= <S::F64 as Vector>::LANES);
    assert!(buffer.len() >= voxels::<T, LONG>() && pack.factors.len() >= T::PACK * pack::rows::<T, LONG>());
    assert!(!BALL || pack.ball.serves::<S>(BZ, BY));
    let [touched_z, touched_y, touched_x] = &pack.touched;
    for z in 0..sides::<T, LONG>()[0] / BZ {
        if touched_z[z] == 0 {
            continue;
        }
        for y in 0..sides::<T, LONG>()[1] / BY {
            let touched_zy = touched_z[z] & touched_y[y];
            if touched_zy == 0 {
                continue;
            }
            for x in 0..sides::<T, LONG>()[2] / lanes {
                let mut touched = touched_zy & touched_x[x];
                if BALL && touched != 0 {
                    touched = pack.ball.near(simd, [z, y, x], touched, limit);
                }
                if touched == 0 {
                    continue;
                }
                let corner = [z * BZ, y * BY, x * lanes];
                // SAFETY: the block lies within the tile, and the buffer's length was checked.
                let block = unsafe {
                    buffer.as_mut_ptr().add(
                        (corner[0] * sides::<T, LONG>()[1] + corner[1]) * sides::<T, LONG>()[2] + corner[2],
                    )
                };
                let mut sums = [[<T::Vector<S>>::splat(simd, T::ZERO); BY]; BZ];
                for (dz, plane) in sums.iter_mut().enumerate() {
                    for (dy, sum) in plane.iter_mut().enumerate() {
                        // SAFETY: a row of the block.
                        *sum = unsafe {
                            <T::Vector<S>>::load(
                                simd,
                                block.add((dz * sides::<T, LONG>()[1] + dy) * sides::<T, LONG>()[2]),
                            )
                        };
                    }
                }
                while touched != 0 {
                    let slot = touched.trailing_zeros() as usize;
                    touched &= touched - 1;
                    // SAFETY: set bits are slots below T::PACK; the corner lies within the rows.
                    let (gz, gy, gx) = unsafe { rows::<T, LONG, _>(pack.factors, slot, corner) };
                    // SAFETY: as above.
                    let gx = unsafe { <T::Vector<S>>::load(simd, gx) };
                    let mut planes = [gx; BZ];
                    for (dz, plane) in planes.iter_mut().enumerate() {
                        // SAFETY: as above.
                        *plane = gx.mul(<T::Vector<S>>::splat(simd, unsafe { *gz.add(dz) }));
                    }
                    let (kept, bit) = pack.ball.block::<S>(slot, corner);
                    for dy in 0..BY {
                        // SAFETY: as above.
                        let g = <T::Vector<S>>::splat(simd, unsafe { *gy.add(dy) });
                        for dz in 0..BZ {
                            let sum = sums[dz][dy];
                            sums[dz][dy] = if BALL {
                                // SAFETY: a row of the block.
                                let word = unsafe { &*kept.add(dz * S::F64::LANES + dy) };
                                let mask = <T::Vector<S>>::mask(simd, word, bit);
                                planes[dz].mul_add_where(mask, g, sum)
                            } else {
                                planes[dz].mul_add(g, sum)
                            };
                        }
                    }
                }
                for (dz, plane) in sums.iter().enumerate() {
                    for (dy, sum) in plane.iter().enumerate() {
                        // SAFETY: a row of the block.
                        unsafe {
                            sum.store(block.add((dz * sides::<T, LONG>()[1] + dy) * sides::<T, LONG>()[2]))
                        };
                    }
                }
            }
        }
    }
}

/// A Gaussian's rows for z, y and x, from the corner on.
///
/// # Safety
/// The table has rows for the slot, and the corner lies within the tile.
#[inline(always)]
unsafe fn rows<T: Real, const LONG: bool, E>(
    table: &[E],
    slot: usize,
    corner: [usize; 3],
) -> (*const E, *const E, *const E) {
    // SAFETY: the caller's promise.
    unsafe {
        let first = table.as_ptr().add(slot * pack::rows::<T, LONG>());
        (
            first.add(corner[0]),
            first.add(pack::row::<T, LONG>(1) + corner[1]),
            first.add(pack::row::<T, LONG>(2) + corner[2]),
        )
    }
}
