//! The sum of Gaussians' C functions.

use std::ffi::c_void;
use std::mem::offset_of;

use super::array::{self, element_type, voxlane_array_mut};
use super::progress::{progress_closure, voxlane_progress_fn};
use super::status::{self, voxlane_status};
use super::{expect_pointer, expect_reserved, known, known_axes, known_isa, known_threads, read_options};
use crate::error::Error;
use crate::gaussians::{Gaussians, Grid, Normalization, Sampling, SumGaussians, Support};
use crate::volume::{ElementType, VolumeMut};

/// Normalization: peaks of height A.
pub const VOXLANE_NORM_PEAK: i32 = 0;
/// Normalization: A / sqrt(2 pi sigma^2), the factor of the question this reproduces; one sigma for all axes. To compare
/// with code that sums exp(-r^2 / (2 sigma^2)) / sqrt(2 pi sigma^2) over a 3-D grid.
pub const VOXLANE_NORM_REFERENCE: i32 = 1;
/// Normalization: the integral over space is A, the grid a density per unit of volume: electrons of atoms, as in
/// crystallography. The cutoff takes 4e-7 (box) or 4e-6 (ball) of the integral at eps 1e-6; 6e-4 or 3e-3 at 1e-3.
pub const VOXLANE_NORM_INTEGRAL: i32 = 2;
/// Normalization: the samples that a centre writes add up to A, to 1e-6 (F32) or 1e-12 (F64), whatever the cutoff and the
/// position within a voxel (clipping loses what falls outside): counts of molecules or photons in an image of
/// localisations.
pub const VOXLANE_NORM_MASS: i32 = 3;

/// Support: voxels within R sigma on every axis.
pub const VOXLANE_SUPPORT_BOX: i32 = 0;
/// Support: voxels within an ellipsoid of radius R sigma.
pub const VOXLANE_SUPPORT_BALL: i32 = 1;

/// Sampling: the Gaussian's value at the voxel's position.
pub const VOXLANE_SAMPLE_POINT: i32 = 0;
/// Sampling: the Gaussian's mean over the voxel, as a detector's pixel has it; so sums over voxels are contents. Along
/// one axis, with a sigma of one voxel, the point sample of the peak is 4 % above the mean (0.399 A, not 0.383 A: 1.6 %
/// of the integral); with two voxels 1 %, with half a voxel 17 %.
pub const VOXLANE_SAMPLE_VOXEL: i32 = 1;

/// Centres with their amplitudes and sigmas; all three arrays have the element type `dtype`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct voxlane_gaussians {
    /// Number of centres; with 0 the pointers may be NULL.
    pub count: usize,
    /// VOXLANE_F32 or VOXLANE_F64, of centers, amplitudes and sigmas.
    pub dtype: i32,
    /// Must be 0.
    pub reserved: i32,
    /// Coordinates, in the order of the grid's axes (z, y, x for a grid of planes of rows), in its unit of length.
    pub centers: *const c_void,
    /// Elements from one centre to the next, and from one coordinate to the next: {3, 1} if dense.
    pub center_stride: [isize; 2],
    /// NULL: all 1. Any sign.
    pub amplitudes: *const c_void,
    /// Elements from one amplitude to the next; 0: one for all.
    pub amplitude_stride: isize,
    /// Standard deviations, above 0, in the grid's unit of length.
    pub sigmas: *const c_void,
    /// Elements from one centre's to the next, and from one axis' to the next: {0, 0} one for all, {s, 0} per centre,
    /// {0, s} per axis, {s, t} both.
    pub sigma_stride: [isize; 2],
}

/// A regular grid: voxel (i, j, k) lies at origin + (i, j, k) * spacing, evaluated in double.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct voxlane_grid {
    /// The samples, F32 or F64.
    pub values: voxlane_array_mut,
    /// Position of voxel (0, 0, 0).
    pub origin: [f64; 3],
    /// Distance between voxels along each axis, above 0.
    pub spacing: [f64; 3],
}

/// Options of voxlane_sum_gaussians. Begin with voxlane_gaussian_options_init, then change fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct voxlane_gaussian_options {
    /// sizeof(voxlane_gaussian_options).
    pub struct_size: usize,
    /// VOXLANE_NORM_PEAK, _REFERENCE, _INTEGRAL or _MASS.
    pub normalization: i32,
    /// VOXLANE_SUPPORT_BOX or _BALL.
    pub support: i32,
    /// VOXLANE_SAMPLE_POINT or _VOXEL.
    pub sampling: i32,
    /// For each axis: 0 clips at the grid's faces, 1 wraps around with period shape * spacing.
    pub periodic: [i32; 3],
    /// 0 overwrites the whole grid, 1 adds to what it holds.
    pub accumulate: i32,
    /// Highest instruction set to use, VOXLANE_ISA_AUTO to VOXLANE_ISA_AVX512.
    pub isa: i32,
    /// Threads to use at most: 0 is the environment variable VOXLANE_THREADS or all, 1 the caller's thread.
    pub threads: i32,
    /// Must be 0.
    pub reserved: i32,
    /// Where a Gaussian is cut off: what is dropped is below eps of its peak, R = sqrt(-2 ln eps). Between 0 and 1; 0
    /// is the machine epsilon of the grid's type.
    pub eps: f64,
    /// NULL, or called with the fraction done.
    pub progress: voxlane_progress_fn,
    /// Handed to `progress`.
    pub progress_user: *mut c_void,
}

