//! A pack of Gaussians ready for the blocks of one tile: their 1-D factors over the tile, and for every
//! layer of blocks along an axis the set of Gaussians that touch it, one bit each.

use crate::simd::{self, Kernel, Simd, Vector};

use super::ball::{Ball, Find};
use super::batch::Batch;
use super::factors::{Profile, Real, Splats, power_of_two};
use super::lattice::wide_images;
use super::support::{Axis, Rules, Span};
use super::voxel::Means;
use super::{Sampling, Support};

/// Sides of a tile, an ordinary one or a long one.
pub(super) const fn sides<T: Real, const LONG: bool>() -> [usize; 3] {
    if LONG { T::LONG_TILE } else { T::TILE }
}

/// Factors in the row of axis j: the tile's side, or a vector of the widest tier where that is more.
const fn length<T: Real, const LONG: bool>(j: usize) -> usize {
    let side = sides::<T, LONG>()[j];
    if side < WIDEST_VECTOR { WIDEST_VECTOR } else { side }
}

const WIDEST_VECTOR: usize = 16;

/// Factors of one Gaussian: a row over the tile for each axis.
pub(super) const fn rows<T: Real, const LONG: bool>() -> usize {
    row::<T, LONG>(2) + length::<T, LONG>(2)
}

/// Where the row of axis j begins.
pub(super) const fn row<T: Real, const LONG: bool>(j: usize) -> usize {
    let (z, y) = (length::<T, LONG>(0), length::<T, LONG>(1));
    [0, z, z + y][j]
}

/// The most blocks of rows along z or y, or of vectors along x, in a tile.
pub(super) const MOST_LAYERS: usize = 32;

/// One Gaussian at one tile: which of its periodic images reach the tile, axis by axis.
#[derive(Clone, Copy)]
pub(super) struct Images {
    /// Lattice point 0 of the tile counts as lattice point `first` of the nearest image.
    pub first: f64,
    /// How many images, each one period further up the lattice.
    pub count: u64,
}

/// The images of a Gaussian with this span that reach voxels `start..=last` of `axis`, if any do.
#[inline(always)]
pub(super) fn images(axis: &Axis, span: Span, start: f64, last: f64) -> Option<Images> {
    if !axis.periodic {
        return span.meets(start, last).then_some(Images { first: start, count: 1 });
    }
    // The span's slack is larger than what a reciprocal loses.
    let lowest = ((span.middle - span.reach - last) * axis.inverse_period).ceil();
    let highest = ((span.middle + span.reach - start) * axis.inverse_period).floor();
    let first = start + lowest * axis.n as f64;
    let more = if lowest < highest { (highest - lowest) as u64 } else { 0 };
    (lowest <= highest).then_some(Images { first, count: more + 1 })
}

/// A Gaussian along one axis of a tile.
pub(super) struct Along<'a> {
    pub axis: &'a Axis,
    pub center: f64,
    pub sigma: f64,
    pub span: Span,
    pub images: Images,
    /// Voxels of the tile.
    pub extent: usize,
}

pub(super) struct Pack<'m, T, const LONG: bool> {
    /// `rows` factors a Gaussian.
    pub factors: &'m mut [T],
    /// BALL: which voxels each Gaussian keeps.
    pub ball: Ball<'m, T>,
    /// Who touches a layer; while it is filled, who begins there or has ended before.
    pub touched: [[u64; MOST_LAYERS + 1]; 3],
    pub len: usize,
    /// Sides of a block: rows along z and y, lanes along x.
    block: [usize; 3],
    /// VOXEL sampling: what the last Gaussian of each axis needed, as the next is often as wide.
    means: [Means; 3],
}

impl<'m, T: Real, const LONG: bool> Pack<'m, T, LONG> {
    #[inline(always)]
    pub(super) fn new(factors: &'m mut [T], ball: Ball<'m, T>, block: [usize; 3]) -> Self {
        Pack { factors, ball, touched: [[0; MOST_LAYERS + 1]; 3], len: 0, block, means: [Means::NONE; 3] }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.touched = [[0; MOST_LAYERS + 1]; 3];
        self.len = 0;
    }

