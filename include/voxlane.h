/*
 * voxlane: steepest-neighbour labels and sums of Gaussians on 3-D grids.
 *
 * This file is generated from the library's source (src/ffi). Do not edit it.
 *
 * AXES       Axis 0 is the slowest in the usual order of memory ("z"), axis 2 the fastest ("x"), as in NumPy. Shapes,
 *            strides, spacings and coordinates are given in this order. (A Fortran array a(nx,ny,nz) has shape
 *            {nz, ny, nx}.)
 * STRIDES    count elements, not bytes, and may be negative. An input may have stride 0; two elements of an output must
 *            not share memory. Outputs must not overlap inputs or each other.
 * MEMORY     belongs to the caller. The library keeps no pointer after a call has returned, and reads and writes nothing
 *            but the elements that shapes and strides name. What a pointer to const leads to is not changed.
 * ERRORS     Functions that can fail return a voxlane_status. Arguments are validated before any output is written: on
 *            any error but VOXLANE_CANCELLED and VOXLANE_ERR_PANIC every output is untouched. voxlane_last_error() tells
 *            more, with the offending numbers. The library never exits, and prints nothing but Rust's report of a bug
 *            of its own, on stderr, before it returns VOXLANE_ERR_PANIC. (Where memory runs out at the very moment at
 *            which helper threads start, the system's own code for threads may end the process.)
 * OPTIONS    structs begin with their own size, so that fields can be added at their end. Always fill them by their _init
 *            function first. NULL means all defaults. Unknown values of an option are an error.
 * THREADS    Every function may be called from any number of threads at once, also on the same inputs. A call uses up to
 *            `threads` threads: the caller's, and helpers that the process shares and that sleep between calls.
 *            Results are the same bits for every number of threads. After fork() the child may call, too. Helpers take
 *            none of the process's signals. A caller's stack should have 64 KiB to spare.
 * FLOATS     On x86 and aarch64 a call computes in the processor's default floating-point mode whatever the caller's
 *            (rounding, denormals, traps), as do its callbacks; mode and exception flags are afterwards what they were.
 * ISA        One binary holds code for several instruction sets and takes the highest that the machine runs. The
 *            environment variable VOXLANE_ISA=portable|avx2|avx512 and the option `isa` lower it. VOXLANE_ISA and
 *            VOXLANE_THREADS are read once, at the first call.
 * ABI        VOXLANE_ABI_VERSION is the number in the shared library's SONAME. It changes when a program compiled
 *            against an older header could break; new functions and new option fields do not change it.
 */

#ifndef VOXLANE_H
#define VOXLANE_H

#include <stddef.h>
#include <stdint.h>

/** Version of this header. */
#define VOXLANE_VERSION_MAJOR 0
#define VOXLANE_VERSION_MINOR 1
#define VOXLANE_VERSION_PATCH 0
#define VOXLANE_VERSION (VOXLANE_VERSION_MAJOR << 16 | VOXLANE_VERSION_MINOR << 8 | VOXLANE_VERSION_PATCH)
#define VOXLANE_ABI_VERSION 1

/**
 * Element type uint8_t.
 */
#define VOXLANE_U8 1

/**
 * Element type int8_t.
 */
#define VOXLANE_I8 2

/**
 * Element type uint16_t.
 */
#define VOXLANE_U16 3

/**
 * Element type int16_t.
 */
#define VOXLANE_I16 4

/**
 * Element type uint32_t.
 */
#define VOXLANE_U32 5

/**
 * Element type int32_t.
 */
#define VOXLANE_I32 6

/**
 * Element type float (IEEE 754 binary32).
 */
#define VOXLANE_F32 7

/**
 * Element type double (IEEE 754 binary64).
 */
#define VOXLANE_F64 8

/**
 * Direction: scores are centre minus neighbour, labels lead to lower values.
 */
#define VOXLANE_DESCENT 0

/**
 * Direction: scores are neighbour minus centre, labels lead to higher values.
 */
#define VOXLANE_ASCENT 1

/**
 * Minima: the centre takes part with score -100 and the first NaN score wins, as in the NumPy code this
 * reproduces. Choose it only to reproduce that code.
 */
#define VOXLANE_MINIMA_REFERENCE 0

