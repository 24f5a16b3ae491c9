//! Bad input is refused before the grid is touched; edge cases of good input work.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, Array3, ArrayViewMut3, array, s};
use voxlane::{
    ElementType, Error, ErrorKind, Gaussians, Grid, Isa, Normalization, Sigmas, SumGaussians, Support,
    VolumeMut,
};

const ORIGIN: [f64; 3] = [0.0; 3];
const SPACING: [f64; 3] = [1.0; 3];

/// Sums on a grid of sevens, which must still be sevens, and returns the error.
#[track_caller]
fn refused(sum: SumGaussians, gaussians: &Gaussians, origin: [f64; 3], spacing: [f64; 3]) -> Error {
    let mut grid = Array3::<f32>::from_elem((5, 6, 7), 7.0);
    let error = sum.sum(gaussians, Grid::new(&mut grid, origin, spacing)).unwrap_err();
    assert!(grid.iter().all(|&v| v == 7.0), "the grid was touched: {error}");
    error
}

#[track_caller]
fn expect(error: Error, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in {error}");
    }
}

#[test]
fn bad_values_are_named() {
    let good = Array2::from_shape_fn((1000, 3), |(i, axis)| (i % 5) as f64 + axis as f64 * 0.1);
    let sigmas = Array1::from_elem(1000, 1.0);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut centers = good.clone();
        centers[[777, 2]] = bad;
        centers[[900, 0]] = bad;
        let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
        let error = refused(SumGaussians::new(), &gaussians, ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["centers", "777", "axis 2", &bad.to_string()]);

        let mut amplitudes = Array1::from_elem(1000, 1.0);
        amplitudes[31] = bad;
        let gaussians = Gaussians::new(good.view(), Sigmas::One(1.0)).unwrap();
        let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
        let error = refused(SumGaussians::new(), &gaussians, ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["amplitudes", "31", &bad.to_string()]);
    }
    for bad in [f64::NAN, f64::INFINITY, 0.0, -0.0, -1.0] {
        let mut each = sigmas.clone();
        each[999] = bad;
        let gaussians = Gaussians::new(good.view(), Sigmas::PerCenter(each.view())).unwrap();
        let error = refused(SumGaussians::new(), &gaussians, ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["sigmas", "999", &bad.to_string()]);

        let mut both = Array2::from_elem((1000, 3), 1.0f64);
        both[[500, 1]] = bad;
        let gaussians = Gaussians::new(good.view(), Sigmas::PerCenterAndAxis(both.view())).unwrap();
        let error = refused(SumGaussians::new(), &gaussians, ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["sigmas", "500", "axis 1", &bad.to_string()]);

        let gaussians = Gaussians::new(good.view(), Sigmas::PerAxis([1.0, bad, 1.0])).unwrap();
        let error = refused(SumGaussians::new(), &gaussians, ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["sigmas", "axis 1", &bad.to_string()]);
    }
}

#[test]
fn bad_grids_and_options_are_named() {
    let centers = array![[1.0, 2.0, 3.0]];
    let gaussians = || Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-320] {
        let error = refused(SumGaussians::new(), &gaussians(), ORIGIN, [1.0, bad, 1.0]);
        expect(error, ErrorKind::Value, &["spacing", "axis 1"]);
    }
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        let error = refused(SumGaussians::new(), &gaussians(), [0.0, 0.0, bad], SPACING);
        expect(error, ErrorKind::Value, &["origin", "axis 2"]);
    }
    for bad in [-1e-6, 1.0, 2.0, f64::NAN, f64::INFINITY] {
        let error = refused(SumGaussians::new().eps(bad), &gaussians(), ORIGIN, SPACING);
        expect(error, ErrorKind::Option, &["eps"]);
    }
    let anisotropic = Gaussians::new(centers.view(), Sigmas::PerAxis([1.0, 1.0, 2.0])).unwrap();
    let sum = SumGaussians::new().normalization(Normalization::Reference);
    expect(refused(sum, &anisotropic, ORIGIN, SPACING), ErrorKind::Option, &["[1.0, 1.0, 2.0]"]);

    let mut labels = Array3::<u8>::from_elem((2, 2, 2), 7);
    let error = SumGaussians::new().sum(&gaussians(), Grid::new(&mut labels, ORIGIN, SPACING)).unwrap_err();
    expect(error, ErrorKind::Dtype, &["grid", "U8"]);
    let mut empty = Array3::<f32>::zeros((2, 0, 2));
    let error = SumGaussians::new().sum(&gaussians(), Grid::new(&mut empty, ORIGIN, SPACING)).unwrap_err();
    expect(error, ErrorKind::Shape, &["axis 1"]);
}