const DEFAULT: voxlane_gaussian_options = voxlane_gaussian_options {
    struct_size: size_of::<voxlane_gaussian_options>(),
    normalization: VOXLANE_NORM_PEAK,
    support: VOXLANE_SUPPORT_BOX,
    sampling: VOXLANE_SAMPLE_POINT,
    periodic: [0; 3],
    accumulate: 0,
    isa: 0,
    threads: 0,
    reserved: 0,
    eps: 1e-6,
    progress: None,
    progress_user: std::ptr::null_mut(),
};

/// Fills options with the defaults: eps 1e-6, peak normalization, box support, point sampling, clipped, overwriting,
/// automatic instruction set, all threads. NULL is ignored.
///
/// # Safety
/// `options` is NULL or points to a writable `voxlane_gaussian_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voxlane_gaussian_options_init(options: *mut voxlane_gaussian_options) {
    if !options.is_null() && options.is_aligned() {
        // SAFETY: not NULL, aligned, and the caller's promise.
        unsafe { options.write(DEFAULT) };
    }
}

/// Sums Gaussians on a grid: A * N * exp(-(z-cz)^2/(2 sz^2) - (y-cy)^2/(2 sy^2) - (x-cx)^2/(2 sx^2)) for each centre,
/// cut off where it falls below eps of its peak. `options` may be NULL: all defaults.
///
/// With K the number of centres that reach a voxel, the error against the exact sum without cutoff is at most
/// eps * sum|A N| + (6e-6 + 6e-8 K) * sum|A N g| for an F32 grid, and with 3e-14 and 1.2e-16 for an F64 grid; the first
/// sum is over all centres, the second over those that reach the voxel; on a periodic axis every image counts as a
/// centre. The first term is the cutoff: each centre loses less than eps of its peak, on voxels that it does not
/// reach. The second is rounding. An F32 grid holds nothing below 1e-38 of the largest |A N|, however small eps is, and
/// infinities where a sum is beyond its range. (Under VOXLANE_NORM_MASS the bound is relative to the cut-off, rescaled
/// Gaussians. With `accumulate`, what a voxel held is one more term of the second sum.)
///
/// How to choose eps: the cost grows with R^3, R = sqrt(-2 ln eps). 1e-3 (R 3.7) for pictures, 1e-6 (5.3) for F32 grids,
/// where both terms are then alike, 1e-12 (7.4) for F64 grids, 0 for as much as the grid's type holds.
///
/// The result is the same bits for every number of threads; between instruction sets it may differ within the bound.
///
/// Supports may be wider than the grid and its period. Refused are: more than 2^50 voxels of reach (2^31 on a periodic
/// axis), a periodic ball of more than 2^20 images, and under VOXLANE_NORM_MASS a ball of more than 2^27 rows of voxels
/// or 2^15 voxels a row; positions that double cannot tell apart: voxels 2^50 spacings or more from zero, and on a
/// periodic axis or under VOXLANE_NORM_MASS centres as far from the grid; and an amplitude that overflows once it is
/// normalised.
///
/// Returns VOXLANE_OK; or, with the grid untouched, VOXLANE_ERR_NULL, _SHAPE, _STRIDE, _ALIGN, _DTYPE, _OVERLAP,
/// _OPTION, _VALUE (with the index of the centre), _ISA, _MEMORY or _THREAD; or VOXLANE_CANCELLED. voxlane_last_error
/// has the details.
///
/// Memory: under 48 bytes a centre and 8 MiB a thread. Safe to call from any number of threads at once.
///
/// # Safety
/// Every non-NULL pointer leads to what its type and the descriptions say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voxlane_sum_gaussians(
    gaussians: *const voxlane_gaussians,
    grid: *const voxlane_grid,
    options: *const voxlane_gaussian_options,
) -> voxlane_status {
    status::guard(|| {
        // SAFETY: the caller's promise; the struct is of plain numbers and pointers and begins with its size.
        let options = unsafe {
            let end = offset_of!(voxlane_gaussian_options, progress_user) + size_of::<*mut c_void>();
            read_options(options, end, "gaussian_options")?.unwrap_or(DEFAULT)
        };
        expect_reserved(options.reserved)?;
        expect_pointer(gaussians, "gaussians")?;
        expect_pointer(grid, "grid")?;
        // SAFETY: not NULL, aligned, and the caller's promise.
        let (gaussians, grid) = unsafe { (*gaussians, &*grid) };
        expect_reserved(gaussians.reserved)?;
        // SAFETY: the caller's promise.
        let values = unsafe { array::volume_mut(&grid.values, "grid")? };
        // SAFETY: the caller's promise.
        let gaussians = unsafe {
            Gaussians::from_raw_parts(
                gaussians.count,
                element_type(gaussians.dtype, "gaussians")?,
                gaussians.centers.cast(),
                gaussians.center_stride,
                gaussians.amplitudes.cast(),
                gaussians.amplitude_stride,
                gaussians.sigmas.cast(),
                gaussians.sigma_stride,
            )?
        };
        let normalizations = [
            (VOXLANE_NORM_PEAK, Normalization::Peak),
            (VOXLANE_NORM_REFERENCE, Normalization::Reference),
            (VOXLANE_NORM_INTEGRAL, Normalization::Integral),
            (VOXLANE_NORM_MASS, Normalization::Mass),
        ];
        let supports = [(VOXLANE_SUPPORT_BOX, Support::Box), (VOXLANE_SUPPORT_BALL, Support::Ball)];
        let samplings = [(VOXLANE_SAMPLE_POINT, Sampling::Point), (VOXLANE_SAMPLE_VOXEL, Sampling::Voxel)];
        let flags = [(0, false), (1, true)];
        let mut progress = progress_closure(options.progress, options.progress_user);
        let mut call = SumGaussians::new()
            .normalization(known(options.normalization, &normalizations, "normalization")?)
            .support(known(options.support, &supports, "support")?)
            .sampling(known(options.sampling, &samplings, "sampling")?)
            .periodic(known_axes(options.periodic, &flags, "periodic")?)
            .accumulate(known(options.accumulate, &flags, "accumulate")?)
            .eps(options.eps)
            .threads(known_threads(options.threads)?);
        if let Some(isa) = known_isa(options.isa)? {
            call = call.isa(isa);
        }
        if options.progress.is_some() {
            call = call.progress(&mut progress);
        }
        call.sum(&gaussians, Grid::new(values, grid.origin, grid.spacing))
    })
}