/**
 * Minima: label 13 where every neighbour's score is below 0, or there is no neighbour. NaN never wins.
 */
#define VOXLANE_MINIMA_STRICT 1

/**
 * Minima: label 13 where every neighbour's score is at most 0. The labels of the other neighbours lead strictly
 * downhill (uphill for ascent), so labels can be followed without cycles, as long as weights are above 0. NaN never
 * wins. The 0 of a skipped face leads nowhere, but looks like that of neighbour 0: to follow labels, take
 * VOXLANE_BORDER_INSIDE or VOXLANE_BORDER_PERIODIC.
 */
#define VOXLANE_MINIMA_FLAT 2

/**
 * Border: voxels on the axis' two faces get label 0 and slope 0.
 */
#define VOXLANE_BORDER_SKIP 0

/**
 * Border: voxels on the faces use the neighbours that exist.
 */
#define VOXLANE_BORDER_INSIDE 1

/**
 * Border: neighbours wrap around.
 */
#define VOXLANE_BORDER_PERIODIC 2

/**
 * Label of a voxel that has no better neighbour.
 */
#define VOXLANE_LABEL_CENTER 13

/**
 * Label of a voxel that the mask removes.
 */
#define VOXLANE_LABEL_MASKED 27

/**
 * Normalization: peaks of height A.
 */
#define VOXLANE_NORM_PEAK 0

/**
 * Normalization: A / sqrt(2 pi sigma^2), the factor of the question this reproduces; one sigma for all axes. To compare
 * with code that sums exp(-r^2 / (2 sigma^2)) / sqrt(2 pi sigma^2) over a 3-D grid.
 */
#define VOXLANE_NORM_REFERENCE 1

/**
 * Normalization: the integral over space is A, the grid a density per unit of volume: electrons of atoms, as in
 * crystallography. The cutoff takes 4e-7 (box) or 4e-6 (ball) of the integral at eps 1e-6; 6e-4 or 3e-3 at 1e-3.
 */
#define VOXLANE_NORM_INTEGRAL 2

/**
 * Normalization: the samples that a centre writes add up to A, to 1e-6 (F32) or 1e-12 (F64), whatever the cutoff and the
 * position within a voxel (clipping loses what falls outside): counts of molecules or photons in an image of
 * localisations.
 */
#define VOXLANE_NORM_MASS 3

/**
 * Support: voxels within R sigma on every axis.
 */
#define VOXLANE_SUPPORT_BOX 0

/**
 * Support: voxels within an ellipsoid of radius R sigma.
 */
#define VOXLANE_SUPPORT_BALL 1

/**
 * Sampling: the Gaussian's value at the voxel's position.
 */
#define VOXLANE_SAMPLE_POINT 0

/**
 * Sampling: the Gaussian's mean over the voxel, as a detector's pixel has it; so sums over voxels are contents. Along
 * one axis, with a sigma of one voxel, the point sample of the peak is 4 % above the mean (0.399 A, not 0.383 A: 1.6 %
 * of the integral); with two voxels 1 %, with half a voxel 17 %.
 */
#define VOXLANE_SAMPLE_VOXEL 1

/**
 * Instruction set: the highest this machine runs, or VOXLANE_ISA allows.
 */
#define VOXLANE_ISA_AUTO 0

/**
 * Instruction set: what every processor of the architecture has (SSE2 on x86-64).
 */
#define VOXLANE_ISA_PORTABLE 1

/**
 * Instruction set: AVX2 with FMA.
 */
#define VOXLANE_ISA_AVX2 2

/**
 * Instruction set: AVX-512 F, BW, DQ, VL.
 */
#define VOXLANE_ISA_AVX512 3

/**
 * What every fallible function returns: 0 is success, negative values are errors and are never reused.
 */
typedef int32_t voxlane_status;

/**
 * A 3-D array that is only read. A dense array of shape {nz, ny, nx} has strides {ny*nx, nx, 1}.
 */
typedef struct voxlane_array {
  /**
   * Element (0, 0, 0), aligned to the element type.
   */
  const void *data;
  /**
   * Voxels along each axis, each at least 1.
   */
  size_t shape[3];
  /**
   * Elements from one voxel to the next along each axis; may be negative, or 0 to repeat a plane.
   */
  ptrdiff_t stride[3];
  /**
   * Element type, VOXLANE_U8 to VOXLANE_F64.
   */
  int32_t dtype;
} voxlane_array;

