/*
 * faults: what happens when the system fails: the clock (a panic inside the library), threads, memory. And how many
 * threads calls ask for.
 * faults threads N: how many by themselves, N with the caller's.
 *
 * The library is the release build as users get it. This program defines some functions of libc itself; the
 * loader binds the library to these, and they fail when told to.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "voxlane.h"

/* glibc's own, below the name that is taken here. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);

enum { LARGE = 4096 };
static int clock_fails, threads_fail, large_left = -1;
static int clock_asked, threads_asked;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    ++clock_asked;
    if (!clock_fails)
        return real(clock, now);
    errno = EINVAL;
    return -1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    ++threads_asked;
    return threads_fail ? EAGAIN : real(thread, attributes, start, argument);
}

/* Whether a large allocation is the one that must fail; small ones never do. */
static int memory_fails(size_t bytes)
{
    return bytes >= LARGE && large_left >= 0 && large_left-- == 0;
}

void *malloc(size_t bytes)
{
    return memory_fails(bytes) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return memory_fails(count * bytes) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return memory_fails(bytes) ? NULL : __libc_realloc(old, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    *memory = memory_fails(bytes) ? NULL : __libc_memalign(alignment, bytes);
    return *memory == NULL ? ENOMEM : 0;
}

enum { N = 48, VOXELS = N * N * N, CENTERS = 5000, SIDE = 16, LONG = VOXELS / (SIDE * SIDE) };
static float image[VOXELS], labels[VOXELS], untouched[VOXELS];
static double centers[3 * CENTERS];

static int go_on(void *user, double fraction)
{
    *(double *)user = fraction;
    return 0;
}

static voxlane_status steepest(int32_t threads)
{
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    double fraction;
    voxlane_steepest_options_init(&options);
    options.threads = threads;
    options.progress = go_on;
    options.progress_user = &fraction;
    return voxlane_steepest(&source, &target, &options);
}

static voxlane_status sum_on(voxlane_grid grid, int32_t threads)
{
    double sigma = 1.0, fraction;
    voxlane_gaussians gaussians = {CENTERS, VOXLANE_F64, 0, centers, {3, 1}, NULL, 0, &sigma, {0, 0}};
    voxlane_gaussian_options options;
    voxlane_gaussian_options_init(&options);
    options.threads = threads;
    options.progress = go_on;
    options.progress_user = &fraction;
    return voxlane_sum_gaussians(&gaussians, &grid, &options);
}

/* The grid is long, so that it is cut into more pieces than earlier calls have had threads. */
static voxlane_status sum(int32_t threads)
{
    const voxlane_grid grid = {
        {labels, {LONG, SIDE, SIDE}, {SIDE * SIDE, SIDE, 1}, VOXLANE_F32}, {0, 0, 0}, {1, 1, 1}};
    return sum_on(grid, threads);
}

/* Of few voxels, and supports of few: many centres for each, which is another way to sum. */
static voxlane_status sum_densely(int32_t threads)
{
    const voxlane_grid grid = {
        {labels, {N / 2, N / 2, N / 2}, {N * N / 4, N / 2, 1}, VOXLANE_F32}, {0, 0, 0}, {2, 2, 2}};
    return sum_on(grid, threads);
}

enum { CALLS = 3 };
static voxlane_status (*const calls[CALLS])(int32_t) = {steepest, sum, sum_densely};
static const char *const names[CALLS] = {"steepest", "sum", "dense sum"};

static void a_panic_becomes_a_status(int call, int32_t threads)
{
    voxlane_status status;
    clock_asked = 0;
    clock_fails = 1;
    status = calls[call](threads);
    clock_fails = 0;
    CHECK(clock_asked > 0, "%s: the library has its own clock, so that nothing failed", names[call]);
    CHECK(status == VOXLANE_ERR_PANIC, "%s: status %d", names[call], status);
    CHECK(strstr(voxlane_last_error(), "bug in voxlane") != NULL, "%s", voxlane_last_error());
    CHECK(calls[call](threads) == VOXLANE_OK, "%s after a panic: %s", names[call], voxlane_last_error());
}

static void missing_threads_are_an_error(int call)
{
    voxlane_status status;
    memcpy(labels, untouched, sizeof labels);
    threads_asked = 0;
    threads_fail = 1;
    /* More than any call before has asked for. */
    status = calls[call](7 + call);
    threads_fail = 0;
    CHECK(threads_asked > 0, "%s: no thread was asked for", names[call]);
    CHECK(status == VOXLANE_ERR_THREAD, "%s: status %d", names[call], status);
    CHECK(memcmp(labels, untouched, sizeof labels) == 0, "%s without threads: the output was touched", names[call]);
    CHECK(strstr(voxlane_last_error(), "thread") != NULL, "%s", voxlane_last_error());
    CHECK(calls[call](7 + call) == VOXLANE_OK, "%s after missing threads: %s", names[call], voxlane_last_error());
}

/* Lets the first, the second, … large allocation of a call fail, until the call needs no more. */
static void missing_memory_is_an_error(int call, int32_t threads)
{
    int first, refused = 0;
    for (first = 0; first < 1000; ++first) {
        voxlane_status status;
        memcpy(labels, untouched, sizeof labels);
        large_left = first;
        status = calls[call](threads);
        if (large_left >= 0) {
            large_left = -1;
            CHECK(status == VOXLANE_OK, "%s: status %d: %s", names[call], status, voxlane_last_error());
            break;
        }
        ++refused;
        CHECK(status == VOXLANE_ERR_MEMORY, "%s, allocation %d: status %d", names[call], first, status);
        CHECK(memcmp(labels, untouched, sizeof labels) == 0, "%s: the output was touched", names[call]);
        CHECK(strstr(voxlane_last_error(), "bytes") != NULL, "%s", voxlane_last_error());
    }
    CHECK(refused > 0, "%s with %d threads: no large allocation", names[call], threads);
    printf("%s, %d threads: %d large allocations, each of which may fail\n", names[call], threads, refused);
}

/* The caller's thread is one of them, and helpers stay: fewer ask for none, more replace those that there are. */
static void as_many_threads_as_said(void)
{
    static const int32_t said[] = {1, 3, 3, 2, 1, 5}, new_helpers[] = {0, 2, 0, 0, 0, 4};
    int call, i;
    for (i = 0; i < 6; ++i)
        for (call = 0; call < CALLS; ++call) {
            const int expected = call == 0 ? new_helpers[i] : 0;
            threads_asked = 0;
            CHECK(calls[call](said[i]) == VOXLANE_OK, "%s: %s", names[call], voxlane_last_error());
            CHECK(threads_asked == expected, "%s with %d threads: %d were started, not %d", names[call], said[i],
                  threads_asked, expected);
        }
}

static int as_many_threads_as(int expected)
{
    CHECK(calls[0](0) == VOXLANE_OK, "%s", voxlane_last_error());
    CHECK(threads_asked == expected - 1, "%d threads were started, not %d", threads_asked, expected - 1);
    return checks_done("threads by the environment");
}

int main(int argc, char **argv)
{
    int call, i;
    for (i = 0; i < VOXELS; ++i) {
        image[i] = (float)(i % 1009);
        untouched[i] = -7.0f;
    }
    for (i = 0; i < 3 * CENTERS; ++i)
        centers[i] = i * 0.618 - N * (int)(i * 0.618 / N);
    if (argc == 3 && strcmp(argv[1], "threads") == 0)
        return as_many_threads_as(atoi(argv[2]));
    as_many_threads_as_said();
    for (call = 0; call < CALLS; ++call) {
        a_panic_becomes_a_status(call, 1);
        a_panic_becomes_a_status(call, 3);
        missing_threads_are_an_error(call);
        missing_memory_is_an_error(call, 1);
        missing_memory_is_an_error(call, 3);
    }
    return checks_done("faults");
}
