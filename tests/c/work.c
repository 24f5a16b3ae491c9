#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "voxlane.h"

enum { N = 40, VOXELS = N * N * N, CENTERS = 4000 };

static float image[VOXELS], right_labels[VOXELS], right_sum[VOXELS];
static double centers[3 * CENTERS];

static voxlane_status label(int32_t threads, float *labels)
{
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    voxlane_steepest_options_init(&options);
    options.threads = threads;
    return voxlane_steepest(&source, &target, &options);
}

static voxlane_status sum(int32_t threads, float *values)
{
    double sigma = 1.0;
    voxlane_gaussians gaussians = {CENTERS, VOXLANE_F64, 0, centers, {3, 1}, NULL, 0, &sigma, {0, 0}};
    voxlane_grid grid = {{values, {N, N, N}, {N * N, N, 1}, VOXLANE_F32}, {0, 0, 0}, {1, 1, 1}};
    voxlane_gaussian_options options;
    voxlane_gaussian_options_init(&options);
    options.threads = threads;
    return voxlane_sum_gaussians(&gaussians, &grid, &options);
}

static void make_input(void)
{
    uint32_t state = 1;
    int i;
    for (i = 0; i < VOXELS; ++i) {
        state = state * 1664525u + 1013904223u;
        image[i] = (float)(state >> 20);
    }
    for (i = 0; i < 3 * CENTERS; ++i) {
        state = state * 1664525u + 1013904223u;
        centers[i] = (state >> 8) * (double)N / (1 << 24);
    }
}

void work_prepare(void)
{
    make_input();
    if (label(1, right_labels) != VOXLANE_OK || sum(1, right_sum) != VOXLANE_OK)
        abort();
}

int work(int32_t threads)
{
    float *results = malloc(2 * VOXELS * sizeof *results);
    int wrong = 0;
    if (results == NULL)
        abort();
    memset(results, 0xA5, 2 * VOXELS * sizeof *results);
    if (label(threads, results) != VOXLANE_OK)
        wrong = 1;
    else if (memcmp(results, right_labels, sizeof right_labels) != 0)
        wrong = 2;
    else if (sum(threads, results + VOXELS) != VOXLANE_OK)
        wrong = 3;
    else if (memcmp(results + VOXELS, right_sum, sizeof right_sum) != 0)
        wrong = 4;
    free(results);
    return wrong;
}
