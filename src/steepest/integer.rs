//! The kernels of shared minima for integers of 8 and 16 bits: value and code share one number, every comparison is
//! exact.
//!
//! In words, `scale` being 128 for bytes and 32 for wider integers:
//!
//! 1. A key is `scale · value + code`; the lines come with the keys made. So the lower of two neighbours, or of equal
//!    ones that with the lower code, is one minimum, and one more voxel along x is one more in the code.
//! 2. A key of the neighbourhood less the centre's is `scale · (n − c) + label − 13`: the place in the volume cancels.
//!    The value is exact after one rounding, as ±13 is less than half of the scale, and the label are the lowest bits.
//! 3. The classes' best differences d1, d2, d3 compare exactly, each kernel in its own way: d2/√2 with d1, d3/√3
//!    with d1 and with d2/√2. Tests try all pairs of differences that are near to a tie.
//! 4. Scores of different classes tie only at zero. Then value c is the minimum, and the lowest of the three keys has
//!    the lowest code.
//! 5. Where the minima rule takes the centre is a limit on the differences of each class. At a score of −100 itself
//!    the lower index wins: there the limit falls between two codes.

use crate::simd::{Simd, Vector, VectorI16};
use crate::steepest::byte::{BYTE_SCALE, ByteKey};
use crate::steepest::shared::{ROWS, RowOut, Seen, Shared, Step, Weights, position};
use crate::steepest::word::{WORD_SCALE, WordKey};

/// Labels of 8-bit integers where weights are as 1 : 1/√2 : 1/√3.
pub(crate) struct Bytes;

/// Labels of 16-bit integers with such weights, and of the few bytes that are not for the other.
pub(crate) struct Words;

macro_rules! shared {
    ($kernel:ident, $line:ty, $vectors:ident, $key:ident, $scale:expr) => {
        impl Shared for $kernel {
            type Line = $line;
            const KEPT: usize = 2;
            const EXACT: bool = true;
            const KEY_SCALE: Option<f32> = Some($scale);

            fn lanes<S: Simd>() -> usize {
                S::$vectors::LANES
            }

            #[inline(always)]
            unsafe fn step<S: Simd, const EMIT: bool, const SLOPE: bool>(
                simd: S,
                weights: &Weights,
                step: &Step<$line>,
            ) -> Seen {
                for vector in 0..step.vectors(Self::lanes::<S>()) {
                    // SAFETY: the caller's promise.
                    unsafe { column::<S, $key<S::$vectors>, EMIT, SLOPE>(simd, weights, step, vector) };
                }
                Seen::NOTHING
            }
        }
    };
}
shared!(Bytes, i16, I16, ByteKey, BYTE_SCALE as f32);
shared!(Words, f32, F32, WordKey, WORD_SCALE);

/// One vector of a block's rows.
///
/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn column<S: Simd, K: Key<S>, const EMIT: bool, const SLOPE: bool>(
    simd: S,
    weights: &Weights,
    step: &Step<K::Line>,
    vector: usize,
) {
    step.ahead.prefetch(vector * K::LANES);
    if SLOPE {
        step.ahead.prefetch_slopes(vector * K::LANES, K::LANES);
    }
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = (input::<S, K, 0>(simd, step, vector), input::<S, K, 1>(simd, step, vector));
        // Written out, as a loop would be kept one: all addresses are then constants.
        rows = row::<S, K, 0, 2, EMIT, SLOPE>(simd, weights, step, vector, rows);
        rows = row::<S, K, 1, 3, EMIT, SLOPE>(simd, weights, step, vector, rows);
        rows = row::<S, K, 2, 4, EMIT, SLOPE>(simd, weights, step, vector, rows);
        row::<S, K, 3, 5, EMIT, SLOPE>(simd, weights, step, vector, rows);
    }
    const { assert!(ROWS == 4) };
}

/// One line of the arriving plane: the voxels themselves, and the lower of their two neighbours along x.
struct Row<K> {
    middle: K,
    pair: K,
}

/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn input<S: Simd, K: Key<S>, const LINE: usize>(
    simd: S,
    step: &Step<K::Line>,
    vector: usize,
) -> Row<K> {
    let x = position(vector, K::LANES, step.width);
    // SAFETY: the caller's promise.
    let [left, middle, right] = unsafe {
        let line = step.lines[2][LINE].add(x);
        [K::load(simd, line), K::load(simd, line.add(1)), K::load(simd, line.add(2))]
    };
    // Every voxel carries the code of a middle: the left one's is one less, the right one's one more.
    Row { middle, pair: left.lower(right.shift::<2>(simd)).shift::<-1>(simd) }
}

/// One row of the block: takes its nodes in and its labels out, given the line above (`rows.0`) and that of the row
/// itself; `NEXT` is the line below. Gives the next row's lines.
///
/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn row<
    S: Simd,
    K: Key<S>,
    const ROW: usize,
    const NEXT: usize,
    const EMIT: bool,
    const SLOPE: bool,
>(
    simd: S,
    weights: &Weights,
    step: &Step<K::Line>,
    vector: usize,
    (above, here): (Row<K>, Row<K>),
) -> (Row<K>, Row<K>) {
    // SAFETY: the caller's promise.
    let below = unsafe { input::<S, K, NEXT>(simd, step, vector) };
    let faces = above.middle.lower(here.pair).lower(below.middle);
    let edges = above.pair.lower(below.pair);
    let place = (vector * ROWS + ROW) * 2 * K::LANES;
    // SAFETY: the caller's promise.
    let [far, near] = step.nodes.map(|slot| unsafe { slot.add(place) });
    if EMIT {
        let x = position(vector, K::LANES, step.width);
        // SAFETY: the caller's promise.
        unsafe {
            let up = K::load(simd, step.lines[0][ROW + 1].add(x + 1));
            let center = K::load(simd, step.lines[1][ROW + 1].add(x + 1));
            let face = up.lower(K::load(simd, near)).lower(here.middle);
            let edge = K::load(simd, far).lower(K::load(simd, near.add(K::LANES))).lower(faces);
            let corner = K::load(simd, far.add(K::LANES)).lower(edges);
            K::label::<SLOPE>(simd, weights, step.gaps, center, [face, edge, corner], &step.rows[ROW], x);
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        faces.store(far);
        edges.store(far.add(K::LANES));
    }
    (here, below)
}

/// A vector of keys.
pub(crate) trait Key<S: Simd>: Copy {
    type Line;
    const LANES: usize;

    /// # Safety
    /// A vector is readable there.
    unsafe fn load(simd: S, from: *const Self::Line) -> Self;
    /// # Safety
    /// A vector is writable there.
    unsafe fn store(self, to: *mut Self::Line);
    /// The keys of `CODES` codes more. A voxel that does not exist stays one.
    fn shift<const CODES: i8>(self, simd: S) -> Self;
    /// The lower of two keys.
    fn lower(self, other: Self) -> Self;
    /// Stores the labels of the vector from voxel `x` on, given the centre's keys and the lowest of each class. With
    /// `gaps` some classes may be empty, and some centres taken out.
    ///
    /// # Safety
    /// `out` has room for them.
    unsafe fn label<const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        gaps: bool,
        center: Self,
        lowest: [Self; 3],
        out: &RowOut,
        x: usize,
    );
}

/// Whether a difference times the root of `up / down`, the weight of its class, is above another.
#[cfg(test)]
pub(crate) fn wins(far: i64, [up, down]: [i64; 2], near: i64) -> bool {
    far.signum() * far * far * up > near.signum() * near * near * down
}
