//! The steepest neighbour's C functions.

use std::ffi::c_void;
use std::mem::offset_of;

use super::array::{self, voxlane_array, voxlane_array_mut};
use super::progress::{progress_closure, voxlane_progress_fn};
use super::status::{self, voxlane_status};
use super::{expect_pointer, expect_reserved, known, known_axes, known_isa, known_threads, read_options};
use crate::error::Error;
use crate::steepest::{Border, Direction, Minima, Steepest};
use crate::volume::{ElementType, Volume, VolumeMut};

/// Direction: scores are centre minus neighbour, labels lead to lower values.
pub const VOXLANE_DESCENT: i32 = 0;
/// Direction: scores are neighbour minus centre, labels lead to higher values.
pub const VOXLANE_ASCENT: i32 = 1;

/// Minima: the centre takes part with score -100 and the first NaN score wins, as in the NumPy code this
/// reproduces. Choose it only to reproduce that code.
pub const VOXLANE_MINIMA_REFERENCE: i32 = 0;
/// Minima: label 13 where every neighbour's score is below 0, or there is no neighbour. NaN never wins.
pub const VOXLANE_MINIMA_STRICT: i32 = 1;
/// Minima: label 13 where every neighbour's score is at most 0. The labels of the other neighbours lead strictly
/// downhill (uphill for ascent), so labels can be followed without cycles, as long as weights are above 0. NaN never
/// wins. The 0 of a skipped face leads nowhere, but looks like that of neighbour 0: to follow labels, take
/// VOXLANE_BORDER_INSIDE or VOXLANE_BORDER_PERIODIC.
pub const VOXLANE_MINIMA_FLAT: i32 = 2;

/// Border: voxels on the axis' two faces get label 0 and slope 0.
pub const VOXLANE_BORDER_SKIP: i32 = 0;
/// Border: voxels on the faces use the neighbours that exist.
pub const VOXLANE_BORDER_INSIDE: i32 = 1;
/// Border: neighbours wrap around.
pub const VOXLANE_BORDER_PERIODIC: i32 = 2;

/// Label of a voxel that has no better neighbour.
pub const VOXLANE_LABEL_CENTER: i32 = 13;
/// Label of a voxel that the mask removes.
pub const VOXLANE_LABEL_MASKED: i32 = 27;

/// Options of voxlane_steepest. Begin with voxlane_steepest_options_init, then change fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct voxlane_steepest_options {
    /// sizeof(voxlane_steepest_options).
    pub struct_size: usize,
    /// VOXLANE_DESCENT or VOXLANE_ASCENT.
    pub direction: i32,
    /// VOXLANE_MINIMA_REFERENCE, _STRICT or _FLAT.
    pub minima: i32,
    /// VOXLANE_BORDER_SKIP, _INSIDE or _PERIODIC for each axis. A voxel on any skipped face is skipped.
    pub border: [i32; 3],
    /// Highest instruction set to use, VOXLANE_ISA_AUTO to VOXLANE_ISA_AVX512.
    pub isa: i32,
    /// Threads to use at most: 0 is the environment variable VOXLANE_THREADS or all, 1 the caller's thread.
    pub threads: i32,
    /// Must be 0.
    pub reserved: i32,
    /// Voxel size along each axis, in any one unit, above 0. {0, 0, 0} means {1, 1, 1}.
    pub spacing: [f64; 3],
    /// NULL, or 27 finite weights in place of 1 / distance; that of the centre is not looked at.
    pub weights: *const f64,
    /// NULL, or a U8 array of the image's shape. A voxel where it is 0 gets label 27 and slope 0, and is
    /// nobody's neighbour. Skipped faces stay 0.
    pub mask: *const voxlane_array,
    /// NULL, or an F32 or F64 array of the image's shape that receives the largest score among the
    /// neighbours that took part: -infinity where none did, NaN where a NaN won (VOXLANE_MINIMA_REFERENCE).
    pub slope: *const voxlane_array_mut,
    /// Half-open range of axis 0 to compute; {0, 0} means all. Nothing else is written, but neighbours outside
    /// it are read: a slab with one plane of halo on either side gets the whole volume's labels. Where the
    /// volume ends there is none, and the range begins with the slab or ends with it; unless axis 0 is periodic:
    /// then the halo is the plane at the other end.
    pub planes: [usize; 2],
    /// NULL, or called with the fraction done.
    pub progress: voxlane_progress_fn,
    /// Handed to `progress`.
    pub progress_user: *mut c_void,
}

const DEFAULT: voxlane_steepest_options = voxlane_steepest_options {
    struct_size: size_of::<voxlane_steepest_options>(),
    direction: VOXLANE_DESCENT,
    minima: VOXLANE_MINIMA_REFERENCE,
    border: [VOXLANE_BORDER_SKIP; 3],
    isa: 0,
    threads: 0,
    reserved: 0,
    spacing: [0.0; 3],
    weights: std::ptr::null(),
    mask: std::ptr::null(),
    slope: std::ptr::null(),
    planes: [0; 2],
    progress: None,
    progress_user: std::ptr::null_mut(),
};

/// Fills options with the defaults: descent, reference minima, skipped borders, cubic voxels, all planes, automatic
/// instruction set, all threads. NULL is ignored.
///
/// # Safety
/// `options` is NULL or points to a writable `voxlane_steepest_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voxlane_steepest_options_init(options: *mut voxlane_steepest_options) {
    if !options.is_null() && options.is_aligned() {
        // SAFETY: not NULL, aligned, and the caller's promise.
        unsafe { options.write(DEFAULT) };
    }
}

