/*
 * guard_pages CASES: random calls on arrays between forbidden pages, on the tier of VOXLANE_ISA. Nothing outside
 * the views is read or written, nothing between their elements is written, inputs are not written at all, and
 * the labels do not depend on layout, threads or placement. Nor is anything touched outside of given planes and
 * their halo.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "guard.h"

static char doing[256];

/* The only safe thing left is to say which case it was. */
static void touched(int signal)
{
    static const char text[] = "memory outside a view was touched: ";
    ssize_t written = write(2, text, sizeof text - 1) + write(2, doing, strlen(doing)) + write(2, "\n", 1);
    _exit(written > 0 ? 96 : 128 + signal);
}

static size_t random_length(void)
{
    /* Around the lengths of vectors, where rows end inside, at the end of, and just beyond one. */
    static const size_t lengths[] = {1,  2,  3,  4,  5,  7,  8,  9,  15, 16, 17, 18,
                                     19, 31, 32, 33, 34, 35, 47, 63, 64, 65, 66};
    return random_below(4) == 0 ? 1 + random_below(40) : lengths[random_below(sizeof lengths / sizeof *lengths)];
}

/* Several layouts of one image must give the same labels and slopes. */
static void one_steepest(int number)
{
    enum { TURNS = 3 };
    const size_t shape[3] = {1 + random_below(6), 1 + random_below(9), random_length()};
    const int32_t dtype = (int32_t)(1 + random_below(8)), label_type = random_below(2) ? VOXLANE_U8 : VOXLANE_F32;
    const int32_t slope_type = random_below(2) ? VOXLANE_F32 : VOXLANE_F64;
    const int with_mask = random_below(3) == 0, with_slope = random_below(2) == 0, with_planes = random_below(3) == 0;
    struct guarded model, model_mask, first_labels, first_slope;
    voxlane_steepest_options options;
    size_t from = 0, to = shape[0], i, j, k;
    int turn, axis;

    voxlane_steepest_options_init(&options);
    options.direction = (int32_t)random_below(2);
    options.minima = (int32_t)random_below(3);
    for (axis = 0; axis < 3; ++axis)
        options.border[axis] = (int32_t)random_below(3);
    if (with_planes) {
        options.planes[0] = from = random_below((uint32_t)shape[0]);
        options.planes[1] = to = from + 1 + random_below((uint32_t)(shape[0] - from));
    }
    guarded_new(&model, shape, dtype, 0, AT_START);
    guarded_fill(&model, random_below(2) ? 3 : 1000);
    guarded_new(&model_mask, shape, VOXLANE_U8, 0, AT_START);
    guarded_fill(&model_mask, 3);
    for (turn = 0; turn < TURNS; ++turn) {
        struct guarded image, mask, labels, slope;
        voxlane_array mask_view;
        voxlane_array_mut slope_view, labels_view;
        voxlane_array image_view;
        const uint32_t layout = turn == 0 ? 0 : random_below(6);
        const int placement = turn == 0 ? AT_START : turn == 1 ? AT_END : (int)random_below(2);
        size_t wrong = 0;

        guarded_new(&image, shape, dtype, layout, placement);
        guarded_new(&mask, shape, VOXLANE_U8, random_below(6), placement);
        guarded_new(&labels, shape, label_type, random_below(6), placement);
        guarded_new(&slope, shape, slope_type, random_below(6), placement);
        for (i = 0; i < shape[0]; ++i)
            for (j = 0; j < shape[1]; ++j)
                for (k = 0; k < shape[2]; ++k) {
                    memcpy(guarded_at(&image, i, j, k), guarded_at(&model, i, j, k), element_size(dtype));
                    *guarded_at(&mask, i, j, k) = *guarded_at(&model_mask, i, j, k);
                }
        guarded_freeze(&image);
        guarded_freeze(&mask);
        image_view = guarded_view(&image);
        mask_view = guarded_view(&mask);
        labels_view = guarded_view_mut(&labels);
        slope_view = guarded_view_mut(&slope);
        options.mask = with_mask ? &mask_view : NULL;
        options.slope = with_slope ? &slope_view : NULL;
        options.threads = turn == 2 ? 3 : 1;
        snprintf(doing, sizeof doing, "steepest %d.%d: shape %u %u %u, image type %d, layout %u, at %d", number, turn,
                 (unsigned)shape[0], (unsigned)shape[1], (unsigned)shape[2], dtype, layout, placement);
        CHECK(voxlane_steepest(&image_view, &labels_view, &options) == VOXLANE_OK, "%s: %s", doing,
              voxlane_last_error());
        CHECK(guarded_gaps_hold(&labels, from, to), "%s: written between or beside the labels", doing);
        CHECK(guarded_gaps_hold(&slope, with_slope ? from : 0, with_slope ? to : 0), "%s: beside the slopes", doing);
        if (turn == 0) {
            first_labels = labels;
            first_slope = slope;
        } else {
            for (i = from; i < to; ++i)
                for (j = 0; j < shape[1]; ++j)
                    for (k = 0; k < shape[2]; ++k) {
                        wrong += memcmp(guarded_at(&labels, i, j, k), guarded_at(&first_labels, i, j, k),
                                        element_size(label_type)) != 0;
                        wrong += with_slope && memcmp(guarded_at(&slope, i, j, k), guarded_at(&first_slope, i, j, k),
                                                      element_size(slope_type)) != 0;
                    }
            CHECK(wrong == 0, "%s: %u labels or slopes differ from the dense ones", doing, (unsigned)wrong);
            guarded_free(&labels);
            guarded_free(&slope);
        }
        guarded_free(&image);
        guarded_free(&mask);
    }
    guarded_free(&first_labels);
    guarded_free(&first_slope);
    guarded_free(&model);
    guarded_free(&model_mask);
}

