//! The factors of Gaussians of up to some 120 voxels, a batch of centres at a time.
//!
//! First the exact support and the lowest lattice point on each axis, with a centre in each lane; then the factors,
//! with a lattice point in each lane. For an f32 grid the exponents −(log2 e)/2·t² are formed in f32, without
//! losing more than an f64 would. With the nearest lattice point at a distance of f sigmas, the k-th from there
//! is at t = f + k·h/σ, so the exponent is A·k² + B·k + C. A and B are cut in two: with their larger parts, multiples
//! of 2⁻¹⁴, the sum of the first two terms is exact; its whole part is taken off before anything is rounded, and
//! all that is left is below 1.

use std::f64::consts::LOG2_E;
use std::ops::Range;

use crate::simd::exp::exp2_split_f32;
use crate::simd::{Mask, Simd, Vector};

use super::bins::Bins;
use super::factors::{Profile, Real, Splats};
use super::support::{Axis, Rules};

/// Centres of a batch; a multiple of every tier's lanes.
pub(super) const BATCH: usize = 32;

/// A number for each centre and axis.
type PerAxis<E> = [[E; BATCH]; 3];

static STEPS: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];

/// Where the batch's centres are, and what depends on sigma.
#[repr(C, align(64))]
pub(super) struct Batch {
    center: PerAxis<f64>,
    /// R·σ, and the same in voxels; 1/σ; −(log2 e)·h/σ.
    distance: PerAxis<f64>,
    reach: PerAxis<f64>,
    inverse: PerAxis<f64>,
    slope: PerAxis<f64>,
    /// Lowest lattice points.
    lowest: PerAxis<f64>,
    /// A in two parts.
    square: PerAxis<f32>,
    square_low: PerAxis<f32>,
    /// B in two parts; the fraction of C, and its whole plus the factors' bias; the nearest lattice point, counted from
    /// the lowest or the tile's first; how many are kept.
    linear: PerAxis<f32>,
    linear_low: PerAxis<f32>,
    constant: PerAxis<f32>,
    bias: PerAxis<f32>,
    before: PerAxis<f32>,
    kept: PerAxis<f32>,
    /// Tiles of packs: the first and the last voxel kept, counted from the tile's first.
    first: PerAxis<f32>,
    last: PerAxis<f32>,
    /// Halo tiles: where the supports begin in the buffer, and the most lattice points of the three axes.
    offset: [f32; BATCH],
    widest: [f32; BATCH],
}

/// The largest negative exponent of 2 that a factor may have.
pub(super) const LEAST_EXPONENT: f64 = 120.0;
/// The widest reach in voxels. Its square times a quantum is still below ½.
pub(super) const WIDEST_REACH: f64 = 62.0;
/// Multiples of it are exact in f32 up to 1024, and those of kept lattice points are up to 4·LEAST_EXPONENT.
const QUANTUM: f64 = 1.0 / 16384.0;

/// A tile and its buffer.
pub(super) struct Place {
    /// The first corner.
    pub first: [isize; 3],
    /// The most voxels from there to a corner.
    pub last: [usize; 3],
    /// Steps between planes, rows and voxels of the buffer.
    pub pitch: [usize; 3],
}

impl Batch {
    #[inline(always)]
    pub(super) fn new() -> Batch {
        let (wide, narrow) = ([[0.0; BATCH]; 3], [[0.0; BATCH]; 3]);
        Batch {
            center: wide,
            distance: wide,
            reach: wide,
            inverse: wide,
            slope: wide,
            lowest: wide,
            square: narrow,
            square_low: narrow,
            linear: narrow,
            linear_low: narrow,
            constant: narrow,
            bias: narrow,
            before: narrow,
            kept: narrow,
            first: narrow,
            last: narrow,
            offset: [0.0; BATCH],
            widest: [0.0; BATCH],
        }
    }

    /// Gives centre i its sigma.
    #[inline(always)]
    pub(super) fn set_sigma(&mut self, i: usize, axes: &[Axis; 3], rules: &Rules, sigma: [f64; 3]) {
        for j in 0..3 {
            self.distance[j][i] = rules.radius * sigma[j];
            self.reach[j][i] = self.distance[j][i] * axes[j].inverse;
            // A denormal sigma has no inverse; its Gaussian is one voxel at most.
            self.inverse[j][i] = (1.0 / sigma[j]).min(f64::MAX);
            let step = (axes[j].spacing * self.inverse[j][i]).min(1e15);
            self.slope[j][i] = -LOG2_E * step;
            let exact = -0.5 * LOG2_E * step * step;
            let high = (exact / QUANTUM).round() * QUANTUM;
            (self.square[j][i], self.square_low[j][i]) = (high as f32, (exact - high) as f32);
        }
    }

