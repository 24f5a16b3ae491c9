//! Cutoffs and normalisation: which lattice points a Gaussian keeps, and the factor in front of it.

use std::f64::consts::TAU;

use super::lattice;
use super::voxel::unit;
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

    /// Whether a sum over points `step` apart may be computed without a term for each. Far from zero
    /// positions are rounded, up to 2^-53 of themselves, and each term with them: only the terms tell.
    #[inline(always)]
    pub(super) fn sums_wide(&self, center: f64, sigma: f64, step: f64) -> bool {
        sigma >= lattice::WIDE * step && self.origin.abs() + center.abs() <= 64.0 * sigma
    }

    /// The period of its images.
    #[inline(always)]
    pub(super) fn period(&self) -> f64 {
        self.n as f64 * self.spacing
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
    /// Whether a lattice point of `first..=last` can be kept. Also where both numbers are infinite: then this is
    /// not known, and refused.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    pub(super) fn meets(&self, first: f64, last: f64) -> bool {
        !(self.middle + self.reach < first) & !(self.middle - self.reach > last)
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

/// Sigmas below this part of a voxel are narrow: all samples may lie far out on a Gaussian's flanks.
/// (At this width an amplitude is divided by 2^-54 at most, which leaves f32 enough of its range for all others.)
const NARROW: f64 = 0.1;

impl Rules {
    pub(super) fn new(normalization: Normalization, support: Support, sampling: Sampling, eps: f64) -> Self {
        let radius_squared = -2.0 * eps.ln();
        Rules { normalization, support, sampling, radius: radius_squared.sqrt(), radius_squared }
    }

    /// Whether a Gaussian's samples are made relative to that at a lattice point, and which: of narrow ones under MASS
    /// to the nearest. It drops out, as samples are divided by their sum; but that sum could be so small that the
    /// factor of one narrow Gaussian would leave no digits for others.
    #[inline(always)]
    pub(super) fn unit_point(&self, axis: &Axis, center: f64, sigma: f64) -> Option<f64> {
        let relative = self.may_be_relative() && sigma < NARROW * axis.spacing;
        if !relative {
            return None;
        }
        // The rounding of the index may have chosen the second nearest.
        let index = axis.index(center).round();
        let distance = |k: f64| (axis.position(k) - center).abs();
        let nearest = |a: f64, b: f64| if distance(b) < distance(a) { b } else { a };
        Some([index - 1.0, index + 1.0].into_iter().fold(index, nearest))
    }

    /// Whether there may be such a point for a support with this reach, in voxels.
    pub(super) fn may_have_unit_point(&self, reach: f64) -> bool {
        // A reach has some slack.
        self.may_be_relative() && reach < (NARROW + 0.001) * self.radius
    }

    fn may_be_relative(&self) -> bool {
        self.normalization == Normalization::Mass && self.sampling == Sampling::Point
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

    /// The squared distance in sigmas that decides whether BALL keeps a lattice point at the signed distance `d`.
    pub(super) fn square(&self, axis: &Axis, d: f64, sigma: f64) -> f64 {
        let t = (d.abs() - self.half_width(axis)).max(0.0) * (1.0 / sigma).min(f64::MAX);
        t * t
    }

    /// Whether BOX keeps a lattice point at the signed distance `d`.
    #[inline(always)]
    pub(super) fn keeps(&self, axis: &Axis, d: f64, sigma: f64) -> bool {
        d.abs() - self.half_width(axis) <= self.radius * sigma
    }

    /// `A·N`: the amplitude times the factor that the normalisation asks for, and times the unit of means. Under
    /// MASS the amplitude alone, still to be divided by the mass.
    #[inline(always)]
    pub(super) fn weight(&self, amplitude: f64, axes: &[Axis; 3], sigma: [f64; 3]) -> f64 {
        let unit = |j: usize| match self.sampling {
            Sampling::Point => 1.0,
            Sampling::Voxel => unit(axes[j].spacing, sigma[j]),
        };
        // unit/(√(2π)·σ), where a σ near zero must not come in twice.
        let density = |weight: f64, j: usize| match unit(j) {
            1.0 => weight / (TAU.sqrt() * sigma[j]),
            _ => weight * axes[j].inverse,
        };
        match self.normalization {
            Normalization::Peak => amplitude * unit(0) * unit(1) * unit(2),
            Normalization::Reference => density(amplitude, 0) * unit(1) * unit(2),
            Normalization::Integral => density(density(density(amplitude, 0), 1), 2),
            Normalization::Mass => amplitude,
        }
    }
}
