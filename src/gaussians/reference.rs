//! The definition: sums of Gaussians voxel by voxel in f64, slow and plain. Tests compare with it.

use std::f64::consts::TAU;

use super::{Normalization, Sampling, Support};

/// The grid and the options of a sum.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Definition {
    pub shape: [usize; 3],
    pub origin: [f64; 3],
    pub spacing: [f64; 3],
    pub periodic: [bool; 3],
    pub normalization: Normalization,
    pub support: Support,
    pub sampling: Sampling,
    pub eps: f64,
}

/// A Gaussian: centre, amplitude, and sigma per axis.
pub type Gaussian = ([f64; 3], f64, [f64; 3]);

/// The sum, and what the error bound is made of. Voxels in row-major order.
#[derive(Debug, Clone)]
pub struct Sums {
    /// Σ A·N·g over the kept samples.
    pub sum: Vec<f64>,
    /// Σ |A·N·g| over the same.
    pub magnitude: Vec<f64>,
    /// How many Gaussians (images counted) reach each voxel.
    pub reaching: Vec<u32>,
    /// Σ |A·N| over all Gaussians.
    pub total: f64,
}

/// A sample that may be kept: lattice point, value, and squared distance in sigmas.
type Sample = (i64, f64, f64);

impl Definition {
    /// Sums the Gaussians.
    pub fn sum(&self, gaussians: &[Gaussian]) -> Sums {
        let voxels = self.shape.iter().product();
        let mut sums = Sums {
            sum: vec![0.0; voxels],
            magnitude: vec![0.0; voxels],
            reaching: vec![0; voxels],
            total: 0.0,
        };
        for &(center, amplitude, sigma) in gaussians {
            let samples: [Vec<Sample>; 3] =
                std::array::from_fn(|axis| self.samples(axis, center[axis], sigma[axis]));
            let weight = amplitude * self.norm(sigma, &samples);
            sums.total += weight.abs();
            let inside: [Vec<(usize, Sample)>; 3] = std::array::from_fn(|axis| {
                let n = self.shape[axis] as i64;
                let in_grid = |&(k, _, _): &Sample| self.periodic[axis] || (0..n).contains(&k);
                samples[axis]
                    .iter()
                    .copied()
                    .filter(in_grid)
                    .map(|s| (s.0.rem_euclid(n) as usize, s))
                    .collect()
            });
            for &(z, (_, gz, qz)) in &inside[0] {
                for &(y, (_, gy, qy)) in &inside[1] {
                    for &(x, (_, gx, qx)) in &inside[2] {
                        if self.keeps(qz, qy, qx) {
                            let voxel = (z * self.shape[1] + y) * self.shape[2] + x;
                            let value = weight * gz * gy * gx;
                            sums.sum[voxel] += value;
                            sums.magnitude[voxel] += value.abs();
                            sums.reaching[voxel] += 1;
                        }
                    }
                }
            }
        }
        sums
    }

    fn radius_squared(&self) -> f64 {
        -2.0 * self.eps.ln()
    }

    fn keeps(&self, qz: f64, qy: f64, qx: f64) -> bool {
        match self.support {
            Support::Box => true,
            Support::Ball => qz + qy + qx <= self.radius_squared(),
        }
    }

