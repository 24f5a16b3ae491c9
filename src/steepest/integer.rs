//! The kernel of shared minima for bytes: value and code share an i16, every comparison is exact.
//!
//! A key is `256·value + code`, the value as a signed byte; a merge is one minimum. With the differences d1, d2, d3 of
//! the best face, edge and corner, all within ±255, the classes compare exactly in 16 bits:
//!
//! * edge before face (d2/√2 > d1) where `⌊128·d2·23170 / 2¹⁶⌋ ≥ 64·d1`,
//! * corner before face (d3/√3 > d1) where `⌊128·d3·18919 / 2¹⁶⌋ ≥ 64·d1`,
//! * corner before edge (d3/√3 > d2/√2) where `⌊128·d3·26755 / 2¹⁶⌋ ≥ 64·d2`,
//!
//! for all pairs but zeros (a test tries them all). Scores tie only at zero; then value c is the minimum, and the
//! lowest of the three keys has the lowest code. The largest key stands for a voxel that does not exist.

use crate::simd::{Mask, Simd, VectorI16};
use crate::steepest::rule::LABEL_CENTER;
use crate::steepest::shared::{LINES, ROWS, Seen, Shared, Step, Weights, position};

/// Labels of 8-bit integers where voxels are cubes.
pub(crate) struct Bytes;

/// The key of a voxel that does not exist. Codes stop short of it, and adding one to it saturates.
const MISSING: i16 = i16::MAX;

/// 1/√2, 1/√3 and √(2/3), as the comparisons above need them.
const EDGE_FACE: i16 = 23170;
const CORNER_FACE: i16 = 18919;
const CORNER_EDGE: i16 = 26755;

impl Shared for Bytes {
    type Line = i16;
    const KEPT: usize = 2;
    // 9 · 26 + 3 · 5 + 2 = 251, below the 255 of a missing voxel.
    const LAST_PLANE: usize = 26;

    fn lanes<S: Simd>() -> usize {
        S::I16::LANES
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const EMIT: bool, const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        step: &Step<i16>,
    ) -> Seen {
        // SAFETY: the caller's promise.
        unsafe {
            if step.gaps {
                sweep::<S, EMIT, true>(simd, weights, step);
            } else {
                sweep::<S, EMIT, false>(simd, weights, step);
            }
        }
        Seen { undecided: false, finite: true, negative_zero: false }
    }

    fn lower(nodes: &mut [i16], planes: usize) {
        for key in nodes {
            // Places that a wider block has left behind are lowered with the others, past the end of i16.
            if *key != MISSING {
                *key = key.wrapping_sub((9 * planes) as i16);
            }
        }
    }
}

/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn sweep<S: Simd, const EMIT: bool, const GAPS: bool>(simd: S, weights: &Weights, step: &Step<i16>) {
    let first = 9 * step.plane as i16;
    let plane: [i16; 3 * LINES] = std::array::from_fn(|i| first + i as i16);
    let corner: [i16; ROWS] = std::array::from_fn(|row| first - 18 + 3 * row as i16);
    let at = At { weights, step, plane: &plane, corner: &corner };
    for vector in 0..step.vectors(S::I16::LANES) {
        step.ahead.prefetch(vector * S::I16::LANES);
        // SAFETY: the caller's promise.
        unsafe {
            let mut rows = (input::<S, 0>(simd, at, vector), input::<S, 1>(simd, at, vector));
            // Written out, as a loop would be kept one: all addresses are then constants.
            rows = row::<S, 0, 2, EMIT, GAPS>(simd, at, vector, rows);
            rows = row::<S, 1, 3, EMIT, GAPS>(simd, at, vector, rows);
            rows = row::<S, 2, 4, EMIT, GAPS>(simd, at, vector, rows);
            row::<S, 3, 5, EMIT, GAPS>(simd, at, vector, rows);
        }
    }
}

/// A step and its codes, as in `float.rs`.
#[derive(Clone, Copy)]
struct At<'a> {
    weights: &'a Weights,
    step: &'a Step<'a, i16>,
    plane: &'a [i16; 3 * LINES],
    corner: &'a [i16; ROWS],
}

/// One line of the arriving plane: the voxels themselves, and the lower of their two neighbours along x.
struct Row<V> {
    middle: V,
    pair: V,
}

/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn input<S: Simd, const LINE: usize>(simd: S, at: At, vector: usize) -> Row<S::I16> {
    let x = position(vector, S::I16::LANES, at.step.width);
    let key = |dx: usize| {
        // SAFETY: the caller's promise.
        let value = unsafe { S::I16::load(simd, at.step.lines[2][LINE].add(x + dx)) };
        value.add_saturating(S::I16::splat(simd, at.plane[3 * LINE + dx]))
    };
    Row { middle: key(1), pair: key(0).min(key(2)) }
}

