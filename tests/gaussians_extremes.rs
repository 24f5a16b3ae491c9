//! Widths, places and numbers at both ends: masses, many images, almost nothing, almost everything.

#[path = "common/random_numbers.rs"]
mod random;

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, Array3, array};
use random::Random;
use voxlane::{ErrorKind, Gaussians, Grid, Isa, Normalization, Sampling, Sigmas, SumGaussians, Support};

const SUPPORTS: [Support; 2] = [Support::Box, Support::Ball];
const SAMPLINGS: [Sampling; 2] = [Sampling::Point, Sampling::Voxel];

fn mass<'a>() -> SumGaussians<'a> {
    SumGaussians::new().normalization(Normalization::Mass)
}

#[test]
fn masses_add_up() {
    let mut random = Random(11);
    for case in 0..960 {
        // Both ends of the promised range of sigmas, in voxels, and what lies between.
        let widths = [0; 3].map(|_| match random.below(4) {
            0 => 0.2,
            1 => 5.0,
            _ => random.uniform(0.2, 5.0),
        });
        let widths = if random.chance(0.5) { [widths[0]; 3] } else { widths };
        // A voxel lies within 0.5 of any position on each axis: up to 1e-5 each support keeps one.
        let eps = random.pick(&[0.0, 1e-5, 1e-6, 1e-9, 1e-12]);
        let reach = |width: f64| (-2.0 * f64::ln(if eps == 0.0 { 1e-16 } else { eps })).sqrt() * width + 1.0;
        let shape = widths.map(|width| 2 * reach(width).ceil() as usize + 3);
        let spacing = random.pick(&[[1.0; 3], [0.37; 3], [0.3, 1.0, 2.9]]);
        let origin = random.pick(&[[0.0; 3], [-7.0, 3.3, 1e3]]);
        // Any position within the voxel, the corners and the middles of edges among them.
        let center = [0, 1, 2].map(|axis| {
            let part =
                if random.chance(0.3) { random.pick(&[0.0, 0.5, -0.5]) } else { random.uniform(-0.5, 0.5) };
            origin[axis] + ((shape[axis] / 2) as f64 + part) * spacing[axis]
        });
        let centers = Array2::from_shape_vec((1, 3), center.to_vec()).unwrap();
        let amplitude = array![random.uniform(0.5, 900.0)];
        let sigmas = [0, 1, 2].map(|axis| widths[axis] * spacing[axis]);
        let gaussians = Gaussians::new(centers.view(), Sigmas::PerAxis(sigmas)).unwrap();
        let gaussians = gaussians.amplitudes(amplitude.view()).unwrap();
        let sum = || {
            let tiers: Vec<Isa> = Isa::supported().collect();
            mass()
                .isa(tiers[case % tiers.len()])
                .support(SUPPORTS[case / 3 % 2])
                .sampling(SAMPLINGS[case / 6 % 2])
                .periodic([case / 12 % 2 == 1; 3])
                .eps(eps)
        };
        let mut narrow = Array3::<f32>::zeros(shape);
        let mut wide = Array3::<f64>::zeros(shape);
        sum().sum(&gaussians, Grid::new(&mut narrow, origin, spacing)).unwrap();
        sum().sum(&gaussians, Grid::new(&mut wide, origin, spacing)).unwrap();
        let narrow = narrow.iter().map(|&v| f64::from(v)).sum::<f64>() / amplitude[0];
        let wide = wide.sum() / amplitude[0];
        let what = format!("case {case}: sigmas {widths:?} voxels, eps {eps}");
        assert!((narrow - 1.0).abs() < 1e-6, "{what}: F32 {narrow}");
        assert!((wide - 1.0).abs() < 1e-12, "{what}: F64 {wide}");
    }
}

