//! MASS: each weight divided by the sum of the samples that the endless lattice keeps of its Gaussian.
//!
//! A pass over the sorted centres, in tasks of a bounded number of lattice points, so that a call can be
//! cancelled however wide the Gaussians are.
//!
//! BOX is a product of sums along the axes: one vector of factors after the other; or, for wide Gaussians, an
//! integral with corrections (see `lattice.rs`), which makes the cost of a centre bounded.
//!
//! BALL has no such product, and no integral either: what a lattice keeps of a ball changes by whole samples at its
//! surface, each about eps of the peak. It is counted row by row: along the longest axis, the running sums
//! of the samples give each row's sum at once. So a centre costs as many steps as its ellipsoid has rows,
//! of which [`MOST_ROWS`] are allowed.

use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::isa::Isa;
use crate::simd::{self, Kernel, Simd, Vector};
use crate::threads::{self, Reporter};

use super::factors::{Profile, Real, Splats, power_of_two};
use super::lattice::wide_sum;
use super::sort::reserve;
use super::support::{Axis, Rules, Span};
use super::voxel::{Means, unit};
use super::{Sampling, Support};

/// The most lattice points of an axis that are added up one by one.
pub(super) const MOST_POINTS: f64 = (1u64 << 22) as f64;
/// The most lattice points of an axis that BALL holds in memory: 16 bytes each.
pub(super) const MOST_HELD: f64 = (1u64 << 16) as f64;
/// The most rows of a ball.
pub(super) const MOST_ROWS: f64 = (1u64 << 27) as f64;
/// Lattice points, and steps, of a task.
const TASK: f64 = (1u64 << 20) as f64;

/// Divides the weights, which are amplitudes, by the masses of the Gaussians at these positions; a Gaussian of
/// no mass gets weight zero. The samples are those of a grid of `T`, with their rounding. `reach` is the largest of each axis, in voxels. Returns the place of a weight that
/// overflows.
#[allow(clippy::too_many_arguments)]
pub(super) fn divide<T: Real>(
    axes: &[Axis; 3],
    rules: &Rules,
    positions: &[[f64; 3]],
    sigma: impl Fn(usize) -> [f64; 3] + Sync,
    weights: &mut [f64],
    reach: [f64; 3],
    isa: Isa,
    threads: usize,
    reporter: &mut Reporter,
    span: [f64; 2],
) -> Result<Option<usize>, Error> {
    let widths = reach.map(|reach| (2.0 * reach + 1.0).min(MOST_POINTS));
    let mut steps = widths.iter().sum::<f64>() + 100.0;
    let mut held = 0;
    if rules.support == Support::Ball {
        let longest = widths.iter().fold(0.0f64, |most, width| most.max(*width));
        // A point more, where the span is rounded.
        held = longest.min(MOST_HELD) as usize + 2;
        steps += (widths.iter().product::<f64>() / longest).min(MOST_ROWS);
    }
    let each = (TASK / steps).clamp(1.0, 4096.0) as usize;
    let count = weights.len().div_ceil(each);
    let mut pieces = reserve(count, "the pieces of the weights")?;
    pieces.extend(weights.chunks_mut(each).map(Mutex::new));
    let bad = Mutex::new(None);
    let scratch = || {
        let mut tables: [Vec<(f64, f64)>; 3] = Default::default();
        for table in &mut tables {
            *table = reserve(held, "the rows of a ball")?;
        }
        Ok(tables)
    };
    threads::run(threads, count, reporter, span, scratch, |tables, i| {
        let mut piece = pieces[i].lock().unwrap_or_else(PoisonError::into_inner);
        let mut means = [Means::NONE; 3];
        for (k, weight) in piece.iter_mut().enumerate() {
            let place = i * each + k;
            let (center, sigma) = (positions[place], sigma(place));
            let mass = simd::dispatch(
                isa,
                Mass::<T> {
                    axes,
                    rules,
                    center,
                    sigma,
                    means: &mut means,
                    tables: &mut *tables,
                    element: PhantomData,
                },
            );
            // No voxel is kept: nothing is added.
            *weight = if mass == 0.0 { 0.0 } else { *weight / mass };
            if !weight.is_finite() {
                bad.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(place);
            }
        }
    })?;
    Ok(bad.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The sum of the kept samples of one Gaussian of height 1, in the unit of its means.
struct Mass<'a, T> {
    axes: &'a [Axis; 3],
    rules: &'a Rules,
    center: [f64; 3],
    sigma: [f64; 3],
    means: &'a mut [Means; 3],
    tables: &'a mut [Vec<(f64, f64)>; 3],
    element: PhantomData<T>,
}

impl<T: Real> Kernel for Mass<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Mass { axes, rules, center, sigma, means, tables, .. } = self;
        if rules.support == Support::Box {
            let mut mass = 1.0;
            for j in 0..3 {
                mass *= axis_mass::<S, T>(simd, rules, &axes[j], center[j], sigma[j], &mut means[j]);
            }
            return mass;
        }
        for j in 0..3 {
            fill::<S, T>(simd, rules, &axes[j], center[j], sigma[j], &mut means[j], &mut tables[j]);
        }
        tables.sort_unstable_by_key(Vec::len);
        let [z, y, x] = tables;
        ball_mass(rules.radius_squared, z, y, x)
    }
}

