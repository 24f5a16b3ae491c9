//! Random sums of Gaussians: every layout and option, and the comparison with the definition.

use super::random::Random;
use ndarray::{Array1, Array2, Array3, ArrayViewMut3, Axis, Slice};
use voxlane::gaussians_reference::{Definition, Gaussian, Sums};
use voxlane::{Coordinate, Gaussians, Grid, Isa, Normalization, Sampling, Sigmas, SumGaussians, Support};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigmaLayout {
    One,
    PerAxis,
    PerCenter,
    PerCenterAndAxis,
}

/// One random sum.
#[derive(Debug, Clone)]
pub struct Case {
    pub definition: Definition,
    pub gaussians: Vec<Gaussian>,
    pub layout: SigmaLayout,
    pub wide_centers: bool,
    pub wide_grid: bool,
    pub all_amplitudes_one: bool,
    pub accumulate: bool,
    pub isa: Isa,
    pub threads: usize,
    /// How the grid lies in memory.
    pub permutation: [usize; 3],
    pub step: [isize; 3],
    /// The eps of the call (0 where the definition has the machine epsilon).
    pub eps: f64,
}

impl Case {
    /// Narrow Gaussians, so many that they are summed in tiles with halos: more than one centre in fifty voxels, with
    /// room for tiles that hang over the grid. Some balls are wider, and in larger tiles.
    pub fn random_narrow(random: &mut Random) -> Case {
        let mut case = Case::random(random);
        let definition = &mut case.definition;
        definition.shape = [0; 3].map(|_| {
            let longest = if random.chance(0.3) { 70 } else { 20 };
            1 + random.below(longest)
        });
        definition.sampling = Sampling::Point;
        case.eps = random.pick(&[1e-6, 1e-6, 1e-3, 0.5, 1e-12, 1e-20, 0.0]);
        let machine = if case.wide_grid { f64::EPSILON } else { f64::from(f32::EPSILON) };
        definition.eps = if case.eps == 0.0 { machine } else { case.eps };
        let (shape, spacing, origin) = (definition.shape, definition.spacing, definition.origin);
        let wider = definition.support == Support::Ball && random.chance(0.6);
        let (halo, tile) = if wider { (16, 32) } else { (8, 16) };
        let padded: f64 = (0..3)
            .map(|axis| ((shape[axis] + halo).div_ceil(tile) * tile) as f64)
            .product::<f64>()
            .max(f64::from(random.pick(&[16384.0f32, 50000.0])));
        let count = (padded * random.uniform(0.02, 0.04)).min(4000.0) as usize;
        let radius = (-2.0 * definition.eps.ln()).sqrt();
        // Some reach exactly a half or a whole number of voxels, some hardly anything.
        let widths = [0; 3].map(|_| match (wider, random.chance(0.2)) {
            (false, true) => random.pick(&[1.0, 3.0, 6.0, 7.0]),
            (false, false) => random.uniform(0.1, 7.9),
            (true, true) => random.pick(&[8.0, 10.0, 13.0, 15.0]),
            (true, false) => random.uniform(7.1, 15.9),
        });
        let share = random.uniform(0.1, 1.0);
        let per_axis = matches!(case.layout, SigmaLayout::PerAxis | SigmaLayout::PerCenterAndAxis);
        let isotropic = spacing.iter().copied().fold(f64::INFINITY, f64::min);
        case.gaussians = (0..count)
            .map(|_| {
                let center = [0, 1, 2].map(|axis| {
                    let place = if random.chance(0.02) { -1.4 } else { random.uniform(-0.1, 1.1) };
                    let voxel = shape[axis] as f64 * share * place;
                    origin[axis] + spacing[axis] * if random.chance(0.1) { voxel.round() } else { voxel }
                });
                let part = match case.layout {
                    SigmaLayout::One | SigmaLayout::PerAxis => 1.0,
                    _ if wider => random.uniform(0.7, 1.0),
                    _ => random.uniform(0.1, 1.0),
                };
                let sigma = [0, 1, 2].map(|axis| {
                    let (axis, unit) = if per_axis { (axis, spacing[axis]) } else { (0, isotropic) };
                    part * widths[axis] / 2.0 / radius * unit
                });
                let amplitude = if case.all_amplitudes_one { 1.0 } else { random.uniform(-2.0, 2.0) };
                if case.wide_centers {
                    (center, amplitude, sigma)
                } else {
                    let single = |v: f64| f64::from(v as f32);
                    (center.map(single), single(amplitude), sigma.map(single))
                }
            })
            .collect();
        case
    }

