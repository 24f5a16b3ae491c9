/* What the machine allows, best of several tries: reading a float and writing a byte for each voxel, overwriting a
 * float grid with zeros, and multiply-adds of floats in registers. Prints ns a voxel, ns a voxel, and multiply-adds a
 * ns, for the number of threads in OMP_NUM_THREADS, on volumes of the given number of voxels. */

#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef float vector __attribute__((vector_size(BYTES)));
enum { LANES = BYTES / sizeof(float), CHAINS = 10, STEPS = 10000000, TRIES = 40 };

static void copy(const uint32_t *from, uint8_t *to, int64_t voxels) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < voxels; i++)
        to[i] = (uint8_t)from[i];
}

static void zero(float *grid, int64_t voxels) {
#pragma omp parallel
    {
        const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        const int64_t low = voxels * thread / threads, high = voxels * (thread + 1) / threads;
        memset(grid + low, 0, sizeof *grid * (size_t)(high - low));
    }
}

static float multiply_add(void) {
    float sum = 0;
#pragma omp parallel reduction(+ : sum)
    {
        vector chain[CHAINS], factor, term;
        for (int i = 0; i < LANES; i++)
            factor[i] = 0.999f, term[i] = 1e-3f;
        for (int c = 0; c < CHAINS; c++)
            chain[c] = term * (float)c;
        for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 10
            for (int c = 0; c < CHAINS; c++)
                chain[c] = chain[c] * factor + term;
        for (int c = 0; c < CHAINS; c++)
            for (int i = 0; i < LANES; i++)
                sum += chain[c][i];
    }
    return sum;
}

int main(int count, char **arguments) {
    const int64_t voxels = count > 1 ? atoll(arguments[1]) : 1 << 24;
    uint32_t *image = malloc(sizeof *image * (size_t)voxels);
    uint8_t *labels = malloc((size_t)voxels);
    if (voxels < 1 || image == NULL || labels == NULL) {
        fprintf(stderr, "no memory for %s voxels\n", count > 1 ? arguments[1] : "2^24");
        return 1;
    }
    memset(image, 1, sizeof *image * (size_t)voxels);
    memset(labels, 1, (size_t)voxels);
    double best[3] = {1e9, 1e9, 1e9};
    volatile float keep = 0;
    for (int attempt = 0; attempt < TRIES; attempt++) {
        const double start = omp_get_wtime();
        copy(image, labels, voxels);
        const double copied = omp_get_wtime();
        zero((float *)image, voxels);
        const double zeroed = omp_get_wtime();
        if (attempt < 6)
            keep += multiply_add();
        const double added = omp_get_wtime();
        const double now[3] = {copied - start, zeroed - copied, attempt < 6 ? added - zeroed : 1e9};
        for (int i = 0; i < 3; i++)
            best[i] = now[i] < best[i] ? now[i] : best[i];
    }
    const double operations = (double)STEPS * CHAINS * LANES * omp_get_max_threads();
    const double each = 1e9 / (double)voxels;
    printf("%.6g %.6g %.6g\n", best[0] * each, best[1] * each, operations / best[2] / 1e9);
    free(image), free(labels);
    return 0;
}