/// The samples of a Gaussian that a lattice of spacing 1 keeps along an axis, as (lattice point, value, square).
fn samples(center: f64, sigma: f64, eps: f64, sampling: Sampling) -> Vec<(f64, f64, f64)> {
    let radius = (-2.0 * eps.ln()).sqrt();
    let half = if sampling == Sampling::Voxel { 0.5 } else { 0.0 };
    let reach = radius * sigma + half;
    let (first, last) = ((center - reach).floor() as i64, (center + reach).ceil() as i64);
    (first..=last)
        .filter_map(|k| {
            let d = k as f64 - center;
            let t = (d.abs() - half).max(0.0) / sigma;
            let value = match sampling {
                Sampling::Point => (-0.5 * (d / sigma).powi(2)).exp(),
                // The mean by a rule of eight points.
                Sampling::Voxel => [
                    (0.183_434_642_495_649_8, 0.181_341_891_689_181),
                    (0.525_532_409_916_329, 0.156_853_322_938_943_64),
                    (0.796_666_477_413_626_7, 0.111_190_517_226_687_24),
                    (0.960_289_856_497_536_3, 0.050_614_268_145_188_13),
                ]
                .iter()
                .flat_map(|&(node, weight)| [(d - 0.5 * node, weight), (d + 0.5 * node, weight)])
                .map(|(u, weight)| weight * (-0.5 * (u / sigma).powi(2)).exp())
                .sum(),
            };
            (t <= radius).then_some((k as f64, value, t * t))
        })
        .collect()
}

