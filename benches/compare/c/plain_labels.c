/* Steepest neighbour as one writes it down: for every inner voxel, all 27 places in turn. In two ways, because compilers
 * differ in which they make faster code of: clang vectorises nested loops, gcc does better with a table of offsets. With
 * -fopenmp, planes go to threads. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    ptrdiff_t planes, rows, voxels, offset[27];
    double weight[27];
} geometry;

static geometry prepare(const int64_t shape[3], uint8_t *labels) {
    geometry g = {.planes = shape[0], .rows = shape[1], .voxels = shape[2]};
    for (int i = 0; i < 27; i++) {
        const int z = i / 9 - 1, y = i / 3 % 3 - 1, x = i % 3 - 1;
        g.offset[i] = (z * g.rows + y) * g.voxels + x;
        g.weight[i] = i == 13 ? 0.0 : 1.0 / sqrt(z * z + y * y + x * x);
    }
    memset(labels, 0, (size_t)(g.planes * g.rows * g.voxels)); /* the faces keep it */
    return g;
}

#define FOR_INNER_VOXELS                                                                                      \
    _Pragma("omp parallel for schedule(static)") for (ptrdiff_t z = 1; z < g.planes - 1; z++)                 \
        for (ptrdiff_t y = 1; y < g.rows - 1; y++)                                                            \
            for (ptrdiff_t x = 1; x < g.voxels - 1; x++)

/* DIFFERENCE is the type in which two values are subtracted. The centre takes part with score -100. */
#define PLAIN_LABELS(TYPE, DIFFERENCE, SUFFIX)                                                                \
    void nested_loops_##SUFFIX(const TYPE *restrict image, const int64_t shape[3], uint8_t *restrict labels) { \
        const geometry g = prepare(shape, labels);                                                            \
        FOR_INNER_VOXELS {                                                                                    \
            const TYPE *at = image + (z * g.rows + y) * g.voxels + x;                                         \
            double best = -INFINITY;                                                                          \
            int label = 0, i = 0;                                                                             \
            for (int dz = -1; dz <= 1; dz++)                                                                  \
                for (int dy = -1; dy <= 1; dy++)                                                              \
                    for (int dx = -1; dx <= 1; dx++, i++) {                                                   \
                        const DIFFERENCE d =                                                                  \
                            (DIFFERENCE)*at - (DIFFERENCE)at[(dz * g.rows + dy) * g.voxels + dx];             \
                        const double score = i == 13 ? -100.0 : (double)d * g.weight[i];                      \
                        if (score > best) {                                                                   \
                            best = score;                                                                     \
                            label = i;                                                                        \
                        }                                                                                     \
                    }                                                                                         \
            labels[(z * g.rows + y) * g.voxels + x] = (uint8_t)label;                                         \
        }                                                                                                     \
    }                                                                                                         \
    void offset_table_##SUFFIX(const TYPE *restrict image, const int64_t shape[3], uint8_t *restrict labels) { \
        const geometry g = prepare(shape, labels);                                                            \
        FOR_INNER_VOXELS {                                                                                    \
            const TYPE *at = image + (z * g.rows + y) * g.voxels + x;                                         \
            double best = -INFINITY;                                                                          \
            uint8_t label = 0;                                                                                \
            for (int i = 0; i < 27; i++) {                                                                    \
                const DIFFERENCE d = (DIFFERENCE)*at - (DIFFERENCE)at[g.offset[i]];                           \
                const double score = i == 13 ? -100.0 : (double)d * g.weight[i];                              \
                if (score > best) {                                                                           \
                    best = score;                                                                             \
                    label = (uint8_t)i;                                                                       \
                }                                                                                             \
            }                                                                                                 \
            labels[(z * g.rows + y) * g.voxels + x] = label;                                                  \
        }                                                                                                     \
    }

PLAIN_LABELS(float, float, float32)
PLAIN_LABELS(int16_t, float, int16)
PLAIN_LABELS(uint8_t, float, uint8)
