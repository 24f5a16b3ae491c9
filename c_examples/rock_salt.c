/* The electron density of rock salt in its periodic unit cell, and its maxima.
 *
 *     rock_salt [THREADS]
 *
 * Eight ions, each a Gaussian whose integral is its electrons, on a grid that repeats: what leaves the
 * cell at one face enters at the other. So the density's sum times the volume of a voxel is the number of electrons
 * in the cell, and the maxima, found with wrapping borders, are the ions, those in the corners among them.
 *
 * Exit status: 0 done, 1 the result is not as expected, 2 bad input, 3 the run failed.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "voxlane.h"

enum { IONS = 8, N = 64, VOXELS = N * N * N };

/* Angstrom. */
static const double edge = 5.64, widths[2] = {0.35, 0.5};
static const double electrons[2] = {10, 18}; /* sodium, chloride */

static int failed(const char *call)
{
    fprintf(stderr, "rock_salt: %s: %s\n", call, voxlane_last_error());
    return 3;
}

int main(int argc, char **argv)
{
    static double density[VOXELS];
    static uint8_t labels[VOXELS];
    double centers[IONS][3], amplitudes[IONS], sigmas[IONS];
    const double spacing = edge / N;
    char *end = NULL;
    const long threads = argc > 1 ? strtol(argv[1], &end, 10) : 0;

    if (argc > 2 || threads < 0 || threads > 1024 || (argc > 1 && (end == argv[1] || *end != '\0'))) {
        fprintf(stderr, "rock_salt: one argument at most, the number of threads, 0 to 1024\n");
        return 2;
    }
    /* Two face-centred lattices, half an edge apart. */
    for (int i = 0; i < IONS; i++) {
        const int corner = i % 4, chloride = i / 4;
        for (int axis = 0; axis < 3; axis++) {
            const int half = (corner != 0 && corner - 1 != axis) + (chloride && axis == 0);
            centers[i][axis] = edge / 2 * half;
        }
        amplitudes[i] = electrons[chloride];
        sigmas[i] = widths[chloride];
    }

    /* [readme-begin] */
    const voxlane_gaussians ions = {
        .count = IONS, .dtype = VOXLANE_F64,
        .centers = centers, .center_stride = {3, 1},
        .amplitudes = amplitudes, .amplitude_stride = 1,
        .sigmas = sigmas, .sigma_stride = {1, 0}, /* one an ion, the same on its axes */
    };
    const voxlane_grid cell = {
        .values = {density, {N, N, N}, {N * N, N, 1}, VOXLANE_F64},
        .origin = {0, 0, 0},
        .spacing = {spacing, spacing, spacing}, /* the period is N * spacing */
    };
    voxlane_gaussian_options how;
    voxlane_gaussian_options_init(&how);
    how.normalization = VOXLANE_NORM_INTEGRAL;
    how.periodic[0] = how.periodic[1] = how.periodic[2] = 1;
    how.eps = 1e-10;
    how.threads = (int32_t)threads;
    voxlane_status status = voxlane_sum_gaussians(&ions, &cell, &how);
    /* [readme-end] */
    if (status != VOXLANE_OK)
        return failed("voxlane_sum_gaussians");

    const voxlane_array image = {density, {N, N, N}, {N * N, N, 1}, VOXLANE_F64};
    const voxlane_array_mut out = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_U8};
    voxlane_steepest_options rule;
    voxlane_steepest_options_init(&rule);
    rule.direction = VOXLANE_ASCENT;
    rule.minima = VOXLANE_MINIMA_FLAT;
    rule.border[0] = rule.border[1] = rule.border[2] = VOXLANE_BORDER_PERIODIC;
    rule.threads = (int32_t)threads;
    if (voxlane_steepest(&image, &out, &rule) != VOXLANE_OK)
        return failed("voxlane_steepest");

    double sum = 0;
    int maxima = 0;
    for (int i = 0; i < VOXELS; i++) {
        sum += density[i];
        maxima += labels[i] == VOXLANE_LABEL_CENTER;
    }
    sum *= spacing * spacing * spacing;
    const double expected = IONS / 2 * (electrons[0] + electrons[1]);
    printf("cell_electrons: %.6f\n", sum);
    printf("cell_maxima: %d\n", maxima);
    if (fabs(sum - expected) > 1e-6 || maxima != IONS) {
        fprintf(stderr, "rock_salt: not %g electrons and %d maxima\n", expected, IONS);
        return 1;
    }
    return 0;
}
