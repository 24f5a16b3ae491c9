/* What can be wrong with arrays: NULL, shapes, strides, alignment, element types, overlaps. */
#include "bad_input.h"

#include <stdio.h>
#include <string.h>

static void boundless(voxlane_array *array, ptrdiff_t stride, ptrdiff_t back)
{
    array->dtype = VOXLANE_F64;
    array->data = memory.grid;
    array->shape[0] = PTRDIFF_MAX / 2;
    array->shape[1] = 2;
    array->shape[2] = 1;
    array->stride[0] = stride;
    array->stride[1] = back;
}

static void spoil_arrays(void)
{
    STEEPEST(VOXLANE_ERR_NULL, "image", call.image_argument = NULL);
    STEEPEST(VOXLANE_ERR_NULL, "labels", call.labels_argument = NULL);
    STEEPEST(VOXLANE_ERR_NULL, "image", call.image.data = NULL);
    STEEPEST(VOXLANE_ERR_NULL, "labels", call.labels.data = NULL);
    STEEPEST(VOXLANE_ERR_NULL, "mask", call.mask.data = NULL);
    STEEPEST(VOXLANE_ERR_NULL, "slope", call.slope.data = NULL);

    STEEPEST(VOXLANE_ERR_SHAPE, "axis 1", call.image.shape[1] = 0);
    STEEPEST(VOXLANE_ERR_SHAPE, "labels: shape [0, 6, 7]", call.labels.shape[0] = 0);
    STEEPEST(VOXLANE_ERR_SHAPE, "[5, 6, 6]", call.labels.shape[2] = 6);
    STEEPEST(VOXLANE_ERR_SHAPE, "mask", call.mask.shape[2] = 6);
    STEEPEST(VOXLANE_ERR_SHAPE, "slope", call.slope.shape[0] = 4);
    STEEPEST(VOXLANE_ERR_SHAPE, "image: shape [5, 6, ", call.image.shape[2] = SIZE_MAX);
    STEEPEST(VOXLANE_ERR_SHAPE, "image: shape [", call.image.shape[0] = call.image.shape[1] = SIZE_MAX / 4);

    STEEPEST(VOXLANE_ERR_STRIDE, "9223372036854775807", call.image.stride[0] = PTRDIFF_MAX);
    STEEPEST(VOXLANE_ERR_STRIDE, "-9223372036854775808", call.image.stride[2] = PTRDIFF_MIN);
    STEEPEST(VOXLANE_ERR_STRIDE, "labels", call.labels.stride[1] = PTRDIFF_MAX / 8);
    STEEPEST(VOXLANE_ERR_STRIDE, "labels", call.labels.stride[1] = 0);
    STEEPEST(VOXLANE_ERR_STRIDE, "[42, 7, 35]", call.labels.stride[2] = 35);
    STEEPEST(VOXLANE_ERR_STRIDE, "[6, 7, 1]", call.labels.stride[0] = 6);
    STEEPEST(VOXLANE_ERR_STRIDE, "slope", call.slope.stride[0] = -7);
    /* As many bytes as not even 128 bits count, in both directions. */
    STEEPEST(VOXLANE_ERR_STRIDE, "image", boundless(&call.image, PTRDIFF_MAX, -1));
    STEEPEST(VOXLANE_ERR_STRIDE, "image", boundless(&call.image, PTRDIFF_MIN, 1));

    STEEPEST(VOXLANE_ERR_ALIGN, "image", call.image.data = (const char *)memory.image + 2);
    STEEPEST(VOXLANE_ERR_ALIGN, "labels", call.labels.data = (char *)memory.labels + 1);
    STEEPEST(VOXLANE_ERR_ALIGN, "slope", call.slope.data = (char *)memory.slope + 4);
    STEEPEST(VOXLANE_ERR_ALIGN, "image", call.image_argument = (const voxlane_array *)((const char *)&call.image + 4));
    STEEPEST(VOXLANE_ERR_ALIGN, "weights", call.options.weights = (const double *)((const char *)memory.weights + 4));
    STEEPEST(VOXLANE_ERR_ALIGN, "labels",
             call.labels_argument = (const voxlane_array_mut *)((const char *)&call.labels + 4));
    STEEPEST(VOXLANE_ERR_ALIGN, "mask", call.options.mask = (const voxlane_array *)((const char *)&call.mask + 4));
    STEEPEST(VOXLANE_ERR_ALIGN, "slope",
             call.options.slope = (const voxlane_array_mut *)((const char *)&call.slope + 4));

    STEEPEST(VOXLANE_ERR_DTYPE, "image: dtype is 0", call.image.dtype = 0);
    STEEPEST(VOXLANE_ERR_DTYPE, "9", call.image.dtype = 9);
    STEEPEST(VOXLANE_ERR_DTYPE, "-1", call.labels.dtype = -1);
    STEEPEST(VOXLANE_ERR_DTYPE, "labels", call.labels.dtype = VOXLANE_I8);
    STEEPEST(VOXLANE_ERR_DTYPE, "labels", call.labels.dtype = VOXLANE_F64);
    STEEPEST(VOXLANE_ERR_DTYPE, "mask", call.mask.dtype = VOXLANE_I8);
    STEEPEST(VOXLANE_ERR_DTYPE, "slope", call.slope.dtype = VOXLANE_I32);
}