    /// Takes the centres at some places, at most a batch of them, whose sigmas are set: for a halo tile.
    #[inline(always)]
    pub(super) fn take_halo<S: Simd>(
        &mut self,
        simd: S,
        axes: &[Axis; 3],
        bins: &Bins,
        places: Range<usize>,
        tile: &Place,
    ) {
        let len = places.len();
        for (i, place) in places.enumerate() {
            let center = bins.center(place);
            (0..3).for_each(|j| self.center[j][i] = center[j]);
        }
        let lanes = S::F64::LANES;
        let splat = |value| S::F64::splat(simd, value);
        let zero = splat(0.0);
        for i in (0..len).step_by(2 * lanes) {
            let (mut offset, mut widest) = ([zero; 2], [zero; 2]);
            for j in 0..3 {
                let axis = &axes[j];
                let (mut before, mut kept) = ([zero; 2], [zero; 2]);
                let lines = self.lines(simd, j, i, axis);
                for (half, line) in lines.into_iter().enumerate() {
                    let mut corner = line.first.sub(splat(tile.first[j] as f64));
                    if axis.periodic {
                        // The fold cannot be at a loss: it cuts in the middle between the corners of one period.
                        let half = 0.5 * (axis.n as f64 - 1.0);
                        let turns = corner.sub(splat(half)).mul(splat(axis.inverse_period)).round();
                        corner = corner.sub(turns.mul(splat(axis.n as f64)));
                    }
                    let inside = zero.le(corner).and(corner.le(splat(tile.last[j] as f64)));
                    let steps = corner.mul(splat(tile.pitch[j] as f64)).select(inside, splat(-1e6));
                    offset[half] = offset[half].add(steps);
                    before[half] = line.nearest.sub(line.first);
                    kept[half] = line.last.sub(line.first).add(splat(1.0));
                    widest[half] = widest[half].max(kept[half]);
                }
                store(simd, before, &mut self.before[j], i);
                store(simd, kept, &mut self.kept[j], i);
            }
            store(simd, offset, &mut self.offset, i);
            store(simd, widest, &mut self.widest, i);
        }
    }

    /// The same for a tile of packs, of which no periodic axis meets more than one image of a centre.
    #[inline(always)]
    pub(super) fn take_pack<S: Simd>(
        &mut self,
        simd: S,
        axes: &[Axis; 3],
        bins: &Bins,
        places: &[usize],
        start: [isize; 3],
        extent: [usize; 3],
    ) {
        for (i, &place) in places.iter().enumerate() {
            let center = bins.center(place);
            (0..3).for_each(|j| self.center[j][i] = center[j]);
        }
        let splat = |value| S::F64::splat(simd, value);
        for i in (0..places.len()).step_by(2 * S::F64::LANES) {
            for j in 0..3 {
                let axis = &axes[j];
                let middle = splat(start[j] as f64 + 0.5 * (extent[j] - 1) as f64);
                let (mut first, mut last, mut before) = ([splat(0.0); 2], [splat(0.0); 2], [splat(0.0); 2]);
                for (half, line) in self.lines(simd, j, i, axis).into_iter().enumerate() {
                    let mut origin = splat(start[j] as f64);
                    if axis.periodic {
                        let turns = line.nearest.sub(middle).mul(splat(axis.inverse_period)).round();
                        origin = origin.add(turns.mul(splat(axis.n as f64)));
                    }
                    first[half] = line.first.sub(origin);
                    last[half] = line.last.sub(origin);
                    before[half] = line.nearest.sub(origin);
                }
                store(simd, first, &mut self.first[j], i);
                store(simd, last, &mut self.last[j], i);
                store(simd, before, &mut self.before[j], i);
            }
        }
    }

    /// Axis j of the centres from i on, one in each lane: two vectors.
    #[inline(always)]
    fn lines<S: Simd>(&mut self, simd: S, j: usize, i: usize, axis: &Axis) -> [Line<S>; 2] {
        let lines = [self.line(simd, j, i, axis), self.line(simd, j, i + S::F64::LANES, axis)];
        store(simd, [lines[0].linear, lines[1].linear], &mut self.linear[j], i);
        store(simd, [lines[0].linear_low, lines[1].linear_low], &mut self.linear_low[j], i);
        store(simd, [lines[0].constant, lines[1].constant], &mut self.constant[j], i);
        store(simd, [lines[0].bias, lines[1].bias], &mut self.bias[j], i);
        lines
    }

