/*
 * Memory runs out at any point of a call: it says so, and its outputs are as they were. Each limit in a process of its
 * own, as the system may keep what was once had.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "voxlane.h"

enum { N = 128, VOXELS = N * N * N, STEP = 24576, STEPS = 120, CALLS = 5 };

static float *values, *labels;

/* Bits: the call failed; not for want of memory; an output was touched. */
static int label(void)
{
    voxlane_array image = {values, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    voxlane_status status;
    int i, touched = 0;
    voxlane_steepest_options_init(&options);
    options.threads = 1;
    status = voxlane_steepest(&image, &target, &options);
    for (i = 0; i < VOXELS; ++i)
        touched |= labels[i] != 7;
    return status == VOXLANE_OK ? 0 : 1 | (status != VOXLANE_ERR_MEMORY) << 1 | touched << 2;
}

static int sum(size_t count, double sigma, int32_t normalization, int32_t support)
{
    static double centers[3 * 40000];
    voxlane_gaussians gaussians = {count, VOXLANE_F64, 0, centers, {3, 1}, NULL, 0, &sigma, {0, 0}};
    voxlane_grid grid = {{values, {N, N, N}, {N * N, N, 1}, VOXLANE_F32}, {0, 0, 0}, {1, 1, 1}};
    voxlane_gaussian_options options;
    voxlane_status status;
    size_t i;
    int touched = 0;
    for (i = 0; i < 3 * count; ++i)
        centers[i] = (double)(i * 7919 % (N * 16)) / 16;
    voxlane_gaussian_options_init(&options);
    options.threads = 1;
    options.eps = 1e-6;
    options.normalization = normalization;
    options.support = support;
    status = voxlane_sum_gaussians(&gaussians, &grid, &options);
    for (i = 0; i < VOXELS; ++i)
        touched |= values[i] != 7;
    return status == VOXLANE_OK ? 0 : 1 | (status != VOXLANE_ERR_MEMORY) << 1 | touched << 2;
}

static int call(int which)
{
    switch (which) {
    case 0: return label();
    case 1: return sum(1, 2.0, VOXLANE_NORM_PEAK, VOXLANE_SUPPORT_BOX);
    case 2: return sum(4000, 1.0, VOXLANE_NORM_MASS, VOXLANE_SUPPORT_BALL);
    case 3: return sum(4000, 0.5, VOXLANE_NORM_PEAK, VOXLANE_SUPPORT_BOX);
    default: return sum(40000, 0.5, VOXLANE_NORM_PEAK, VOXLANE_SUPPORT_BOX);
    }
}

static size_t pages_in_use(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        abort();
    fclose(file);
    return pages;
}

int main(void)
{
    int which, step, i, refused[CALLS] = {0};
    values = malloc(VOXELS * sizeof *values);
    labels = malloc(VOXELS * sizeof *labels);
    if (values == NULL || labels == NULL)
        abort();
    for (i = 0; i < VOXELS; ++i)
        values[i] = labels[i] = 7;
    for (which = 0; which < CALLS; ++which) {
        for (step = 0; step < STEPS; ++step) {
            int status = 0;
            pid_t child = fork();
            if (child == 0) {
                rlim_t limit = (rlim_t)pages_in_use() * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)(step * STEP);
                struct rlimit both = {limit, limit};
                setrlimit(RLIMIT_AS, &both);
                _exit(call(which));
            }
            if (child < 0 || waitpid(child, &status, 0) != child)
                abort();
            status = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
            CHECK(status == 0 || status == 1, "call %d with %d bytes: %d", which, step * STEP, status);
            refused[which] += status == 1;
        }
        /* (The allocator may have had enough in hand for labels.) */
        CHECK(which == 0 || refused[which] > 0, "call %d: memory was never short", which);
        CHECK(refused[which] < STEPS, "call %d: memory was always short", which);
    }
    return checks_done("short memory");
}
