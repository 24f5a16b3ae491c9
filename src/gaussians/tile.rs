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
//! BALL takes the same loop, with a mask for each row, which `ball.rs` has made. It costs twice as much as BOX (but
//! where balls are narrow and many, see `halo.rs`): the masks of a Gaussian take about as long as half of its blocks,
//! and a row with a mask one and a half times one without. (Two f64 comparisons a vector in this loop took 1.3 times as
//! long over all; one comparison in f32, and no masks in memory, is slower than a mask from memory by half a row.)
//! Packs of half the size, blocks of half the size gained nothing.

use crate::error::Error;
use crate::isa::Isa;
use crate::scratch::{Scratch, reserve};
use crate::simd::{self, Kernel, Simd, Vector};
use crate::threads::{Reporter, Tasks};

use super::Support;
use super::ball::Ball;
use super::blocks::{add, clear};
use super::candidates::{Candidates, MOST_RUNS, Run};
use super::factors::{Real, power_of_two};
use super::filling::{Lines, Singles, Target};
use super::output::{Clear, Job};
use super::pack::{self, Pack, sides};
use super::stream::StreamLines;
use super::support::Axis;

/// The sum tile by tile. With PARTS only what Gaussians touch is written, and `clear` pieces of the grid are cleared
/// before.
pub(super) fn sum_tiles<T: Real, const LONG: bool, const PARTS: bool>(
    job: &Job<T>,
    clear: usize,
    isa: Isa,
    threads: usize,
    reporter: &mut Reporter,
    span: [f64; 2],
) -> Result<(), Error> {
    let sides = sides::<T, LONG>();
    // (Long tiles of whole rows gain nothing by it.)
    let shift = job.shift.filter(|_| !(LONG && job.is_flat()));
    let shift = [0, 0, shift.unwrap_or(0)];
    let (first, count) = tiles(&job.axes, sides, shift, PARTS.then_some(job.bins.reached));
    let tasks = count.iter().product();
    let scratch = || TileMemory::new(job.rules.support);
    let planes = job.axes[0].n;
    let piece = planes.div_ceil(clear.max(1));
    let clear_piece = |i| {
        let planes = planes.min(i * piece)..planes.min((i + 1) * piece);
        simd::dispatch(isa, Clear { job, planes });
    };
    Tasks { threads, count: tasks, reporter, span }.run_after(clear, clear_piece, scratch, |scratch, i| {
        let tile = [i / (count[1] * count[2]), i / count[2] % count[1], i % count[2]];
        let start = [0, 1, 2].map(|j| ((first[j] + tile[j]) * sides[j]) as isize - shift[j] as isize);
        let extent = [0, 1, 2].map(|j| sides[j].min((job.axes[j].n as isize - start[j]) as usize));
        simd::dispatch(isa, SumTile::<T, LONG, PARTS> { job, start, extent, scratch });
    })
}

/// The first tile and the number of tiles along each axis; only those in `reached` voxels, if given. Tiles are cut
/// `shift` voxels before the multiples of their sides.
fn tiles(
    axes: &[Axis; 3],
    sides: [usize; 3],
    shift: [usize; 3],
    reached: Option<[[f64; 3]; 2]>,
) -> ([usize; 3], [usize; 3]) {
    let mut first = [0; 3];
    let mut count = [0, 1, 2].map(|j: usize| (axes[j].n + shift[j]).div_ceil(sides[j]));
    if let Some([low, high]) = reached {
        for j in 0..3 {
            let last = (axes[j].n - 1) as f64;
            if low[j] > high[j] {
                return ([0; 3], [0; 3]);
            }
            first[j] = (low[j].clamp(0.0, last) as usize + shift[j]) / sides[j];
            count[j] = (high[j].clamp(0.0, last) as usize + shift[j]) / sides[j] + 1 - first[j];
        }
    }
    (first, count)
}

/// Elements of a tile's buffer.
pub(super) const fn voxels<T: Real, const LONG: bool>() -> usize {
    sides::<T, LONG>()[0] * sides::<T, LONG>()[1] * sides::<T, LONG>()[2]
}

/// The working memory of one thread.
pub(super) struct TileMemory<T, const LONG: bool> {
    bytes: Scratch<u8>,
    /// Ranges of records that may reach the tile.
    runs: Vec<Run>,
    element: std::marker::PhantomData<T>,
}