/**
 * A 3-D array that is written. No two of its voxels may share memory.
 */
typedef struct voxlane_array_mut {
  /**
   * Element (0, 0, 0), aligned to the element type.
   */
  void *data;
  /**
   * Voxels along each axis, each at least 1.
   */
  size_t shape[3];
  /**
   * Elements from one voxel to the next along each axis; may be negative.
   */
  ptrdiff_t stride[3];
  /**
   * Element type, VOXLANE_U8 to VOXLANE_F64.
   */
  int32_t dtype;
} voxlane_array_mut;

/**
 * Called with the fraction done, from 0 to 1, on the calling thread only: at the start, at the end, and in
 * between at most every 10 milliseconds. Any other answer than 0 cancels the call.
 *
 * It must return: no longjmp, no C++ exception. It may call voxlane, and it may fork: the parent's call goes on. A child
 * that returns from the callback may get VOXLANE_CANCELLED, as it has none of the helper threads at work.
 */
typedef int (*voxlane_progress_fn)(void *user, double fraction);

/**
 * Options of voxlane_steepest. Begin with voxlane_steepest_options_init, then change fields.
 */
typedef struct voxlane_steepest_options {
  /**
   * sizeof(voxlane_steepest_options).
   */
  size_t struct_size;
  /**
   * VOXLANE_DESCENT or VOXLANE_ASCENT.
   */
  int32_t direction;
  /**
   * VOXLANE_MINIMA_REFERENCE, _STRICT or _FLAT.
   */
  int32_t minima;
  /**
   * VOXLANE_BORDER_SKIP, _INSIDE or _PERIODIC for each axis. A voxel on any skipped face is skipped.
   */
  int32_t border[3];
  /**
   * Highest instruction set to use, VOXLANE_ISA_AUTO to VOXLANE_ISA_AVX512.
   */
  int32_t isa;
  /**
   * Threads to use at most: 0 is the environment variable VOXLANE_THREADS or all, 1 the caller's thread.
   */
  int32_t threads;
  /**
   * Must be 0.
   */
  int32_t reserved;
  /**
   * Voxel size along each axis, in any one unit, above 0. {0, 0, 0} means {1, 1, 1}.
   */
  double spacing[3];
  /**
   * NULL, or 27 finite weights in place of 1 / distance; that of the centre is not looked at.
   */
  const double *weights;
  /**
   * NULL, or a U8 array of the image's shape. A voxel where it is 0 gets label 27 and slope 0, and is
   * nobody's neighbour. Skipped faces stay 0.
   */
  const struct voxlane_array *mask;
  /**
   * NULL, or an F32 or F64 array of the image's shape that receives the largest score among the
   * neighbours that took part: -infinity where none did, NaN where a NaN won (VOXLANE_MINIMA_REFERENCE).
   */
  const struct voxlane_array_mut *slope;
  /**
   * Half-open range of axis 0 to compute; {0, 0} means all. Nothing else is written, but neighbours outside
   * it are read: a slab with one plane of halo on either side gets the whole volume's labels. Where the
   * volume ends there is none, and the range begins with the slab or ends with it; unless axis 0 is periodic:
   * then the halo is the plane at the other end.
   */
  size_t planes[2];
  /**
   * NULL, or called with the fraction done.
   */
  voxlane_progress_fn progress;
  /**
   * Handed to `progress`.
   */
  void *progress_user;
} voxlane_steepest_options;

/**
 * Options of voxlane_sum_gaussians. Begin with voxlane_gaussian_options_init, then change fields.
 */