    /// Grids of more than 32 MiB, reached in few places or in many.
    pub fn random_large(random: &mut Random) -> Case {
        let mut case = Case::random(random);
        let definition = &mut case.definition;
        let voxels = (34 << 20) / if case.wide_grid { 8 } else { 4 };
        let (small, middle) = (20 + random.below(60), 50 + random.below(200));
        definition.shape = random.pick(&[
            [small, middle, voxels / small / middle + 1],
            [voxels / small / middle + 1, small, middle],
            [middle, voxels / small / middle + 1, small],
        ]);
        if random.chance(0.75) {
            (case.permutation, case.step) = ([0, 1, 2], [1; 3]);
        }
        // Rows are whole cache lines, or not.
        if random.chance(0.75) {
            definition.shape[2] = definition.shape[2].next_multiple_of(16);
        }
        // Near to each other, or all over the grid.
        let share = random.pick(&[0.0, 0.05, 1.0, 1.0]);
        let times = random.pick(&[1, 12, 12]);
        case.gaussians = case.gaussians.repeat(times);
        let Definition { shape, spacing, origin, .. } = case.definition;
        let mut reach = [1.0; 3].map(|_: f64| random.uniform(0.0, 1.0));
        for gaussian in &mut case.gaussians {
            for axis in 0..3 {
                let length = shape[axis] as f64;
                let voxel = length * reach[axis]
                    + random.uniform(-30.0, 30.0)
                    + share * random.uniform(-0.5, 0.5) * length;
                gaussian.0[axis] = f64::from((origin[axis] + spacing[axis] * voxel) as f32);
            }
            if share == 1.0 {
                reach = [1.0; 3].map(|_: f64| random.uniform(0.0, 1.0));
            }
        }
        case
    }

