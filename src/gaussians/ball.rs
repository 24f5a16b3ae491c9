//! BALL in a tile: which voxels each Gaussian of a pack keeps, a word of bits for a row.
//!
//! The voxels that a row keeps are a run, from ⌈m − s⌉ to ⌊m + s⌋, where m is the centre's place along x and s the root
//! of what z and y leave of R². That takes a few operations for many rows at once. In f32 the ends are right but where
//! one is so near to a whole number that rounding may decide; then the squares themselves are compared in f64, of these
//! rows alone. So what is kept is what the definition keeps.
//!
//! Only for tiles that are not long.

use std::ops::Range;

use crate::simd::{Kernel, Mask, Simd, Vector, VectorF32};

use super::factors::Real;
use super::pack::{self, MOST_LAYERS};
use super::support::{Axis, Rules};

/// Voxels of a row in a word.
const WORD: usize = u32::BITS as usize;
/// Supports with a wider reach, in voxels, are compared in f64.
const WIDEST: f64 = 4096.0;

pub(super) struct Ball<'m, T> {
    /// Squared distances in sigmas of the Gaussian that comes next, a row for each axis as in the factors.
    squares: &'m mut [f64],
    /// The layers of blocks that it touches.
    pub layers: [Range<usize>; 3],
    /// The least square in each layer of blocks, `T::PACK` a layer.
    least: &'m mut [T],
    /// Rows of bits: for each Gaussian, each word along x, each two planes and each group of rows (as many as a
    /// vector has f64) the rows of the one plane and of the other.
    words: &'m mut [u32],
    /// Whether positions are so exact that f32 is enough but for the rare cases.
    exact: bool,
}

/// Words of a Gaussian, and a cache line more, so that those of all Gaussians of a pack for one block are not all in the
/// same few places of the L1 cache.
const fn words<T: Real>() -> usize {
    T::TILE[0] * T::TILE[1] * T::TILE[2] / WORD + 16
}

impl<'m, T: Real> Ball<'m, T> {
    /// The f64, T and words of memory that it takes.
    pub(super) const fn memory() -> (usize, usize, usize) {
        (pack::rows::<T, false>(), T::PACK * 3 * MOST_LAYERS, T::PACK * words::<T>())
    }

    #[inline(always)]
    pub(super) fn new(squares: &'m mut [f64], least: &'m mut [T], words: &'m mut [u32], exact: bool) -> Self {
        Ball { squares, layers: [0..0, 0..0, 0..0], least, words, exact }
    }

    /// The row of squares of axis j.
    #[inline(always)]
    pub(super) fn row(&mut self, j: usize) -> &mut [f64] {
        &mut self.squares[pack::row::<T, false>(j)..][..T::TILE[j]]
    }

    /// Decides some rows by the squares, those of two groups whose bits are set. Their words begin `at` the first.
    #[inline(always)]
    fn compare<S: Simd>(
        &mut self,
        simd: S,
        left: [S::F64; 2],
        mut rows: u32,
        columns: Range<usize>,
        at: usize,
    ) {
        let lanes = S::F64::LANES;
        let squares = &self.squares[pack::row::<T, false>(2)..][..T::TILE[2]];
        let mut limits = [0.0; 16];
        // SAFETY: the array holds the lanes of two vectors of the widest tier.
        unsafe {
            left[0].store(limits.as_mut_ptr());
            left[1].store(limits.as_mut_ptr().add(lanes));
        }
        while rows != 0 {
            let row = rows.trailing_zeros() as usize;
            rows &= rows - 1;
            let limit = S::F64::splat(simd, limits[row]);
            for word in columns.start / WORD..columns.end.div_ceil(WORD) {
                let columns = columns.start.max(word * WORD)..columns.end.min((word + 1) * WORD);
                let mut bits = 0;
                for v in columns.start / lanes..columns.end / lanes {
                    // SAFETY: the slice is a vector long.
                    let x = unsafe { S::F64::load(simd, squares[v * lanes..(v + 1) * lanes].as_ptr()) };
                    bits |= x.le(limit).bits() << (v * lanes % WORD);
                }
                self.words[at + word * word_step::<T>() + row] = bits;
            }
        }
    }