typedef struct voxlane_gaussian_options {
  /**
   * sizeof(voxlane_gaussian_options).
   */
  size_t struct_size;
  /**
   * VOXLANE_NORM_PEAK, _REFERENCE, _INTEGRAL or _MASS.
   */
  int32_t normalization;
  /**
   * VOXLANE_SUPPORT_BOX or _BALL.
   */
  int32_t support;
  /**
   * VOXLANE_SAMPLE_POINT or _VOXEL.
   */
  int32_t sampling;
  /**
   * For each axis: 0 clips at the grid's faces, 1 wraps around with period shape * spacing.
   */
  int32_t periodic[3];
  /**
   * 0 overwrites the whole grid, 1 adds to what it holds.
   */
  int32_t accumulate;
  /**
   * Highest instruction set to use, VOXLANE_ISA_AUTO to VOXLANE_ISA_AVX512.
   */
  int32_t isa;
  /**
   * Threads to use at most: 0 is the environment variable VOXLANE_THREADS or all, 1 the caller's thread.
   */
  int32_t threads;
  /**
   * Must be 0.
   */
  int32_t reserved;
  /**
   * Where a Gaussian is cut off: what is dropped is below eps of its peak, R = sqrt(-2 ln eps). Between 0 and 1; 0
   * is the machine epsilon of the grid's type.
   */
  double eps;
  /**
   * NULL, or called with the fraction done.
   */
  voxlane_progress_fn progress;
  /**
   * Handed to `progress`.
   */
  void *progress_user;
} voxlane_gaussian_options;

/**
 * Centres with their amplitudes and sigmas; all three arrays have the element type `dtype`.
 */
typedef struct voxlane_gaussians {
  /**
   * Number of centres; with 0 the pointers may be NULL.
   */
  size_t count;
  /**
   * VOXLANE_F32 or VOXLANE_F64, of centers, amplitudes and sigmas.
   */
  int32_t dtype;
  /**
   * Must be 0.
   */
  int32_t reserved;
  /**
   * Coordinates, in the order of the grid's axes (z, y, x for a grid of planes of rows), in its unit of length.
   */
  const void *centers;
  /**
   * Elements from one centre to the next, and from one coordinate to the next: {3, 1} if dense.
   */
  ptrdiff_t center_stride[2];
  /**
   * NULL: all 1. Any sign.
   */
  const void *amplitudes;
  /**
   * Elements from one amplitude to the next; 0: one for all.
   */
  ptrdiff_t amplitude_stride;
  /**
   * Standard deviations, above 0, in the grid's unit of length.
   */
  const void *sigmas;
  /**
   * Elements from one centre's to the next, and from one axis' to the next: {0, 0} one for all, {s, 0} per centre,
   * {0, s} per axis, {s, t} both.
   */
  ptrdiff_t sigma_stride[2];
} voxlane_gaussians;

/**
 * A regular grid: voxel (i, j, k) lies at origin + (i, j, k) * spacing, evaluated in double.
 */
typedef struct voxlane_grid {
  /**
   * The samples, F32 or F64.
   */
  struct voxlane_array_mut values;
  /**
   * Position of voxel (0, 0, 0).
   */
  double origin[3];
  /**
   * Distance between voxels along each axis, above 0.
   */
  double spacing[3];
} voxlane_grid;

/**
 * Success.
 */
#define VOXLANE_OK 0

/**
 * A required pointer is NULL.
 */
#define VOXLANE_ERR_NULL -1

/**
 * A shape is empty, too large, or differs from the shape it must equal.
 */
#define VOXLANE_ERR_SHAPE -2

/**
 * Strides leave the address space, or let two elements of an output share memory.
 */
#define VOXLANE_ERR_STRIDE -3

/**
 * Data is not aligned to its element type.
 */
#define VOXLANE_ERR_ALIGN -4

/**
 * An element type that is unknown, or that the function does not take.
 */
#define VOXLANE_ERR_DTYPE -5

/**
 * An output overlaps an input or another output.
 */
#define VOXLANE_ERR_OVERLAP -6

/**
 * An option is outside its range, or a combination has no meaning.
 */
#define VOXLANE_ERR_OPTION -7

/**
 * A number (coordinate, sigma, amplitude, spacing, weight) is outside its range.
 */
#define VOXLANE_ERR_VALUE -8

/**
 * An instruction set that is misspelt in VOXLANE_ISA, or that this machine lacks.
 */
#define VOXLANE_ERR_ISA -9

/**
 * Memory could not be allocated.
 */
#define VOXLANE_ERR_MEMORY -10

/**
 * Threads could not be started, or VOXLANE_THREADS is not a number.
 */
#define VOXLANE_ERR_THREAD -11

