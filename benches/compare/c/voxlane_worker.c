/* The library from C, under the orders of measure.py, which it reads from its standard input, a line each:
 *
 *     run N        calls the kernel N times and answers "ran" and the seconds of each call
 *     peak         answers "peak" and by how many bytes the first call raised the highest resident memory
 *     save FILE    writes the result and answers "saved" and its element type by NumPy's name
 *
 *     voxlane_worker labels IMAGE DTYPE NZ NY NX THREADS ISA
 *     voxlane_worker sums CENTERS COUNT SIGMA DTYPE NZ NY NX ORIGIN SPACING EPS NORM THREADS ISA
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "voxlane.h"

static void fail(const char *what, const char *detail) {
    printf("error %s: %s\n", what, detail);
    exit(1);
}

static void *memory(size_t bytes) {
    void *found = malloc(bytes ? bytes : 1);
    if (found == NULL)
        fail("malloc", "no memory");
    return found;
}

static void *contents(const char *path, size_t bytes) {
    void *data = memory(bytes);
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(data, 1, bytes, file) != bytes)
        fail(path, "cannot be read whole");
    fclose(file);
    return data;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* VmHWM or VmRSS of /proc/self/status, in bytes. */
static long long resident(const char *name) {
    char line[256];
    long long found = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            found = atoll(line + strlen(name) + 1) * 1024;
    if (file != NULL)
        fclose(file);
    return found;
}

static void forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file != NULL) {
        fputs("5", file);
        fclose(file);
    }
}

static size_t size_of(int32_t dtype) {
    return dtype == VOXLANE_U8 ? 1 : dtype == VOXLANE_I16 ? 2 : dtype == VOXLANE_F32 ? 4 : 8;
}

typedef struct {
    int labels;
    voxlane_array image;
    voxlane_array_mut out;
    voxlane_steepest_options steepest;
    voxlane_gaussians gaussians;
    voxlane_grid grid;
    voxlane_gaussian_options sum;
    double sigma;
} task;

static voxlane_array_mut output(char **shape, int32_t dtype) {
    voxlane_array_mut out = {NULL, {0}, {0}, dtype};
    for (int axis = 0; axis < 3; axis++)
        out.shape[axis] = (size_t)atoll(shape[axis]);
    out.stride[0] = (ptrdiff_t)(out.shape[1] * out.shape[2]), out.stride[1] = (ptrdiff_t)out.shape[2], out.stride[2] = 1;
    out.data = memory(out.shape[0] * out.shape[1] * out.shape[2] * size_of(dtype));
    return out;
}

static void read_labels(task *job, char **words) {
    job->labels = 1;
    job->out = output(words + 2, VOXLANE_U8);
    const size_t voxels = job->out.shape[0] * job->out.shape[1] * job->out.shape[2];
    const int32_t dtype = atoi(words[1]);
    memcpy(job->image.shape, job->out.shape, sizeof job->image.shape);
    memcpy(job->image.stride, job->out.stride, sizeof job->image.stride);
    job->image.dtype = dtype;
    job->image.data = contents(words[0], voxels * size_of(dtype));
    voxlane_steepest_options_init(&job->steepest);
    job->steepest.threads = atoi(words[5]), job->steepest.isa = atoi(words[6]);
}

static void read_sums(task *job, char **words) {
    voxlane_gaussians *from = &job->gaussians;
    from->count = (size_t)atoll(words[1]);
    from->dtype = VOXLANE_F64;
    from->centers = contents(words[0], from->count * 3 * sizeof(double));
    from->center_stride[0] = 3, from->center_stride[1] = 1;
    job->sigma = atof(words[2]);
    from->sigmas = &job->sigma;
    job->out = output(words + 4, atoi(words[3]));
    job->grid.values = job->out;
    for (int axis = 0; axis < 3; axis++)
        job->grid.origin[axis] = atof(words[7]), job->grid.spacing[axis] = atof(words[8]);
    voxlane_gaussian_options_init(&job->sum);
    job->sum.eps = atof(words[9]), job->sum.normalization = atoi(words[10]);
    job->sum.threads = atoi(words[11]), job->sum.isa = atoi(words[12]);
}

static void call(const task *job) {
    const voxlane_status status = job->labels ? voxlane_steepest(&job->image, &job->out, &job->steepest)
                                              : voxlane_sum_gaussians(&job->gaussians, &job->grid, &job->sum);
    if (status != VOXLANE_OK)
        fail(voxlane_status_string(status), voxlane_last_error());
}

int main(int count, char **words) {
    static task job;
    if (count == 9 && strcmp(words[1], "labels") == 0)
        read_labels(&job, words + 2);
    else if (count == 15 && strcmp(words[1], "sums") == 0)
        read_sums(&job, words + 2);
    else
        fail("voxlane_worker", "wrong arguments");
    const size_t bytes = job.out.shape[0] * job.out.shape[1] * job.out.shape[2] * size_of(job.out.dtype);
    forget_peak();
    const long long before = resident("VmRSS:");
    printf("ready\n");
    fflush(stdout);
    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "run ", 4) == 0) {
            printf("ran");
            for (int turn = atoi(line + 4); turn > 0; turn--) {
                const double start = now();
                call(&job);
                printf(" %.9f", now() - start);
            }
            printf("\n");
        } else if (strcmp(line, "peak") == 0) {
            printf("peak %lld\n", resident("VmHWM:") - before);
        } else if (strncmp(line, "save ", 5) == 0) {
            FILE *file = fopen(line + 5, "wb");
            if (file == NULL || fwrite(job.out.data, 1, bytes, file) != bytes || fclose(file) != 0)
                fail(line + 5, "cannot be written");
            printf("saved %s\n", job.labels ? "uint8" : job.out.dtype == VOXLANE_F32 ? "float32" : "float64");
        } else {
            fail("unknown order", line);
        }
        fflush(stdout);
    }
    return 0;
}