#[test]
fn masses_of_wide_gaussians_are_those_of_their_samples() {
    for (sigma, eps) in
        [(6.0, 1e-6), (31.0, 1e-6), (33.0, 1e-6), (33.0, 0.5), (40.0, 1e-14), (3000.0, 1e-6), (1e5, 0.9)]
    {
        for (support, sampling) in [
            (Support::Box, Sampling::Point),
            (Support::Box, Sampling::Voxel),
            (Support::Ball, Sampling::Point),
            (Support::Ball, Sampling::Voxel),
        ] {
            if support == Support::Ball && sigma > 41.0 {
                continue;
            }
            let center = [1.3, 0.5, 2.0];
            let axes = center.map(|center| samples(center, sigma, eps, sampling));
            let limit = -2.0 * f64::ln(eps);
            let total = match support {
                Support::Box => axes.iter().map(|axis| axis.iter().map(|s| s.1).sum::<f64>()).product(),
                Support::Ball => {
                    let mut total = 0.0;
                    for &(_, gz, qz) in &axes[0] {
                        for &(_, gy, qy) in &axes[1] {
                            let row = axes[2].iter().filter(|s| s.2 <= limit - qz - qy);
                            total += gz * gy * row.map(|s| s.1).sum::<f64>();
                        }
                    }
                    total
                }
            };
            let centers = Array2::from_shape_vec((1, 3), center.to_vec()).unwrap();
            let gaussians = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
            for isa in Isa::supported() {
                let mut grid = Array3::<f64>::zeros((3, 2, 4));
                let sum = mass().isa(isa).support(support).sampling(sampling).eps(eps);
                sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
                for ((z, y, x), &value) in grid.indexed_iter() {
                    let at = [z, y, x];
                    let sample = |j: usize| axes[j].iter().find(|s| s.0 == at[j] as f64).unwrap().1;
                    let expected = sample(0) * sample(1) * sample(2) / total;
                    let error = (value / expected - 1.0).abs();
                    assert!(
                        error < 1e-12,
                        "{support:?} {sampling:?} sigma {sigma} eps {eps}, {}: {error:e}",
                        isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn masses_of_very_wide_gaussians_are_found_and_cancelled() {
    // 100 centres at 10^6 rows of a ball each, and boxes of 10^15 voxels.
    let centers = Array2::from_shape_fn((100, 3), |(i, axis)| (i * (axis + 3) % 7) as f64 * 0.37);
    let mut grid = Array3::<f64>::zeros((3, 3, 3));
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(1e4)).unwrap();
    mass().sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
    // Φ of 5.26 sigmas to both sides.
    let inside = 1.0 - 1.471_7e-7f64;
    let expected = 100.0 / ((std::f64::consts::TAU.sqrt() * 1e4) * inside).powi(3);
    assert!(grid.iter().all(|v| (v / expected - 1.0).abs() < 1e-7), "{} {expected}", grid[[0, 0, 0]]);

    let gaussians = Gaussians::new(centers.view(), Sigmas::One(1000.0)).unwrap();
    let mut calls = 0;
    let mut stop = |_| {
        calls += 1;
        if calls > 8 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let sum = mass().support(Support::Ball).threads(2).progress(&mut stop);
    let error = sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
}

#[test]
fn a_support_wider_than_the_period_wraps_again_and_again() {
    // A Gaussian spread evenly over all voxels, from few images to 10^9 on each axis.
    for sigma in [10.0, 60.0, 300.0, 1e4, 1e8] {
        for sampling in SAMPLINGS {
            for isa in Isa::supported() {
                let centers = array![[0.3, 0.7, 0.1]];
                let gaussians = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
                let sum = || {
                    let sum = SumGaussians::new().normalization(Normalization::Integral).isa(isa);
                    sum.periodic([true; 3]).sampling(sampling).eps(1e-15)
                };
                let mut wide = Array3::<f64>::zeros((3, 2, 1));
                sum().sum(&gaussians, Grid::new(&mut wide, [0.0; 3], [1.0; 3])).unwrap();
                let wrong = wide.iter().fold(0.0f64, |most, v| most.max((6.0 * v - 1.0).abs()));
                assert!(wrong < 3e-13, "sigma {sigma}, {sampling:?}, {}: {wrong:e}", isa.name());
                let mut narrow = Array3::<f32>::zeros((3, 2, 1));
                sum().sum(&gaussians, Grid::new(&mut narrow, [0.0; 3], [1.0; 3])).unwrap();
                let wrong = narrow.iter().fold(0.0f32, |most, v| most.max((6.0 * v - 1.0).abs()));
                assert!(wrong < 1e-5, "sigma {sigma}, {sampling:?}, {}: {wrong:e}", isa.name());
                // Peaks of height 1 add up to the square root of 2π times sigma on each axis: still within range.
                let sum = SumGaussians::new().periodic([true; 3]).sampling(sampling).isa(isa);
                sum.eps(1e-15).sum(&gaussians, Grid::new(&mut narrow, [0.0; 3], [1.0; 3])).unwrap();
                let expected = (std::f64::consts::TAU.sqrt() * sigma).powi(3) / 6.0;
                let wrong =
                    narrow.iter().fold(0.0f64, |most, v| most.max((f64::from(*v) / expected - 1.0).abs()));
                assert!(wrong < 1e-5, "peaks, sigma {sigma}, {sampling:?}, {}: {wrong:e}", isa.name());
            }
        }
    }
}

#[test]
fn many_images_are_summed_as_if_one_by_one() {
    // One periodic axis, with enough images for the sum without a term each; at coarse eps the ends weigh most.
    for (n, sigma, eps) in
        [(1, 33.0, 0.5), (1, 500.0, 0.9), (3, 100.0, 1e-3), (5, 1000.0, 1e-12), (2, 70.0, 1e-6)]
    {
        for sampling in SAMPLINGS {
            let center = 0.37;
            let all = samples(center, sigma, eps, sampling);
            let centers = array![[0.0, 0.0, center]];
            let gaussians = Gaussians::new(centers.view(), Sigmas::PerAxis([1e3, 1e3, sigma])).unwrap();
            for isa in Isa::supported() {
                let mut grid = Array3::<f64>::zeros((1, 1, n));
                let sum = SumGaussians::new().isa(isa).eps(eps).periodic([false, false, true]);
                sum.sampling(sampling).sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
                for (x, &value) in grid.iter().enumerate() {
                    let images = all.iter().filter(|s| (s.0 - x as f64).rem_euclid(n as f64) == 0.0);
                    let mut expected: f64 = images.map(|s| s.1).sum();
                    if sampling == Sampling::Voxel {
                        // The other two axes' mean over ±0.5 of a sigma of 1000.
                        expected *= (1.0f64 - 1.0 / 24.0e6).powi(2);
                    }
                    let error = (value / expected - 1.0).abs();
                    assert!(error < 1e-12, "n {n} sigma {sigma} eps {eps} {sampling:?}: {error:e}");
                }
            }
        }
    }
}

#[test]
fn almost_no_width_at_all() {
    let between = array![[1.5, 1.5, 1.5]];
    let on_voxel = array![[1.0, 1.0, 1.0], [2.0, 1.0, 2.0]];
    for sigma in [0.01, 1e-20, 1e-100, 1e-200, 1e-308, 5e-324] {
        let gaussians = Gaussians::new(between.view(), Sigmas::One(sigma)).unwrap();
        let integral = || SumGaussians::new().normalization(Normalization::Integral);
        // Between the voxels nothing is kept, however large the integral would make the peak.
        for normalization in
            [Normalization::Peak, Normalization::Integral, Normalization::Mass, Normalization::Reference]
        {
            for support in SUPPORTS {
                for periodic in [false, true] {
                    let mut grid = Array3::<f32>::from_elem((4, 4, 4), 3.0);
                    let sum = SumGaussians::new().normalization(normalization).support(support);
                    let sum = sum.periodic([periodic; 3]);
                    sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
                    assert!(grid.iter().all(|&v| v == 0.0), "{normalization:?} {sigma}");
                }
            }
        }
        // Averaged over voxels it is there: an eighth in each of the eight around it.
        for spacing in [1.0, 2.0] {
            let origin = [1.5 - 1.5 * spacing; 3];
            for isa in Isa::supported() {
                let mut wide = Array3::<f64>::zeros((4, 4, 4));
                let sum = || integral().sampling(Sampling::Voxel).isa(isa);
                sum().sum(&gaussians, Grid::new(&mut wide, origin, [spacing; 3])).unwrap();
                let cube = spacing.powi(3);
                assert!((wide[[1, 2, 1]] * cube - 0.125).abs() < 1e-15, "{sigma}: {}", wide[[1, 2, 1]]);
                assert!((wide.sum() * cube - 1.0).abs() < 1e-14);
                let mut narrow = Array3::<f32>::zeros((4, 4, 4));
                sum().sum(&gaussians, Grid::new(&mut narrow, origin, [spacing; 3])).unwrap();
                assert!((f64::from(narrow[[2, 2, 1]]) * cube - 0.125).abs() < 1e-6, "{sigma}");
                mass()
                    .sampling(Sampling::Voxel)
                    .sum(&gaussians, Grid::new(&mut wide, origin, [spacing; 3]))
                    .unwrap();
                assert!((wide[[1, 2, 1]] - 0.125).abs() < 1e-15 && (wide.sum() - 1.0).abs() < 1e-14);
            }
        }
        // One that is between the voxels says nothing about the next, whatever weight they share.
        if sigma < 1e-100 {
            for order in [[0, 1], [1, 0]] {
                let both = [[1.5, 1.5, 1.5], [2.0, 1.0, 2.0]];
                let centers = Array2::from_shape_fn((2, 3), |(i, axis)| both[order[i]][axis]);
                let gaussians = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
                let mut grid = Array3::<f64>::from_elem((4, 4, 4), 7.0);
                let error = integral().sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap_err();
                assert!(error.to_string().contains(&format!("centre {} ", order[1])), "{error}");
            }
        }
        // On a voxel the peak is what the normalization says, or too large for any number.
        let gaussians = Gaussians::new(on_voxel.view(), Sigmas::One(sigma)).unwrap();
        let mut grid = Array3::<f64>::from_elem((4, 4, 4), 7.0);
        mass().sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
        assert!(grid[[1, 1, 1]] == 1.0 && grid[[2, 1, 2]] == 1.0 && grid.sum() == 2.0);
        let mut grid = Array3::<f64>::from_elem((4, 4, 4), 7.0);
        let result = integral().sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3]));
        let peak = (std::f64::consts::TAU.sqrt() * sigma).powi(-3);
        if peak.is_finite() {
            result.unwrap();
            assert!((grid[[1, 1, 1]] / peak - 1.0).abs() < 1e-13, "{sigma}: {}", grid[[1, 1, 1]]);
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Value);
            for part in ["centre 0", "amplitudes", "1.0", &format!("{sigma:?}")] {
                assert!(error.to_string().contains(part), "{part}: {error}");
            }
            assert!(grid.iter().all(|&v| v == 7.0));
        }
    }
}

#[test]
fn amplitudes_beyond_f32_are_infinite_or_cancel() {
    let centers = array![[8.0, 8.0, 8.0], [8.0, 8.0, 30.0], [8.0, 8.0, 30.0], [8.0, 24.0, 20.0]];
    // The second and the third cancel but for a half.
    for amplitudes in [array![1e300, 1e300, -0.5e300, -1e300], array![1e39, 1e39, -0.5e39, -1e39]] {
        for (isa, support, sampling) in combinations() {
            let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
            let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
            for accumulate in [false, true] {
                let mut grid = Array3::<f32>::zeros((17, 33, 47));
                let sum = SumGaussians::new().isa(isa).support(support).sampling(sampling);
                sum.accumulate(accumulate).sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
                let what = format!("{isa:?}, {support:?}, {sampling:?}, {:e}", amplitudes[0]);
                assert!(grid.iter().all(|value| !value.is_nan()), "{what}");
                let infinite = amplitudes[0] == 1e300;
                let high = if infinite { f32::INFINITY } else { 3e38 };
                assert!(grid[[8, 8, 8]] >= high && grid[[8, 24, 20]] <= -high, "{what}");
                assert!(grid[[8, 8, 30]] > if infinite { 3e38 } else { 1e38 }, "{what}");
                assert_eq!(grid[[8, 24, 4]], 0.0, "{what}");
                assert_eq!(grid[[0, 0, 0]], 0.0, "{what}");
            }
        }
    }
}

#[test]
fn what_keeps_no_voxel_sets_no_scale() {
    // The narrow ones lie between the voxels, the last far outside; alone they would be 1e120 and more high.
    let centers = array![[4.5, 4.0, 4.0], [4.0, 5.0, 6.0], [4.0, 4.0, 5.5], [90.0, 4.0, 4.0]];
    let sigmas = array![1e-60, 1.3, 1e-60, 1e-40];
    for (isa, support, _) in combinations() {
        for (normalization, order) in [
            (Normalization::Integral, [0, 1, 2, 3]),
            (Normalization::Integral, [1, 2, 0, 3]),
            (Normalization::Reference, [3, 2, 1, 0]),
        ] {
            let mut grids = [Array3::<f32>::zeros((9, 10, 11)), Array3::<f32>::zeros((9, 10, 11))];
            let alone = [1];
            for (grid, chosen) in grids.iter_mut().zip([&order[..], &alone[..]]) {
                let centers = centers.select(ndarray::Axis(0), chosen);
                let sigmas = sigmas.select(ndarray::Axis(0), chosen);
                let gaussians = Gaussians::new(centers.view(), Sigmas::PerCenter(sigmas.view())).unwrap();
                let sum = SumGaussians::new().isa(isa).support(support).normalization(normalization);
                sum.sum(&gaussians, Grid::new(grid, [0.0; 3], [1.0; 3])).unwrap();
            }
            let [all, one] = grids;
            assert!(one[[4, 5, 6]] > 0.02);
            for (a, b) in all.iter().zip(&one) {
                assert!((a - b).abs() <= 1e-5 * b, "{isa:?}, {support:?}: {a} for {b}");
            }
        }
    }
}

/// Samples that all lie far out on a Gaussian's flanks are divided by a sum that is as small.
#[test]
fn narrow_gaussians_have_their_mass_and_leave_others_alone() {
    let ordinary = array![[0.2, 0.1, 4.3]];
    let both = array![[2.5, 2.5, 2.5], [0.2, 0.1, 4.3]];
    for (isa, support, _) in combinations() {
        for eps in [1e-6, 1e-12, 1e-16, 1e-40, 1e-110, 1e-300] {
            // Just wide enough to keep the eight voxels around a corner.
            let distance = if support == Support::Box { 0.5 } else { 0.75f64.sqrt() };
            let sigmas = array![distance / f64::sqrt(-2.0 * f64::ln(eps)) * 1.0001, 1.0];
            let sum = || mass().isa(isa).support(support).eps(eps);
            let gaussians = Gaussians::new(both.view(), Sigmas::PerCenter(sigmas.view())).unwrap();
            let (mut single, mut double) = (Array3::<f32>::zeros([9; 3]), Array3::<f64>::zeros([9; 3]));
            sum().sum(&gaussians, Grid::new(&mut single, [0.0; 3], [1.0; 3])).unwrap();
            sum().sum(&gaussians, Grid::new(&mut double, [0.0; 3], [1.0; 3])).unwrap();
            let mut other = Array3::<f64>::zeros([9; 3]);
            let gaussians = Gaussians::new(ordinary.view(), Sigmas::One(1.0)).unwrap();
            sum().sum(&gaussians, Grid::new(&mut other, [0.0; 3], [1.0; 3])).unwrap();
            for (place, &alone) in other.indexed_iter() {
                let (z, y, x) = place;
                let corner = if [z, y, x].iter().all(|i| (2..=3).contains(i)) { 0.125 } else { 0.0 };
                let wanted = alone + corner;
                let what = format!("{isa:?} {support:?} {eps:e} at {place:?}");
                let (narrow, wide) = (f64::from(single[place]), double[place]);
                assert!((narrow - wanted).abs() <= 1e-5 * wanted + 1e-37, "{what}: {narrow}, not {wanted}");
                assert!((wide - wanted).abs() <= 1e-13 * wanted, "{what}: {wide}, not {wanted}");
            }
        }
    }
}

/// Where positions are so large that an index may be the second nearest, MASS still has a sample to be relative to.
#[test]
fn narrow_gaussians_far_from_the_origin() {
    let cases = [
        ([1, 1, 4], 0.0, 0.3, [false, false, true], 231_969_619_655_754.12, 0.004182000383311305),
        (
            [1, 1, 16],
            9_007_199_254_740_956.0,
            14.38623881104721,
            [false; 3],
            2f64.powi(53),
            0.19154925693142144,
        ),
    ];
    for isa in Isa::supported() {
        for (shape, origin, spacing, periodic, center, sigma) in cases {
            let centers = array![[0.0, 0.0, center]];
            let gaussians = Gaussians::new(centers.view(), Sigmas::PerAxis([1.0, 1.0, sigma])).unwrap();
            let mut single = Array3::<f32>::zeros(shape);
            let grid = Grid::new(&mut single, [0.0, 0.0, origin], [100.0, 100.0, spacing]);
            mass().isa(isa).eps(1e-300).periodic(periodic).sum(&gaussians, grid).unwrap();
            assert!((single.sum() - 1.0).abs() < 1e-6, "{isa:?}: {single:?}");
        }
    }
}

/// Means of voxels on either side of an edge that a narrow Gaussian lies across, 0.3 sigmas beside its middle.
#[test]
fn means_beside_an_edge() {
    let ratio = 0.382_088_577_811_047_4 / 0.617_911_422_188_952_6;
    for isa in Isa::supported() {
        for sigma in [1e-2, 1e-4, 1e-6, 1e-9, 1e-12, 1e-15, 1e-40] {
            // The edge is at zero, so that the distance from it has all its digits; those from the voxels' middles have
            // not.
            let centers = array![[0.0, 0.0, 0.3 * sigma]];
            let gaussians = Gaussians::new(centers.view(), Sigmas::PerAxis([1.0, 1.0, sigma])).unwrap();
            let sum = || SumGaussians::new().sampling(Sampling::Voxel).eps(1e-12).isa(isa);
            let (mut single, mut double) = (Array3::<f32>::zeros([1, 1, 2]), Array3::<f64>::zeros([1, 1, 2]));
            sum().sum(&gaussians, Grid::new(&mut double, [0.0, 0.0, -0.5], [1.0; 3])).unwrap();
            let error = double[[0, 0, 0]] / double[[0, 0, 1]] / ratio - 1.0;
            assert!(error.abs() < 3e-14, "{isa:?}, sigma {sigma:e}: {error:e}");
            if sigma > 1e-30 {
                sum().sum(&gaussians, Grid::new(&mut single, [0.0, 0.0, -0.5], [1.0; 3])).unwrap();
                let error = f64::from(single[[0, 0, 0]]) / f64::from(single[[0, 0, 1]]) / ratio - 1.0;
                assert!(error.abs() < 1e-6, "{isa:?}, sigma {sigma:e}, f32: {error:e}");
            }
        }
    }
}

/// Every tier with every support and sampling.
fn combinations() -> impl Iterator<Item = (Isa, Support, Sampling)> {
    let each = |isa| SUPPORTS.into_iter().flat_map(move |a| SAMPLINGS.into_iter().map(move |b| (isa, a, b)));
    Isa::supported().flat_map(each)
}

#[test]
fn overflowing_weights_are_named() {
    let mut random = Random(8);
    let centers = Array2::from_shape_fn((500, 3), |_| random.below(5) as f64);
    for normalization in [Normalization::Integral, Normalization::Reference] {
        for bad in [0, 137, 499] {
            let mut amplitudes = Array1::from_elem(500, 1.0);
            amplitudes[bad] = 1e300;
            let gaussians = Gaussians::new(centers.view(), Sigmas::One(1e-30)).unwrap();
            let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
            let mut grid = Array3::<f32>::from_elem((5, 5, 5), 7.0);
            let sum = SumGaussians::new().normalization(normalization);
            let error = sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("centre {bad} ")) && text.contains("1e300"), "{text}");
            assert!(grid.iter().all(|&v| v == 7.0));
        }
    }
    // Under MASS, where all samples that are kept are much smaller than the Gaussian's peak.
    let centers = array![[1.0, 1.0, 1.0], [1.5, 1.5, 1.5]];
    let amplitudes = array![1.0, 1.7e308];
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(0.3)).unwrap();
    let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
    let mut grid = Array3::<f64>::from_elem((5, 5, 5), 7.0);
    let error = mass().sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap_err();
    assert!(error.to_string().contains("centre 1 ") && error.to_string().contains("1.7e308"), "{error}");
    assert!(grid.iter().all(|&v| v == 7.0));
}

