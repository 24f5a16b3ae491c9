/*
 * threads [few]: many threads at once, threads that come and go, and each thread's own last error. Few of each where
 * every instruction is watched.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "voxlane.h"
#include "work.h"

enum { THREADS = 30, ROUNDS = 8, SHORT_LIVED = 100 };

struct caller {
    pthread_t thread;
    int32_t threads;
    int wrong, foreign_error;
};

static pthread_barrier_t all_here;
static int rounds = ROUNDS;

static void *call_at_once(void *argument)
{
    struct caller *caller = argument;
    char own[32];
    int round;
    /* An error of this thread alone: its number is in the text, whatever the others do meanwhile. */
    voxlane_steepest_options options;
    float image[1] = {0}, labels[1];
    voxlane_array source = {image, {1, 1, 1}, {1, 1, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {1, 1, 1}, {1, 1, 1}, VOXLANE_F32};
    voxlane_steepest_options_init(&options);
    options.minima = 1000 + (int32_t)(caller->threads * 100);
    snprintf(own, sizeof own, "minima is %d", options.minima);
    pthread_barrier_wait(&all_here);
    for (round = 0; round < rounds && caller->wrong == 0; ++round) {
        voxlane_status status = voxlane_steepest(&source, &target, &options);
        caller->wrong = work(caller->threads);
        caller->foreign_error |= status != VOXLANE_ERR_OPTION || strstr(voxlane_last_error(), own) == NULL;
    }
    return NULL;
}

static void *call_once_and_end(void *argument)
{
    struct caller *caller = argument;
    caller->foreign_error = *voxlane_last_error() != '\0';
    caller->wrong = work(caller->threads);
    if (voxlane_steepest(NULL, NULL, NULL) != VOXLANE_ERR_NULL)
        caller->wrong = 9;
    return NULL;
}

static void start(struct caller *caller, void *(*run)(void *), int32_t threads)
{
    caller->threads = threads;
    caller->wrong = caller->foreign_error = 0;
    if (pthread_create(&caller->thread, NULL, run, caller) != 0)
        abort();
}

/* A progress callback may itself call the library, with more threads than the call that it belongs to or with fewer. */
static int call_from_within(void *user, double fraction)
{
    int *wrong = user;
    int32_t threads;
    (void)fraction;
    for (threads = 1; threads <= 6 && *wrong == 0; threads += 5)
        *wrong = work(threads);
    return 0;
}

static void calls_within_calls(void)
{
    enum { N = 64, VOXELS = N * N * N };
    static float image[VOXELS];
    static unsigned char labels[VOXELS], alone[VOXELS];
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {alone, {N, N, N}, {N * N, N, 1}, VOXLANE_U8};
    voxlane_steepest_options options;
    int i, wrong = 0;
    for (i = 0; i < VOXELS; ++i)
        image[i] = (float)(i * 7919 % 1009);
    voxlane_steepest_options_init(&options);
    CHECK(voxlane_steepest(&source, &target, &options) == VOXLANE_OK, "%s", voxlane_last_error());
    target.data = labels;
    options.threads = 3;
    options.progress = call_from_within;
    options.progress_user = &wrong;
    CHECK(voxlane_steepest(&source, &target, &options) == VOXLANE_OK, "%s", voxlane_last_error());
    CHECK(wrong == 0, "calls within a call: %d", wrong);
    CHECK(memcmp(labels, alone, VOXELS) == 0, "the call around them has other labels");
}

int main(int argc, char **argv)
{
    static struct caller callers[THREADS];
    struct caller one;
    const int few = argc > 1 && strcmp(argv[1], "few") == 0;
    const int at_once = few ? 4 : THREADS, short_lived = few ? 5 : SHORT_LIVED;
    int32_t threads;
    int i;

    rounds = few ? 1 : ROUNDS;
    work_prepare();
    for (threads = 1; threads <= (few ? 3 : 8); ++threads)
        CHECK(work(threads) == 0, "the bits with %d threads are those with one: %d", threads, work(threads));

    calls_within_calls();

    if (pthread_barrier_init(&all_here, NULL, (unsigned)at_once) != 0)
        abort();
    for (i = 0; i < at_once; ++i)
        start(&callers[i], call_at_once, i % 8 + 1);
    for (i = 0; i < at_once; ++i) {
        pthread_join(callers[i].thread, NULL);
        CHECK(callers[i].wrong == 0, "thread %d with %d threads: %d", i, callers[i].threads, callers[i].wrong);
        CHECK(callers[i].foreign_error == 0, "thread %d sees another one's error", i);
    }

    for (i = 0; i < short_lived; ++i) {
        start(&one, call_once_and_end, i % 4 + 1);
        pthread_join(one.thread, NULL);
        CHECK(one.wrong == 0 && one.foreign_error == 0, "short-lived thread %d: %d", i, one.wrong);
    }
    CHECK(*voxlane_last_error() == '\0', "the main thread never failed: %s", voxlane_last_error());
    return checks_done("threads");
}