    /// The least square of a Gaussian in each layer that it touches.
    #[inline(always)]
    fn bound(&mut self, j: usize, slot: usize, side: usize, middle: f64) {
        let squares = &self.squares[pack::row::<T, false>(j)..][..T::TILE[j]];
        for layer in self.layers[j].clone() {
            // Squares fall towards the centre and rise behind it.
            let (first, last) = (layer * side, layer * side + side - 1);
            let (a, b) = (squares[first], squares[last]);
            let smaller = if a < b { a } else { b };
            let inside = first as f64 <= middle + 1.0 && middle - 1.0 <= last as f64;
            let least = if inside { 0.0 } else { smaller.min(0.25 * T::MAX) };
            self.least[(j * MOST_LAYERS + layer) * T::PACK + slot] = T::from_f64(least);
        }
    }

    /// Of the Gaussians touching the block with these layers: those that keep a part of it, and perhaps a few more.
    #[inline(always)]
    pub(super) fn near<S: Simd>(&self, simd: S, layers: [usize; 3], touching: u64, limit: f64) -> u64 {
        let lanes = <T::Vector<S>>::LANES;
        // The table is rounded.
        let limit = <T::Vector<S>>::splat(simd, T::from_f64(limit * (1.0 + 1e-5)));
        let mut near = 0u64;
        for v in 0..T::PACK / lanes {
            let mut sum = <T::Vector<S>>::splat(simd, T::ZERO);
            for (j, layer) in layers.into_iter().enumerate() {
                let at = (j * MOST_LAYERS + layer) * T::PACK + v * lanes;
                // SAFETY: the slice is a vector long.
                sum = sum.add(unsafe { <T::Vector<S>>::load(simd, self.least[at..at + lanes].as_ptr()) });
            }
            near |= u64::from(sum.le(limit).bits()) << (v * lanes);
        }
        touching & near
    }

    /// The words of Gaussian `slot` for the block with this corner: its rows follow each other, those of the next plane
    /// as many f64 as a vector has further on. And which bit of them is the first.
    #[inline(always)]
    pub(super) fn block<S: Simd>(&self, slot: usize, [z, y, x]: [usize; 3]) -> (*const u32, usize) {
        let at = slot * words::<T>() + place::<S, T>(x / WORD, z, y);
        (self.words.as_ptr().wrapping_add(at), x % WORD)
    }

    /// Whether blocks of so many planes and rows can be looked up.
    #[inline(always)]
    pub(super) fn serves<S: Simd>(&self, planes: usize, rows: usize) -> bool {
        let lanes = S::F64::LANES;
        planes == 2
            && lanes.is_multiple_of(rows)
            && T::TILE[1].is_multiple_of(lanes)
            && self.words.len() >= T::PACK * words::<T>()
    }
}

/// Where among the words of a Gaussian a row is.
#[inline(always)]
fn place<S: Simd, T: Real>(word: usize, z: usize, y: usize) -> usize {
    let lanes = S::F64::LANES;
    let group = (word * (T::TILE[0] / 2) + z / 2) * (T::TILE[1] / lanes) + y / lanes;
    group * 2 * lanes + z % 2 * lanes + y % lanes
}

/// From one word of a row to the next.
const fn word_step<T: Real>() -> usize {
    T::TILE[0] * T::TILE[1]
}

/// Stores the runs of some rows as far as they lie in one word.
///
/// # Safety
/// A vector's worth of words is writable.
#[inline(always)]
unsafe fn run<V: VectorF32>(before: V, behind: V, end: V, first: V, to: *mut u32) {
    let zero = before.sub(before);
    let first = before.sub(first).max(zero);
    // SAFETY: the caller's promise.
    unsafe { first.store_runs(end.add(behind).max(first), to) };
}

