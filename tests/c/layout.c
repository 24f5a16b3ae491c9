/* Prints size and alignment of every struct of the header, and offset and size of every field: one a line. */
#include <stdio.h>

#include "voxlane.h"

#define STRUCT(type)                                                       \
    do {                                                                   \
        struct aligned {                                                   \
            char first;                                                    \
            type value;                                                    \
        };                                                                 \
        printf(#type " %u %u\n", (unsigned)sizeof(type), (unsigned)offsetof(struct aligned, value)); \
    } while (0)
#define FIELD(type, field) \
    printf(#type "." #field " %u %u\n", (unsigned)offsetof(type, field), (unsigned)sizeof(((type *)0)->field))

int main(void)
{
    STRUCT(voxlane_array);
    FIELD(voxlane_array, data);
    FIELD(voxlane_array, shape);
    FIELD(voxlane_array, stride);
    FIELD(voxlane_array, dtype);
    STRUCT(voxlane_array_mut);
    FIELD(voxlane_array_mut, data);
    FIELD(voxlane_array_mut, shape);
    FIELD(voxlane_array_mut, stride);
    FIELD(voxlane_array_mut, dtype);
    STRUCT(voxlane_steepest_options);
    FIELD(voxlane_steepest_options, struct_size);
    FIELD(voxlane_steepest_options, direction);
    FIELD(voxlane_steepest_options, minima);
    FIELD(voxlane_steepest_options, border);
    FIELD(voxlane_steepest_options, isa);
    FIELD(voxlane_steepest_options, threads);
    FIELD(voxlane_steepest_options, reserved);
    FIELD(voxlane_steepest_options, spacing);
    FIELD(voxlane_steepest_options, weights);
    FIELD(voxlane_steepest_options, mask);
    FIELD(voxlane_steepest_options, slope);
    FIELD(voxlane_steepest_options, planes);
    FIELD(voxlane_steepest_options, progress);
    FIELD(voxlane_steepest_options, progress_user);
    STRUCT(voxlane_gaussians);
    FIELD(voxlane_gaussians, count);
    FIELD(voxlane_gaussians, dtype);
    FIELD(voxlane_gaussians, reserved);
    FIELD(voxlane_gaussians, centers);
    FIELD(voxlane_gaussians, center_stride);
    FIELD(voxlane_gaussians, amplitudes);
    FIELD(voxlane_gaussians, amplitude_stride);
    FIELD(voxlane_gaussians, sigmas);
    FIELD(voxlane_gaussians, sigma_stride);
    STRUCT(voxlane_grid);
    FIELD(voxlane_grid, values);
    FIELD(voxlane_grid, origin);
    FIELD(voxlane_grid, spacing);
    STRUCT(voxlane_gaussian_options);
    FIELD(voxlane_gaussian_options, struct_size);
    FIELD(voxlane_gaussian_options, normalization);
    FIELD(voxlane_gaussian_options, support);
    FIELD(voxlane_gaussian_options, sampling);
    FIELD(voxlane_gaussian_options, periodic);
    FIELD(voxlane_gaussian_options, accumulate);
    FIELD(voxlane_gaussian_options, isa);
    FIELD(voxlane_gaussian_options, threads);
    FIELD(voxlane_gaussian_options, reserved);
    FIELD(voxlane_gaussian_options, eps);
    FIELD(voxlane_gaussian_options, progress);
    FIELD(voxlane_gaussian_options, progress_user);
    return 0;
}
