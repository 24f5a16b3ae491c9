//! Steepest neighbour: time a call by element type, tier, threads, border and shape; throughput in voxels.
//!
//! `cargo bench --bench steepest -- 256` runs the benches whose name contains `256`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array3, ShapeBuilder};
use voxlane::{Border, Element, Isa, Minima, Steepest};

/// Deterministic noise in 0..1.
fn noise() -> impl FnMut() -> f64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn volume<T: Element>(shape: [usize; 3], convert: impl Fn(f64) -> T) -> Array3<T> {
    let mut noise = noise();
    Array3::from_shape_simple_fn(shape, || convert(noise()))
}

fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// One row of the table: the same volume on every tier, with one thread and with all.
fn tiers<'a, T: Element>(c: &mut Criterion, name: &str, image: &Array3<T>, call: impl Fn() -> Steepest<'a>) {
    let mut labels = Array3::<u8>::zeros(image.dim());
    measure(c, name, image.len(), |isa, threads| {
        call().isa(isa).threads(threads).label(black_box(image), &mut labels).unwrap();
    });
}

/// Every tier, with one thread and with all.
fn measure(c: &mut Criterion, name: &str, voxels: usize, mut call: impl FnMut(Isa, usize)) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(voxels as u64));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for isa in Isa::supported() {
        for threads in [1, all_threads()] {
            let id = BenchmarkId::new(isa.name(), format!("{threads} threads"));
            group.bench_function(id, |b| b.iter(|| call(isa, threads)));
        }
    }
    group.finish();
}

fn types(c: &mut Criterion) {
    let shape = [256; 3];
    tiers(c, "256 f32", &volume(shape, |v| v as f32), Steepest::new);
    tiers(c, "256 f64", &volume(shape, |v| v), Steepest::new);
    tiers(c, "256 u8", &volume(shape, |v| (v * 256.0) as u8), Steepest::new);
    tiers(c, "256 i16", &volume(shape, |v| (v * 4096.0 - 1024.0) as i16), Steepest::new);
}

fn shapes(c: &mut Criterion) {
    tiers(c, "64 f32", &volume([64; 3], |v| v as f32), Steepest::new);
    tiers(c, "512 f32", &volume([512; 3], |v| v as f32), Steepest::new);
    tiers(c, "64 x 2048 x 2048 f32", &volume([64, 2048, 2048], |v| v as f32), Steepest::new);
}

fn options(c: &mut Criterion) {
    let image = volume([256; 3], |v| v as f32);
    tiers(c, "256 f32 inside", &image, || Steepest::new().border([Border::Inside; 3]));
    tiers(c, "256 f32 periodic", &image, || Steepest::new().border([Border::Periodic; 3]));
    tiers(c, "256 f32 flat", &image, || Steepest::new().minima(Minima::Flat));
    tiers(c, "256 f32 anisotropic", &image, || Steepest::new().spacing([2.5, 0.7, 0.7]));
    let mask = volume([256; 3], |v| u8::from(v < 0.5));
    tiers(c, "256 f32 mask", &image, || Steepest::new().mask(&mask));
    tiers(c, "256 f64 mask", &image.mapv(f64::from), || Steepest::new().mask(&mask));
    let bytes = volume([256; 3], |v| (v * 256.0) as u8);
    tiers(c, "256 u8 mask", &bytes, || Steepest::new().mask(&mask));
    tiers(c, "256 u8 periodic", &bytes, || Steepest::new().border([Border::Periodic; 3]));
    slopes(c, "256 f32 slope", &image);
    slopes(c, "256 u8 slope", &bytes);
    slopes(c, "256 i16 slope", &volume([256; 3], |v| (v * 4096.0 - 1024.0) as i16));
    let (image, mut labels) = (image.reversed_axes(), Array3::<u8>::zeros([256; 3].f()));
    measure(c, "256 f32 Fortran order", image.len(), |isa, threads| {
        Steepest::new().isa(isa).threads(threads).label(black_box(&image), &mut labels).unwrap();
    });
}

fn slopes<T: Element>(c: &mut Criterion, name: &str, image: &Array3<T>) {
    let mut labels = Array3::<u8>::zeros(image.dim());
    let mut slope = Array3::<f32>::zeros(image.dim());
    measure(c, name, image.len(), |isa, threads| {
        let call = Steepest::new().isa(isa).threads(threads).slope(&mut slope);
        call.label(black_box(image), &mut labels).unwrap();
    });
}

/// What memory allows: reading f32 and writing a byte for each, on one thread.
fn copy(c: &mut Criterion) {
    let image = volume([256; 3], |v| v as f32);
    let mut labels = Array3::<u8>::zeros(image.dim());
    let mut group = c.benchmark_group("256 copy f32 to u8");
    group.throughput(Throughput::Elements(image.len() as u64));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    group.bench_function("1 threads", |b| {
        b.iter(|| {
            let from = black_box(&image).as_slice().unwrap();
            for (to, from) in labels.as_slice_mut().unwrap().iter_mut().zip(from) {
                *to = from.to_bits() as u8;
            }
        });
    });
    group.finish();
}

criterion_group!(benches, copy, types, shapes, options);
criterion_main!(benches);