    #[inline(always)]
    fn line<S: Simd>(&mut self, simd: S, j: usize, i: usize, axis: &Axis) -> Line<S> {
        let splat = |value| S::F64::splat(simd, value);
        assert!(i + S::F64::LANES <= BATCH);
        // SAFETY: the vectors from i on lie within a batch.
        let load = |from: &PerAxis<f64>| unsafe { S::F64::load(simd, from[j].as_ptr().add(i)) };
        let (one, zero) = (splat(1.0), splat(0.0));
        let (origin, spacing) = (splat(axis.origin), splat(axis.spacing));
        let center = load(&self.center);
        // As `Axis::span` has it.
        let middle = center.sub(origin).mul(splat(axis.inverse));
        let reach = load(&self.reach);
        let slack = middle.abs().add(splat(2.0 * axis.offset)).add(reach).add(one);
        let reach = reach.add(slack.mul(splat(2f64.powi(-48))));
        let (low, high) = (middle.sub(reach), middle.add(reach));
        let below = low.round();
        let low = below.add(one.select(below.lt(low), zero));
        let above = high.round();
        let high = above.sub(one.select(high.lt(above), zero));
        // Only the distances decide.
        let limit = load(&self.distance);
        let to_low = origin.add(low.mul(spacing)).sub(center).abs();
        let first = low.add(zero.select(to_low.le(limit), one));
        let to_high = origin.add(high.mul(spacing)).sub(center).abs();
        let last = high.sub(zero.select(to_high.le(limit), one));

        let nearest = middle.round();
        let t = origin.add(nearest.mul(spacing)).sub(center).mul(load(&self.inverse));
        // SAFETY: as above.
        unsafe { first.store(self.lowest[j].as_mut_ptr().add(i)) };
        // Where B is larger, only the nearest lattice point is kept, and B is multiplied by zero.
        let slope = t.mul(load(&self.slope)).max(splat(-1e9)).min(splat(1e9));
        let linear = slope.mul(splat(1.0 / QUANTUM)).round().mul(splat(QUANTUM));
        let exponent = t.mul(t).mul(splat(-0.5 * LOG2_E)).max(splat(-1e9));
        let whole = exponent.round();
        Line {
            linear,
            linear_low: slope.sub(linear),
            constant: exponent.sub(whole),
            bias: whole.add(splat(f64::from(f32::BIAS))),
            nearest,
            first,
            last,
        }
    }

    /// The voxels of a tile that centre i keeps along axis j: first and last; none if the first is behind the last.
    #[inline(always)]
    pub(super) fn range(&self, i: usize, j: usize, extent: usize) -> (usize, usize) {
        let (first, last) = (self.first[j][i], self.last[j][i]);
        let first = if first > 0.0 { first } else { 0.0 };
        let first = if first < 1e6 { first } else { 1e6 };
        let most = (extent - 1) as f32;
        let last = if last < most { last } else { most };
        // (One more, so that what ends before the tile is no negative number.)
        let end = if last > -1.0 { last + 1.0 } else { 0.0 };
        // SAFETY: from 0 to 10⁶.
        unsafe { (first.to_int_unchecked::<i32>() as usize, end.to_int_unchecked::<i32>() as usize) }
    }

    /// Vector `v` of the factors of centre i along axis j of a tile of packs.
    #[inline(always)]
    pub(super) fn factor<S: Simd>(&self, simd: S, i: usize, j: usize, v: usize) -> S::F32 {
        let splat = |value| S::F32::splat(simd, value);
        // SAFETY: a vector of sixteen steps at most.
        let steps = unsafe { S::F32::load(simd, STEPS.as_ptr()) }.add(splat((v * S::F32::LANES) as f32));
        let value = self.value(simd, i, j, steps);
        let kept = splat(self.first[j][i]).le(steps).and(steps.le(splat(self.last[j][i])));
        value.select(kept, splat(0.0))
    }

    /// Where a support begins in the buffer; none if it does not begin in the tile.
    #[inline(always)]
    pub(super) fn offset(&self, i: usize) -> Option<usize> {
        let offset = self.offset[i];
        // SAFETY: a whole number that a buffer can be long; others are not used.
        (offset >= 0.0).then(|| unsafe { offset.to_int_unchecked::<i32>() } as usize)
    }

