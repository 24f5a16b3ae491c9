/* The voxel grid around a molecule, with its density and its labels. */
#ifndef FIELD_H
#define FIELD_H

#include "atoms.h"
#include "message.h"

#include <stddef.h>
#include <stdint.h>

/* Axis 0 is z, the slowest; voxel k of an axis lies at origin + k * spacing. */
struct field {
    size_t shape[3];
    double origin[3], spacing;
    float *density;
    uint8_t *labels;
};

/* The atoms' bounding box and a margin around it, centred on the box. `name` is the molecule's in
 * the complaint about a grid larger than the machine's memory. */
enum exit_status field_around(struct field *field, const struct atoms *atoms, const char *name,
                              double spacing, double margin);
void field_free(struct field *field);

/* Voxels within `reach` of each atom along every axis, clipped to the grid and added up. */
double field_voxels_within(const struct field *field, const struct atoms *atoms, double reach);

#endif