static void spoil_grids(void)
{
    GAUSSIANS(VOXLANE_ERR_NULL, "gaussians", call.gaussians_argument = NULL);
    GAUSSIANS(VOXLANE_ERR_NULL, "grid", call.grid_argument = NULL);
    GAUSSIANS(VOXLANE_ERR_NULL, "centers", call.gaussians.centers = NULL);
    GAUSSIANS(VOXLANE_ERR_NULL, "sigmas", call.gaussians.sigmas = NULL);
    GAUSSIANS(VOXLANE_ERR_NULL, "grid", call.grid.values.data = NULL);

    GAUSSIANS(VOXLANE_ERR_SHAPE, "axis 2", call.grid.values.shape[2] = 0);
    GAUSSIANS(VOXLANE_ERR_SHAPE, "grid", call.grid.values.shape[1] = SIZE_MAX / 2);
    GAUSSIANS(VOXLANE_ERR_SHAPE, "18446744073709551615", call.gaussians.count = SIZE_MAX);
    GAUSSIANS(VOXLANE_ERR_STRIDE, "centers", call.gaussians.count = SIZE_MAX / 8);
    GAUSSIANS(VOXLANE_ERR_STRIDE, "centers", call.gaussians.center_stride[0] = PTRDIFF_MAX);
    GAUSSIANS(VOXLANE_ERR_STRIDE, "centers",
              (call.gaussians.count = PTRDIFF_MAX / 4, call.gaussians.center_stride[0] = PTRDIFF_MAX,
               call.gaussians.center_stride[1] = -1));
    GAUSSIANS(VOXLANE_ERR_STRIDE, "amplitudes", call.gaussians.amplitude_stride = PTRDIFF_MIN);
    GAUSSIANS(VOXLANE_ERR_STRIDE, "sigmas", call.gaussians.sigma_stride[1] = PTRDIFF_MAX);
    GAUSSIANS(VOXLANE_ERR_STRIDE, "grid", call.grid.values.stride[0] = 0);
    GAUSSIANS(VOXLANE_ERR_STRIDE, "grid", call.grid.values.stride[2] = PTRDIFF_MAX);

    GAUSSIANS(VOXLANE_ERR_ALIGN, "centers", call.gaussians.centers = (const char *)memory.centers + 4);
    GAUSSIANS(VOXLANE_ERR_ALIGN, "amplitudes", call.gaussians.amplitudes = (const char *)memory.amplitudes + 1);
    GAUSSIANS(VOXLANE_ERR_ALIGN, "sigmas", call.gaussians.sigmas = (const char *)memory.sigmas + 2);
    GAUSSIANS(VOXLANE_ERR_ALIGN, "grid", call.grid.values.data = (char *)memory.grid + 4);
    GAUSSIANS(VOXLANE_ERR_ALIGN, "gaussians",
              call.gaussians_argument = (const voxlane_gaussians *)((const char *)&call.gaussians + 4));
    GAUSSIANS(VOXLANE_ERR_ALIGN, "grid", call.grid_argument = (const voxlane_grid *)((const char *)&call.grid + 4));
    GAUSSIANS(VOXLANE_ERR_ALIGN, "options",
              call.options_argument = (const voxlane_gaussian_options *)((const char *)&call.options + 4));

    GAUSSIANS(VOXLANE_ERR_DTYPE, "gaussians: dtype is 0", call.gaussians.dtype = 0);
    GAUSSIANS(VOXLANE_ERR_DTYPE, "gaussians", call.gaussians.dtype = VOXLANE_I32);
    GAUSSIANS(VOXLANE_ERR_DTYPE, "grid", call.grid.values.dtype = VOXLANE_U8);
    GAUSSIANS(VOXLANE_ERR_DTYPE, "grid: dtype is 77", call.grid.values.dtype = 77);
}

