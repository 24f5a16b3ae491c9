/*
 * A child of fork() in a process namespace of its own, where it has the process number of its parent: it must be told
 * from its parent all the same, whose helper threads it does not have.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

enum { WATCHDOG_S = 60, NO_NAMESPACE = 100, HUNG, DIED, NOT_FIRST };

static int skip(const char *what)
{
    printf("SKIPPED: a fork into a process namespace, which is not permitted here: %s: %s\n", what, strerror(errno));
    return NO_NAMESPACE;
}

/* Runs in a child and waits for it. The first process of a namespace gets no alarm: the watchdog is outside. */
static int in_child(int (*run)(void))
{
    struct timespec moment = {0, 10000000};
    int status, waits;
    pid_t child = fork();
    if (child < 0)
        return skip("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        status = run();
        fflush(stdout);
        _exit(status);
    }
    for (waits = 0; waitpid(child, &status, WNOHANG) == 0; ++waits) {
        if (waits >= WATCHDOG_S * 100) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return HUNG;
        }
        nanosleep(&moment, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : DIED;
}

static int inner(void)
{
    return getpid() == 1 ? work(4) : NOT_FIRST;
}

/* The first process of the outer namespace: number 1, with helper threads. */
static int outer(void)
{
    int wrong;
    if (getpid() != 1)
        return NOT_FIRST;
    work_prepare();
    wrong = work(4);
    if (wrong != 0)
        return wrong;
    if (unshare(CLONE_NEWPID) != 0)
        return skip("unshare with threads");
    wrong = in_child(inner);
    /* No new threads can be had here any more; those that live on must serve. */
    return wrong != 0 ? wrong : work(4);
}

int main(void)
{
    int wrong;
    fflush(stdout);
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0 && unshare(CLONE_NEWPID) != 0) {
        skip("unshare");
        return 0;
    }
    wrong = in_child(outer);
    if (wrong == 0)
        printf("a child with its parent's process number works\n");
    else if (wrong != NO_NAMESPACE)
        fprintf(stderr, "a child with its parent's process number: %s %d\n", wrong == HUNG ? "hung" : "went wrong,", wrong);
    return wrong != 0 && wrong != NO_NAMESPACE;
}
