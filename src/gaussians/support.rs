//! Cutoffs and normalisation: which lattice points a Gaussian keeps, and the factor in front of it.

use std::f64::consts::TAU;

use super::voxel;
use super::{Normalization, Sampling, Support};

/// One axis of the grid: voxel k lies at `origin + k·spacing`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub n: usize,
    pub origin: f64,
    pub spacing: f64,
    pub periodic: bool,
    /// 1/spacing.
    pub inverse: f64,
    /// 1/n.
    pub inverse_period: f64,
    /// |origin|/spacing.
    pub offset: f64,
}

/// A Gaussian along one axis, in voxels of that axis: the lattice points it keeps lie within
/// `middle ± reach` (it may keep none of the outermost).
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub middle: f64,
    pub reach: f64,
}

impl Axis {
    pub(super) fn new(n: usize, origin: f64, spacing: f64, periodic: bool) -> Self {
        let inverse = 1.0 / spacing;
        let inverse_period = 1.0 / n as f64;
        Axis { n, origin, spacing, periodic, inverse, inverse_period, offset: (origin * inverse).abs() }
    }

    /// Position of lattice point `k`.
    #[inline(always)]
    pub(super) fn position(&self, k: f64) -> f64 {
        self.origin + k * self.spacing
    }

    /// A position in voxels.
    #[inline(always)]
    pub(super) fn index(&self, position: f64) -> f64 {
        (position - self.origin) * self.inverse
    }

    /// Where a Gaussian's lattice points lie. The reach has room for the rounding of positions.
    #[inline(always)]
    pub(super) fn span(&self, center: f64, reach: f64) -> Span {
        let middle = self.index(center);
        let reach = reach * self.inverse;
        let slack = (middle.abs() + 2.0 * self.offset + reach + 1.0) * 2f64.powi(-48);
        Span { middle, reach: reach + slack }
    }
}

impl Span {
    /// Whether a lattice point of `first..=last` can be kept.
    #[inline(always)]
    pub(super) fn meets(&self, first: f64, last: f64) -> bool {
        (self.middle + self.reach >= first) & (self.middle - self.reach <= last)
    }
}

/// What is kept of each Gaussian, and how it is scaled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub normalization: Normalization,
    pub support: Support,
    pub sampling: Sampling,
    /// R, the cutoff in sigmas.
    pub radius: f64,
    /// R².
    pub radius_squared: f64,
}

impl Rules {
    pub(super) fn new(normalization: Normalization, support: Support, sampling: Sampling, eps: f64) -> Self {
        let radius_squared = -2.0 * eps.ln();
        Rules { normalization, support, sampling, radius: radius_squared.sqrt(), radius_squared }
    }

    /// What is subtracted from a voxel's distance before the support test: under VOXEL sampling a voxel
    /// is kept where its interval meets the support.
    #[inline(always)]
    pub(super) fn half_width(&self, axis: &Axis) -> f64 {
        match self.sampling {
            Sampling::Point => 0.0,
            Sampling::Voxel => 0.5 * axis.spacing,
        }
    }

    /// The support of a Gaussian along one axis.
    #[inline(always)]
    pub(super) fn span(&self, axis: &Axis, center: f64, sigma: f64) -> Span {
        axis.span(center, self.radius * sigma + self.half_width(axis))
    }

    /// The squared distance in sigmas that decides whether a lattice point at the signed distance `d` is kept.
    #[inline(always)]
    pub(super) fn square(&self, axis: &Axis, d: f64, sigma: f64) -> f64 {
        let t = (d.abs() - self.half_width(axis)).max(0.0) * (1.0 / sigma).min(f64::MAX);
        t * t
    }

    /// The value of a lattice point at the signed distance `d`; none where it is not kept.
    #[inline(always)]
    pub(super) fn sample(&self, axis: &Axis, d: f64, sigma: f64) -> Option<f64> {
        if (d.abs() - self.half_width(axis)).max(0.0) > self.radius * sigma {
            return None;
        }
        Some(match self.sampling {
            Sampling::Point => {
                let t = d / sigma;
                (-0.5 * (t * t)).exp()
            }
            Sampling::Voxel => voxel::mean(d, axis.spacing, sigma),
        })
    }

    /// `A·N`: the amplitude times the factor that the normalisation asks for.
    pub(super) fn weight(&self, amplitude: f64, axes: &[Axis; 3], center: [f64; 3], sigma: [f64; 3]) -> f64 {
        match self.normalization {
            Normalization::Peak => amplitude,
            Normalization::Reference => amplitude / (TAU.sqrt() * sigma[0]),
            Normalization::Integral => {
                sigma.iter().fold(amplitude, |weight, sigma| weight / (TAU.sqrt() * sigma))
            }
            Normalization::Mass => match self.mass(axes, center, sigma) {
                // No voxel is kept: nothing is added.
                0.0 => 0.0,
                mass => amplitude / mass,
            },
        }
    }

    /// The sum of the kept samples of a Gaussian of height 1 on the endless lattice.
    fn mass(&self, axes: &[Axis; 3], center: [f64; 3], sigma: [f64; 3]) -> f64 {
        let samples = |j: usize| {
            let axis = &axes[j];
            let span = self.span(axis, center[j], sigma[j]);
            let first = (span.middle - span.reach).ceil();
            let count = ((span.middle + span.reach).floor() - first + 1.0).max(0.0) as usize;
            (0..count).filter_map(move |i| {
                let d = axis.position(first + i as f64) - center[j];
                Some((self.sample(axis, d, sigma[j])?, self.square(axis, d, sigma[j])))
            })
        };
        match self.support {
            Support::Box => (0..3).map(|j| samples(j).map(|(value, _)| value).sum::<f64>()).product(),
            Support::Ball => {
                // Along x the samples of a row are kept from both ends inwards: with the samples in the
                // order of their distance, a row's sum is a running sum up to its chord.
                let mut row: Vec<(f64, f64)> = samples(2).map(|(value, q)| (q, value)).collect();
                row.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut running = 0.0;
                for (_, value) in &mut row {
                    running += *value;
                    *value = running;
                }
                let y: Vec<(f64, f64)> = samples(1).collect();
                let mut total = 0.0;
                for (z_value, z_q) in samples(0) {
                    for &(y_value, y_q) in &y {
                        let kept = row.partition_point(|&(q, _)| (z_q + y_q) + q <= self.radius_squared);
                        if kept > 0 {
                            total += z_value * y_value * row[kept - 1].1;
                        }
                    }
                }
                total
            }
        }
    }
}
