/* Local maxima of a labelled density.
 *
 * A maximum voxel is one with the centre label (no neighbour is strictly higher) and a density above
 * the threshold; without the threshold the empty space, flat everywhere, would be full of them. Two
 * maximum voxels that touch are equal, as neither is higher: an atom half-way between two voxels
 * makes such a pair. So touching voxels are one maximum. */
#ifndef MAXIMA_H
#define MAXIMA_H

#include "atoms.h"
#include "field.h"
#include "message.h"

#include <stddef.h>

/* Among the z planes with the most maximum voxels, the one with the largest sum of density. */
size_t maxima_richest_plane(const struct field *field, float threshold);

enum exit_status maxima_count(const struct field *field, float threshold, size_t *count);

/* Atoms with a maximum voxel within one voxel diagonal. */
size_t maxima_atoms_served(const struct field *field, float threshold, const struct atoms *atoms);

#endif