/**
 * The progress callback asked to stop. What the outputs hold is unspecified.
 */
#define VOXLANE_CANCELLED -12

/**
 * A bug in voxlane, caught before it could harm the caller's process. Please report it.
 */
#define VOXLANE_ERR_PANIC -100

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * A fixed English text for a status; "unknown status" for a number that is none. Never NULL, valid for
 * ever.
 */
const char *voxlane_status_string(voxlane_status status);

/**
 * The text of this thread's last failure, with the offending numbers: one line of UTF-8, empty if there was
 * none. Never NULL; valid until this thread's next failure or its end. Success does not change it.
 */
const char *voxlane_last_error(void);

/**
 * Fills options with the defaults: descent, reference minima, skipped borders, cubic voxels, all planes, automatic
 * instruction set, all threads. NULL is ignored.
 */
void voxlane_steepest_options_init(struct voxlane_steepest_options *options);

/**
 * Labels every voxel with the index of its steepest neighbour.
 *
 * Neighbour i = 9*(dz+1) + 3*(dy+1) + (dx+1) lies at offset (dz, dy, dx), each -1, 0 or 1, and 13 is the voxel
 * itself. Its score is the difference of the two values times 1 / distance; the label is the lowest index
 * among the largest scores. Differences are rounded once in float for U8, I8, U16, I16 and F32 images and once in
 * double for U32, I32 and F64; products once in double. Labels are the same bits on every machine, for every number of
 * threads, strides and range of planes.
 *
 * `labels` is U8 or F32, of the image's shape. `options` may be NULL: all defaults.
 *
 * Returns VOXLANE_OK; or, with every output untouched, VOXLANE_ERR_NULL, _SHAPE, _STRIDE, _ALIGN, _DTYPE, _OVERLAP,
 * _OPTION, _VALUE, _ISA, _MEMORY or _THREAD; or VOXLANE_CANCELLED. voxlane_last_error has the details.
 *
 * Time, a voxel and thread with AVX-512: about a nanosecond for F32 and 16-bit images, a third of one for 8-bit images,
 * two or three where not axis 2 is contiguous but axis 0; five to nine for F64, U32 and I32.
 * Memory: under 1 MiB a thread. Safe to call from any number of threads at once.
 */
voxlane_status voxlane_steepest(const struct voxlane_array *image,
                                const struct voxlane_array_mut *labels,
                                const struct voxlane_steepest_options *options);

/**
 * The function of the question this kernel answers: labels of a dense float volume as floats, all defaults.
 *
 * `image` and `labels` hold as many floats as the shape (sizes along z, y, x) has voxels, the last axis contiguous.
 * Faces get label 0. Returns as voxlane_steepest.
 */
voxlane_status voxlane_create_label(const float *image,
                                    const size_t shape[3],
                                    float *labels);

/**
 * Fills options with the defaults: eps 1e-6, peak normalization, box support, point sampling, clipped, overwriting,
 * automatic instruction set, all threads. NULL is ignored.
 */
void voxlane_gaussian_options_init(struct voxlane_gaussian_options *options);

