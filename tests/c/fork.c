/* A child of fork() may call, whether its parent has called before, is calling, or never will. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "voxlane.h"
#include "work.h"

enum { WATCHDOG_S = 60, CHILDREN = 30 };

/* Runs the work in a child: 0, or what went wrong; -1 if the child died, as of the watchdog. */
static int in_child(int32_t threads, int generations)
{
    int status;
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        int wrong;
        alarm(WATCHDOG_S);
        wrong = work(threads);
        if (wrong == 0 && generations > 1)
            wrong = in_child(threads + 1, generations - 1);
        _exit(wrong & 255);
    }
    if (waitpid(child, &status, 0) != child)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static volatile int stop;

static void *keep_calling(void *wrong)
{
    int32_t threads = 1;
    while (!stop && *(int *)wrong == 0)
        *(int *)wrong = work(threads++ % 6 + 1);
    return NULL;
}

/* The child is born while this very thread is inside a call. */
static int fork_inside(void *user, double fraction)
{
    if (fraction == 0.0)
        *(int *)user = in_child(4, 1);
    return 0;
}

int main(void)
{
    float image[27] = {0}, labels[27];
    voxlane_array source = {image, {3, 3, 3}, {9, 3, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {3, 3, 3}, {9, 3, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    pthread_t caller;
    int wrong = 0, i;

    work_prepare();
    /* No helper has been started yet: the child is the first to start some. */
    wrong = in_child(4, 1);
    CHECK(wrong == 0, "child first: %d", wrong);
    CHECK(work(4) == 0, "parent after the child");
    wrong = in_child(4, 3);
    CHECK(wrong == 0, "parent, child, grandchild, their child: %d", wrong);
    wrong = in_child(9, 1);
    CHECK(wrong == 0, "more threads in the child than in the parent: %d", wrong);
    CHECK(work(3) == 0, "parent again");

    wrong = -2;
    voxlane_steepest_options_init(&options);
    options.progress = fork_inside;
    options.progress_user = &wrong;
    options.threads = 3;
    CHECK(voxlane_steepest(&source, &target, &options) == VOXLANE_OK, "%s", voxlane_last_error());
    CHECK(wrong == 0, "fork inside a callback: %d", wrong);

    wrong = 0;
    if (pthread_create(&caller, NULL, keep_calling, &wrong) != 0)
        abort();
    for (i = 0; i < CHILDREN; ++i) {
        int child = in_child(i % 5 + 1, 1);
        CHECK(child == 0, "child %d while a thread is calling: %d", i, child);
    }
    stop = 1;
    pthread_join(caller, NULL);
    CHECK(wrong == 0, "the calling thread: %d", wrong);
    return checks_done("fork");
}