/// Numbers from the whole range of f64, the ends among them.
fn any(random: &mut Random, usual: f64) -> f64 {
    match random.below(10) {
        0 => f64::from_bits(random.next()),
        1 => 10f64.powf(random.uniform(-320.0, 308.0)),
        2 => 10f64.powf(random.uniform(-20.0, 20.0)),
        3 => random.pick(&[
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            9_007_199_254_740_993.0,
            2f64.powi(50),
            4_294_967_296.0,
        ]),
        _ => usual * random.uniform(0.1, 3.0),
    }
}

/// Voxels that lie exactly on a ball's surface are counted in its mass if they are kept.
#[test]
fn masses_agree_with_sums_about_voxels_on_the_surface() {
    let radius = (-2.0 * 0.1f64.ln()).sqrt();
    for (k, half) in (4..160).flat_map(|k| (0..8).map(move |half| (k, half))) {
        let center = [0, 1, 2].map(|j| 12.0 + 0.5 * f64::from(half >> j & 1));
        let centers = Array2::from_shape_vec((1, 3), center.to_vec()).unwrap();
        let gaussians =
            Gaussians::new(centers.view(), Sigmas::One(f64::from(k).sqrt() / 2.0 / radius)).unwrap();
        let mut grid = Array3::<f64>::zeros((24, 24, 24));
        let sum = SumGaussians::new().normalization(Normalization::Mass).support(Support::Ball).eps(0.1);
        sum.threads(1).sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
        assert!((grid.sum() - 1.0).abs() < 1e-12, "{k}, {center:?}: {}", grid.sum());
    }
}

