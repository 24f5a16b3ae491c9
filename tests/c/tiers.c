/*
 * tiers: prints the names of the instruction-set tiers that this machine runs, lowest first, and says which it lacks.
 * tiers ISA: prints the bits of a sum that is computed with this number in its options.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voxlane.h"

static int bits_of_a_sum(int32_t isa)
{
    enum { N = 12, VOXELS = N * N * N };
    static float values[VOXELS];
    const float centers[6] = {3.3f, 4.1f, 5.7f, 8.2f, 6.9f, 2.4f}, sigma = 1.7f;
    voxlane_gaussians gaussians = {2, VOXLANE_F32, 0, centers, {3, 1}, NULL, 0, &sigma, {0, 0}};
    voxlane_grid grid = {{values, {N, N, N}, {N * N, N, 1}, VOXLANE_F32}, {0, 0, 0}, {1, 1, 1}};
    voxlane_gaussian_options options;
    int i;
    voxlane_gaussian_options_init(&options);
    options.isa = isa;
    if (voxlane_sum_gaussians(&gaussians, &grid, &options) != VOXLANE_OK) {
        fprintf(stderr, "%s\n", voxlane_last_error());
        return 1;
    }
    for (i = 0; i < VOXELS; ++i) {
        unsigned bits;
        memcpy(&bits, &values[i], sizeof bits);
        printf("%08x\n", bits);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int32_t isa;
    if (argc == 2)
        return bits_of_a_sum((int32_t)atoi(argv[1]));
    for (isa = VOXLANE_ISA_PORTABLE; isa <= VOXLANE_ISA_AVX512; ++isa)
        if (voxlane_isa_supported(isa))
            puts(voxlane_isa_name(isa));
        else
            fprintf(stderr, "SKIPPED: tier %s, which this machine does not run\n", voxlane_isa_name(isa));
    return 0;
}