    /// Adds axis j of the Gaussian that is to be number `len`. `weight` multiplies its factors.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&mut self, simd: S, j: usize, rules: &Rules, along: Along, weight: T) {
        let Along { axis, center, sigma, span, images, extent } = along;
        let at = self.row_of(j);
        let (low, high) = if images.count > 1 {
            (0, extent - 1)
        } else {
            // Truncation towards zero is the floor here: at most one voxel too many.
            let low = (span.middle - span.reach - images.first).max(0.0) as usize;
            let high = (span.middle + span.reach - images.first).max(0.0) as usize;
            (low.min(extent - 1), high.min(extent - 1))
        };
        let layers = self.touch(j, low, high);
        self.ball.layers[j] = layers.clone();
        let lattice = layers.start * self.block[j]..layers.end * self.block[j];
        let profile = Profile {
            origin: axis.origin,
            spacing: axis.spacing,
            center,
            sigma,
            reach: rules.radius * sigma,
        };
        if images.count > 1 && axis.sums_wide(center, sigma, axis.period()) {
            let factors = &mut self.factors[at..at + length::<T, LONG>(j)];
            simd::dispatch(S::ISA, WideRow { rules, axis, center, sigma, images, lattice, weight, factors });
        } else if rules.sampling == Sampling::Point {
            let splats = Splats::new(simd, &profile, size_of::<T>() == 8);
            let splats = splats.relative_to(simd, rules.unit_point(axis, center, sigma));
            let weights = <T::Vector<S>>::splat(simd, weight);
            let lanes = <T::Vector<S>>::LANES;
            let row = &mut self.factors[at..at + length::<T, LONG>(j)];
            // Image by image, so that the factors are written out once: twice, they had too few registers.
            for image in 0..images.count {
                let first = images.first + image as f64 * axis.n as f64;
                for v in lattice.start / lanes..lattice.end.div_ceil(lanes) {
                    let mut factor = T::factors(simd, &splats, first + (v * lanes) as f64).mul(weights);
                    let to = row[v * lanes..(v + 1) * lanes].as_mut_ptr();
                    // SAFETY: the slice is a vector long.
                    unsafe {
                        if image > 0 {
                            factor = factor.add(<T::Vector<S>>::load(simd, to));
                        }
                        factor.store(to);
                    }
                }
            }
            if rules.support == Support::Ball {
                let (row, lanes) = (self.ball.row(j), S::F64::LANES);
                for v in lattice.start / lanes..lattice.end.div_ceil(lanes) {
                    let squares = splats.squares(simd, images.first + (v * lanes) as f64);
                    // SAFETY: a vector within the row.
                    unsafe { squares.store(row.as_mut_ptr().add(v * lanes)) };
                }
            }
        } else {
            let means = &mut self.means[j];
            means.set(axis.spacing, sigma, rules.radius, size_of::<T>() == 8);
            let squares = (rules.support == Support::Ball).then(|| self.ball.row(j));
            let factors = &mut self.factors[at..at + length::<T, LONG>(j)];
            let period = axis.n as f64;
            let row = MeanRow { means, profile, images, period, lattice, weight, factors, squares };
            simd::dispatch(S::ISA, row);
        }
    }

    /// BALL: after all axes have been filled, which voxels Gaussian `len` keeps. `middle` is where it is in the tile.
    #[inline(always)]
    pub(super) fn fill_ball<S: Simd>(
        &mut self,
        _: S,
        rules: &Rules,
        axes: &[Axis; 3],
        middle: [f64; 3],
        sigma: [f64; 3],
    ) {
        let Pack { ball, len, block, .. } = self;
        simd::dispatch(S::ISA, Find { ball, rules, axes, slot: *len, block: *block, middle, sigma });
    }

    /// The same for Gaussian i of a batch of lines, which keeps voxels `low` to `high` of the tile.
    #[inline(always)]
    pub(super) fn fill_line<S: Simd>(
        &mut self,
        simd: S,
        batch: &Batch,
        i: usize,
        j: usize,
        (low, high): (usize, usize),
        weight: T,
    ) {
        let at = self.row_of(j);
        let layers = self.touch(j, low, high);
        let lanes = <T::Vector<S>>::LANES;
        let weights = <T::Vector<S>>::splat(simd, weight);
        let row = self.factors[at..at + length::<T, LONG>(j)].as_mut_ptr();
        for v in layers.start * self.block[j] / lanes..(layers.end * self.block[j]).div_ceil(lanes) {
            let factor = T::line_factor(simd, batch, i, j, v).mul(weights);
            // SAFETY: a vector within the row.
            unsafe { factor.store(row.add(v * lanes)) };
        }
    }

    /// BALL: the squares of Gaussian i of a batch of lines, which keeps these voxels.
    #[inline(always)]
    pub(super) fn fill_squares<S: Simd>(
        &mut self,
        simd: S,
        axes: &[Axis; 3],
        batch: &Batch,
        i: usize,
        ends: [(usize, usize); 3],
    ) {
        for j in 0..3 {
            let (side, lanes) = (self.block[j], S::F64::LANES);
            let layers = ends[j].0 / side..(ends[j].1 - 1) / side + 1;
            let row = self.ball.row(j).as_mut_ptr();
            for v in layers.start * side / lanes..(layers.end * side).div_ceil(lanes) {
                let squares = batch.squares(simd, i, j, &axes[j], v);
                // SAFETY: a vector within the row.
                unsafe { squares.store(row.add(v * lanes)) };
            }
            self.ball.layers[j] = layers;
        }
    }

    /// Where row j of Gaussian `len` begins.
    #[inline(always)]
    fn row_of(&self, j: usize) -> usize {
        self.len * rows::<T, LONG>() + row::<T, LONG>(j)
    }

    /// Notes that Gaussian `len` touches voxels `low` to `high`, and returns the layers. Only these are ever read.
    #[inline(always)]
    fn touch(&mut self, j: usize, low: usize, high: usize) -> std::ops::Range<usize> {
        let layers = low / self.block[j]..high / self.block[j] + 1;
        self.touched[j][layers.start] ^= 1 << self.len;
        self.touched[j][layers.end] ^= 1 << self.len;
        layers
    }

    /// Once all Gaussians are in: turns the ends of what they touch into what they touch.
    #[inline(always)]
    pub(super) fn finish(&mut self) {
        for layers in &mut self.touched {
            let mut touched = 0;
            for layer in layers {
                touched ^= *layer;
                *layer = touched;
            }
        }
    }
}