/**
 * Sums Gaussians on a grid: A * N * exp(-(z-cz)^2/(2 sz^2) - (y-cy)^2/(2 sy^2) - (x-cx)^2/(2 sx^2)) for each centre,
 * cut off where it falls below eps of its peak. `options` may be NULL: all defaults.
 *
 * With K the number of centres that reach a voxel, the error against the exact sum without cutoff is at most
 * eps * sum|A N| + (6e-6 + 6e-8 K) * sum|A N g| for an F32 grid, and with 3e-14 and 1.2e-16 for an F64 grid; the first
 * sum is over all centres, the second over those that reach the voxel; on a periodic axis every image counts as a
 * centre. The first term is the cutoff: each centre loses less than eps of its peak, on voxels that it does not
 * reach. The second is rounding. An F32 grid holds nothing below 1e-38 of the largest |A N|, however small eps is, and
 * infinities where a sum is beyond its range. (Under VOXLANE_NORM_MASS the bound is relative to the cut-off, rescaled
 * Gaussians. With `accumulate`, what a voxel held is one more term of the second sum.)
 *
 * How to choose eps: the cost grows with R^3, R = sqrt(-2 ln eps). 1e-3 (R 3.7) for pictures, 1e-6 (5.3) for F32 grids,
 * where both terms are then alike, 1e-12 (7.4) for F64 grids, 0 for as much as the grid's type holds.
 *
 * The result is the same bits for every number of threads; between instruction sets it may differ within the bound.
 *
 * Supports may be wider than the grid and its period. Refused are: more than 2^50 voxels of reach (2^31 on a periodic
 * axis), a periodic ball of more than 2^20 images, and under VOXLANE_NORM_MASS a ball of more than 2^27 rows of voxels
 * or 2^15 voxels a row; positions that double cannot tell apart: voxels 2^50 spacings or more from zero, and on a
 * periodic axis or under VOXLANE_NORM_MASS centres as far from the grid; and an amplitude that overflows once it is
 * normalised.
 *
 * Returns VOXLANE_OK; or, with the grid untouched, VOXLANE_ERR_NULL, _SHAPE, _STRIDE, _ALIGN, _DTYPE, _OVERLAP,
 * _OPTION, _VALUE (with the index of the centre), _ISA, _MEMORY or _THREAD; or VOXLANE_CANCELLED. voxlane_last_error
 * has the details.
 *
 * Memory: under 48 bytes a centre and 8 MiB a thread. Safe to call from any number of threads at once.
 */
voxlane_status voxlane_sum_gaussians(const struct voxlane_gaussians *gaussians,
                                     const struct voxlane_grid *grid,
                                     const struct voxlane_gaussian_options *options);

/**
 * The function of the question this kernel answers: `count` centres (z, y, x each, dense) of one sigma on a dense
 * float grid, each Gaussian times 1 / sqrt(2 pi sigma^2): the asker's sumofgauss, every centre at every voxel, up to
 * eps.
 *
 * It is not the k-d tree answer's gaussgrid. That code passes plain distances where exp(-d^2 / (2 sigma^2)) needs their
 * squares, and the square of the cutoff where the search wants a distance. Its result differs from the asker's
 * own by up to 0.43 at a peak of 0.40. Put right, it takes the square root of thr and squares dists.data.
 *
 * `shape`, `origin` and `spacing` are in the order z, y, x. `grid` holds as many floats as the shape has voxels, the
 * last axis contiguous. `eps` 0 is as much as floats hold. Returns as voxlane_sum_gaussians.
 */
voxlane_status voxlane_gauss_grid(const double *centers,
                                  size_t count,
                                  double sigma,
                                  double eps,
                                  const size_t shape[3],
                                  const double origin[3],
                                  const double spacing[3],
                                  float *grid);

/**
 * Version of the library that runs, as `major << 16 | minor << 8 | patch`; VOXLANE_VERSION is that of the
 * header.
 */
uint32_t voxlane_version(void);

/**
 * Version of the library that runs, as "major.minor.patch". Never NULL, valid for ever.
 */
const char *voxlane_version_string(void);

/**
 * The number in the shared library's SONAME. Programs and libraries with the same number fit each other.
 */
uint32_t voxlane_abi_version(void);

/**
 * The instruction set that a call with VOXLANE_ISA_AUTO takes: VOXLANE_ISA_PORTABLE, _AVX2 or _AVX512. Or
 * VOXLANE_ERR_ISA if the environment variable VOXLANE_ISA is misspelt or asks for too much.
 */
int32_t voxlane_isa_active(void);

/**
 * 1 if this machine runs an instruction set, 0 if it does not or the number is unknown. VOXLANE_ISA_AUTO is
 * always supported.
 */
int32_t voxlane_isa_supported(int32_t isa);

/**
 * "auto", "portable", "avx2" or "avx512", as the environment variable VOXLANE_ISA takes them (but for
 * auto); "unknown" for any other number. Never NULL, valid for ever.
 */
const char *voxlane_isa_name(int32_t isa);

/**
 * The size in bytes of a struct as the library has it, for bindings that write the structs out themselves:
 * 1 voxlane_array, 2 voxlane_array_mut, 3 voxlane_steepest_options, 4 voxlane_gaussians, 5 voxlane_grid,
 * 6 voxlane_gaussian_options; 0 for any other number.
 */
size_t voxlane_sizeof(int32_t which);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* VOXLANE_H */