impl<T: Real, const LONG: bool> TileMemory<T, LONG> {
    pub(super) fn new(support: Support) -> Result<Self, Error> {
        let bytes = Scratch::new(Self::sizes(support).iter().sum())?;
        let runs = reserve(MOST_RUNS, "the candidates of a tile")?;
        Ok(TileMemory { bytes, runs, element: std::marker::PhantomData })
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
        let mut rest = self.bytes.as_mut_slice();
        let [buffer, factors, squares, least, words] = sizes.map(|bytes| {
            debug_assert!(bytes.is_multiple_of(simd::LINE));
            let part;
            (part, rest) = std::mem::take(&mut rest).split_at_mut(bytes);
            part.as_mut_ptr()
        });
        let [buffer_len, factors_len, _, least_len, _] = sizes.map(|bytes| bytes / size_of::<T>());
        // SAFETY: the parts are apart, begin at cache lines and are long enough, and any bits are a T (f32 or f64), an
        // f64 or a u32.
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

/// The sum over one tile, in the shell of a tier. With PARTS only blocks that Gaussians touch are visited: where they are
/// added to a grid, or are few. (In one function the two ways cost the whole tiles a third of their time for writing.)
pub(super) struct SumTile<'a, 'b, T, const LONG: bool, const PARTS: bool> {
    pub job: &'a Job<'b, T>,
    /// Its first voxel, perhaps before the grid.
    pub start: [isize; 3],
    /// Its voxels, as many as fit in the buffer or fewer.
    pub extent: [usize; 3],
    pub scratch: &'a mut TileMemory<T, LONG>,
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
        let SumTile { job, start, extent, scratch } = self;
        let Job { axes, rules, bins, .. } = job;
        let mut runs = std::mem::take(&mut scratch.runs);
        // Where the grid begins in the tile.
        let inset = start.map(|v| (-v).max(0) as usize);
        let inside = [0, 1, 2].map(|j| ((start[j] + inset[j] as isize) as usize, extent[j] - inset[j]));
        bins.runs(axes, inside.map(|(start, _)| start), inside.map(|(_, extent)| extent), &mut runs);

        let (buffer, factors, ball) = scratch.parts(rules.support, bins.lines_are_exact());
        let mut pack = Pack::new(factors, ball, [BZ, BY, <T::Vector<S>>::LANES]);
        let ball = rules.support == Support::Ball;

        let mut empty = true;
        // PARTS: for each layer of planes and of rows a bit for each block that has been touched.
        let mut touched = [[0u64; 16]; 16];
        let mut coming = Candidates::new(bins, &runs, start, extent);
        let mut lines = job.lines.then(|| Lines::new(job));
        let mut singles = Singles::default();
        let target = Target { start, extent, scale: power_of_two(job.scale) };
        loop {
            pack.clear();
            match &mut lines {
                Some(lines) => lines.fill(simd, job, &mut pack, &mut coming, &target),
                None => singles.fill(simd, job, &mut pack, &mut coming, &target),
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
        let block = [BZ, BY, <T::Vector<S>>::LANES];
        if PARTS {
            write_parts::<S, T, LONG>(simd, job, start, inset, extent, buffer, block, &touched);
        } else {
            let [start, extent] = [inside.map(|(start, _)| start), inside.map(|(_, extent)| extent)];
            write_whole::<S, T, LONG>(simd, job, start, inset, extent, buffer, empty);
        }
    }
}

/// Steps between planes and rows of a tile's buffer.
const fn pitch<T: Real, const LONG: bool>() -> [usize; 2] {
    let [_, rows, row] = sides::<T, LONG>();
    [rows * row, row]
}

/// Writes a tile, of which voxels `extent` from `start` on lie in the grid, and from `inset` on in the buffer.
#[inline(always)]
fn write_whole<S: Simd, T: Real, const LONG: bool>(
    simd: S,
    job: &Job<T>,
    start: [usize; 3],
    inset: [usize; 3],
    extent: [usize; 3],
    buffer: &mut [T],
    empty: bool,
) {
    let mut pitch = pitch::<T, LONG>();
    if LONG && !empty && extent[2] < pitch[1] && job.rows_follow(extent[2]) {
        // Then rows follow each other in the buffer, too, and a plane is written in one run: lines that two rows share
        // cost more.
        for row in 1..extent[0] * sides::<T, LONG>()[1] {
            buffer.copy_within(row * pitch[1]..row * pitch[1] + extent[2], row * extent[2]);
        }
        pitch = pitch.map(|step| step / pitch[1] * extent[2]);
    }
    let buffer = &buffer[inset[0] * pitch[0] + inset[1] * pitch[1] + inset[2]..];
    job.write(simd, start, extent, if empty { None } else { Some((buffer, pitch)) });
}

/// Writes, or adds, the blocks of a tile that have been touched. The grid begins in the tile at `inset` and ends at
/// `extent`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn write_parts<S: Simd, T: Real, const LONG: bool>(
    simd: S,
    job: &Job<T>,
    start: [isize; 3],
    inset: [usize; 3],
    extent: [usize; 3],
    buffer: &[T],
    block: [usize; 3],
    touched: &[[u64; 16]; 16],
) {
    let pitch = pitch::<T, LONG>();
    if job.streams_lines() {
        simd::dispatch(S::ISA, StreamLines { job, start, inset, extent, buffer, pitch, block, touched });
        return;
    }
    for z in 0..sides::<T, LONG>()[0] / block[0] {
        for y in 0..sides::<T, LONG>()[1] / block[1] {
            let mut blocks = touched[z][y];
            while blocks != 0 {
                let first = blocks.trailing_zeros() as usize;
                let count = (blocks >> first).trailing_ones() as usize;
                blocks &= blocks + (1 << first);
                let low = [z, y, first];
                let low = [0, 1, 2].map(|j| low[j] * block[j]);
                let high = [low[0] + block[0], low[1] + block[1], low[2] + count * block[2]];
                let low = [0, 1, 2].map(|j| low[j].max(inset[j]));
                let size = [0, 1, 2].map(|j| high[j].min(extent[j]).saturating_sub(low[j]));
                if size.contains(&0) {
                    continue;
                }
                let from = low[0] * pitch[0] + low[1] * pitch[1] + low[2];
                let at = [0, 1, 2].map(|j| (start[j] + low[j] as isize) as usize);
                job.write(simd, at, size, Some((&buffer[from..], pitch)));
            }
        }
    }
}