/// The function of the question this kernel answers: `count` centres (z, y, x each, dense) of one sigma on a dense
/// float grid, each Gaussian times 1 / sqrt(2 pi sigma^2): the asker's sumofgauss, every centre at every voxel, up to
/// eps.
///
/// It is not the k-d tree answer's gaussgrid. That code passes plain distances where exp(-d^2 / (2 sigma^2)) needs their
/// squares, and the square of the cutoff where the search wants a distance. Its result differs from the asker's
/// own by up to 0.43 at a peak of 0.40. Put right, it takes the square root of thr and squares dists.data.
///
/// `shape`, `origin` and `spacing` are in the order z, y, x. `grid` holds as many floats as the shape has voxels, the
/// last axis contiguous. `eps` 0 is as much as floats hold. Returns as voxlane_sum_gaussians.
///
/// cbindgen:ptrs-as-arrays=[[shape; 3], [origin; 3], [spacing; 3]]
///
/// # Safety
/// Every non-NULL pointer leads to as many numbers as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voxlane_gauss_grid(
    centers: *const f64,
    count: usize,
    sigma: f64,
    eps: f64,
    shape: *const usize,
    origin: *const f64,
    spacing: *const f64,
    grid: *mut f32,
) -> voxlane_status {
    status::guard(|| -> Result<(), Error> {
        expect_pointer(shape, "shape")?;
        expect_pointer(origin, "origin")?;
        expect_pointer(spacing, "spacing")?;
        // SAFETY: not NULL, aligned, and the caller promises three numbers each.
        let (shape, origin, spacing) =
            unsafe { (*shape.cast::<[usize; 3]>(), *origin.cast::<[f64; 3]>(), *spacing.cast::<[f64; 3]>()) };
        let stride = array::dense(shape, "grid")?;
        // SAFETY: the caller's promise.
        let values =
            unsafe { VolumeMut::from_raw_parts(grid.cast(), shape, stride, ElementType::F32, "grid")? };
        let sigma_address = (&raw const sigma).cast();
        // SAFETY: the caller's promise for the centres; the one sigma lives as long as this call.
        let gaussians = unsafe {
            Gaussians::from_raw_parts(
                count,
                ElementType::F64,
                centers.cast(),
                [3, 1],
                std::ptr::null(),
                0,
                sigma_address,
                [0, 0],
            )?
        };
        SumGaussians::new()
            .normalization(Normalization::Reference)
            .eps(eps)
            .sum(&gaussians, Grid::new(values, origin, spacing))
    })
}
