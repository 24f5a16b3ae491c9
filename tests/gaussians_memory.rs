//! Memory beyond the caller's arrays: under 48 bytes a centre plus 8 MiB a thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array2, Array3};
use voxlane::{Gaussians, Grid, Sigmas, SumGaussians};

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

#[test]
fn memory_is_bounded_by_centres_and_threads() {
    for (count, n, per_center) in
        [(1000, 64, false), (300_000, 64, true), (3_000_000, 256, true), (10_000_000, 256, false)]
    {
        for threads in [1, 2, 5] {
            let mut seed = 1u64;
            let centers = Array2::from_shape_fn((count, 3), |_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (seed >> 40) as f32 / (1u64 << 24) as f32 * n as f32
            });
            let each =
                Array1::from_shape_fn(if per_center { count } else { 0 }, |i| 0.3 + (i % 7) as f32 * 0.2);
            let sigmas = if per_center { Sigmas::PerCenter(each.view()) } else { Sigmas::One(0.3) };
            let amplitudes = each.mapv(|v| 2.0 - v);
            let mut gaussians = Gaussians::new(centers.view(), sigmas).unwrap();
            if per_center {
                gaussians = gaussians.amplitudes(amplitudes.view()).unwrap();
            }
            let mut grid = Array3::<f32>::zeros((n, n, n));
            let before = NOW.load(Ordering::Relaxed);
            MOST.store(before, Ordering::Relaxed);
            let sum = SumGaussians::new().threads(threads);
            sum.sum(&gaussians, Grid::new(&mut grid, [0.0; 3], [1.0; 3])).unwrap();
            let used = MOST.load(Ordering::Relaxed) - before;
            println!("{count} centres, {threads} threads: {used} bytes");
            assert!(
                used < 48 * count + (8 << 20) * threads,
                "{count} centres, {threads} threads: {used} bytes"
            );
        }
    }
}