#[test]
fn supports_that_cannot_be_indexed_are_refused() {
    let centers = array![[1.0, 2.0, 3.0], [0.0, 0.0, 1e300]];
    let far = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
    let mass = || SumGaussians::new().normalization(Normalization::Mass);
    let sum = SumGaussians::new().periodic([false, false, true]);
    let parts = ["centre 1", "axis 2", "1e300"];
    expect(refused(sum, &far, ORIGIN, SPACING), ErrorKind::Value, &parts);
    // Clipped, it only lies outside.
    let mut grid = Array3::<f32>::zeros((4, 4, 4));
    SumGaussians::new().sum(&far, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();
    assert_eq!(grid[[1, 2, 3]], 1.0);
    mass().sum(&far, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();

    let centers = array![[0.0, 0.0, 0.0]];
    let per_axis = |axis: usize, sigma: f64| {
        let mut sigmas = [1.0; 3];
        sigmas[axis] = sigma;
        Gaussians::new(centers.view(), Sigmas::PerAxis(sigmas)).unwrap()
    };
    for axis in 0..3 {
        let name = format!("axis {axis}");
        let error = refused(SumGaussians::new(), &per_axis(axis, 1e20), ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["sigmas", "centre 0", &name, "1e20"]);
        let error = refused(mass(), &per_axis(axis, 1e16), ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["centre 0", &name, "1e16"]);
        let error = refused(mass().support(Support::Ball), &per_axis(axis, 1e6), ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["centre 0", &name, "1000000.0", "mass normalization"]);
        let mut periodic = [false; 3];
        periodic[axis] = true;
        let sum = SumGaussians::new().periodic(periodic);
        let error = refused(sum, &per_axis(axis, 1e12), ORIGIN, SPACING);
        expect(error, ErrorKind::Value, &["centre 0", &name, "1000000000000.0"]);
    }
    // So far from zero that only the rounded positions could tell what a sum over them is.
    let distant = array![[0.0, 1e12, 0.0]];
    let wide = Gaussians::new(distant.view(), Sigmas::One(1e7)).unwrap();
    let error = refused(mass(), &wide, [0.0, 1e12, 0.0], SPACING);
    expect(error, ErrorKind::Value, &["centre 0", "axis 1", "10000000.0"]);
    // Products: rows of a ball, images of a ball.
    let wide = Gaussians::new(centers.view(), Sigmas::One(3000.0)).unwrap();
    let error = refused(mass().support(Support::Ball), &wide, ORIGIN, SPACING);
    expect(error, ErrorKind::Value, &["centre 0", "[3000.0, 3000.0, 3000.0]", "rows", "134217728"]);
    for sigma in [100.0, 1e6, 3e8] {
        let wide = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
        let ball = || SumGaussians::new().support(Support::Ball).periodic([true; 3]);
        let error = refused(ball(), &wide, ORIGIN, SPACING);
        let text = format!("{:?}", [sigma; 3]);
        expect(error, ErrorKind::Value, &["centre 0", &text, "images", "1048576"]);
        // All three axes of length 1, whose images are as many as the voxels.
        let mut grid = Array3::<f32>::from_elem((1, 1, 1), 7.0);
        let error = ball().sum(&wide, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap_err();
        expect(error, ErrorKind::Value, &["centre 0", &text, "images"]);
        assert_eq!(grid[[0, 0, 0]], 7.0);
    }
    // Wide, but countable: flat over the whole grid.
    let wide = Gaussians::new(centers.view(), Sigmas::One(1e12)).unwrap();
    SumGaussians::new().sum(&wide, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();
    assert!(grid.iter().all(|&v| v == 1.0));
}

#[test]
fn overlap_and_raw_parts_are_checked() {
    let mut memory = vec![1.0f64; 64];
    let writable = memory.as_mut_ptr().cast::<u8>();
    let pointer = writable.cast_const();
    let raw = |count, dtype, centers: *const u8, amplitudes: *const u8, sigmas: *const u8| {
        // SAFETY: what is read lies in `memory`; bad pointers are refused unread.
        unsafe { Gaussians::from_raw_parts(count, dtype, centers, [3, 1], amplitudes, 1, sigmas, [0, 0]) }
    };
    let null = std::ptr::null();
    let other = [2.0f64; 9];
    let other = other.as_ptr().cast::<u8>();
    expect(raw(2, ElementType::F64, null, null, other).unwrap_err(), ErrorKind::Null, &["centers"]);
    expect(raw(2, ElementType::F64, other, null, null).unwrap_err(), ErrorKind::Null, &["sigmas"]);
    expect(raw(2, ElementType::I32, other, null, other).unwrap_err(), ErrorKind::Dtype, &["I32"]);
    let odd = other.wrapping_add(1);
    expect(raw(2, ElementType::F64, odd, null, other).unwrap_err(), ErrorKind::Align, &["centers"]);
    let huge = usize::MAX / 2;
    assert!(raw(huge, ElementType::F64, other, null, other).is_err());
    assert_eq!(raw(0, ElementType::F64, null, null, null).unwrap().count(), 0);

    for (centers, amplitudes, sigmas, name) in [
        (pointer, null, other, "centers"),
        (other, pointer, other, "amplitudes"),
        (other, null, pointer, "sigmas"),
    ] {
        let gaussians = raw(2, ElementType::F64, centers, amplitudes, sigmas).unwrap();
        // SAFETY: the grid is the only user of these elements: the call must refuse before it reads.
        let grid = unsafe {
            VolumeMut::from_raw_parts(writable, [1, 1, 5], [0, 0, 1], ElementType::F64, "grid").unwrap()
        };
        let error = SumGaussians::new().sum(&gaussians, Grid::new(grid, ORIGIN, SPACING)).unwrap_err();
        expect(error, ErrorKind::Overlap, &[name]);
    }
    assert!(memory.iter().all(|&v| v == 1.0));
}

#[test]
fn shapes_must_match() {
    let centers = Array2::<f32>::zeros((4, 3));
    let (three, four) = (Array1::<f32>::ones(3), Array1::<f32>::ones(4));
    assert!(Gaussians::new(centers.view(), Sigmas::PerCenter(four.view())).is_ok());
    let error = Gaussians::new(centers.view(), Sigmas::PerCenter(three.view())).unwrap_err();
    expect(error, ErrorKind::Shape, &["sigmas", "[3]", "(4,)"]);
    let both = Array2::<f32>::ones((4, 2));
    let error = Gaussians::new(centers.view(), Sigmas::PerCenterAndAxis(both.view())).unwrap_err();
    expect(error, ErrorKind::Shape, &["sigmas", "[4, 2]"]);
    let error = Gaussians::new(both.view(), Sigmas::One(1.0)).unwrap_err();
    expect(error, ErrorKind::Shape, &["centers", "[4, 2]"]);
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
    expect(gaussians.amplitudes(three.view()).unwrap_err(), ErrorKind::Shape, &["amplitudes"]);
}

#[test]
fn no_centres_zero_the_grid_or_leave_it() {
    let centers = Array2::<f64>::zeros((0, 3));
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
    for threads in [1, 3] {
        let mut grid = Array3::<f64>::from_elem((40, 3, 5), 7.0);
        let sum = SumGaussians::new().threads(threads);
        sum.accumulate(true).sum(&gaussians, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();
        assert!(grid.iter().all(|&v| v == 7.0));
        SumGaussians::new().sum(&gaussians, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();
        assert!(grid.iter().all(|&v| v == 0.0));
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_repetition() {
    let count = 30_000;
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 40) as f64 / (1u64 << 24) as f64
    };
    let centers = Array2::from_shape_fn((count, 3), |_| 70.0 * random() - 3.0);
    let sigmas = Array1::from_shape_fn(count, |i| if i % 100 == 0 { 4.0 } else { 0.5 + random() });
    let gaussians = Gaussians::new(centers.view(), Sigmas::PerCenter(sigmas.view())).unwrap();
    for isa in Isa::supported() {
        for support in [Support::Box, Support::Ball] {
            let sum = |threads| {
                let mut grid = Array3::<f32>::zeros((70, 65, 64));
                SumGaussians::new()
                    .isa(isa)
                    .support(support)
                    .threads(threads)
                    .periodic([true, false, true])
                    .sum(&gaussians, Grid::new(&mut grid, ORIGIN, SPACING))
                    .unwrap();
                grid.mapv(f32::to_bits)
            };
            let first = sum(1);
            for threads in 1..=8 {
                assert!(sum(threads) == first, "{} with {threads} threads", isa.name());
            }
        }
    }
}

/// Grids beyond the caches are written line by line: where lines begin among their voxels must not matter. (With few
/// centres the grid is cleared beforehand, or added to; with more all is summed.)
#[test]
fn bits_do_not_depend_on_where_a_large_grid_lies() {
    let mut memory = vec![7.0f32; 60 * 480 * 304 + 32];
    let line = memory.as_ptr().align_offset(64);
    let boxes = [3, 100, 2000, 6000, 60_000].map(|count| (count, Support::Box, false));
    let others = [(300, Support::Ball, false), (300, Support::Box, true), (300, Support::Ball, true)];
    let calls = boxes.into_iter().chain(others);
    let shapes = [[60, 480, 304], [130, 350, 192]];
    for ((count, support, accumulate), shape) in calls.flat_map(|call| shapes.map(|shape| (call, shape))) {
        let voxels = shape.iter().product::<usize>();
        let place = |i: usize, axis: usize| (i * [37, 101, 59][axis] % 1009) as f64 / 1009.0;
        let centers = Array2::from_shape_fn((count, 3), |(i, axis)| shape[axis] as f64 * place(i, axis));
        let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.3)).unwrap();
        for isa in Isa::supported() {
            let mut first: Option<Vec<f32>> = None;
            for lead in [0, 1, 4, 11, 16].map(|lead| line + lead) {
                memory.fill(7.0);
                let grid = &mut memory[lead..lead + voxels];
                let view = ArrayViewMut3::from_shape(shape, grid).unwrap();
                let sum = SumGaussians::new().isa(isa).support(support).accumulate(accumulate);
                let sum = sum.periodic([false, false, true]);
                sum.sum(&gaussians, Grid::new(view, ORIGIN, SPACING)).unwrap();
                let (before, rest) = memory.split_at(lead);
                let (grid, behind) = rest.split_at(voxels);
                assert!(before.iter().chain(behind).all(|&v| v == 7.0), "beside the grid: {}", isa.name());
                let first = first.get_or_insert_with(|| grid.to_vec());
                assert!(
                    first.iter().map(|v| v.to_bits()).eq(grid.iter().map(|v| v.to_bits())),
                    "{count} centres, {support:?}, {}, {lead} voxels further on",
                    isa.name()
                );
            }
        }
    }
}

/// A sum that is too small for the grid's type is +0, however the grid is written.
#[test]
fn zeros_are_positive() {
    let centers = Array2::from_shape_fn((300, 3), |(i, axis)| ((i * (2 * axis + 7)) % 40) as f64);
    let amplitudes = Array1::from_elem(300, -1e-40f64);
    for (count, shape) in [(1, [40, 40, 40]), (300, [40, 40, 40]), (1, [240, 256, 160])] {
        let (centers, amplitudes) = (centers.slice(s![..count, ..]), amplitudes.slice(s![..count]));
        let gaussians = Gaussians::new(centers, Sigmas::One(1.0)).unwrap().amplitudes(amplitudes).unwrap();
        for isa in Isa::supported() {
            let mut grid = Array3::<f32>::from_elem(shape, 7.0);
            let sum = SumGaussians::new().isa(isa).eps(1e-9);
            sum.sum(&gaussians, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();
            assert!(grid.iter().any(|&v| v < 0.0));
            let negative = grid.iter().filter(|v| **v == 0.0 && v.is_sign_negative()).count();
            assert_eq!(negative, 0, "{count} centres, {shape:?}, {}", isa.name());
        }
    }
}

/// What no Gaussian reaches keeps its bits, and so its sign, wherever it lies.
#[test]
fn accumulating_leaves_negative_zeros_alone() {
    // The last are summed in halo tiles.
    for (count, sigma) in [(40, 1.0), (30_000, 0.6)] {
        let place = |i: usize, axis: usize| (i * [37, 101, 59][axis] % 1009) as f64 / 1009.0 * 20.0;
        let centers = Array2::from_shape_fn((count, 3), |(i, axis)| place(i, axis));
        let gaussians = Gaussians::new(centers.view(), Sigmas::One(sigma)).unwrap();
        for (isa, support) in Isa::supported().flat_map(|isa| [(isa, Support::Box), (isa, Support::Ball)]) {
            let mut first = None;
            for (lead, step) in [(0, 1), (1, 1), (6, 1), (0, 2)] {
                let mut memory = Array3::<f32>::from_elem((40, 37, 2 * 53), -0.0);
                let grid = memory.slice_mut(s![.., .., lead..lead + 45 * step; step]);
                let sum = SumGaussians::new().isa(isa).support(support).accumulate(true);
                sum.sum(&gaussians, Grid::new(grid, ORIGIN, SPACING)).unwrap();
                assert!(memory.iter().any(|&v| v > 0.1));
                assert!(memory.iter().all(|v| *v != 0.0 || v.is_sign_negative()), "{}", isa.name());
                let grid = memory.slice(s![.., .., lead..lead + 45 * step; step]).to_owned();
                assert_eq!(*first.get_or_insert_with(|| grid.clone()), grid, "{}, {lead}", isa.name());
            }
        }
    }
}

/// The stride of an axis of one voxel addresses nothing, and decides nothing.
#[test]
fn strides_of_single_voxels_do_not_matter() {
    let centers = Array2::from_shape_fn((50, 3), |(i, axis)| [0.3, -0.7, 4.3 * i as f64][axis]);
    let amplitudes = Array1::from_elem(50, 1.7);
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.5)).unwrap();
    let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
    for isa in Isa::supported() {
        let sums = [[600, 200, 1], [200, 600, 1], [0, 0, 1]].map(|stride| {
            let mut values = vec![0.0f32; 200];
            let to = values.as_mut_ptr().cast();
            // SAFETY: the grid is the only user of the values.
            let grid =
                unsafe { VolumeMut::from_raw_parts(to, [1, 1, 200], stride, ElementType::F32, "grid") };
            SumGaussians::new().isa(isa).sum(&gaussians, Grid::new(grid.unwrap(), ORIGIN, SPACING)).unwrap();
            values
        });
        assert!(sums[0] == sums[1] && sums[0] == sums[2], "{}", isa.name());
    }
}

#[test]
fn progress_rises_and_can_cancel() {
    let centers = Array2::from_shape_fn((20_000, 3), |(i, axis)| ((i * (axis + 7)) % 97) as f64);
    let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
    let mut grid = Array3::<f32>::zeros((97, 97, 97));
    for threads in [1, 2] {
        let mut seen = Vec::new();
        let mut watch = |fraction| {
            seen.push(fraction);
            ControlFlow::Continue(())
        };
        let sum = SumGaussians::new().threads(threads).progress(&mut watch);
        sum.sum(&gaussians, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap();
        assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "{seen:?}");
        assert_eq!((seen.first(), seen.last()), (Some(&0.0), Some(&1.0)));

        let mut stop =
            |fraction| if fraction > 0.05 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let sum = SumGaussians::new().threads(threads).progress(&mut stop);
        let error = sum.sum(&gaussians, Grid::new(&mut grid, ORIGIN, SPACING)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
