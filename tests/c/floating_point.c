/*
 * A caller may round otherwise, flush denormals to zero, or have floating-point exceptions trap, as Fortran programs
 * do: results are the same bits, nothing traps, and its mode and flags are afterwards what they were.
 */
#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "voxlane.h"
#include "work.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
static void flush_denormals(void)
{
    _mm_setcsr(_mm_getcsr() | 0x8040);
}
static unsigned mode(void)
{
    return _mm_getcsr();
}
#elif defined(__aarch64__)
static void flush_denormals(void)
{
    unsigned long long value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    __asm__ volatile("msr fpcr, %0" : : "r"(value | 1ull << 24));
}
static unsigned mode(void)
{
    unsigned long long value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return (unsigned)value;
}
#else
#error the floating-point mode of this processor is unknown here
#endif

enum { N = 24, VOXELS = N * N * N };

static float image[VOXELS], labels[VOXELS], right[VOXELS];

/* Differences of denormal numbers, and infinities that have none. */
static voxlane_status denormal(int32_t threads)
{
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    voxlane_steepest_options_init(&options);
    options.threads = threads;
    options.minima = VOXLANE_MINIMA_FLAT;
    options.border[0] = options.border[1] = options.border[2] = VOXLANE_BORDER_INSIDE;
    return voxlane_steepest(&source, &target, &options);
}

static void as_usual(const char *what)
{
    int32_t threads;
    unsigned before = mode();
    for (threads = 1; threads <= 4; ++threads) {
        int wrong = work(threads);
        CHECK(wrong == 0, "%s, %d threads: work %d", what, threads, wrong);
        memset(labels, 0xA5, sizeof labels);
        CHECK(denormal(threads) == VOXLANE_OK, "%s, %d threads: %s", what, threads, voxlane_last_error());
        CHECK(memcmp(labels, right, sizeof labels) == 0, "%s, %d threads: other labels", what, threads);
    }
    CHECK(voxlane_steepest(NULL, NULL, NULL) == VOXLANE_ERR_NULL, "%s: a refused call", what);
    CHECK(mode() == before, "%s: mode and flags were %#x, are %#x", what, before, mode());
}

int main(void)
{
    static const int flags[] = {0, FE_INVALID, FE_DIVBYZERO | FE_INEXACT};
    static const int roundings[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    fenv_t usual;
    int i;

    fegetenv(&usual);
    work_prepare();
    for (i = 0; i < VOXELS; ++i) {
        static const unsigned infinite = 0x7F800000u;
        unsigned bits = (unsigned)i * 2654435761u % 4096u;
        memcpy(&image[i], i % 97 == 0 ? &infinite : &bits, sizeof bits);
    }
    CHECK(denormal(1) == VOXLANE_OK, "%s", voxlane_last_error());
    memcpy(right, labels, sizeof right);
    /* A mode in which these labels differ would otherwise prove nothing. */
    for (i = 0; i < VOXELS && right[i] == VOXLANE_LABEL_CENTER; ++i)
        ;
    CHECK(i < VOXELS, "denormal numbers have no steepest neighbour");

    for (i = 0; i < 3; ++i) {
        feclearexcept(FE_ALL_EXCEPT);
        feraiseexcept(flags[i]);
        as_usual("flags");
        CHECK(fetestexcept(FE_ALL_EXCEPT) == flags[i], "flags %#x are %#x", flags[i], fetestexcept(FE_ALL_EXCEPT));
    }
    for (i = 0; i < 3; ++i) {
        fesetround(roundings[i]);
        as_usual("rounding");
        CHECK(fegetround() == roundings[i], "rounding %#x is %#x", roundings[i], fegetround());
        fesetenv(&usual);
    }
    flush_denormals();
    as_usual("flushed denormals");
    fesetenv(&usual);
    feclearexcept(FE_ALL_EXCEPT);
    if (feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW) == -1)
        printf("SKIPPED: floating-point traps, which this processor does not have\n");
    as_usual("traps");
    fesetenv(&usual);
    return checks_done("floating-point modes");
}