/// One row of the block: takes its nodes in and its labels out, given the line above (`rows.0`) and that of the row
/// itself; `NEXT` is the line below. Gives the next row's lines.
///
/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn row<S: Simd, const ROW: usize, const NEXT: usize, const EMIT: bool, const GAPS: bool>(
    simd: S,
    at: At,
    vector: usize,
    (above, here): (Row<S::I16>, Row<S::I16>),
) -> (Row<S::I16>, Row<S::I16>) {
    let lanes = S::I16::LANES;
    // SAFETY: the caller's promise.
    let below = unsafe { input::<S, NEXT>(simd, at, vector) };
    let faces = above.middle.min(here.pair).min(below.middle);
    let edges = above.pair.min(below.pair);
    let place = (vector * ROWS + ROW) * 2 * lanes;
    // SAFETY: the caller's promise.
    let [far, near] = at.step.nodes.map(|slot| unsafe { slot.add(place) });
    if EMIT {
        let x = position(vector, lanes, at.step.width);
        // SAFETY: the caller's promise.
        let load = |from: *const i16| unsafe { S::I16::load(simd, from) };
        // SAFETY: the caller's promise.
        let (up, center, far_edges, near_edges) = unsafe {
            (
                load(at.step.lines[0][ROW + 1].add(x + 1)),
                load(at.step.lines[1][ROW + 1].add(x + 1)),
                load(far.add(lanes)),
                load(near.add(lanes)),
            )
        };
        let up = up.add_saturating(S::I16::splat(simd, at.corner[ROW] + 4));
        let best = Best {
            face: up.min(load(near)).min(here.middle),
            edge: load(far).min(near_edges).min(faces),
            corner: far_edges.min(edges),
        };
        // SAFETY: the caller's promise.
        unsafe {
            best.labels::<S, GAPS>(simd, at.weights, center, at.corner[ROW])
                .store_low_bytes(at.step.rows[ROW].labels.add(x));
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        faces.store(far);
        edges.store(far.add(lanes));
    }
    (here, below)
}

/// The lowest key of each class.
struct Best<V> {
    face: V,
    edge: V,
    corner: V,
}

impl<V: VectorI16> Best<V> {
    #[inline(always)]
    fn labels<S, const GAPS: bool>(self, simd: S, weights: &Weights, center: V, first_code: i16) -> V
    where
        S: Simd<I16 = V>,
        V: VectorI16<Simd = S>,
    {
        // No closures here, and no array::map: what the compiler does not inline would lose the tier's
        // instructions.
        let Best { face, edge, corner } = self;
        let value = center.high_byte();
        let mut face_difference = value.sub(face.high_byte());
        let mut edge_difference = value.sub(edge.high_byte());
        let mut corner_difference = value.sub(corner.high_byte());
        let wide_edge = edge_difference.shift_left::<7>();
        let wide_corner = corner_difference.shift_left::<7>();
        let mut face_score = face_difference.shift_left::<6>();
        let mut edge_self = edge_difference.shift_left::<6>();
        let mut edge_score = wide_edge.mul_high(V::splat(simd, EDGE_FACE));
        let mut corner_score = wide_corner.mul_high(V::splat(simd, CORNER_FACE));
        let mut corner_edge = wide_corner.mul_high(V::splat(simd, CORNER_EDGE));
        if GAPS {
            // A class without any neighbour loses to all others, and is below every limit.
            let missing = V::splat(simd, MISSING);
            let (least, lowest) = (V::splat(simd, i16::MIN), V::splat(simd, -256));
            let (no_face, no_edge, no_corner) = (face.eq(missing), edge.eq(missing), corner.eq(missing));
            face_score = least.select(no_face, face_score);
            edge_score = least.select(no_edge, edge_score);
            edge_self = least.select(no_edge, edge_self);
            corner_score = least.select(no_corner, corner_score);
            corner_edge = least.select(no_corner, corner_edge);
            face_difference = lowest.select(no_face, face_difference);
            edge_difference = lowest.select(no_edge, edge_difference);
            corner_difference = lowest.select(no_corner, corner_difference);
        }
        let edge_loses = edge_score.lt(face_score);
        let best = face.select(edge_loses, edge);
        let corner_loses = corner_score.lt(face_score).or(corner_edge.lt(edge_self));
        let best = best.select(corner_loses, corner);
        // Best score zero: the classes that have it tie.
        let largest = face_difference.max(edge_difference).max(corner_difference);
        let best = face.min(edge).min(corner).select(largest.eq(V::splat(simd, 0)), best);
        // Where the best face scores exactly −100, the lower index of face and centre wins.
        let low_codes = V::splat(simd, first_code + i16::from(LABEL_CENTER));
        let face_code = face.sub(face.high_byte().shift_left::<8>());
        let doubled = face_difference.shift_left::<1>();
        let face_rank = doubled.sub(V::splat(simd, -1)).select(face_code.lt(low_codes), doubled);
        let [face_limit, edge_limit, corner_limit] = weights.limits;
        let above = V::splat(simd, face_limit)
            .lt(face_rank)
            .or(V::splat(simd, edge_limit).lt(edge_difference))
            .or(V::splat(simd, corner_limit).lt(corner_difference));
        let label = best.sub(V::splat(simd, first_code));
        label.select(above, V::splat(simd, i16::from(LABEL_CENTER)))
    }
}

#[cfg(test)]
mod tests {
    use super::{CORNER_EDGE, CORNER_FACE, EDGE_FACE};

    #[test]
    fn classes_compare_exactly_for_all_pairs_of_differences() {
        let classes = [
            (EDGE_FACE, 2.0f64.sqrt().recip(), 1.0),
            (CORNER_FACE, 3.0f64.sqrt().recip(), 1.0),
            (CORNER_EDGE, 3.0f64.sqrt().recip(), 2.0f64.sqrt().recip()),
        ];
        for (factor, far_weight, near_weight) in classes {
            for far in -255..=255i32 {
                for near in -255..=255i32 {
                    if (far, near) == (0, 0) {
                        continue;
                    }
                    let wins = (128 * far * i32::from(factor)) >> 16 >= 64 * near;
                    let exact = f64::from(far) * far_weight > f64::from(near) * near_weight;
                    assert_eq!(wins, exact, "{far} and {near} with {factor}");
                }
            }
        }
    }
}