/* An array whose planes begin at pages. */
static void planes_of_pages(struct guarded *array, const size_t shape[3], int32_t dtype)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = element_size(dtype);
    const size_t row = shape[2] + random_below(3), plane = shape[1] * row * size;
    ptrdiff_t stride[3] = {0, (ptrdiff_t)row, 1};
    stride[0] = (ptrdiff_t)((plane + page - 1) / page * page / size);
    if (random_below(4) == 0) {
        stride[1] = 1;
        stride[2] = (ptrdiff_t)shape[1];
    }
    guarded_strided(array, shape, stride, dtype, AT_START);
}

/* From now on only planes `low` to below `high` may be touched. */
static void only_planes(const struct guarded *array, size_t low, size_t high)
{
    const size_t plane = (size_t)array->stride[0] * element_size(array->dtype);
    const size_t all = array->page_bytes - (size_t)(array->span - array->pages);
    if (mprotect(array->span, low * plane, PROT_NONE) != 0)
        abort();
    if (high < array->shape[0] && mprotect(array->span + high * plane, all - high * plane, PROT_NONE) != 0)
        abort();
}

/* With `planes`, image and mask are read in these and one on either side alone, and outputs touched in these. */
static void one_slab(int number)
{
    const size_t shape[3] = {3 + random_below(24), 1 + random_below(40), random_length() + 16 * random_below(3)};
    const int32_t dtype = (int32_t)(1 + random_below(8));
    const size_t from = random_below((uint32_t)shape[0]);
    const size_t to = from + 1 + random_below((uint32_t)(shape[0] - from < 9 ? shape[0] - from : 9));
    const size_t low = from > 0 ? from - 1 : 0, high = to < shape[0] ? to + 1 : to;
    struct guarded image, mask, labels, slope;
    voxlane_array image_view, mask_view;
    voxlane_array_mut labels_view, slope_view;
    voxlane_steepest_options options;
    int axis;

    planes_of_pages(&image, shape, dtype);
    planes_of_pages(&mask, shape, VOXLANE_U8);
    planes_of_pages(&labels, shape, random_below(4) ? VOXLANE_U8 : VOXLANE_F32);
    planes_of_pages(&slope, shape, random_below(2) ? VOXLANE_F32 : VOXLANE_F64);
    guarded_fill(&image, random_below(2) ? 3 : 1000);
    guarded_fill(&mask, 3);
    only_planes(&image, low, high);
    only_planes(&mask, low, high);
    only_planes(&labels, from, to);
    only_planes(&slope, from, to);
    image_view = guarded_view(&image);
    mask_view = guarded_view(&mask);
    labels_view = guarded_view_mut(&labels);
    slope_view = guarded_view_mut(&slope);
    voxlane_steepest_options_init(&options);
    options.direction = (int32_t)random_below(2);
    options.minima = (int32_t)random_below(3);
    for (axis = 0; axis < 3; ++axis)
        options.border[axis] = (int32_t)random_below(3);
    /* Else the halo would be at the other end. */
    if (options.border[0] == VOXLANE_BORDER_PERIODIC && (from == 0 || to == shape[0]))
        options.border[0] = VOXLANE_BORDER_INSIDE;
    options.planes[0] = from;
    options.planes[1] = to;
    options.mask = random_below(3) == 0 ? &mask_view : NULL;
    options.slope = random_below(2) == 0 ? &slope_view : NULL;
    options.threads = 1 + (int32_t)random_below(3);
    snprintf(doing, sizeof doing, "slab %d: planes %u to %u of %u %u %u, image type %d, mask %d", number, (unsigned)from,
             (unsigned)to, (unsigned)shape[0], (unsigned)shape[1], (unsigned)shape[2], dtype, options.mask != NULL);
    CHECK(voxlane_steepest(&image_view, &labels_view, &options) == VOXLANE_OK, "%s: %s", doing, voxlane_last_error());
    guarded_free(&image);
    guarded_free(&mask);
    guarded_free(&labels);
    guarded_free(&slope);
}

