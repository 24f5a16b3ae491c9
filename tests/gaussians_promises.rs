//! What the contract says in words: the bound against untruncated sums, strides, ranges, the question's function.

#[path = "common/random_numbers.rs"]
mod random;

use ndarray::{Array1, Array2, Array3, array, s};
use random::Random;
use voxlane::gaussians_reference::Definition;
use voxlane::{ElementType, Gaussians, Grid, Isa, Normalization, Sampling, Sigmas, SumGaussians, Support};

#[test]
fn truncation_stays_within_eps() {
    let mut random = Random(5);
    for case in 0..40 {
        let eps = random.pick(&[0.0, 0.5, 1e-2, 1e-6, 1e-9]);
        let definition = Definition {
            shape: [12, 13, 14],
            origin: [0.0; 3],
            spacing: [1.0; 3],
            periodic: [case % 2 == 0; 3],
            normalization: Normalization::Peak,
            support: random.pick(&[Support::Box, Support::Ball]),
            sampling: random.pick(&[Sampling::Point, Sampling::Voxel]),
            eps: 1e-20,
        };
        let count = 20;
        let centers = Array2::from_shape_fn((count, 3), |_| random.uniform(-3.0, 15.0));
        let amplitudes = Array1::from_shape_fn(count, |_| random.uniform(-1.0, 1.0));
        let sigma = random.uniform(0.3, 1.5);
        let list: Vec<_> = (0..count)
            .map(|i| ([0, 1, 2].map(|axis| centers[[i, axis]]), amplitudes[i], [sigma; 3]))
            .collect();
        let exact = definition.sum(&list);
        let gaussians = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
        let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
        let mut grid = Array3::<f32>::zeros((12, 13, 14));
        SumGaussians::new()
            .periodic(definition.periodic)
            .support(definition.support)
            .sampling(definition.sampling)
            .eps(eps)
            .sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3]))
            .unwrap();
        let eps = if eps == 0.0 { f64::from(f32::EPSILON) } else { eps };
        for (voxel, &value) in grid.iter().enumerate() {
            let (k, magnitude) = (f64::from(exact.reaching[voxel]), exact.magnitude[voxel]);
            let bound = eps * exact.total + (6e-6 + 6e-8 * k) * magnitude;
            let error = (f64::from(value) - exact.sum[voxel]).abs();
            assert!(error <= bound, "case {case}, eps {eps}: {error:e} > {bound:e}");
        }
    }
}

#[test]
fn too_narrow_to_meet_a_voxel_adds_nothing() {
    let centers = array![[1.5, 1.5, 1.5]];
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(0.01)).unwrap();
    for normalization in [Normalization::Peak, Normalization::Integral, Normalization::Mass] {
        let mut grid = Array3::<f32>::from_elem((4, 4, 4), 3.0);
        let sum = SumGaussians::new().normalization(normalization);
        sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
        assert!(grid.iter().all(|&v| v == 0.0));
    }
    // Averaged over voxels, it is there: an eighth in each of the eight around it.
    let mut grid = Array3::<f64>::zeros((4, 4, 4));
    let sum = SumGaussians::new().normalization(Normalization::Integral).sampling(Sampling::Voxel);
    sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
    assert!((grid[[1, 2, 1]] - 0.125).abs() < 1e-15 && (grid.sum() - 1.0).abs() < 1e-14);
}