/// A row of means, as a function of its own: it leaves the loop for point samples its registers.
struct MeanRow<'a, T> {
    means: &'a Means,
    profile: Profile,
    images: Images,
    period: f64,
    lattice: std::ops::Range<usize>,
    weight: T,
    factors: &'a mut [T],
    squares: Option<&'a mut [f64]>,
}

impl<T: Real> Kernel for MeanRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let MeanRow { means, profile, images, period, lattice, weight, factors, squares } = self;
        let splats = Splats::new(simd, &profile, true);
        let weights = <T::Vector<S>>::splat(simd, weight);
        let lanes = <T::Vector<S>>::LANES;
        for v in lattice.start / lanes..lattice.end.div_ceil(lanes) {
            let first = images.first + (v * lanes) as f64;
            let mut factor = T::means(simd, &splats, means, first);
            for image in 1..images.count {
                factor = factor.add(T::means(simd, &splats, means, first + image as f64 * period));
            }
            let to = factors[v * lanes..(v + 1) * lanes].as_mut_ptr();
            // SAFETY: the slice is a vector long.
            unsafe { factor.mul(weights).store(to) };
        }
        if let Some(squares) = squares {
            let lanes = S::F64::LANES;
            for v in lattice.start / lanes..lattice.end.div_ceil(lanes) {
                let nearest = splats.nearest_squares(simd, means.half, images.first + (v * lanes) as f64);
                let to = squares[v * lanes..(v + 1) * lanes].as_mut_ptr();
                // SAFETY: the slice is a vector long.
                unsafe { nearest.store(to) };
            }
        }
    }
}

/// A row of sums over so many images that they are not added up one by one. (Of a box: it is one row for all
/// images.)
struct WideRow<'a, T> {
    rules: &'a Rules,
    axis: &'a Axis,
    center: f64,
    sigma: f64,
    images: Images,
    lattice: std::ops::Range<usize>,
    weight: T,
    factors: &'a mut [T],
}

impl<T: Real> Kernel for WideRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let WideRow { rules, axis, center, sigma, images, lattice, weight, factors } = self;
        let bias = power_of_two(T::BIAS);
        for i in lattice {
            let k = images.first + i as f64;
            let sum = wide_images(simd, rules, axis, center, sigma, k, images.count);
            factors[i] = T::from_f64(sum * bias) * weight;
        }
    }
}