/// Finds what Gaussian `slot` keeps, whose squares and layers are set. A function of its own, which has the registers for
/// itself.
pub(super) struct Find<'a, 'm, T> {
    pub ball: &'a mut Ball<'m, T>,
    pub rules: &'a Rules,
    pub axes: &'a [Axis; 3],
    pub slot: usize,
    /// Sides of a block.
    pub block: [usize; 3],
    /// Where the Gaussian is in the tile.
    pub middle: [f64; 3],
    pub sigma: [f64; 3],
}

impl<T: Real> Kernel for Find<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Find { ball, rules, axes, slot, block, middle, sigma } = self;
        for j in 0..3 {
            ball.bound(j, slot, block[j], middle[j]);
        }
        let lanes = S::F64::LANES;
        // In voxels: σ, the widening of means, and how wrong the ends may be.
        let scale = sigma[2] * axes[2].inverse;
        let half = rules.half_width(&axes[2]) * axes[2].inverse;
        let reach = rules.radius * scale + half;
        let wrong = (T::TILE[2] as f64 + reach) * 2f64.powi(-21);
        let rough = !ball.exact || reach > WIDEST;
        let splat = |value: f64| S::F32::splat(simd, value as f32);
        let scale = splat(scale);
        // Rounded to the nearest whole number, these end at the one below.
        let (up, down) = (splat(half + middle[2] - 0.5 + wrong), splat(half - middle[2] - 0.5 + wrong));
        let near = splat(2.0 * wrong - 0.5);
        let all = if rough { (1 << (2 * lanes)) - 1 } else { 0 };

        let [planes, rows, columns] = ball.layers.clone();
        assert!(planes.end * block[0] <= T::TILE[0] && rows.end * block[1] <= T::TILE[1] && slot < T::PACK);
        assert!(ball.squares.len() >= pack::rows::<T, false>() && ball.words.len() >= T::PACK * words::<T>());
        let columns = columns.start * block[2]..columns.end * block[2];
        let (first_word, last_word) = (columns.start / WORD, (columns.end - 1) / WORD);
        let groups = rows.start * block[1] / lanes..(rows.end * block[1]).div_ceil(lanes);
        let one_word = first_word == last_word;
        let before = [0, 1].map(|word| splat(-((word * WORD) as f64)));
        let behind = [0, 1].map(|word| splat(1.0 - (word * WORD) as f64));
        assert!(last_word < before.len());
        for pair in planes.start * block[0] / 2..planes.end * block[0] / 2 {
            let [a, b] =
                [0, 1].map(|dz| S::F64::splat(simd, rules.radius_squared - ball.squares[2 * pair + dz]));
            let at = slot * words::<T>() + place::<S, T>(first_word, 2 * pair, 0);
            for group in groups.clone() {
                // SAFETY: a vector of the squares of axis 1.
                let y = unsafe {
                    S::F64::load(simd, ball.squares.as_ptr().add(pack::row::<T, false>(1) + group * lanes))
                };
                let left = [a.sub(y), b.sub(y)];
                // Of what is negative the root is no number, and the run empty.
                let root = S::narrow(left[0], left[1]).sqrt();
                let (end, first) = (root.mul_add(scale, up), root.mul_add(scale, down));
                let (end_whole, first_whole) = (end.round(), first.round());
                let doubtful = end.sub(end_whole).min(first.sub(first_whole)).lt(near).bits() | all;
                // SAFETY: the place is within the words of the Gaussian, and so are two groups of rows.
                unsafe {
                    let to = ball.words.as_mut_ptr().add(at + 2 * lanes * group);
                    run(before[first_word], behind[first_word], end_whole, first_whole, to);
                    if !one_word {
                        let to = to.add(word_step::<T>());
                        run(before[last_word], behind[last_word], end_whole, first_whole, to);
                    }
                }
                if doubtful != 0 {
                    let columns = columns.clone();
                    let at = slot * words::<T>() + place::<S, T>(0, 2 * pair, group * lanes);
                    ball.compare(simd, left, doubtful, columns, at);
                }
            }
        }
    }
}