/// Whatever the numbers, a call either names one, or its result is that of the definition.
#[test]
fn numbers_of_any_size_are_refused_or_summed() {
    let (mut refused, mut summed, mut checked) = (0, 0, 0);
    for seed in 0..40_000 {
        let mut random = Random(seed);
        let shape = [0; 3].map(|_| 1 + random.below(5));
        let spacing = [0; 3].map(|_| any(&mut random, 1.0));
        let origin = [0; 3].map(|_| if random.chance(0.5) { 0.0 } else { any(&mut random, 1.0) });
        let center = [0; 3].map(|_| any(&mut random, 2.0) * if random.chance(0.5) { 1.0 } else { -1.0 });
        let sigma = if random.chance(0.6) {
            [any(&mut random, 1.0); 3]
        } else {
            [0; 3].map(|_| any(&mut random, 1.0))
        };
        let amplitude = any(&mut random, 1.0);
        let periodic = [0; 3].map(|_| random.chance(0.25));
        let support = random.pick(&SUPPORTS);
        let sampling = random.pick(&SAMPLINGS);
        let normalization = random.pick(&[
            Normalization::Peak,
            Normalization::Peak,
            Normalization::Integral,
            Normalization::Mass,
        ]);
        let eps = random.pick(&[0.0, 1e-6, 0.5, 1e-300, 5e-324]);
        let tiers: Vec<Isa> = Isa::supported().collect();
        let centers = Array2::from_shape_vec((1, 3), center.to_vec()).unwrap();
        let amplitudes = array![amplitude];
        let gaussians = Gaussians::new(centers.view(), Sigmas::PerAxis(sigma)).unwrap();
        let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
        let mut grid = Array3::<f64>::from_elem(shape, 7.0);
        let sum = SumGaussians::new().normalization(normalization).support(support).sampling(sampling);
        let sum = sum.periodic(periodic).eps(eps).threads(1).isa(random.pick(&tiers));
        match sum.sum(&gaussians, Grid::new(&mut grid, origin, spacing)) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Value, "case {seed}: {error}");
                assert!(grid.iter().all(|&v| v == 7.0), "case {seed}: written, {error}");
                refused += 1;
                continue;
            }
            Ok(()) => summed += 1,
        }
        assert!(grid.iter().all(|v| !v.is_nan()), "case {seed}: {grid}");
        if normalization != Normalization::Peak || sampling != Sampling::Point || periodic.contains(&true) {
            continue;
        }
        checked += 1;
        let limit = -2.0 * if eps == 0.0 { f64::EPSILON } else { eps }.ln();
        for ((z, y, x), &value) in grid.indexed_iter() {
            let at = [z, y, x];
            let t = [0, 1, 2].map(|j| (origin[j] + at[j] as f64 * spacing[j] - center[j]) / sigma[j]);
            let squares: f64 = t.iter().map(|t| t * t).sum();
            let kept = match support {
                Support::Box => t.iter().all(|t| t * t <= limit),
                Support::Ball => squares <= limit,
            };
            let g: f64 = t.iter().map(|t| (-0.5 * t * t).exp()).product();
            let expected = if kept { amplitude * g } else { 0.0 };
            // The exponent here is rounded to f64, unlike the library's; and next to the cutoff either is right.
            let near = (squares - limit).abs() < 1e-9 * limit
                || t.iter().any(|t| (t * t - limit).abs() < 1e-9 * limit);
            let bound = (3e-14 + 1e-15 * squares.min(1e4)) * expected.abs()
                + 1e-300 * amplitude.abs()
                + f64::MIN_POSITIVE;
            assert!(
                near || (value - expected).abs() <= bound,
                "case {seed}: {at:?} {value:e}, expected {expected:e}; center {center:?} sigma {sigma:?} origin {origin:?} spacing {spacing:?} eps {eps}"
            );
        }
    }
    println!("{refused} refused, {summed} summed, of which {checked} were compared with the definition");
    assert!(refused > 2000 && checked > 1000);
}