/// The lattice points that a Gaussian may keep along an axis: the first, and how many.
#[inline(always)]
fn points(span: Span) -> (f64, usize) {
    let first = (span.middle - span.reach).ceil();
    (first, ((span.middle + span.reach).floor() - first + 1.0).max(0.0) as usize)
}

/// Along one axis: the samples that BOX keeps, as they will be on the grid, a vector at a time.
struct Samples<'a, S: Simd, T> {
    sampling: Sampling,
    splats: Splats<S>,
    means: &'a Means,
    element: PhantomData<T>,
}

impl<'a, S: Simd, T: Real> Samples<'a, S, T> {
    #[inline(always)]
    fn new(simd: S, rules: &Rules, axis: &Axis, center: f64, sigma: f64, means: &'a mut Means) -> Self {
        let precise = size_of::<T>() == 8;
        if rules.sampling == Sampling::Voxel {
            means.set(axis.spacing, sigma, rules.radius, precise);
        }
        let reach = rules.radius * sigma;
        let profile = Profile { origin: axis.origin, spacing: axis.spacing, center, sigma, reach };
        let splats = Splats::new(simd, &profile, precise || rules.sampling == Sampling::Voxel);
        Samples { sampling: rules.sampling, splats, means, element: PhantomData }
    }

    /// Those from `first` on; zero where they are not kept.
    #[inline(always)]
    fn get(&self, simd: S, first: f64, samples: &mut [T; 16]) {
        let vector = match self.sampling {
            Sampling::Point => T::factors(simd, &self.splats, first),
            Sampling::Voxel => T::means(simd, &self.splats, self.means, first),
        };
        // SAFETY: the array holds the lanes of the widest tier.
        unsafe { vector.store(samples.as_mut_ptr()) };
    }

    /// Their squared distances in sigmas.
    #[inline(always)]
    fn squares(&self, simd: S, first: f64, squares: &mut [f64; 16]) {
        for part in 0..<T::Vector<S>>::LANES / S::F64::LANES {
            let at = part * S::F64::LANES;
            let q = match self.sampling {
                Sampling::Point => self.splats.squares(simd, first + at as f64),
                Sampling::Voxel => self.splats.nearest_squares(simd, self.means.half, first + at as f64),
            };
            // SAFETY: a vector of samples has the lanes of one or two of f64, at most 16.
            unsafe { q.store(squares.as_mut_ptr().add(at)) };
        }
    }
}

/// The sum of the samples that BOX keeps along an axis.
#[inline(always)]
fn axis_mass<S: Simd, T: Real>(
    simd: S,
    rules: &Rules,
    axis: &Axis,
    center: f64,
    sigma: f64,
    means: &mut Means,
) -> f64 {
    let (first, count) = points(rules.span(axis, center, sigma));
    if axis.sums_wide(center, sigma, axis.spacing) && count > 64 {
        return wide_mass(simd, rules, axis, center, sigma, first, count);
    }
    let source = Samples::<S, T>::new(simd, rules, axis, center, sigma, means);
    let lanes = <T::Vector<S>>::LANES;
    let (mut samples, mut sums) = ([T::ZERO; 16], [0.0; 16]);
    for v in 0..count.div_ceil(lanes) {
        source.get(simd, first + (v * lanes) as f64, &mut samples);
        for lane in 0..lanes {
            sums[lane] += samples[lane].into();
        }
    }
    sums.iter().sum::<f64>() * power_of_two(-T::BIAS)
}

