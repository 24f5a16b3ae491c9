/* Progress: on the calling thread only, from 0 to 1 without a step back, and a non-zero answer stops the call. */
#include "bad_input.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPECT(holds) expect((holds) != 0, __LINE__, #holds)

struct watch {
    pthread_t caller;
    int calls, stop_at, foreign, backwards;
    double last, started;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int watch(void *user, double fraction)
{
    struct watch *seen = user;
    seen->foreign += !pthread_equal(pthread_self(), seen->caller);
    seen->backwards += !(fraction >= seen->last && fraction <= 1.0);
    seen->last = fraction;
    return ++seen->calls == seen->stop_at ? 42 : 0;
}

/* After a cancelled call nobody writes any more: what the caller puts there stays. */
static void expect_left_alone(void *output, size_t bytes)
{
    struct timespec moment = {0, 20000000};
    unsigned char *after = output;
    size_t i, changed = 0;
    memset(output, 0x5A, bytes);
    nanosleep(&moment, NULL);
    for (i = 0; i < bytes; ++i)
        changed += after[i] != 0x5A;
    EXPECT(changed == 0);
}

static void follow(voxlane_status status, const struct watch *seen, void *output, size_t bytes)
{
    EXPECT(seen->foreign == 0);
    EXPECT(seen->backwards == 0);
    /* Besides the first and the last, not more than one every 10 ms. */
    EXPECT(seen->calls <= 3 + (int)((seconds() - seen->started) / 0.01));
    if (seen->stop_at > 0) {
        EXPECT(status == VOXLANE_CANCELLED);
        EXPECT(seen->calls == seen->stop_at);
        EXPECT(strstr(voxlane_last_error(), "stopped") != NULL);
        expect_left_alone(output, bytes);
    } else {
        EXPECT(status == VOXLANE_OK);
        EXPECT(seen->calls >= 2);
        EXPECT(seen->last == 1.0);
    }
}

void cancellation(void)
{
    /* The first report is before any work, the second at the latest after it. */
    static const int stops[] = {0, 1, 2};
    enum { N = 96, LARGE = N * N * N };
    float *image = calloc(LARGE, sizeof *image), *output = calloc(LARGE, sizeof *output);
    const int32_t threads[] = {1, 2, 4};
    int i, t;
    if (image == NULL || output == NULL)
        abort();
    for (i = 0; i < LARGE; ++i)
        image[i] = (float)(i % 1009);
    for (t = 0; t < 3; ++t)
        for (i = 0; i < 3; ++i) {
            voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
            voxlane_array_mut values = {output, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
            voxlane_grid grid = {values, {0.0, 0.0, 0.0}, {0.05, 0.05, 0.05}};
            voxlane_steepest_options steepest;
            struct gaussians_call sum;
            struct watch seen = {pthread_self(), 0, stops[i], 0, 0, 0.0, seconds()};

            voxlane_steepest_options_init(&steepest);
            steepest.threads = threads[t];
            steepest.progress = watch;
            steepest.progress_user = &seen;
            follow(voxlane_steepest(&source, &values, &steepest), &seen, output, LARGE * sizeof *output);

            good_gaussians(&sum);
            sum.grid = grid;
            /* In as many passes as there can be. */
            sum.options.normalization = VOXLANE_NORM_MASS;
            sum.options.threads = threads[t];
            sum.options.progress = watch;
            sum.options.progress_user = &seen;
            seen.calls = 0;
            seen.last = 0.0;
            seen.started = seconds();
            follow(run_gaussians(&sum), &seen, output, LARGE * sizeof *output);
        }
    free(image);
    free(output);
}
