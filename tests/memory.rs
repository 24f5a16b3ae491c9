//! Memory beyond the caller's arrays: under 1 MiB a thread for labels, under 48 bytes a centre plus 8 MiB a thread for
//! sums.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array2, Array3, ShapeBuilder};
use voxlane::{
    Border, ElementType, Gaussians, Grid, Normalization, Sampling, Sigmas, Steepest, SumGaussians, Support,
    Volume,
};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Held by the test that runs: the count is the whole process's.
static ALONE: Mutex<()> = Mutex::new(());

/// The most memory that `work` had at one time.
fn most(work: impl FnOnce()) -> usize {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    work();
    MOST.load(Ordering::Relaxed) - before
}

/// Every image type, so every kernel; with mask, slopes and borders, which need the most.
#[test]
fn memory_of_labels_is_bounded_by_threads() {
    let _alone = ALONE.lock();
    for shape in [[3, 4, 5], [64, 64, 64], [20, 30, 2000], [2000, 6, 6]] {
        let count: usize = shape.iter().product();
        let stride = [shape[1] * shape[2], shape[2], 1].map(|step| step as isize);
        let buffer = vec![1.0f64; count];
        for (dtype, fortran) in ElementType::ALL.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)])
        {
            let turned = [1, shape[0], shape[0] * shape[1]].map(|step| step as isize);
            let stride = if fortran { turned } else { stride };
            let mask = Array3::<u8>::ones(shape.set_f(fortran));
            for options in [false, true] {
                let mut labels = Array3::<u8>::zeros(shape.set_f(fortran));
                let mut slope = Array3::<f64>::zeros(shape.set_f(fortran));
                for threads in [1, 2, 5] {
                    let mut steepest = Steepest::new().threads(threads);
                    if options {
                        steepest = steepest.border([Border::Inside; 3]).mask(&mask).slope(&mut slope);
                    }
                    let pointer = buffer.as_ptr().cast();
                    // SAFETY: the buffer has `count` elements of the largest type, and all bits are values of any.
                    let image = unsafe { Volume::from_raw_parts(pointer, shape, stride, dtype, "image") };
                    let image = image.unwrap();
                    let used = most(|| steepest.label(image, &mut labels).unwrap());
                    println!("{dtype:?} {shape:?}, {threads} threads: {used} bytes");
                    assert!(used < threads << 20, "{dtype:?} {shape:?}, {threads} threads: {used} bytes");
                }
            }
        }
    }
}

struct Load {
    count: usize,
    n: usize,
    /// Amplitudes, and sigmas of each centre and axis.
    each: bool,
    sum: fn() -> SumGaussians<'static>,
}

fn usual() -> SumGaussians<'static> {
    SumGaussians::new()
}

fn mass() -> SumGaussians<'static> {
    SumGaussians::new().normalization(Normalization::Mass)
}

fn ball_mass() -> SumGaussians<'static> {
    mass().support(Support::Ball).sampling(Sampling::Voxel)
}

#[test]
fn memory_of_sums_is_bounded_by_centres_and_threads() {
    let _alone = ALONE.lock();
    let loads = [
        Load { count: 1000, n: 64, each: false, sum: usual },
        Load { count: 1000, n: 64, each: true, sum: ball_mass },
        Load { count: 300_000, n: 64, each: true, sum: usual },
        Load { count: 300_000, n: 32, each: true, sum: ball_mass },
        Load { count: 3_000_000, n: 256, each: false, sum: mass },
        Load { count: 10_000_000, n: 256, each: false, sum: usual },
        Load { count: 10_000_000, n: 256, each: true, sum: usual },
    ];
    for Load { count, n, each, sum } in loads {
        let mut seed = 1u64;
        let centers = Array2::from_shape_fn((count, 3), |_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 40) as f32 / (1u64 << 24) as f32 * n as f32
        });
        let rows = if each { count } else { 0 };
        let sigmas = Array2::from_shape_fn((rows, 3), |(i, axis)| 0.3 + ((i + axis) % 7) as f32 * 0.07);
        let amplitudes = Array1::from_shape_fn(rows, |i| 2.0 - (i % 5) as f32);
        let layout = if each { Sigmas::PerCenterAndAxis(sigmas.view()) } else { Sigmas::One(0.3) };
        let mut gaussians = Gaussians::new(centers.view(), layout).unwrap();
        if each {
            gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
        }
        let mut narrow = Array3::<f32>::zeros((n, n, n));
        let mut wide = Array3::<f64>::zeros(if count <= 300_000 { (n, n, n) } else { (1, 1, 1) });
        for threads in [1, 2, 5] {
            for f64s in [false, true] {
                if f64s && wide.len() == 1 {
                    continue;
                }
                let grid = if f64s {
                    Grid::new(&mut wide, [0.0; 3], [1.0; 3])
                } else {
                    Grid::new(&mut narrow, [0.0; 3], [1.0; 3])
                };
                let used = most(|| sum().eps(1e-3).threads(threads).sum(&gaussians, grid).unwrap());
                println!("{count} centres, {threads} threads: {used} bytes");
                assert!(
                    used < 48 * count + (8 << 20) * threads,
                    "{count} centres, {threads} threads: {used} bytes"
                );
            }
        }
    }
}