/// A grid whose elements are numbered beyond 2³¹, and its bytes beyond 2³³: most of it is never touched.
#[test]
fn grids_beyond_32_bits() {
    let shape = [1024, 1024, 2304];
    let voxels = shape.iter().product::<usize>();
    let mut memory: Vec<f32> = Vec::new();
    if memory.try_reserve_exact(voxels).is_err() {
        println!("SKIPPED: a grid of {voxels} voxels: no address space for it");
        return;
    }
    drop(memory);
    let mut grid = Array3::<f32>::zeros(shape);
    let last = shape.map(|n| (n - 1) as f64);
    let centers = array![[0.0, 0.0, 0.0], last, [last[0], 0.0, last[2] + 1.5]];
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(0.5)).unwrap();
    for isa in Isa::supported() {
        let sum = SumGaussians::new().accumulate(true).isa(isa);
        sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
    }
    let tiers = Isa::supported().count() as f32;
    let last = shape.map(|n| n - 1);
    let edge = (-4.5f32).exp();
    for (at, expected) in [
        ([0, 0, 0], 1.0),
        (last, 1.0),
        ([last[0], 0, last[2]], edge),
        ([last[0], last[1], last[2] - 1], (-2.0f32).exp()),
        ([512, 512, 1000], 0.0),
    ] {
        assert!((grid[at] / tiers - expected).abs() < 1e-5, "{at:?}: {}", grid[at]);
    }
}
