//! MASS: each weight divided by the sum of the samples that the endless lattice keeps of its Gaussian.
//!
//! A pass over the sorted centres, in tasks of a bounded number of lattice points, so that a call can be
//! cancelled however wide the Gaussians are.
//!
//! Samples of narrow Gaussians are relative to the largest, here and where they are added (see `Rules::unit_point`).
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
use crate::scratch::reserve;
use crate::simd::{self, Kernel, Simd, Vector};
use crate::threads::Tasks;

use super::factors::{Profile, Real, Splats};
use super::lattice::wide_sum;
use super::sort::{Passes, Sort};
use super::support::{Axis, Rules, Span};
use super::voxel::{Means, unit};
use super::{Sampling, Support};

/// The most lattice points of an axis that are added up one by one.
pub(super) const MOST_POINTS: f64 = (1u64 << 22) as f64;
/// The most lattice points of an axis that BALL holds in memory: in 96 bytes each.
pub(super) const MOST_HELD: f64 = (1u64 << 15) as f64;
/// The most rows of a ball.
pub(super) const MOST_ROWS: f64 = (1u64 << 27) as f64;
/// Steps of the index for each point of a ball's longest axis.
const STEPS: usize = 8;
/// Lattice points, and steps, of a task.
const TASK: f64 = (1u64 << 20) as f64;

/// Divides the weights, which are amplitudes, by the masses of the Gaussians at these positions; a Gaussian of
/// no mass gets weight zero. `reach` is the largest of each axis, in voxels. Returns the place of a weight that
/// overflows.
pub(super) fn divide(
    sort: &Sort,
    positions: &[[f64; 3]],
    sigma: impl Fn(usize) -> [f64; 3] + Sync,
    weights: &mut [f64],
    reach: [f64; 3],
    passes: &mut Passes,
    span: [f64; 2],
) -> Result<Option<usize>, Error> {
    let Sort { axes, rules, .. } = *sort;
    let Passes { isa, threads, reporter } = passes;
    let (isa, threads) = (*isa, *threads);
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
    Tasks { threads, count, reporter, span }.run(
        || Tables::new(held),
        |tables, i| {
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
        },
    )?;
    Ok(bad.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The sum of the kept samples of one Gaussian of height 1, in the unit of its samples.
struct Mass<'a> {
    axes: &'a [Axis; 3],
    rules: &'a Rules,
    center: [f64; 3],
    sigma: [f64; 3],
    means: &'a mut [Means; 3],
    tables: &'a mut Tables,
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
            fill(simd, rules, &axes[j], center[j], sigma[j], &mut means[j], &mut tables.axes[j]);
        }
        tables.ball_mass(rules.radius_squared)
    }
}

/// The lattice points that a Gaussian may keep along an axis: the first, and how many.
#[inline(always)]
fn points(span: Span) -> (f64, u64) {
    let first = (span.middle - span.reach).ceil();
    (first, ((span.middle + span.reach).floor() - first + 1.0).max(0.0) as u64)
}

/// Along one axis: the samples that BOX keeps, a vector at a time.
struct Samples<'a, S: Simd> {
    sampling: Sampling,
    splats: Splats<S>,
    means: &'a Means,
}

impl<'a, S: Simd> Samples<'a, S> {
    #[inline(always)]
    fn new(simd: S, rules: &Rules, axis: &Axis, center: f64, sigma: f64, means: &'a mut Means) -> Self {
        if rules.sampling == Sampling::Voxel {
            means.set(axis.spacing, sigma, rules.radius, true);
        }
        let reach = rules.radius * sigma;
        let profile = Profile { origin: axis.origin, spacing: axis.spacing, center, sigma, reach };
        let splats = Splats::new(simd, &profile, true);
        let splats = splats.relative_to(simd, rules.unit_point(axis, center, sigma));
        Samples { sampling: rules.sampling, splats, means }
    }

    /// Those from `first` on; zero where they are not kept.
    #[inline(always)]
    fn get(&self, simd: S, first: f64) -> S::F64 {
        match self.sampling {
            Sampling::Point => f64::factors(simd, &self.splats, first),
            Sampling::Voxel => f64::means(simd, &self.splats, self.means, first),
        }
    }

