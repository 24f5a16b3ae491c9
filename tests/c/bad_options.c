/* What can be wrong with options: numbers that mean nothing, sizes of other versions, ranges. */
#include "bad_input.h"

#include <limits.h>
#include <string.h>

/* Options as a later version of the library might have them. */
struct later_steepest {
    voxlane_steepest_options options;
    unsigned char later[40];
};
struct later_gaussian {
    voxlane_gaussian_options options;
    unsigned char later[40];
};

static struct later_steepest later_steepest;
static struct later_gaussian later_gaussian;

static void later(struct steepest_call *call, size_t more, size_t at, unsigned char byte)
{
    memset(&later_steepest, 0, sizeof later_steepest);
    later_steepest.options = call->options;
    later_steepest.options.struct_size += more;
    later_steepest.later[at] = byte;
    call->options_argument = &later_steepest.options;
}

static void later_g(struct gaussians_call *call, size_t more, size_t at, unsigned char byte)
{
    memset(&later_gaussian, 0, sizeof later_gaussian);
    later_gaussian.options = call->options;
    later_gaussian.options.struct_size += more;
    later_gaussian.later[at] = byte;
    call->options_argument = &later_gaussian.options;
}

static void sizes(void)
{
    size_t size;
    for (size = 0; size < sizeof(voxlane_steepest_options); ++size)
        STEEPEST(VOXLANE_ERR_OPTION, "struct_size", call.options.struct_size = size);
    for (size = 0; size < sizeof(voxlane_gaussian_options); ++size)
        GAUSSIANS(VOXLANE_ERR_OPTION, "struct_size", call.options.struct_size = size);
    /* The number itself is in the text. */
    STEEPEST(VOXLANE_ERR_OPTION, "is 119,", call.options.struct_size = 119);
    GAUSSIANS(VOXLANE_ERR_OPTION, "is 71,", call.options.struct_size = 71);
    /* Never initialised. */
    STEEPEST(VOXLANE_ERR_OPTION, "struct_size", call.options.struct_size = SIZE_MAX);
    STEEPEST(VOXLANE_ERR_OPTION, "struct_size", memset(&call.options, 0xCC, sizeof call.options));
    GAUSSIANS(VOXLANE_ERR_OPTION, "struct_size", call.options.struct_size = (size_t)1 << 40);
    GAUSSIANS(VOXLANE_ERR_OPTION, "struct_size", memset(&call.options, 0xCC, sizeof call.options));
    /* Longer: unknown bytes must be zero, and bytes beyond the size do not count. */
    ACCEPT(steepest, later(&call, 40, 0, 0));
    ACCEPT(steepest, later(&call, 0, 0, 9));
    ACCEPT(steepest, later(&call, 24, 24, 9));
    STEEPEST(VOXLANE_ERR_OPTION, "byte 120 of 160 is 9", later(&call, 40, 0, 9));
    STEEPEST(VOXLANE_ERR_OPTION, "byte 159 of 160 is 1", later(&call, 40, 39, 1));
    ACCEPT(gaussians, later_g(&call, 40, 0, 0));
    ACCEPT(gaussians, later_g(&call, 8, 8, 9));
    GAUSSIANS(VOXLANE_ERR_OPTION, "byte 72 of 80 is 255", later_g(&call, 8, 0, 255));
    GAUSSIANS(VOXLANE_ERR_OPTION, "byte 79 of 80 is 1", later_g(&call, 8, 7, 1));
    STEEPEST(VOXLANE_ERR_ALIGN, "options",
             call.options_argument = (const voxlane_steepest_options *)((const char *)&call.options + 4));
}

