/* Sums of Gaussians of one sigma as one writes them down, in two ways. Lengths are in voxels and `reach` is the
 * half width of the box in which a centre counts. The grid is overwritten. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#else
static int omp_get_thread_num(void) { return 0; }
static int omp_get_num_threads(void) { return 1; }
#endif

static ptrdiff_t first(double center, double reach, ptrdiff_t low) {
    const ptrdiff_t at = (ptrdiff_t)ceil(center - reach);
    return at < low ? low : at;
}

static ptrdiff_t last(double center, double reach, ptrdiff_t high) {
    const ptrdiff_t at = (ptrdiff_t)floor(center + reach);
    return at > high ? high : at;
}

/* One exponential for each voxel and centre: what molecular viewers do. */
void plain_sums_exp(const double *centers, int64_t count, double sigma, double reach, const int64_t shape[3],
                    float *grid) {
    const ptrdiff_t row = shape[2], plane = row * shape[1];
    memset(grid, 0, sizeof *grid * (size_t)(plane * shape[0]));
    for (int64_t i = 0; i < count; i++) {
        const double *c = centers + 3 * i;
        for (ptrdiff_t z = first(c[0], reach, 0); z <= last(c[0], reach, shape[0] - 1); z++)
            for (ptrdiff_t y = first(c[1], reach, 0); y <= last(c[1], reach, shape[1] - 1); y++)
                for (ptrdiff_t x = first(c[2], reach, 0); x <= last(c[2], reach, shape[2] - 1); x++) {
                    const double dz = ((double)z - c[0]) / sigma, dy = ((double)y - c[1]) / sigma,
                                 dx = ((double)x - c[2]) / sigma;
                    grid[z * plane + y * row + x] += (float)exp(-0.5 * (dz * dz + dy * dy + dx * dx));
                }
    }
}

static void factors(double center, double sigma, ptrdiff_t from, ptrdiff_t to, float *factor) {
    for (ptrdiff_t k = from; k <= to; k++) {
        const double d = ((double)k - center) / sigma;
        factor[k - from] = (float)exp(-0.5 * d * d);
    }
}

/* Three factors a centre and a product for each voxel. Every thread owns a slab of planes, so that none waits. */
void plain_sums_separable(const double *centers, int64_t count, double sigma, double reach, const int64_t shape[3],
                          float *grid) {
    const ptrdiff_t row = shape[2], plane = row * shape[1];
#pragma omp parallel
    {
        const ptrdiff_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        const ptrdiff_t low = shape[0] * thread / threads, high = shape[0] * (thread + 1) / threads - 1;
        const size_t width = (size_t)(2 * reach) + 2;
        float *fz = malloc(3 * width * sizeof *fz), *fy = fz + width, *fx = fy + width;
        memset(grid + low * plane, 0, sizeof *grid * (size_t)((high - low + 1) * plane));
        for (int64_t i = 0; i < count; i++) {
            const double *c = centers + 3 * i;
            const ptrdiff_t z0 = first(c[0], reach, low), z1 = last(c[0], reach, high);
            const ptrdiff_t y0 = first(c[1], reach, 0), y1 = last(c[1], reach, shape[1] - 1);
            const ptrdiff_t x0 = first(c[2], reach, 0), x1 = last(c[2], reach, shape[2] - 1);
            if (z0 > z1 || y0 > y1 || x0 > x1)
                continue;
            factors(c[0], sigma, z0, z1, fz);
            factors(c[1], sigma, y0, y1, fy);
            factors(c[2], sigma, x0, x1, fx);
            for (ptrdiff_t z = z0; z <= z1; z++)
                for (ptrdiff_t y = y0; y <= y1; y++) {
                    const float product = fz[z - z0] * fy[y - y0];
                    float *to = grid + z * plane + y * row;
                    for (ptrdiff_t x = x0; x <= x1; x++)
                        to[x] += product * fx[x - x0];
                }
        }
        free(fz);
    }
}