/* The text of an overlap has the first and the end address of either array. */
static void names_addresses(const void *first, size_t bytes)
{
    char range[64];
    snprintf(range, sizeof range, "(0x%llx to 0x%llx)", (unsigned long long)(uintptr_t)first,
             (unsigned long long)((uintptr_t)first + bytes));
    expect(strstr(voxlane_last_error(), range) != NULL, __LINE__, range);
}

static void spoil_apartness(void)
{
    STEEPEST(VOXLANE_ERR_OVERLAP, "labels (0x", call.labels.data = memory.image + 1);
    names_addresses(memory.image, VOXELS * sizeof(float));
    names_addresses(memory.image + 1, VOXELS * sizeof(float));
    GAUSSIANS(VOXLANE_ERR_OVERLAP, "grid (0x", call.grid.values.data = memory.sigmas);
    names_addresses(memory.sigmas, 3 * CENTERS * sizeof(double));
    names_addresses(memory.sigmas, VOXELS * sizeof(double));
    STEEPEST(VOXLANE_ERR_OVERLAP, "labels", call.labels.data = memory.image);
    STEEPEST(VOXLANE_ERR_OVERLAP, "image", call.labels.data = memory.image + VOXELS - 1);
    STEEPEST(VOXLANE_ERR_OVERLAP, "mask", (call.labels.data = memory.mask, call.labels.dtype = VOXLANE_U8));
    STEEPEST(VOXLANE_ERR_OVERLAP, "slope", call.slope.data = memory.labels);
    STEEPEST(VOXLANE_ERR_OVERLAP, "slope", (call.slope.data = memory.image, call.slope.dtype = VOXLANE_F32));
    STEEPEST(VOXLANE_ERR_OVERLAP, "mask", call.mask.data = memory.slope);
    GAUSSIANS(VOXLANE_ERR_OVERLAP, "centers", call.grid.values.data = memory.centers);
    GAUSSIANS(VOXLANE_ERR_OVERLAP, "sigmas", call.grid.values.data = memory.sigmas + 3 * CENTERS - 1);
    GAUSSIANS(VOXLANE_ERR_OVERLAP, "amplitudes", call.grid.values.data = memory.amplitudes + CENTERS - 1);
}

static void interleave(struct steepest_call *call, size_t first_label)
{
    int axis;
    for (axis = 0; axis < 3; ++axis)
        call->image.stride[axis] = call->labels.stride[axis] *= 2;
    call->labels.data = memory.image + first_label;
}

/* Memory that is close but apart, and other things that are no errors. */
static void accept_close(void)
{
    ACCEPT(steepest, call.labels.data = memory.image + VOXELS);
    ACCEPT(steepest, interleave(&call, 1));
    /* No axis jumps over the finer ones, and yet no two elements meet. */
    ACCEPT(steepest, call.labels.stride[2] = 6);
    STEEPEST(VOXLANE_ERR_OVERLAP, "labels", interleave(&call, 2));
    ACCEPT(steepest, call.options_argument = NULL);
    ACCEPT(steepest, call.image.stride[0] = 0);
    ACCEPT(steepest, (call.image.stride[0] = call.image.stride[1] = call.image.stride[2] = 0));
    ACCEPT(steepest, (call.labels.data = memory.labels + VOXELS, call.labels.stride[0] *= -1));
    ACCEPT(steepest, (call.labels.data = (char *)memory.labels + 1, call.labels.dtype = VOXLANE_U8));
    ACCEPT(gaussians, call.options_argument = NULL);
    ACCEPT(gaussians, call.gaussians.amplitudes = NULL);
    ACCEPT(gaussians, call.gaussians.amplitude_stride = 0);
    ACCEPT(gaussians, call.gaussians.sigma_stride[0] = 0);
    ACCEPT(gaussians, call.gaussians.sigma_stride[1] = 0);
    ACCEPT(gaussians, (call.gaussians.count = 0, call.gaussians.centers = call.gaussians.sigmas = NULL));
    /* All centres may be one. */
    ACCEPT(gaussians, call.gaussians.center_stride[0] = 0);
}

void bad_memory(void)
{
    spoil_arrays();
    spoil_grids();
    spoil_apartness();
    accept_close();
}