#[test]
fn strides_of_the_input_do_not_matter() {
    let mut random = Random(3);
    let count = 50;
    let memory = Array2::from_shape_fn((3 * count, 7), |_| random.uniform(0.5, 19.0));
    let sum = |gaussians: &Gaussians| {
        let mut grid = Array3::<f32>::zeros((20, 20, 20));
        SumGaussians::new().sum(gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
        grid
    };
    let centers = memory.slice(s![..;-3, 3..6;-1]);
    let sigmas = memory.slice(s![..;3, ..3]).mapv(|v| v / 10.0);
    let amplitudes = memory.slice(s![..;-3, 6]);
    let strided = Gaussians::new(centers, Sigmas::PerCenterAndAxis(sigmas.slice(s![.., ..;-1])));
    let strided = sum(&strided.unwrap().amplitudes(amplitudes).unwrap());
    let (centers, amplitudes) = (centers.to_owned(), amplitudes.to_owned());
    let turned = sigmas.slice(s![.., ..;-1]).to_owned();
    let dense = Gaussians::new(centers.view(), Sigmas::PerCenterAndAxis(turned.view()));
    assert_eq!(strided, sum(&dense.unwrap().amplitudes(amplitudes.view()).unwrap()));

    // Shared amplitudes and sigmas through raw strides.
    let (three, sigma) = ([3.0f64], [0.5f64, 1.0, 1.5]);
    let raw = |amplitudes: *const u8, sigma_stride| {
        // SAFETY: all pointers and strides describe the arrays above.
        let gaussians = unsafe {
            Gaussians::from_raw_parts(
                count,
                ElementType::F64,
                centers.as_ptr().cast(),
                [3, 1],
                amplitudes,
                0,
                sigma.as_ptr().cast(),
                sigma_stride,
            )
        };
        sum(&gaussians.unwrap())
    };
    let shared = Array1::from_elem(count, 3.0);
    let per_axis = Gaussians::new(centers.view(), Sigmas::PerAxis(sigma)).unwrap();
    let one = Gaussians::new(centers.view(), Sigmas::One(0.5)).unwrap();
    assert_eq!(raw(three.as_ptr().cast(), [0, 1]), sum(&per_axis.amplitudes(shared.view()).unwrap()));
    assert_eq!(raw(std::ptr::null(), [0, 0]), sum(&one));
}

#[test]
fn huge_and_tiny_amplitudes_keep_their_range() {
    let centers = array![[2.0, 2.0, 2.0]];
    let g = (-0.5f64).exp();
    for amplitude in [1e-300, 1e-37, 1e-20, 1.0, 1e20, 3e38, 1e300] {
        let amplitudes = array![amplitude];
        let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
        let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
        for isa in Isa::supported() {
            let mut wide = Array3::<f64>::zeros((5, 5, 5));
            let sum = || SumGaussians::new().isa(isa).eps(1e-30);
            sum().sum(&gaussians, Grid::new(&mut wide, [0.0; 3], [1.0; 3])).unwrap();
            assert!((wide[[2, 2, 3]] / (amplitude * g) - 1.0).abs() < 1e-14, "{amplitude}");
            let mut narrow = Array3::<f32>::zeros((5, 5, 5));
            sum().sum(&gaussians, Grid::new(&mut narrow, [0.0; 3], [1.0; 3])).unwrap();
            let expected = (amplitude * g) as f32;
            let value = narrow[[2, 2, 3]];
            assert!(value == expected || (value / expected - 1.0).abs() < 1e-6, "{amplitude}: {value}");
            assert!(narrow.iter().all(|v| !v.is_nan()));
        }
    }
}

#[test]
fn the_questions_function_is_reproduced() {
    // exp(−r²/2σ²)/√(2πσ²), summed over 1,000 centres in a cube of side 100, on 16³ voxels, untruncated.
    let mut random = Random(1);
    let centers = Array2::from_shape_fn((1000, 3), |_| random.uniform(0.0, 100.0));
    let sigma = 6.0;
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
    let mut grid = Array3::<f64>::zeros((16, 16, 16));
    let spacing = 100.0 / 15.0;
    SumGaussians::new()
        .normalization(Normalization::Reference)
        .eps(0.0)
        .sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [spacing; 3]))
        .unwrap();
    for ((z, y, x), &value) in grid.indexed_iter() {
        let expected: f64 = centers
            .rows()
            .into_iter()
            .map(|c| {
                let at = [z, y, x];
                let r2: f64 = (0..3).map(|axis| (at[axis] as f64 * spacing - c[axis]).powi(2)).sum();
                (-r2 / (2.0 * sigma * sigma)).exp() / (std::f64::consts::TAU * sigma * sigma).sqrt()
            })
            .sum();
        assert!((value - expected).abs() < 1e-12, "{value} {expected}");
    }
}
