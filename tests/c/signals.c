/*
 * Signals are the program's: helper threads take none. A program that waits for a signal gets it, and a handler runs in
 * a thread of the program.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "work.h"

static volatile sig_atomic_t handled;
static pthread_t handler_thread;

static void handle(int signal)
{
    (void)signal;
    handler_thread = pthread_self();
    handled = 1;
}

int main(void)
{
    const struct timespec moment = {0, 50 * 1000 * 1000};
    struct sigaction action;
    sigset_t usual, blocked, now;
    int taken = 0, signal;

    pthread_sigmask(SIG_SETMASK, NULL, &usual);
    work_prepare();
    CHECK(work(4) == 0, "a call with helper threads");
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    for (signal = 1; signal < 32; ++signal)
        CHECK(sigismember(&now, signal) == sigismember(&usual, signal), "signal %d is as it was", signal);

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGABRT);
    sigaddset(&blocked, SIGTRAP);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    /* Helpers are there; more of them start. */
    kill(getpid(), SIGABRT);
    CHECK(work(7) == 0, "a call while a signal is pending");
    kill(getpid(), SIGTRAP);
    nanosleep(&moment, NULL);
    sigpending(&now);
    CHECK(sigismember(&now, SIGABRT) && sigismember(&now, SIGTRAP), "what is blocked is pending");
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);

    kill(getpid(), SIGUSR1);
    nanosleep(&moment, NULL);
    CHECK(sigwait(&blocked, &taken) == 0 && taken == SIGUSR1, "the signal that was waited for is %d", taken);

    action.sa_handler = handle;
    sigaction(SIGUSR2, &action, NULL);
    kill(getpid(), SIGUSR2);
    nanosleep(&moment, NULL);
    CHECK(!handled, "the handler runs though the program blocks its signal");
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    CHECK(handled && pthread_equal(handler_thread, pthread_self()), "the handler runs in the thread that lets it");
    return checks_done("signals");
}
