//! Sums of Gaussians: centres × grid × width × tier × threads, in grid updates (voxels in the supports) a second.
//!
//! `cargo bench --bench gaussians`; a filter such as `-- 'w27/.*avx512'` picks some.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2, Array3};
use voxlane::{Element, Gaussians, Grid, Isa, Sigmas, SumGaussians, Support, VolumeMut};

/// Spacing is 1: widths are in voxels, at eps 1e-6.
struct Load {
    name: &'static str,
    count: usize,
    n: usize,
    /// Support along an axis.
    width: f64,
    periodic: bool,
    /// The part of the grid's side that holds all centres.
    part: f64,
    /// Sigmas from half to one and a half of the width's.
    mixed: bool,
}

const LOADS: [Load; 10] = [
    Load { name: "one", count: 1, n: 64, width: 10.5, periodic: false, part: 1.0, mixed: false },
    Load { name: "1e3-64-w7", count: 1000, n: 64, width: 6.73, periodic: false, part: 1.0, mixed: false },
    Load { name: "1e3-256-w27", count: 1000, n: 256, width: 26.9, periodic: false, part: 1.0, mixed: false },
    Load {
        name: "1e5-256-w27",
        count: 100_000,
        n: 256,
        width: 26.9,
        periodic: false,
        part: 1.0,
        mixed: false,
    },
    Load {
        name: "1e6-128-w13",
        count: 1_000_000,
        n: 128,
        width: 13.4,
        periodic: false,
        part: 1.0,
        mixed: false,
    },
    Load {
        name: "1e6-128-w7-periodic",
        count: 1_000_000,
        n: 128,
        width: 7.0,
        periodic: true,
        part: 1.0,
        mixed: false,
    },
    Load {
        name: "clustered-1e6-128-w7-periodic",
        count: 1_000_000,
        n: 128,
        width: 7.0,
        periodic: true,
        part: 0.2154,
        mixed: false,
    },
    Load {
        name: "2e4-256-w53",
        count: 20_000,
        n: 256,
        width: 53.0,
        periodic: false,
        part: 1.0,
        mixed: false,
    },
    Load {
        name: "clustered-1e5-256-w27",
        count: 100_000,
        n: 256,
        width: 26.9,
        periodic: false,
        part: 0.2154,
        mixed: false,
    },
    Load {
        name: "mixed-1e5-256-w13",
        count: 100_000,
        n: 256,
        width: 13.4,
        periodic: false,
        part: 1.0,
        mixed: true,
    },
];

impl Load {
    fn bench<T: Element + Default>(&self, criterion: &mut Criterion, element: &str, supports: &[Support])
    where
        for<'a> &'a mut Array3<T>: Into<VolumeMut<'a>>,
    {
        let mut seed = 1u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 11) as f64 / (1u64 << 53) as f64
        };
        let side = self.n as f64;
        let centers = Array2::from_shape_fn((self.count, 3), |_| side * (0.5 + self.part * (random() - 0.5)));
        let sigma = self.width / 2.0 / (-2.0 * 1e-6f64.ln()).sqrt();
        let each = Array1::from_shape_fn(self.count, |_| sigma * (0.5 + random()));
        let sigmas = if self.mixed { Sigmas::PerCenter(each.view()) } else { Sigmas::One(sigma) };
        let gaussians = Gaussians::new(centers.view(), sigmas).unwrap();
        let mut grid = Array3::<T>::default((self.n, self.n, self.n));
        let mut group = criterion.benchmark_group(format!("gaussians/{}", self.name));
        group.throughput(Throughput::Elements((self.count as f64 * self.width.powi(3)) as u64));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1));
        let all = std::thread::available_parallelism().map_or(1, |n| n.get());
        for &support in supports {
            for isa in Isa::supported() {
                for threads in if all > 1 { vec![1, all] } else { vec![1] } {
                    let id = format!("{element}/{support:?}/{}", isa.name());
                    group.bench_function(BenchmarkId::new(id, threads), |bencher| {
                        bencher.iter(|| {
                            let grid = Grid::new(black_box(&mut grid), [0.0; 3], [1.0; 3]);
                            let sum = SumGaussians::new().support(support).periodic([self.periodic; 3]);
                            sum.isa(isa).threads(threads).sum(&gaussians, grid).unwrap();
                        })
                    });
                }
            }
        }
        group.finish();
    }
}

/// One centre added to a grid: what a call costs.
fn one_added(criterion: &mut Criterion) {
    for n in [64, 256] {
        let centers = ndarray::array![[0.503 * n as f64, 0.511 * n as f64, 0.497 * n as f64]];
        let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0)).unwrap();
        let mut grid = Array3::<f32>::zeros((n, n, n));
        criterion.bench_function(&format!("gaussians/one-added/{n}"), |bencher| {
            bencher.iter(|| {
                let grid = Grid::new(black_box(&mut grid), [0.0; 3], [1.0; 3]);
                SumGaussians::new().accumulate(true).sum(&gaussians, grid).unwrap();
            })
        });
    }
}

fn all(criterion: &mut Criterion) {
    for load in &LOADS {
        load.bench::<f32>(criterion, "f32", &[Support::Box, Support::Ball]);
        load.bench::<f64>(criterion, "f64", &[Support::Box]);
    }
}

criterion_group!(benches, one_added, all);
criterion_main!(benches);
