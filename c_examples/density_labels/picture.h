/* Pictures of one z plane of a field: x to the right, y up, small planes enlarged. */
#ifndef PICTURE_H
#define PICTURE_H

#include "field.h"
#include "message.h"

#include <stddef.h>

enum exit_status picture_density(const char *path, const struct field *field, size_t plane);

/* Each voxel in the colour of its label: the hue is the direction in the plane, towards -z is darker
 * and towards +z lighter. Maxima are white, voxels below the threshold dimmed, empty ones black. */
enum exit_status picture_labels(const char *path, const struct field *field, size_t plane,
                                float threshold);

#endif
