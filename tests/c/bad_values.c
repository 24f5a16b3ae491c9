/* Numbers out of range: spacings, weights, centres, amplitudes, sigmas, cutoffs. */
#include "bad_input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double not_finite[] = {NAN, INFINITY, -INFINITY};
static const double not_positive[] = {0.0, -0.0, -1.5, NAN, INFINITY, -INFINITY};
enum { NOT_FINITE = 3, NOT_POSITIVE = 6 };

/* The number as the text must show it. */
static const char *shown(double value)
{
    static char text[32];
    if (isnan(value))
        return "NaN";
    if (isinf(value))
        return value > 0 ? "inf" : "-inf";
    snprintf(text, sizeof text, "%g", value);
    return text;
}

static void named(const char *what, double value, int line)
{
    const char *error = voxlane_last_error();
    char text[160];
    snprintf(text, sizeof text, "\"%.90s\" does not name %s and %s", error, what, shown(value));
    expect(strstr(error, what) != NULL && strstr(error, shown(value)) != NULL, line, text);
}

void bad_values(void)
{
    int axis, i;
    for (axis = 0; axis < 3; ++axis)
        for (i = 0; i < NOT_POSITIVE; ++i) {
            char name[] = "axis 0";
            name[5] = (char)('0' + axis);
            STEEPEST(VOXLANE_ERR_VALUE, name,
                     (call.options.spacing[0] = call.options.spacing[1] = call.options.spacing[2] = 1.0,
                      call.options.spacing[axis] = not_positive[i]));
            named("spacing", not_positive[i], __LINE__);
            GAUSSIANS(VOXLANE_ERR_VALUE, name, call.grid.spacing[axis] = not_positive[i]);
            named("spacing", not_positive[i], __LINE__);
        }
    /* {0, 0, 0} alone means {1, 1, 1}. */
    STEEPEST(VOXLANE_ERR_VALUE, "spacing of axis 0 is 0", call.options.spacing[2] = 1.0);
    for (i = 0; i < NOT_FINITE; ++i) {
        double bad = not_finite[i];
        STEEPEST(VOXLANE_ERR_VALUE, "weight 26", memory.weights[26] = bad);
        named("weight", bad, __LINE__);
        /* The centre's, as 1 / distance has it. */
        ACCEPT(steepest, memory.weights[13] = bad);
        GAUSSIANS(VOXLANE_ERR_VALUE, "origin of axis 1", call.grid.origin[1] = bad);
        named("origin", bad, __LINE__);
        GAUSSIANS(VOXLANE_ERR_VALUE, "4", memory.centers[3 * 4 + 2] = bad);
        named("centers", bad, __LINE__);
        named("axis 2", bad, __LINE__);
        GAUSSIANS(VOXLANE_ERR_VALUE, "5", memory.amplitudes[5] = bad);
        named("amplitudes", bad, __LINE__);
    }
    for (i = 0; i < NOT_POSITIVE; ++i) {
        double bad = not_positive[i];
        GAUSSIANS(VOXLANE_ERR_VALUE, "3", memory.sigmas[3 * 3 + 1] = bad);
        named("sigmas", bad, __LINE__);
        named("axis 1", bad, __LINE__);
        GAUSSIANS(VOXLANE_ERR_VALUE, "sigma", (memory.sigmas[0] = bad, call.gaussians.sigma_stride[0] = 0));
        named("sigma", bad, __LINE__);
    }
    GAUSSIANS(VOXLANE_ERR_OPTION, "eps is 1.0,", call.options.eps = 1.0);
    GAUSSIANS(VOXLANE_ERR_OPTION, "eps is -0.5", call.options.eps = -0.5);
    GAUSSIANS(VOXLANE_ERR_OPTION, "eps is NaN", call.options.eps = NAN);
    GAUSSIANS(VOXLANE_ERR_OPTION, "eps is inf", call.options.eps = INFINITY);
    ACCEPT(gaussians, call.options.eps = 0.0);
    ACCEPT(gaussians, call.options.eps = 5e-324);
    ACCEPT(gaussians, call.options.eps = 0.999);
}
