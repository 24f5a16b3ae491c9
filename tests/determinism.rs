//! The same bits for every number of threads, every repetition, and every cut into planes.

mod common;

use common::{Random, tiers};
use ndarray::{Array1, Array2, Array3};
use voxlane::{
    Border, Element, Gaussians, Grid, Isa, Minima, Normalization, Sigmas, Steepest, SumGaussians, Support,
    VolumeMut,
};

const SHAPE: (usize, usize, usize) = (23, 34, 41);

fn label<T: Element>(
    image: &Array3<T>,
    isa: Isa,
    threads: usize,
    cuts: &[usize],
) -> (Array3<u8>, Array3<f64>) {
    let mut labels = Array3::from_elem(SHAPE, 99);
    let mut slope = Array3::from_elem(SHAPE, -99.0);
    for range in cuts.windows(2) {
        Steepest::new()
            .minima(Minima::Flat)
            .border([Border::Inside, Border::Periodic, Border::Inside])
            .slope(&mut slope)
            .planes(range[0], range[1])
            .isa(isa)
            .threads(threads)
            .label(image, &mut labels)
            .unwrap();
    }
    (labels, slope)
}

fn labels_are_one<T: Element>(value: impl Fn(&mut Random) -> T) {
    let mut random = Random(5);
    let image = Array3::from_shape_fn(SHAPE, |_| value(&mut random));
    let whole = [0, SHAPE.0];
    let expected = label(&image, Isa::Portable, 1, &whole);
    assert!(!expected.0.iter().any(|&label| label == 99));
    for isa in tiers() {
        for threads in 1..=8 {
            assert!(label(&image, isa, threads, &whole) == expected, "{isa:?}, {threads} threads");
        }
        for parts in [1, 2, 3, 7, SHAPE.0] {
            let cuts: Vec<usize> = (0..=parts).map(|i| i * SHAPE.0 / parts).collect();
            assert!(label(&image, isa, 3, &cuts) == expected, "{isa:?}, cut at {cuts:?}");
        }
        for _ in 0..10 {
            let (a, b) = (random.range(1, 10), random.range(11, 22));
            assert!(label(&image, isa, 2, &[0, a, b, SHAPE.0]) == expected, "{isa:?}, cut at {a}, {b}");
        }
    }
}

#[test]
fn labels_do_not_depend_on_threads_or_cuts() {
    labels_are_one(|random| random.unit() as f32);
    labels_are_one(|random| random.below(5) as f32);
    labels_are_one(|random| random.unit());
    labels_are_one(|random| random.below(256) as u8);
    labels_are_one(|random| random.next() as i16);
    labels_are_one(|random| random.next() as u32);
}

fn sums_are_one<T>(zero: T)
where
    T: Element + PartialEq,
    for<'a> &'a mut Array3<T>: Into<VolumeMut<'a>>,
{
    let mut random = Random(6);
    let count = 3000;
    let centers = Array2::from_shape_fn((count, 3), |_| random.unit() * 45.0 - 2.0);
    let amplitudes = Array1::from_shape_fn(count, |_| random.unit() - 0.3);
    let sigmas = Array1::from_shape_fn(count, |_| 0.4 + random.unit());
    let gaussians = Gaussians::new(centers.view(), Sigmas::PerCenter(sigmas.view())).unwrap();
    let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
    for isa in tiers() {
        for (support, periodic, normalization) in [
            (Support::Box, [false; 3], Normalization::Peak),
            (Support::Ball, [true, false, true], Normalization::Integral),
            (Support::Box, [true; 3], Normalization::Mass),
        ] {
            let sum = |threads| {
                let mut values = Array3::from_elem(SHAPE, zero);
                SumGaussians::new()
                    .support(support)
                    .periodic(periodic)
                    .normalization(normalization)
                    .isa(isa)
                    .threads(threads)
                    .sum(&gaussians, Grid::new(&mut values, [0.0; 3], [1.0, 1.1, 0.9]))
                    .unwrap();
                values
            };
            let expected = sum(1);
            for threads in 1..=8 {
                assert!(sum(threads) == expected, "{isa:?}, {support:?}, {threads} threads");
            }
        }
    }
}

/// Many narrow Gaussians, most of them in a corner: several threads share a tile.
fn narrow_sums_are_one<T>(zero: T)
where
    T: Element + PartialEq,
    for<'a> &'a mut Array3<T>: Into<VolumeMut<'a>>,
{
    let mut random = Random(7);
    let count = 60_000;
    let centers =
        Array2::from_shape_fn((count, 3), |(i, _)| random.unit() * if i % 3 == 0 { 45.0 } else { 9.0 });
    let amplitudes = Array1::from_shape_fn(count, |_| random.unit() - 0.3);
    for isa in tiers() {
        for (periodic, support, sigma) in [
            ([false; 3], Support::Box, 0.6),
            ([true, false, true], Support::Ball, 0.6),
            ([true; 3], Support::Box, 0.6),
            ([true; 3], Support::Ball, 1.2),
        ] {
            let sigmas = Sigmas::PerAxis([sigma, sigma - 0.1, sigma + 0.05]);
            let gaussians = Gaussians::new(centers.view(), sigmas).unwrap();
            let gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
            let sum = |threads| {
                let mut values = Array3::from_elem((40, 51, 99), zero);
                let grid = Grid::new(&mut values, [0.0; 3], [1.0, 0.9, 0.9]);
                let sum = SumGaussians::new().periodic(periodic).support(support).isa(isa);
                sum.threads(threads).sum(&gaussians, grid).unwrap();
                values
            };
            let expected = sum(1);
            for threads in 1..=8 {
                let what = format!("{isa:?}, {periodic:?}, {support:?}, {threads} threads");
                assert!(sum(threads) == expected, "{what}");
            }
        }
    }
}

#[test]
fn sums_do_not_depend_on_threads() {
    sums_are_one(0.0f32);
    sums_are_one(0.0f64);
    narrow_sums_are_one(0.0f32);
    narrow_sums_are_one(0.0f64);
}
