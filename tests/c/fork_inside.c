/*
 * fork() in the middle of a call, inside its progress callback, while helper threads are at work: the child may call
 * and end there, or return from the callback. Then it gets VOXLANE_CANCELLED if it lacks the helpers that the call is
 * waiting for; else the call goes on and its result is right. The parent's call goes on in either case.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "voxlane.h"
#include "work.h"

enum { WATCHDOG_S = 60, N = 64, VOXELS = N * N * N, CENTERS = 20000 };
enum child { CALLS_AND_ENDS, RETURNS, RETURNS_NON_ZERO };

static double image[VOXELS], slopes[VOXELS], right_slopes[VOXELS], centers[3 * CENTERS];

struct inside {
    enum child how;
    double from;
    int reports;
    pid_t child; /* 0 in the child */
    int forked;
};

static int fork_once(void *user, double fraction)
{
    struct inside *inside = user;
    struct timespec moment = {0, 20000000};
    /* A report long ago makes the next one come after the very next piece of work. */
    if (++inside->reports == 1)
        nanosleep(&moment, NULL);
    if (inside->forked || inside->reports == 1 || fraction < inside->from || fraction == 1.0)
        return 0;
    inside->forked = 1;
    inside->child = fork();
    if (inside->child < 0)
        abort();
    if (inside->child > 0)
        return 0;
    alarm(WATCHDOG_S);
    if (inside->how == CALLS_AND_ENDS)
        _exit(work(4));
    return inside->how == RETURNS_NON_ZERO;
}

static voxlane_status steepest(int32_t threads, voxlane_progress_fn progress, void *user)
{
    static unsigned char labels[VOXELS];
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F64};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_U8};
    voxlane_array_mut slope = {slopes, {N, N, N}, {N * N, N, 1}, VOXLANE_F64};
    voxlane_steepest_options options;
    voxlane_steepest_options_init(&options);
    options.threads = threads;
    options.slope = &slope;
    options.progress = progress;
    options.progress_user = user;
    return voxlane_steepest(&source, &target, &options);
}

/* Long enough that the helpers are at work when the process forks. */
static voxlane_status sum(int32_t threads, voxlane_progress_fn progress, void *user)
{
    double sigma = 4.0;
    voxlane_gaussians gaussians = {CENTERS, VOXLANE_F64, 0, centers, {3, 1}, NULL, 0, &sigma, {0, 0}};
    voxlane_grid grid = {{slopes, {N, N, N}, {N * N, N, 1}, VOXLANE_F64}, {0, 0, 0}, {1, 1, 1}};
    voxlane_gaussian_options options;
    voxlane_gaussian_options_init(&options);
    options.threads = threads;
    options.progress = progress;
    options.progress_user = user;
    return voxlane_sum_gaussians(&gaussians, &grid, &options);
}

static voxlane_status (*const calls[])(int32_t, voxlane_progress_fn, void *) = {steepest, sum};
static const char *const names[] = {"steepest", "sum"};
/* Labels are soon done: the first report after the start. Sums begin with preparations. */
static const double from[] = {0.0, 0.11};
/* How often a child lacked its helpers, for each call. */
static int cancelled[2];

enum { FINISHED = 20, WRONG_BITS, WRONG_STATUS, WRONG_TEXT };

/* Ends the child that came back from a call: 0 or FINISHED, or what was wrong. */
static void judge_child(voxlane_status status, int32_t threads, enum child how)
{
    int wrong;
    if (status == VOXLANE_OK && memcmp(slopes, right_slopes, sizeof slopes) != 0)
        _exit(WRONG_BITS);
    if (status != VOXLANE_CANCELLED && (status != VOXLANE_OK || how == RETURNS_NON_ZERO))
        _exit(WRONG_STATUS);
    if (status == VOXLANE_CANCELLED && how == RETURNS && (threads == 1 || strstr(voxlane_last_error(), "forked child") == NULL))
        _exit(WRONG_TEXT);
    /* From here on it is a process like any other. */
    wrong = work(4);
    _exit(wrong != 0 ? wrong : status == VOXLANE_OK ? FINISHED : 0);
}

static int one(int call, int32_t threads, enum child how)
{
    struct inside inside = {how, from[call], 0, 0, 0};
    int ended = 0, code;
    voxlane_status status;
    memset(slopes, 0xA5, sizeof slopes);
    status = calls[call](threads, fork_once, &inside);
    if (inside.forked && inside.child == 0)
        judge_child(status, threads, how);
    CHECK(status == VOXLANE_OK, "%s, %d threads: the parent's call: %s", names[call], threads, voxlane_last_error());
    CHECK(memcmp(slopes, right_slopes, sizeof slopes) == 0, "%s, %d threads: the parent's bits", names[call], threads);
    if (!inside.forked)
        return 0;
    if (waitpid(inside.child, &ended, 0) != inside.child)
        abort();
    code = WIFEXITED(ended) ? WEXITSTATUS(ended) : -WTERMSIG(ended);
    CHECK(code == 0 || (code == FINISHED && how == RETURNS), "%s, %d threads, child %d: %d", names[call], threads, how, code);
    cancelled[call] += how == RETURNS && code == 0;
    return 1;
}

int main(void)
{
    int call, how, i, turn;
    int32_t threads;
    work_prepare();
    for (i = 0; i < VOXELS; ++i)
        image[i] = i * 0.618 - (int)(i * 0.618);
    for (i = 0; i < 3 * CENTERS; ++i)
        centers[i] = i * 0.618 * N - N * (int)(i * 0.618);
    for (call = 0; call < 2; ++call) {
        CHECK(calls[call](1, NULL, NULL) == VOXLANE_OK, "%s", voxlane_last_error());
        memcpy(right_slopes, slopes, sizeof slopes);
        for (threads = 1; threads <= 4; ++threads)
            for (how = CALLS_AND_ENDS; how <= RETURNS_NON_ZERO; ++how) {
                int forks = 0;
                for (turn = 0; turn < 3; ++turn)
                    forks += one(call, threads, (enum child)how);
                /* Labels are so soon done that helpers may have left no piece to the caller, and then no report. */
                CHECK(forks > 0 || (call == 0 && threads > 1), "%s, %d threads: no report in the middle", names[call],
                      threads);
            }
        CHECK(cancelled[call] > 0 || call == 0, "%s: no child lacked a helper", names[call]);
        printf("%s: %d of 9 children that returned lacked helpers\n", names[call], cancelled[call]);
    }
    return checks_done("fork inside a call");
}