/// As `axis_mass`, of more points than are worth a term each.
#[inline(always)]
fn wide_mass<S: Simd>(
    simd: S,
    rules: &Rules,
    axis: &Axis,
    center: f64,
    sigma: f64,
    first: f64,
    count: usize,
) -> f64 {
    let distance = |k: f64| axis.position(k) - center;
    let (mut low, mut high) = (first, first + (count - 1) as f64);
    // The span has a little room: at most a point at each end.
    while !rules.keeps(axis, distance(low), sigma) {
        low += 1.0;
    }
    while !rules.keeps(axis, distance(high), sigma) {
        high -= 1.0;
    }
    let (low, high) = (distance(low), distance(high));
    match rules.sampling {
        Sampling::Point => wide_sum(simd, low, high, axis.spacing, sigma),
        Sampling::Voxel => {
            // Voxels side by side are one wide voxel.
            let (middle, width) = (0.5 * (low + high), high - low + axis.spacing);
            let profile = Profile { origin: middle, spacing: 0.0, center: 0.0, sigma, reach: f64::MAX };
            let mut means = Means::NONE;
            means.set(width, sigma, middle.abs() / sigma, true);
            let mut lanes = [0.0; 8];
            let splats = Splats::new(simd, &profile, true);
            // SAFETY: the array holds the lanes of the widest tier.
            unsafe { f64::means(simd, &splats, &means, 0.0).store(lanes.as_mut_ptr()) };
            lanes[0] * unit(width, sigma) * (width / axis.spacing)
        }
    }
}

/// The squares and the values of the samples along an axis, in their order.
#[inline(always)]
fn fill<S: Simd, T: Real>(
    simd: S,
    rules: &Rules,
    axis: &Axis,
    center: f64,
    sigma: f64,
    means: &mut Means,
    table: &mut Vec<(f64, f64)>,
) {
    let (first, count) = points(rules.span(axis, center, sigma));
    let source = Samples::<S, T>::new(simd, rules, axis, center, sigma, means);
    let lanes = <T::Vector<S>>::LANES;
    let unbias = power_of_two(-T::BIAS);
    let (mut samples, mut squares) = ([T::ZERO; 16], [0.0; 16]);
    table.clear();
    for v in 0..count.div_ceil(lanes) {
        let at = first + (v * lanes) as f64;
        source.get(simd, at, &mut samples);
        source.squares(simd, at, &mut squares);
        for lane in 0..lanes {
            let value: f64 = samples[lane].into();
            // Zero where it is not kept. The table was reserved for the largest reach.
            if value > 0.0 {
                assert!(table.len() < table.capacity());
                table.push((squares[lane], value * unbias));
            }
        }
    }
}

/// The sum of products over the samples whose squares add up to the limit at most. `x`, the longest table, ends
/// up with running sums in place of its values.
#[inline(always)]
fn ball_mass(limit: f64, z: &[(f64, f64)], y: &[(f64, f64)], x: &mut [(f64, f64)]) -> f64 {
    if z.is_empty() || y.is_empty() || x.is_empty() {
        return 0.0;
    }
    // Squares fall to the least and rise behind it. Running sums from there outwards, to both sides.
    let least = (1..x.len()).fold(0, |least, i| if x[i].0 < x[least].0 { i } else { least });
    let (left, right) = x.split_at_mut(least);
    let mut sum = 0.0;
    for (_, value) in right.iter_mut() {
        sum += *value;
        *value = sum;
    }
    sum = 0.0;
    for (_, value) in left.iter_mut().rev() {
        sum += *value;
        *value = sum;
    }
    let mut total = 0.0;
    for &(z_square, z_value) in z {
        let left_of_z = limit - z_square;
        let mut plane = 0.0;
        // As y comes nearer the rows grow, and behind the middle they shrink: the ends move by few points.
        let (mut rights, mut lefts) = (0, left.len());
        for &(y_square, y_value) in y {
            let rest = left_of_z - y_square;
            while rights < right.len() && right[rights].0 <= rest {
                rights += 1;
            }
            while rights > 0 && right[rights - 1].0 > rest {
                rights -= 1;
            }
            while lefts > 0 && left[lefts - 1].0 <= rest {
                lefts -= 1;
            }
            while lefts < left.len() && left[lefts].0 > rest {
                lefts += 1;
            }
            let mut row = 0.0;
            if rights > 0 {
                row += right[rights - 1].1;
            }
            if lefts < left.len() {
                row += left[lefts].1;
            }
            plane += y_value * row;
        }
        total += z_value * plane;
    }
    total
}
