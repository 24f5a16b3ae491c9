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

use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::isa::Isa;
use crate::simd::{self, Kernel, Simd, Vector};
use crate::threads::{self, Reporter};

use super::factors::{Profile, Real, Splats};
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
/// no mass gets weight zero. `reach` is the largest of each axis, in voxels. Returns the place of a weight that
/// overflows.
#[allow(clippy::too_many_arguments)]
pub(super) fn divide(
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
                Mass { axes, rules, center, sigma, means: &mut means, tables: &mut *tables },
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
struct Mass<'a> {
    axes: &'a [Axis; 3],
    rules: &'a Rules,
    center: [f64; 3],
    sigma: [f64; 3],
    means: &'a mut [Means; 3],
    tables: &'a mut [Vec<(f64, f64)>; 3],
}

impl Kernel for Mass<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Mass { axes, rules, center, sigma, means, tables } = self;
        if rules.support == Support::Box {
            let mut mass = 1.0;
            for j in 0..3 {
                mass *= axis_mass(simd, rules, &axes[j], center[j], sigma[j], &mut means[j]);
            }
            return mass;
        }
        for j in 0..3 {
            fill(simd, rules, &axes[j], center[j], sigma[j], &mut means[j], &mut tables[j]);
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

#[inline(always)]
fn splats<S: Simd>(simd: S, rules: &Rules, axis: &Axis, center: f64, sigma: f64) -> Splats<S> {
    let reach = rules.radius * sigma;
    let profile = Profile { origin: axis.origin, spacing: axis.spacing, center, sigma, reach };
    Splats::new(simd, &profile, true)
}

#[inline(always)]
fn values<S: Simd>(simd: S, rules: &Rules, splats: &Splats<S>, means: &Means, first: f64) -> S::F64 {
    match rules.sampling {
        Sampling::Point => f64::factors(simd, splats, first),
        Sampling::Voxel => f64::means(simd, splats, means, first),
    }
}

/// The sum of the samples that BOX keeps along an axis.
#[inline(always)]
fn axis_mass<S: Simd>(
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
    if rules.sampling == Sampling::Voxel {
        means.set(axis.spacing, sigma, rules.radius, true);
    }
    let splats = splats(simd, rules, axis, center, sigma);
    let mut sum = S::F64::splat(simd, 0.0);
    for v in 0..count.div_ceil(S::F64::LANES) {
        // Lanes behind the last point are not kept, and zero.
        sum = sum.add(values(simd, rules, &splats, means, first + (v * S::F64::LANES) as f64));
    }
    let mut lanes = [0.0; 8];
    // SAFETY: the array holds the lanes of the widest tier.
    unsafe { sum.store(lanes.as_mut_ptr()) };
    lanes.iter().sum()
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
fn fill<S: Simd>(
    simd: S,
    rules: &Rules,
    axis: &Axis,
    center: f64,
    sigma: f64,
    means: &mut Means,
    table: &mut Vec<(f64, f64)>,
) {
    let (first, count) = points(rules.span(axis, center, sigma));
    if rules.sampling == Sampling::Voxel {
        means.set(axis.spacing, sigma, rules.radius, true);
    }
    let splats = splats(simd, rules, axis, center, sigma);
    table.clear();
    let (mut squares, mut samples) = ([0.0; 8], [0.0; 8]);
    for v in 0..count.div_ceil(S::F64::LANES) {
        let at = first + (v * S::F64::LANES) as f64;
        let q = match rules.sampling {
            Sampling::Point => splats.squares(simd, at),
            Sampling::Voxel => splats.nearest_squares(simd, means.half, at),
        };
        // SAFETY: the arrays hold the lanes of the widest tier.
        unsafe {
            q.store(squares.as_mut_ptr());
            values(simd, rules, &splats, means, at).store(samples.as_mut_ptr());
        }
        for lane in 0..S::F64::LANES {
            // Zero where it is not kept. The table was reserved for the largest reach.
            if samples[lane] > 0.0 {
                assert!(table.len() < table.capacity());
                table.push((squares[lane], samples[lane]));
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
