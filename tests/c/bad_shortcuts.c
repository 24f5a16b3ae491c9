/* The two functions of the questions, which take no structs. (Arrays have a number more, for those that are misaligned.) */
#include "bad_input.h"

#include <math.h>

#define CREATE_LABEL(expected, text, ...)                                                                    \
    do {                                                                                                     \
        struct steepest_call call;                                                                           \
        size_t shape[4] = {NZ, NY, NX};                                                                      \
        good_steepest(&call);                                                                                \
        before_call();                                                                                       \
        after_refusal(voxlane_create_label(__VA_ARGS__), expected, text, "create_label: " #__VA_ARGS__, __LINE__); \
        (void)shape;                                                                                         \
    } while (0)

#define GAUSS_GRID(expected, text, ...)                                                                      \
    do {                                                                                                     \
        struct gaussians_call call;                                                                          \
        size_t shape[4] = {NZ, NY, NX};                                                                      \
        double zero[4] = {0.0, 0.0, 0.0}, one[4] = {1.0, 1.0, 1.0};                                          \
        good_gaussians(&call);                                                                               \
        before_call();                                                                                       \
        after_refusal(voxlane_gauss_grid(__VA_ARGS__), expected, text, "gauss_grid: " #__VA_ARGS__, __LINE__); \
        (void)shape, (void)zero, (void)one;                                                                  \
    } while (0)

#define IMAGE memory.image
#define LABELS ((float *)(void *)memory.labels)
#define CENTER memory.centers
#define GRID ((float *)(void *)memory.grid)

void bad_shortcuts(void)
{
    size_t empty[3] = {5, 0, 7}, large[3] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    size_t wraps[3] = {(size_t)1 << 32, (size_t)1 << 32, 1}, planes[3] = {1, SIZE_MAX, 1};

    CREATE_LABEL(VOXLANE_ERR_NULL, "image", NULL, shape, LABELS);
    CREATE_LABEL(VOXLANE_ERR_NULL, "shape", IMAGE, NULL, LABELS);
    CREATE_LABEL(VOXLANE_ERR_NULL, "labels", IMAGE, shape, NULL);
    CREATE_LABEL(VOXLANE_ERR_SHAPE, "[5, 0, 7]", IMAGE, empty, LABELS);
    CREATE_LABEL(VOXLANE_ERR_SHAPE, "18446744073709551615", IMAGE, large, LABELS);
    CREATE_LABEL(VOXLANE_ERR_SHAPE, "4294967296", IMAGE, wraps, LABELS);
    CREATE_LABEL(VOXLANE_ERR_SHAPE, "18446744073709551615", IMAGE, planes, LABELS);
    CREATE_LABEL(VOXLANE_ERR_OVERLAP, "image", IMAGE, shape, IMAGE);
    CREATE_LABEL(VOXLANE_ERR_OVERLAP, "image", IMAGE, shape, IMAGE + VOXELS - 1);
    CREATE_LABEL(VOXLANE_ERR_ALIGN, "image", (const float *)(const void *)((const char *)IMAGE + 1), shape, LABELS);
    CREATE_LABEL(VOXLANE_ERR_ALIGN, "shape", IMAGE, (const size_t *)(const void *)((const char *)shape + 4), LABELS);

    GAUSS_GRID(VOXLANE_ERR_NULL, "centers", NULL, 2, 1.0, 0.0, shape, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_NULL, "shape", CENTER, 2, 1.0, 0.0, NULL, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_NULL, "origin", CENTER, 2, 1.0, 0.0, shape, NULL, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_NULL, "spacing", CENTER, 2, 1.0, 0.0, shape, zero, NULL, GRID);
    GAUSS_GRID(VOXLANE_ERR_NULL, "grid", CENTER, 2, 1.0, 0.0, shape, zero, one, NULL);
    GAUSS_GRID(VOXLANE_ERR_SHAPE, "[5, 0, 7]", CENTER, 2, 1.0, 0.0, empty, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_SHAPE, "4294967296", CENTER, 2, 1.0, 0.0, wraps, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_VALUE, "spacing of axis 0 is 0", CENTER, 2, 1.0, 0.0, shape, zero, zero, GRID);
    GAUSS_GRID(VOXLANE_ERR_VALUE, "sigma", CENTER, 2, 0.0, 0.0, shape, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_VALUE, "NaN", CENTER, 2, NAN, 0.0, shape, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_OPTION, "eps is 2", CENTER, 2, 1.0, 2.0, shape, zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_OVERLAP, "centers", CENTER, 2, 1.0, 0.0, shape, zero, one, (float *)(void *)CENTER);
    GAUSS_GRID(VOXLANE_ERR_ALIGN, "grid", CENTER, 2, 1.0, 0.0, shape, zero, one,
               (float *)(void *)((char *)memory.grid + 2));
    GAUSS_GRID(VOXLANE_ERR_ALIGN, "shape", CENTER, 2, 1.0, 0.0, (const size_t *)(const void *)((const char *)shape + 4),
               zero, one, GRID);
    GAUSS_GRID(VOXLANE_ERR_ALIGN, "origin", CENTER, 2, 1.0, 0.0, shape,
               (const double *)(const void *)((const char *)zero + 4), one, GRID);
    GAUSS_GRID(VOXLANE_ERR_ALIGN, "spacing", CENTER, 2, 1.0, 0.0, shape, zero,
               (const double *)(const void *)((const char *)one + 4), GRID);
    /* Nothing to fill is nothing to do wrong. */
    voxlane_steepest_options_init(NULL);
    voxlane_gaussian_options_init(NULL);
}

void bad_environment_shortcuts(voxlane_status expected, const char *text)
{
    CREATE_LABEL(expected, text, IMAGE, shape, LABELS);
    GAUSS_GRID(expected, text, CENTER, 2, 1.0, 0.0, shape, zero, one, GRID);
}