static void numbers(void)
{
    int axis;
    STEEPEST(VOXLANE_ERR_OPTION, "direction is 2", call.options.direction = 2);
    STEEPEST(VOXLANE_ERR_OPTION, "direction is -1", call.options.direction = -1);
    STEEPEST(VOXLANE_ERR_OPTION, "minima is 3", call.options.minima = 3);
    STEEPEST(VOXLANE_ERR_OPTION, "minima is -2147483648", call.options.minima = INT_MIN);
    for (axis = 0; axis < 3; ++axis) {
        char text[] = "border[0] is 3";
        text[7] = (char)('0' + axis);
        STEEPEST(VOXLANE_ERR_OPTION, text, call.options.border[axis] = 3);
    }
    STEEPEST(VOXLANE_ERR_OPTION, "isa is 4", call.options.isa = 4);
    STEEPEST(VOXLANE_ERR_OPTION, "isa is -1", call.options.isa = -1);
    STEEPEST(VOXLANE_ERR_OPTION, "threads is -1", call.options.threads = -1);
    STEEPEST(VOXLANE_ERR_OPTION, "reserved is 1", call.options.reserved = 1);

    GAUSSIANS(VOXLANE_ERR_OPTION, "normalization is 4", call.options.normalization = 4);
    GAUSSIANS(VOXLANE_ERR_OPTION, "support is 2", call.options.support = 2);
    GAUSSIANS(VOXLANE_ERR_OPTION, "sampling is 2", call.options.sampling = 2);
    for (axis = 0; axis < 3; ++axis) {
        char text[] = "periodic[0] is 2";
        text[9] = (char)('0' + axis);
        GAUSSIANS(VOXLANE_ERR_OPTION, text, call.options.periodic[axis] = 2);
    }
    GAUSSIANS(VOXLANE_ERR_OPTION, "accumulate is -1", call.options.accumulate = -1);
    GAUSSIANS(VOXLANE_ERR_OPTION, "isa is 99", call.options.isa = 99);
    GAUSSIANS(VOXLANE_ERR_OPTION, "threads is -2147483648", call.options.threads = INT_MIN);
    GAUSSIANS(VOXLANE_ERR_OPTION, "reserved is -7", call.options.reserved = -7);
    GAUSSIANS(VOXLANE_ERR_OPTION, "reserved is 3", call.gaussians.reserved = 3);
    /* The question's factor has one sigma, and these differ between the axes. */
    GAUSSIANS(VOXLANE_ERR_OPTION, "sigma", call.options.normalization = VOXLANE_NORM_REFERENCE);
}

static void ranges(void)
{
    STEEPEST(VOXLANE_ERR_OPTION, "2 to 6", (call.options.planes[0] = 2, call.options.planes[1] = 6));
    STEEPEST(VOXLANE_ERR_OPTION, "3 to 3", (call.options.planes[0] = 3, call.options.planes[1] = 3));
    STEEPEST(VOXLANE_ERR_OPTION, "4 to 2", (call.options.planes[0] = 4, call.options.planes[1] = 2));
    STEEPEST(VOXLANE_ERR_OPTION, "5 to 0", call.options.planes[0] = 5);
    STEEPEST(VOXLANE_ERR_OPTION, "18446744073709551615", call.options.planes[1] = SIZE_MAX);
    ACCEPT(steepest, (call.options.planes[0] = 4, call.options.planes[1] = 5));
}

/* A tier above what this machine runs. Where it runs all of them, valgrind's processor lacks the last. */
static void tiers(void)
{
    int32_t isa;
    for (isa = VOXLANE_ISA_PORTABLE; isa <= VOXLANE_ISA_AVX512; ++isa)
        if (voxlane_isa_supported(isa)) {
            ACCEPT(steepest, call.options.isa = isa);
            ACCEPT(gaussians, call.options.isa = isa);
        } else {
            STEEPEST(VOXLANE_ERR_ISA, voxlane_isa_name(isa), call.options.isa = isa);
            GAUSSIANS(VOXLANE_ERR_ISA, voxlane_isa_name(isa), call.options.isa = isa);
        }
}

void bad_options(void)
{
    sizes();
    numbers();
    ranges();
    tiers();
}