    /// The samples that BOX keeps along one axis of the endless lattice.
    fn samples(&self, axis: usize, center: f64, sigma: f64) -> Vec<Sample> {
        let (origin, h) = (self.origin[axis], self.spacing[axis]);
        let half = if self.sampling == Sampling::Voxel { h / 2.0 } else { 0.0 };
        let reach = self.radius_squared().sqrt() * sigma;
        // A few lattice points more on both sides; only the test below decides.
        let first = ((center - reach - half - origin) / h).floor() - 2.0;
        let last = ((center + reach + half - origin) / h).ceil() + 2.0;
        if !self.periodic[axis]
            && self.normalization != Normalization::Mass
            && (last < 0.0 || first > self.shape[axis] as f64)
        {
            return Vec::new();
        }
        let (mut first, mut last) = (first as i64, last as i64);
        if !self.periodic[axis] && self.normalization != Normalization::Mass {
            (first, last) = (first.max(0), last.min(self.shape[axis] as i64 - 1));
        }
        (first..=last)
            .filter_map(|k| {
                let d = origin + k as f64 * h - center;
                let nearest = (d.abs() - half).max(0.0);
                let t = nearest * (1.0 / sigma);
                let value = match self.sampling {
                    Sampling::Point => gaussian(d, lost(origin + k as f64 * h, center), sigma),
                    Sampling::Voxel => mean(d, lost(origin + k as f64 * h, center), h, sigma),
                };
                (nearest <= reach).then_some((k, value, t * t))
            })
            .collect()
    }

    fn norm(&self, sigma: [f64; 3], samples: &[Vec<Sample>; 3]) -> f64 {
        match self.normalization {
            Normalization::Peak => 1.0,
            Normalization::Reference => 1.0 / (TAU * sigma[0] * sigma[0]).sqrt(),
            Normalization::Integral => 1.0 / (TAU.powf(1.5) * sigma[0] * sigma[1] * sigma[2]),
            Normalization::Mass => {
                let mut mass = 0.0;
                for &(_, gz, qz) in &samples[0] {
                    for &(_, gy, qy) in &samples[1] {
                        let row = samples[2].iter().filter(|&&(_, _, qx)| self.keeps(qz, qy, qx));
                        mass += gz * gy * row.map(|&(_, gx, _)| gx).sum::<f64>();
                    }
                }
                if mass == 0.0 { 0.0 } else { 1.0 / mass }
            }
        }
    }
}

/// What the rounding of `x − y` lost.
fn lost(x: f64, y: f64) -> f64 {
    let d = x - y;
    let back = d - x;
    (x - (d - back)) - (y + back)
}

/// exp(−(d+lost)²/2σ²), with the rounding errors of the exponent carried along.
fn gaussian(d: f64, lost: f64, sigma: f64) -> f64 {
    let t = d / sigma;
    let t_low = ((-t).mul_add(sigma, d) + lost) / sigma;
    let q = t * t;
    let q_low = t.mul_add(t, -q) + 2.0 * t * t_low;
    (-0.5 * q).exp() * (1.0 - 0.5 * q_low)
}

/// The mean of exp(−t²/2σ²) over `d + lost ± h/2`: eight-point Gauss–Legendre rules on short pieces.
fn mean(d: f64, d_lost: f64, h: f64, sigma: f64) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
    ];
    // From the point of the interval that is nearest to the centre outwards, on one or both sides: with
    // u sigmas further, the Gaussian is exp(−a·u − u²/2) times its value at a.
    let (d, d_lost) = if d < 0.0 { (-d, -d_lost) } else { (d, d_lost) };
    let near = d - h / 2.0;
    let sides = if near > 0.0 {
        vec![(near, lost(d, h / 2.0) + d_lost, h / sigma)]
    } else {
        vec![(0.0, 0.0, -near / sigma), (0.0, 0.0, (d + h / 2.0) / sigma)]
    };
    let mut sum = 0.0;
    for (edge, edge_lost, length) in sides {
        let a = edge / sigma;
        // Beyond 40 sigmas there is nothing.
        let length = length.min(40.0);
        let pieces = ((8.0 + a) * length).ceil().max(1.0) as usize;
        let width = length / pieces as f64;
        let mut side = 0.0;
        for piece in 0..pieces {
            let middle = (piece as f64 + 0.5) * width;
            for (node, weight) in NODES {
                for u in [middle - node * width / 2.0, middle + node * width / 2.0] {
                    side += weight / 2.0 * (-(a + 0.5 * u) * u).exp();
                }
            }
        }
        sum += gaussian(edge, edge_lost, sigma) * side * width;
    }
    sum / (h / sigma)
}
