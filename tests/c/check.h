/* What the C test programs share: a check that says what failed and goes on, and the exit status. */
#ifndef CHECK_H
#define CHECK_H

#include <stdarg.h>
#include <stdio.h>

static int checks, failures;

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static int check_that(int holds, int line, const char *format, ...)
{
    va_list arguments;
    ++checks;
    if (holds)
        return 1;
    ++failures;
    fprintf(stderr, "line %d: ", line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return 0;
}

#define CHECK(holds, ...) check_that((holds) != 0, __LINE__, __VA_ARGS__)

/* The end of main: says what was checked. */
static int checks_done(const char *what)
{
    printf("%s: %d checks, %d failed\n", what, checks, failures);
    return failures > 0 || checks == 0;
}

#endif
