/*
 * Bad input, one line a case: take a call that is good, spoil one thing, and the call must be refused with that
 * status, a text that holds the offending name and number, and every byte of inputs and outputs as it was.
 */
#ifndef BAD_INPUT_H
#define BAD_INPUT_H

#include "voxlane.h"

enum { NZ = 5, NY = 6, NX = 7, VOXELS = NZ * NY * NX, CENTERS = 6 };

/* All memory that a call is told of, in one piece, so that one comparison shows that nothing changed. */
struct memory {
    double weights[27];
    double slope[VOXELS];
    double grid[VOXELS];
    double centers[3 * CENTERS];
    double amplitudes[CENTERS];
    double sigmas[3 * CENTERS];
    double labels[2 * VOXELS];
    float image[2 * VOXELS];
    unsigned char mask[VOXELS];
};
extern struct memory memory;

/* The arguments of voxlane_steepest; the last three are what is passed. */
struct steepest_call {
    voxlane_array image, mask;
    voxlane_array_mut labels, slope;
    voxlane_steepest_options options;
    const voxlane_array *image_argument;
    const voxlane_array_mut *labels_argument;
    const voxlane_steepest_options *options_argument;
};

struct gaussians_call {
    voxlane_gaussians gaussians;
    voxlane_grid grid;
    voxlane_gaussian_options options;
    const voxlane_gaussians *gaussians_argument;
    const voxlane_grid *grid_argument;
    const voxlane_gaussian_options *options_argument;
};

/* Fills the memory and describes a call that succeeds, with every optional input and output. */
void good_steepest(struct steepest_call *call);
void good_gaussians(struct gaussians_call *call);
/* Remembers the memory; run a call; compare. */
void before_call(void);
void after_refusal(voxlane_status status, voxlane_status expected, const char *text, const char *change, int line);
void after_success(voxlane_status status, const char *change, int line);

void expect(int holds, int line, const char *what);

voxlane_status run_steepest(const struct steepest_call *call);
voxlane_status run_gaussians(const struct gaussians_call *call);

#define REFUSE(kind, expected, text, change)                                  \
    do {                                                                      \
        struct kind##_call call;                                              \
        good_##kind(&call);                                                   \
        change;                                                               \
        before_call();                                                        \
        after_refusal(run_##kind(&call), expected, text, #change, __LINE__);  \
    } while (0)
#define ACCEPT(kind, change)                                                  \
    do {                                                                      \
        struct kind##_call call;                                              \
        good_##kind(&call);                                                   \
        change;                                                               \
        after_success(run_##kind(&call), #change, __LINE__);                  \
    } while (0)
#define STEEPEST(...) REFUSE(steepest, __VA_ARGS__)
#define GAUSSIANS(...) REFUSE(gaussians, __VA_ARGS__)

/* One file each. */
void bad_memory(void);
void bad_options(void);
void bad_values(void);
void bad_shortcuts(void);
void bad_environment_shortcuts(voxlane_status expected, const char *text);
void cancellation(void);

#endif