/* A table in guarded memory, as an array whose last axis has one element. */
static void table(struct guarded *values, size_t rows, size_t columns, int32_t dtype, uint32_t high, int placement)
{
    const size_t shape[3] = {rows, columns, 1};
    guarded_new(values, shape, dtype, random_below(6), placement);
    guarded_fill(values, high);
}

static void one_sum(int number)
{
    const size_t shape[3] = {random_length(), 1 + random_below(20), random_length()};
    const size_t count = 1 + random_below(200);
    const int32_t dtype = random_below(2) ? VOXLANE_F32 : VOXLANE_F64;
    const int32_t type = random_below(2) ? VOXLANE_F32 : VOXLANE_F64;
    const int placement = (int)random_below(2);
    struct guarded centers, amplitudes, sigmas, values;
    voxlane_gaussians gaussians;
    voxlane_gaussian_options options;
    voxlane_grid grid;
    size_t i, j, k;
    int axis;

    table(&centers, count, 3, dtype, 40, placement);
    table(&amplitudes, random_below(3) ? count : 1, 1, dtype, 9, placement);
    table(&sigmas, random_below(2) ? count : 1, random_below(2) ? 3 : 1, dtype, 3, placement);
    for (i = 0; i < sigmas.shape[0]; ++i)
        for (j = 0; j < sigmas.shape[1]; ++j) {
            /* 0, 1 and 2 become 0.75, 1.25 and 1.75. */
            float single;
            double twice;
            memcpy(&single, guarded_at(&sigmas, i, j, 0), sizeof single);
            if (dtype == VOXLANE_F32) {
                single = 0.75f + 0.5f * single;
                memcpy(guarded_at(&sigmas, i, j, 0), &single, sizeof single);
            } else {
                memcpy(&twice, guarded_at(&sigmas, i, j, 0), sizeof twice);
                twice = 0.75 + 0.5 * twice;
                memcpy(guarded_at(&sigmas, i, j, 0), &twice, sizeof twice);
            }
        }
    guarded_new(&values, shape, type, random_below(6), placement);
    memset(&gaussians, 0, sizeof gaussians);
    gaussians.count = count;
    gaussians.dtype = dtype;
    gaussians.centers = centers.first;
    gaussians.center_stride[0] = centers.stride[0];
    gaussians.center_stride[1] = centers.stride[1];
    gaussians.amplitudes = random_below(4) ? amplitudes.first : NULL;
    gaussians.amplitude_stride = amplitudes.shape[0] == 1 ? 0 : amplitudes.stride[0];
    gaussians.sigmas = sigmas.first;
    gaussians.sigma_stride[0] = sigmas.shape[0] == 1 ? 0 : sigmas.stride[0];
    gaussians.sigma_stride[1] = sigmas.shape[1] == 1 ? 0 : sigmas.stride[1];
    grid.values = guarded_view_mut(&values);
    voxlane_gaussian_options_init(&options);
    for (axis = 0; axis < 3; ++axis) {
        grid.origin[axis] = -0.25 * axis;
        grid.spacing[axis] = 0.5 + 0.25 * random_below(4);
        options.periodic[axis] = random_below(4) == 0;
    }
    options.support = (int32_t)random_below(2);
    options.normalization = random_below(2) ? VOXLANE_NORM_PEAK : VOXLANE_NORM_INTEGRAL;
    options.accumulate = random_below(2) == 0;
    options.threads = 1 + (int32_t)random_below(3);
    if (options.accumulate)
        for (i = 0; i < shape[0]; ++i)
            for (j = 0; j < shape[1]; ++j)
                for (k = 0; k < shape[2]; ++k)
                    memset(guarded_at(&values, i, j, k), 0, element_size(type));
    guarded_freeze(&centers);
    guarded_freeze(&amplitudes);
    guarded_freeze(&sigmas);
    snprintf(doing, sizeof doing, "sum %d: shape %u %u %u, %u centres, types %d and %d, support %d, at %d", number,
             (unsigned)shape[0], (unsigned)shape[1], (unsigned)shape[2], (unsigned)count, dtype, type, options.support,
             placement);
    CHECK(voxlane_sum_gaussians(&gaussians, &grid, &options) == VOXLANE_OK, "%s: %s", doing, voxlane_last_error());
    CHECK(guarded_gaps_hold(&values, 0, shape[0]), "%s: written between the values", doing);
    guarded_free(&centers);
    guarded_free(&amplitudes);
    guarded_free(&sigmas);
    guarded_free(&values);
}

int main(int argc, char **argv)
{
    int cases = argc > 1 ? atoi(argv[1]) : 100, number;
    signal(SIGSEGV, touched);
    signal(SIGBUS, touched);
    for (number = 0; number < cases; ++number) {
        one_steepest(number);
        one_slab(number);
        one_sum(number);
    }
    return checks_done("guard pages");
}