    pub fn random(random: &mut Random) -> Case {
        let tiers: Vec<Isa> = Isa::supported().collect();
        let wide_grid = random.chance(0.5);
        let wide_centers = random.chance(0.5);
        let mut shape = [0; 3].map(|_| {
            let longest = if random.chance(0.2) { 70 } else { 24 };
            1 + random.below(longest)
        });
        if random.chance(0.1) {
            shape[random.below(3)] = 1;
        }
        let spacing = [0; 3].map(|_| if random.chance(0.3) { 1.0 } else { random.uniform(0.1, 3.0) });
        let far = random.pick(&[1.0, 1.0, 1.0, 1e3]);
        let origin =
            [0; 3].map(|_| if random.chance(0.3) { 0.0 } else { far * random.uniform(-100.0, 100.0) });
        let eps = random.pick(&[0.0, 0.0, 1e-6, 1e-6, 1e-6, 1e-3, 0.1, 0.5, 1e-12, 1e-20, 1e-60, 0.999]);
        let machine = if wide_grid { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let support = random.pick(&[Support::Box, Support::Ball]);
        let layout = random.pick(&[
            SigmaLayout::One,
            SigmaLayout::PerAxis,
            SigmaLayout::PerCenter,
            SigmaLayout::PerCenterAndAxis,
        ]);
        let isotropic = matches!(layout, SigmaLayout::One | SigmaLayout::PerCenter);
        let normalization = match random.below(4) {
            0 => Normalization::Peak,
            1 if isotropic => Normalization::Reference,
            2 => Normalization::Integral,
            3 => Normalization::Mass,
            _ => Normalization::Peak,
        };
        let sampling = if random.chance(0.25) { Sampling::Voxel } else { Sampling::Point };
        let definition = Definition {
            shape,
            origin,
            spacing,
            periodic: [0; 3].map(|_| random.chance(0.35)),
            normalization,
            support,
            sampling,
            eps: if eps == 0.0 { machine } else { eps },
        };

        // The widths are chosen so that the definition has at most some hundred thousand samples to sum.
        let radius = (-2.0 * definition.eps.ln()).sqrt().max(0.1);
        let widest = if random.chance(0.1) { 80.0 } else { 16.0 } / radius;
        let one_width = random.uniform(0.02, widest);
        let one_widths = [0; 3].map(|_| random.uniform(0.02, widest));
        let mixed = random.chance(0.5);
        let mut budget = 400_000.0;
        let all_amplitudes_one = random.chance(0.2);
        let mut gaussians = Vec::new();
        for _ in 0..random.below(120) {
            let center = [0, 1, 2].map(|axis| {
                let length = shape[axis] as f64 * spacing[axis];
                let inside = random.uniform(-0.2, 1.2);
                let place = if random.chance(0.02) { 30.0 * inside } else { inside };
                let c = origin[axis] + length * place;
                if random.chance(0.1) {
                    origin[axis] + (c / spacing[axis]).round() * spacing[axis]
                } else {
                    c
                }
            });
            let width = if mixed { random.uniform(0.02, widest) } else { one_width };
            let mut sigma = match layout {
                SigmaLayout::One => [one_width * spacing[0]; 3],
                SigmaLayout::PerAxis => [0, 1, 2].map(|axis| one_widths[axis] * spacing[axis]),
                SigmaLayout::PerCenter => [width * spacing[1]; 3],
                SigmaLayout::PerCenterAndAxis => {
                    [0, 1, 2].map(|axis| random.uniform(0.02, widest) * spacing[axis])
                }
            };
            let mut amplitude = if all_amplitudes_one {
                1.0
            } else {
                random.uniform(-2.0, 2.0) * 10f64.powi(random.below(3) as i32)
            };
            let mut center = center;
            if !wide_centers {
                center = center.map(|v| f64::from(v as f32));
                sigma = sigma.map(|v| f64::from(v as f32));
                amplitude = f64::from(amplitude as f32);
            }
            let samples: f64 = (0..3)
                .map(|axis| {
                    let width = 2.0 * radius * sigma[axis] / spacing[axis] + 1.0;
                    let clipped = !definition.periodic[axis] && normalization != Normalization::Mass;
                    if clipped { width.min(shape[axis] as f64) } else { width }
                })
                .product();
            budget -= samples;
            if budget < 0.0 {
                break;
            }
            gaussians.push((center, amplitude, sigma));
        }
        Case {
            definition,
            gaussians,
            layout,
            wide_centers,
            wide_grid,
            all_amplitudes_one,
            accumulate: random.chance(0.3),
            isa: random.pick(&tiers),
            threads: 1 + random.below(3),
            permutation: random.pick(&[[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]]),
            step: [0; 3].map(|_| random.pick(&[1, 1, 1, -1, 2, -3])),
            eps,
        }
    }

    /// The options, by name.
    pub fn options(&self) -> Vec<String> {
        let Definition { periodic, normalization, support, sampling, .. } = self.definition;
        let wide = |wide: bool| if wide { "F64" } else { "F32" };
        let amplitudes = if self.all_amplitudes_one { "1" } else { "each" };
        let eps = match self.eps {
            0.0 => "0",
            0.5 => "0.5",
            e if e > 0.01 => "large",
            e if e < 1e-13 => "tiny",
            _ => "usual",
        };
        let stride = if self.step == [1; 3] { "1" } else { "other" };
        vec![
            format!("normalization {normalization:?}"),
            format!("support {support:?}"),
            format!("sampling {sampling:?}"),
            format!("periodic-0 {}", periodic[0]),
            format!("periodic-1 {}", periodic[1]),
            format!("periodic-2 {}", periodic[2]),
            format!("sigmas {:?}", self.layout),
            format!("centres {}", wide(self.wide_centers)),
            format!("grid {}", wide(self.wide_grid)),
            format!("amplitudes {amplitudes}"),
            format!("accumulate {}", self.accumulate),
            format!("eps {eps}"),
            format!("stride {stride}"),
            format!("permutation {:?}", self.permutation),
            format!("threads {}", self.threads),
        ]
    }

    /// What the grid holds before the call.
    fn before(&self, voxel: usize) -> f64 {
        if self.accumulate { ((voxel * 7) % 5) as f64 - 2.0 } else { f64::NAN }
    }

    /// The values of the grid after the call, in row-major order.
    pub fn run(&self) -> Result<Vec<f64>, voxlane::Error> {
        if self.wide_grid {
            let mut memory = self.memory::<f64>();
            self.call(self.view(&mut memory), |view| view.iter().copied().collect())
        } else {
            let mut memory = self.memory::<f32>();
            self.call(self.view(&mut memory), |view| view.iter().map(|&v| f64::from(v)).collect())
        }
    }

    /// Memory for the grid, strided as the case wants it.
    fn memory<T: Clone + Default>(&self) -> Array3<T> {
        let lengths = [0, 1, 2].map(|i| {
            let axis = self.permutation[i];
            (self.definition.shape[axis] - 1) * self.step[axis].unsigned_abs() + 1
        });
        Array3::from_elem(lengths, T::default())
    }

    fn view<'a, T: FromF64>(&self, memory: &'a mut Array3<T>) -> ArrayViewMut3<'a, T> {
        let mut axes = [0; 3];
        (0..3).for_each(|i| axes[self.permutation[i]] = i);
        let mut view = memory.view_mut().permuted_axes(axes);
        for axis in 0..3 {
            view.slice_axis_inplace(Axis(axis), Slice::new(0, None, self.step[axis]));
        }
        assert_eq!(view.shape(), self.definition.shape);
        view.iter_mut().enumerate().for_each(|(voxel, v)| *v = T::from_f64(self.before(voxel)));
        view
    }

    fn call<T: FromF64 + voxlane::Element>(
        &self,
        mut view: ArrayViewMut3<T>,
        values: impl FnOnce(&ArrayViewMut3<T>) -> Vec<f64>,
    ) -> Result<Vec<f64>, voxlane::Error> {
        if self.wide_centers {
            self.call_with::<f64, T>(view.view_mut())?;
        } else {
            self.call_with::<f32, T>(view.view_mut())?;
        }
        Ok(values(&view))
    }

    fn call_with<C: Coordinate + FromF64, T: voxlane::Element>(
        &self,
        view: ArrayViewMut3<T>,
    ) -> Result<(), voxlane::Error> {
        let count = self.gaussians.len();
        let cast = C::from_f64;
        let centers = Array2::from_shape_fn((count, 3), |(i, axis)| cast(self.gaussians[i].0[axis]));
        let amplitudes = Array1::from_shape_fn(count, |i| cast(self.gaussians[i].1));
        let sigma = |i: usize, axis: usize| cast(self.gaussians.get(i).map_or(1.0, |g| g.2[axis]));
        let per_center = Array1::from_shape_fn(count, |i| sigma(i, 0));
        let per_both = Array2::from_shape_fn((count, 3), |(i, axis)| sigma(i, axis));
        let sigmas = match self.layout {
            SigmaLayout::One => Sigmas::One(sigma(0, 0)),
            SigmaLayout::PerAxis => Sigmas::PerAxis([0, 1, 2].map(|axis| sigma(0, axis))),
            SigmaLayout::PerCenter => Sigmas::PerCenter(per_center.view()),
            SigmaLayout::PerCenterAndAxis => Sigmas::PerCenterAndAxis(per_both.view()),
        };
        let mut gaussians = Gaussians::new(centers.view(), sigmas)?;
        if !self.all_amplitudes_one {
            gaussians = gaussians.amplitudes(amplitudes.view())?;
        }
        SumGaussians::new()
            .normalization(self.definition.normalization)
            .support(self.definition.support)
            .sampling(self.definition.sampling)
            .periodic(self.definition.periodic)
            .accumulate(self.accumulate)
            .eps(self.eps)
            .isa(self.isa)
            .threads(self.threads)
            .sum(&gaussians, Grid::new(view, self.definition.origin, self.definition.spacing))
    }

    /// Compares with the definition: rounding alone, since both truncate alike. Returns the largest error
    /// relative to the bound.
    pub fn check(&self, values: &[f64], expected: &Sums) -> Result<f64, String> {
        // The last: an f32 cannot hold what only a very small eps would keep.
        let (constant, slope, unit, least) = if self.wide_grid {
            (3e-14, 1.2e-16, f64::EPSILON, 1e-300)
        } else {
            (6e-6, 6e-8, f64::from(f32::EPSILON), 1e-43)
        };
        let mut worst = 0.0f64;
        for (voxel, &value) in values.iter().enumerate() {
            let before = if self.accumulate { self.before(voxel) } else { 0.0 };
            let magnitude = expected.magnitude[voxel];
            let reaching = f64::from(expected.reaching[voxel]);
            let mut bound = (constant + slope * reaching) * magnitude + least * (1.0 + expected.total);
            // A tiny eps leaves values that only the first term of the contract covers.
            bound += (self.definition.eps * 1e-3 * expected.total).min(1e-25 * expected.total);
            if self.accumulate {
                // What is added to a voxel may come in eight parts.
                bound += (before.abs() + magnitude) * 4.0 * unit;
            }
            let error = (value - before - expected.sum[voxel]).abs();
            if error.is_nan() || error > bound {
                let [_, ny, nx] = self.definition.shape;
                let index = [voxel / (ny * nx), voxel / nx % ny, voxel % nx];
                return Err(format!(
                    "voxel {index:?}: {value:e} − {before}, expected {:e}, error {error:e} > {bound:e}, {reaching} reach it",
                    expected.sum[voxel]
                ));
            }
            worst = worst.max(error / bound);
        }
        Ok(worst)
    }
}

pub trait FromF64: Clone + Default {
    fn from_f64(value: f64) -> Self;
}

impl FromF64 for f32 {
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
}

impl FromF64 for f64 {
    fn from_f64(value: f64) -> f64 {
        value
    }
}