    /// Whether no axis keeps more than `width` lattice points.
    #[inline(always)]
    pub(super) fn fits(&self, i: usize, width: usize) -> bool {
        self.widest[i] <= width as f32
    }

    /// For an f64 grid: vector `v` of the factors of axis j.
    #[inline(always)]
    pub(super) fn precise<S: Simd>(
        &self,
        simd: S,
        shape: &Splats<S>,
        i: usize,
        j: usize,
        v: usize,
    ) -> S::F64 {
        let splats = shape.with_center(simd, self.center[j][i]);
        f64::factors(simd, &splats, self.lowest[j][i] + (v * S::F64::LANES) as f64)
    }

    /// Squared distances in sigmas at vector `v` of a tile of packs, or of the support in a halo tile.
    #[inline(always)]
    pub(super) fn squares<S: Simd>(&self, simd: S, i: usize, j: usize, axis: &Axis, v: usize) -> S::F64 {
        let splat = |value| S::F64::splat(simd, value);
        let first = self.tile_first(i, j) + (v * S::F64::LANES) as f64;
        // SAFETY: the array holds the lanes of the widest tier.
        let k = unsafe { S::F64::load(simd, super::factors::LANES.as_ptr()) }.add(splat(first));
        let t = splat(axis.origin).add(k.mul(splat(axis.spacing))).sub(splat(self.center[j][i]));
        let t = t.mul(splat(self.inverse[j][i]));
        t.mul(t)
    }

    /// The lattice point of the first voxel of a tile of packs, for the image of centre i that reaches it; in a halo
    /// tile of the first that is kept.
    #[inline(always)]
    pub(super) fn tile_first(&self, i: usize, j: usize) -> f64 {
        // Whole numbers, so exact.
        self.lowest[j][i] - f64::from(self.first[j][i])
    }

    /// For an f32 grid.
    #[inline(always)]
    pub(super) fn single<S: Simd>(&self, simd: S, i: usize, j: usize, v: usize) -> S::F32 {
        // SAFETY: at most two vectors of eight steps, or one of sixteen.
        let steps = unsafe { S::F32::load(simd, STEPS.as_ptr().add(v * S::F32::LANES)) };
        let kept = steps.lt(S::F32::splat(simd, self.kept[j][i]));
        self.value(simd, i, j, steps).select(kept, S::F32::splat(simd, 0.0))
    }

    /// The Gaussian at some lattice points, whether it keeps them or not.
    #[inline(always)]
    fn value<S: Simd>(&self, simd: S, i: usize, j: usize, steps: S::F32) -> S::F32 {
        let splat = |value| S::F32::splat(simd, value);
        let k = steps.sub(splat(self.before[j][i]));
        let square = k.mul(k);
        let rest = k.mul_add(splat(self.linear_low[j][i]), splat(self.constant[j][i]));
        let rest = square.mul_add(splat(self.square_low[j][i]), rest);
        let most = k.mul_add(splat(self.linear[j][i]), square.mul(splat(self.square[j][i])));
        let whole = most.add(rest).round();
        let fraction = most.sub(whole).add(rest);
        exp2_split_f32(simd, whole.add(splat(self.bias[j][i])), fraction)
    }
}

/// Stores two vectors as one of f32, from centre i on.
#[inline(always)]
fn store<S: Simd>(_: S, v: [S::F64; 2], to: &mut [f32; BATCH], i: usize) {
    assert!(i + 2 * S::F64::LANES <= BATCH);
    // SAFETY: the vector from i on lies within the batch.
    unsafe { S::narrow(v[0], v[1]).store(to.as_mut_ptr().add(i)) };
}

/// Some centres along an axis.
struct Line<S: Simd> {
    linear: S::F64,
    linear_low: S::F64,
    constant: S::F64,
    bias: S::F64,
    nearest: S::F64,
    /// The lattice points kept.
    first: S::F64,
    last: S::F64,
}

/// What an f64 grid needs of a sigma, axis by axis; centres come later.
#[inline(always)]
pub(super) fn shapes<S: Simd>(simd: S, axes: &[Axis; 3], rules: &Rules, sigma: [f64; 3]) -> [Splats<S>; 3] {
    let shape = |j: usize| {
        let (origin, spacing) = (axes[j].origin, axes[j].spacing);
        let profile =
            Profile { origin, spacing, center: 0.0, sigma: sigma[j], reach: rules.radius * sigma[j] };
        Splats::new(simd, &profile, true)
    };
    [shape(0), shape(1), shape(2)]
}