/// Labels every voxel with the index of its steepest neighbour.
///
/// Neighbour i = 9*(dz+1) + 3*(dy+1) + (dx+1) lies at offset (dz, dy, dx), each -1, 0 or 1, and 13 is the voxel
/// itself. Its score is the difference of the two values times 1 / distance; the label is the lowest index
/// among the largest scores. Differences are rounded once in float for U8, I8, U16, I16 and F32 images and once in
/// double for U32, I32 and F64; products once in double. Labels are the same bits on every machine, for every number of
/// threads, strides and range of planes.
///
/// `labels` is U8 or F32, of the image's shape. `options` may be NULL: all defaults.
///
/// Returns VOXLANE_OK; or, with every output untouched, VOXLANE_ERR_NULL, _SHAPE, _STRIDE, _ALIGN, _DTYPE, _OVERLAP,
/// _OPTION, _VALUE, _ISA, _MEMORY or _THREAD; or VOXLANE_CANCELLED. voxlane_last_error has the details.
///
/// Time, a voxel and thread with AVX-512: about a nanosecond for F32 and 16-bit images, a third of one for 8-bit images,
/// two or three where not axis 2 is contiguous but axis 0; five to nine for F64, U32 and I32.
/// Memory: under 1 MiB a thread. Safe to call from any number of threads at once.
///
/// # Safety
/// Every non-NULL pointer leads to what its type and the descriptions say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voxlane_steepest(
    image: *const voxlane_array,
    labels: *const voxlane_array_mut,
    options: *const voxlane_steepest_options,
) -> voxlane_status {
    status::guard(|| {
        // SAFETY: the caller's promise; the struct is of plain numbers and pointers and begins with its size.
        let options = unsafe {
            let end = offset_of!(voxlane_steepest_options, progress_user) + size_of::<*mut c_void>();
            read_options(options, end, "steepest_options")?.unwrap_or(DEFAULT)
        };
        expect_reserved(options.reserved)?;
        // SAFETY: the caller's promise.
        let (image, labels) =
            unsafe { (array::volume(image, "image")?, array::volume_mut(labels, "labels")?) };
        let directions = [(VOXLANE_DESCENT, Direction::Descent), (VOXLANE_ASCENT, Direction::Ascent)];
        let minima = [
            (VOXLANE_MINIMA_REFERENCE, Minima::Reference),
            (VOXLANE_MINIMA_STRICT, Minima::Strict),
            (VOXLANE_MINIMA_FLAT, Minima::Flat),
        ];
        let borders = [
            (VOXLANE_BORDER_SKIP, Border::Skip),
            (VOXLANE_BORDER_INSIDE, Border::Inside),
            (VOXLANE_BORDER_PERIODIC, Border::Periodic),
        ];
        let mut progress = progress_closure(options.progress, options.progress_user);
        let mut call = Steepest::new()
            .direction(known(options.direction, &directions, "direction")?)
            .minima(known(options.minima, &minima, "minima")?)
            .border(known_axes(options.border, &borders, "border")?)
            .threads(known_threads(options.threads)?);
        if let Some(isa) = known_isa(options.isa)? {
            call = call.isa(isa);
        }
        if options.spacing != [0.0; 3] {
            call = call.spacing(options.spacing);
        }
        if !options.weights.is_null() {
            expect_pointer(options.weights, "weights")?;
            // SAFETY: not NULL, aligned, and the caller promises 27 numbers.
            call = call.weights(unsafe { *options.weights.cast::<[f64; 27]>() });
        }
        if !options.mask.is_null() {
            // SAFETY: the caller's promise.
            call = call.mask(unsafe { array::volume(options.mask, "mask")? });
        }
        if !options.slope.is_null() {
            // SAFETY: the caller's promise.
            call = call.slope(unsafe { array::volume_mut(options.slope, "slope")? });
        }
        if options.planes != [0, 0] {
            call = call.planes(options.planes[0], options.planes[1]);
        }
        if options.progress.is_some() {
            call = call.progress(&mut progress);
        }
        call.label(image, labels)
    })
}

/// The function of the question this kernel answers: labels of a dense float volume as floats, all defaults.
///
/// `image` and `labels` hold as many floats as the shape (sizes along z, y, x) has voxels, the last axis contiguous.
/// Faces get label 0. Returns as voxlane_steepest.
///
/// cbindgen:ptrs-as-arrays=[[shape; 3]]
///
/// # Safety
/// Every non-NULL pointer leads to as many numbers as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voxlane_create_label(
    image: *const f32,
    shape: *const usize,
    labels: *mut f32,
) -> voxlane_status {
    status::guard(|| -> Result<(), Error> {
        expect_pointer(shape, "shape")?;
        // SAFETY: not NULL, aligned, and the caller promises three sizes.
        let shape = unsafe { *shape.cast::<[usize; 3]>() };
        let stride = array::dense(shape, "image")?;
        // SAFETY: the caller's promise.
        let (image, labels) = unsafe {
            (
                Volume::from_raw_parts(image.cast(), shape, stride, ElementType::F32, "image")?,
                VolumeMut::from_raw_parts(labels.cast(), shape, stride, ElementType::F32, "labels")?,
            )
        };
        Steepest::new().label(image, labels)
    })
}