    /// Their squared distances in sigmas.
    #[inline(always)]
    fn squares(&self, simd: S, first: f64) -> S::F64 {
        match self.sampling {
            Sampling::Point => self.splats.squares(simd, first),
            Sampling::Voxel => self.splats.nearest_squares(simd, self.means.half, first),
        }
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
    let count = count as usize;
    let source = Samples::new(simd, rules, axis, center, sigma, means);
    let mut sum = S::F64::splat(simd, 0.0);
    for v in 0..count.div_ceil(S::F64::LANES) {
        sum = sum.add(source.get(simd, first + (v * S::F64::LANES) as f64));
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
    count: u64,
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
    let count = count as usize;
    let source = Samples::new(simd, rules, axis, center, sigma, means);
    let (mut samples, mut squares) = ([0.0; 8], [0.0; 8]);
    table.clear();
    for v in 0..count.div_ceil(S::F64::LANES) {
        let at = first + (v * S::F64::LANES) as f64;
        // SAFETY: the arrays hold the lanes of the widest tier.
        unsafe {
            source.get(simd, at).store(samples.as_mut_ptr());
            source.squares(simd, at).store(squares.as_mut_ptr());
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

/// What a thread holds of one ball.
#[derive(Default)]
struct Tables {
    /// The squares and the values of the samples along each axis.
    axes: [Vec<(f64, f64)>; 3],
    /// Those of the longest axis by rising squares, with the sum of the values before each; one more at the end.
    rising: Vec<(f64, f64)>,
    /// For equal steps of the square the first of `rising` that may be above.
    index: Vec<u32>,
}

impl Tables {
    fn new(held: usize) -> Result<Self, Error> {
        let what = "the rows of a ball";
        let mut tables = Tables {
            rising: reserve(held + 1, what)?,
            index: reserve(STEPS * held, what)?,
            ..Default::default()
        };
        for table in &mut tables.axes {
            *table = reserve(held, what)?;
        }
        Ok(tables)
    }

    /// The sum of products over the samples whose squares add up to the limit at most.
    #[inline(always)]
    fn ball_mass(&mut self, limit: f64) -> f64 {
        let Tables { axes, rising, index } = self;
        let mut order = [0, 1, 2];
        order.sort_by_key(|&j| axes[j].len());
        let [z, y, x] = order.map(|j| &axes[j]);
        if z.is_empty() {
            return 0.0;
        }
        // Squares fall to the least and rise behind it: two sorted rows, to be merged.
        let least = (1..x.len()).fold(0, |least, i| if x[i].0 < x[least].0 { i } else { least });
        let (mut left, mut right, mut sum) = (least, least, 0.0);
        rising.clear();
        while left > 0 || right < x.len() {
            let from_left = right == x.len() || (left > 0 && x[left - 1].0 < x[right].0);
            let (square, value) = if from_left { x[left - 1] } else { x[right] };
            (left, right) = if from_left { (left - 1, right) } else { (left, right + 1) };
            rising.push((square, sum));
            sum += value;
        }
        rising.push((f64::INFINITY, sum));
        let steps = STEPS * x.len();
        let scale = (steps - 1) as f64 / limit;
        index.clear();
        let mut first = 0;
        for step in 0..steps {
            // A step too low is only a comparison more.
            while first + 1 < rising.len() && rising[first].0 * scale < step as f64 - 0.5 {
                first += 1;
            }
            index.push(first as u32);
        }
        // A voxel on the very edge is kept or not by the order in which the tiles subtract squares.
        let near = if order == [0, 1, 2] { -1.0 } else { limit * 1e-12 };
        let keeps = |squares: [f64; 3]| {
            let mut of = [0.0; 3];
            order.into_iter().zip(squares).for_each(|(j, square)| of[j] = square);
            of[2] <= limit - of[0] - of[1]
        };
        let mut total = 0.0;
        for &(z_square, z_value) in z.iter() {
            let left_of_z = limit - z_square;
            let mut plane = 0.0;
            for &(y_square, y_value) in y.iter() {
                let rest = left_of_z - y_square;
                // Below zero it is the first step, and no square is as small.
                let mut at = index[((rest * scale) as usize).min(steps - 1)] as usize;
                while rising[at].0 <= rest {
                    at += 1;
                }
                if rising[at].0 - rest < near || (at > 0 && rest - rising[at - 1].0 < near) {
                    while at > 0 && !keeps([z_square, y_square, rising[at - 1].0]) {
                        at -= 1;
                    }
                    while keeps([z_square, y_square, rising[at].0]) {
                        at += 1;
                    }
                }
                plane += y_value * rising[at].1;
            }
            total += z_value * plane;
        }
        total
    }
}
