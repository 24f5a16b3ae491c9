#define _POSIX_C_SOURCE 200809L /* sysconf */

#include "field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef _WIN32
#include <unistd.h>
#endif

enum { BYTES_PER_VOXEL = sizeof(float) + sizeof(uint8_t) };

/* What the grid may take. An operating system that overcommits would accept more, and kill the
 * program later without a word. */
static double memory_in_bytes(void)
{
    double memory = 16e9;
#ifdef _SC_PHYS_PAGES
    double pages = (double)sysconf(_SC_PHYS_PAGES);
    if (pages > 0)
        memory = pages * (double)sysconf(_SC_PAGESIZE);
#endif
    return fmin(memory, (double)(SIZE_MAX / 2));
}

/* The atoms that bound the molecule along one axis. */
struct extent {
    size_t lowest, highest;
    double low, high;
};

static struct extent extent_of(const struct atoms *atoms, int axis)
{
    struct extent extent = {0};

    for (size_t i = 1; i < atoms->count; i++) {
        if (atoms->zyx[i][axis] < atoms->zyx[extent.lowest][axis])
            extent.lowest = i;
        if (atoms->zyx[i][axis] > atoms->zyx[extent.highest][axis])
            extent.highest = i;
    }
    extent.low = atoms->zyx[extent.lowest][axis];
    extent.high = atoms->zyx[extent.highest][axis];
    return extent;
}

static enum exit_status complain_too_large(const double voxels[3], const struct extent extents[3],
                                           const struct atoms *atoms, const char *name,
                                           double spacing, double needed)
{
    char reach[160] = "";
    int axis = 0;

    for (int other = 1; other < 3; other++)
        if (voxels[other] > voxels[axis])
            axis = other;
    const struct extent *longest = &extents[axis];
    if (atoms->lines[longest->lowest] != 0)
        snprintf(reach, sizeof reach, "; the atoms reach from %c = %g (line %zu) to %g (line %zu)",
                 "zyx"[axis], longest->low, atoms->lines[longest->lowest], longest->high,
                 atoms->lines[longest->highest]);
    return complain(BAD_INPUT,
                    "%s: %.4g x %.4g x %.4g voxels (z y x) of spacing %g need %.3g GB of memory, "
                    "this machine has %.3g GB%s",
                    name, voxels[0], voxels[1], voxels[2], spacing, needed / 1e9,
                    memory_in_bytes() / 1e9, reach);
}

enum exit_status field_around(struct field *field, const struct atoms *atoms, const char *name,
                              double spacing, double margin)
{
    struct extent extents[3];
    double voxels[3];

    for (int axis = 0; axis < 3; axis++) {
        struct extent extent = extents[axis] = extent_of(atoms, axis);
        voxels[axis] = ceil((extent.high - extent.low + 2 * margin) / spacing) + 1;
        field->origin[axis] =
            extent.low / 2 + extent.high / 2 - (voxels[axis] - 1) / 2 * spacing;
    }
    double needed = voxels[0] * voxels[1] * voxels[2] * BYTES_PER_VOXEL;
    if (!(needed <= memory_in_bytes()))
        return complain_too_large(voxels, extents, atoms, name, spacing, needed);

    /* So far out that a spacing is lost in the rounding of a position. */
    for (int axis = 0; axis < 3; axis++)
        if (fmax(-extents[axis].low, extents[axis].high) > 1e9 * spacing)
            return complain(BAD_INPUT, "%s: %c from %g to %g is too far from 0 for a spacing of %g",
                            name, "zyx"[axis], extents[axis].low, extents[axis].high, spacing);

    size_t count = 1;
    for (int axis = 0; axis < 3; axis++) {
        field->shape[axis] = (size_t)voxels[axis];
        count *= field->shape[axis];
    }
    field->spacing = spacing;
    field->density = malloc(count * sizeof *field->density);
    field->labels = malloc(count * sizeof *field->labels);
    if (field->density == NULL || field->labels == NULL) {
        field_free(field);
        return complain(RUN_FAILED, "%s: no memory for %zu voxels (%.3g GB)", name, count,
                        needed / 1e9);
    }
    return DONE;
}

void field_free(struct field *field)
{
    free(field->density);
    free(field->labels);
    field->density = NULL;
    field->labels = NULL;
}

double field_voxels_within(const struct field *field, const struct atoms *atoms, double reach)
{
    double voxels = 0;

    for (size_t i = 0; i < atoms->count; i++) {
        double box = 1;
        for (int axis = 0; axis < 3; axis++) {
            double centre = (atoms->zyx[i][axis] - field->origin[axis]) / field->spacing;
            double first = fmax(0, ceil(centre - reach / field->spacing));
            double last = fmin((double)field->shape[axis] - 1,
                               floor(centre + reach / field->spacing));
            box *= fmax(0, last - first + 1);
        }
        voxels += box;
    }
    return voxels;
}
