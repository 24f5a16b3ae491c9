/*
 * exit_alive HOW: ends with status 7 while helper threads are alive: by return from main, by exit() from inside
 * a callback, or by exit() while another thread is inside a call.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "voxlane.h"
#include "work.h"

enum { N = 64, VOXELS = N * N * N, STATUS = 7 };

static float image[VOXELS], labels[VOXELS];
static pthread_barrier_t inside;

static int leave(void *user, double fraction)
{
    (void)user, (void)fraction;
    exit(STATUS);
}

static int tell(void *user, double fraction)
{
    (void)user;
    if (fraction == 0.0)
        pthread_barrier_wait(&inside);
    return 0;
}

static void call(voxlane_progress_fn progress)
{
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    voxlane_steepest_options_init(&options);
    options.threads = 4;
    options.progress = progress;
    voxlane_steepest(&source, &target, &options);
}

static void *keep_calling(void *argument)
{
    (void)argument;
    call(tell);
    for (;;)
        call(NULL);
    return NULL;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    work_prepare();
    if (work(5) != 0)
        return 1;
    if (strcmp(how, "return") == 0)
        return STATUS;
    if (strcmp(how, "callback") == 0)
        call(leave);
    if (strcmp(how, "meanwhile") == 0) {
        pthread_t thread;
        pthread_barrier_init(&inside, NULL, 2);
        if (pthread_create(&thread, NULL, keep_calling, NULL) != 0)
            return 1;
        pthread_barrier_wait(&inside);
        exit(STATUS);
    }
    return 2;
}
