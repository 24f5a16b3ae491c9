/*
 * bad_input                         every refusal, every output byte checked untouched
 * bad_input environment STATUS TEXT both calls must give this status and text: for VOXLANE_ISA, VOXLANE_THREADS
 */
#include "bad_input.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

struct memory memory;
static struct memory remembered;

static void fill(void)
{
    unsigned char *bytes = (unsigned char *)&memory;
    size_t i;
    for (i = 0; i < sizeof memory; ++i)
        bytes[i] = (unsigned char)(0xA5 ^ (i * 7));
    for (i = 0; i < 2 * VOXELS; ++i)
        memory.image[i] = (float)(i * 37 % 101);
    for (i = 0; i < VOXELS; ++i)
        memory.mask[i] = i % 11 != 0;
    for (i = 0; i < 27; ++i)
        memory.weights[i] = 0.1 * (double)(i + 1);
    for (i = 0; i < 3 * CENTERS; ++i) {
        memory.centers[i] = (double)(i % 5);
        memory.sigmas[i] = 1.0 + 0.1 * (double)i;
    }
    for (i = 0; i < CENTERS; ++i)
        memory.amplitudes[i] = (double)i - 2.5;
}

static voxlane_array dense(const void *data, int32_t dtype)
{
    voxlane_array array = {data, {NZ, NY, NX}, {NY * NX, NX, 1}, dtype};
    return array;
}

static voxlane_array_mut dense_mut(void *data, int32_t dtype)
{
    voxlane_array_mut array = {data, {NZ, NY, NX}, {NY * NX, NX, 1}, dtype};
    return array;
}

void good_steepest(struct steepest_call *call)
{
    fill();
    memset(call, 0, sizeof *call);
    call->image = dense(memory.image, VOXLANE_F32);
    call->mask = dense(memory.mask, VOXLANE_U8);
    call->labels = dense_mut(memory.labels, VOXLANE_F32);
    call->slope = dense_mut(memory.slope, VOXLANE_F64);
    voxlane_steepest_options_init(&call->options);
    call->options.mask = &call->mask;
    call->options.slope = &call->slope;
    call->options.weights = memory.weights;
    call->image_argument = &call->image;
    call->labels_argument = &call->labels;
    call->options_argument = &call->options;
}

void good_gaussians(struct gaussians_call *call)
{
    fill();
    memset(call, 0, sizeof *call);
    call->gaussians.count = CENTERS;
    call->gaussians.dtype = VOXLANE_F64;
    call->gaussians.centers = memory.centers;
    call->gaussians.center_stride[0] = 3;
    call->gaussians.center_stride[1] = 1;
    call->gaussians.amplitudes = memory.amplitudes;
    call->gaussians.amplitude_stride = 1;
    call->gaussians.sigmas = memory.sigmas;
    call->gaussians.sigma_stride[0] = 3;
    call->gaussians.sigma_stride[1] = 1;
    call->grid.values = dense_mut(memory.grid, VOXLANE_F64);
    call->grid.spacing[0] = call->grid.spacing[1] = call->grid.spacing[2] = 0.5;
    voxlane_gaussian_options_init(&call->options);
    call->gaussians_argument = &call->gaussians;
    call->grid_argument = &call->grid;
    call->options_argument = &call->options;
}

voxlane_status run_steepest(const struct steepest_call *call)
{
    return voxlane_steepest(call->image_argument, call->labels_argument, call->options_argument);
}

voxlane_status run_gaussians(const struct gaussians_call *call)
{
    return voxlane_sum_gaussians(call->gaussians_argument, call->grid_argument, call->options_argument);
}

void before_call(void)
{
    memcpy(&remembered, &memory, sizeof memory);
}

void after_refusal(voxlane_status status, voxlane_status expected, const char *text, const char *change, int line)
{
    const char *error = voxlane_last_error();
    check_that(status == expected, line, "%s: status %d, not %d (%s)", change, status, expected, error);
    check_that(strstr(error, text) != NULL, line, "%s: no \"%s\" in \"%s\"", change, text, error);
    check_that(strchr(error, '\n') == NULL, line, "%s: more than one line: \"%s\"", change, error);
    check_that(memcmp(&remembered, &memory, sizeof memory) == 0, line, "%s: memory was touched", change);
}

void after_success(voxlane_status status, const char *change, int line)
{
    check_that(status == VOXLANE_OK, line, "%s: status %d: %s", change, status, voxlane_last_error());
}

void expect(int holds, int line, const char *what)
{
    check_that(holds, line, "%s", what);
}

static void environment(voxlane_status expected, const char *text)
{
    STEEPEST(expected, text, (void)0);
    GAUSSIANS(expected, text, (void)0);
    bad_environment_shortcuts(expected, text);
    if (expected == VOXLANE_ERR_ISA)
        CHECK(voxlane_isa_active() == VOXLANE_ERR_ISA, "voxlane_isa_active: %d", voxlane_isa_active());
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "environment") == 0) {
        environment(atoi(argv[2]), argv[3]);
        return checks_done(argv[3]);
    }
    ACCEPT(steepest, (void)0);
    ACCEPT(gaussians, (void)0);
    bad_memory();
    bad_options();
    bad_values();
    bad_shortcuts();
    cancellation();
    return checks_done("bad input");
}
