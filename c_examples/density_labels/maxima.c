#include "maxima.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <voxlane.h>

static bool is_maximum(const struct field *field, size_t voxel, float threshold)
{
    return field->labels[voxel] == VOXLANE_LABEL_CENTER && field->density[voxel] > threshold;
}

size_t maxima_richest_plane(const struct field *field, float threshold)
{
    size_t area = field->shape[1] * field->shape[2], richest = 0, most = 0;
    double largest = -1;

    for (size_t z = 0; z < field->shape[0]; z++) {
        size_t maxima = 0;
        double sum = 0;
        for (size_t voxel = z * area; voxel < (z + 1) * area; voxel++) {
            maxima += is_maximum(field, voxel, threshold);
            sum += (double)field->density[voxel];
        }
        /* Mirrored planes of a symmetric molecule differ by rounding alone: the lower one is taken,
         * whatever the instruction set. */
        if (maxima > most || (maxima == most && sum > largest * (1 + 1e-5))) {
            most = maxima;
            largest = sum;
            richest = z;
        }
    }
    return richest;
}

/* The maximum voxels in ascending order; `parent` joins those that touch into trees, one for each
 * maximum, whose root is its own parent. */
struct forest {
    size_t count;
    size_t *voxel, *parent;
};

static size_t root_of(const struct forest *forest, size_t i)
{
    while (forest->parent[i] != i) {
        forest->parent[i] = forest->parent[forest->parent[i]];
        i = forest->parent[i];
    }
    return i;
}

static int compare_voxels(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    return (left > right) - (left < right);
}

/* Joins entry i with its neighbours of lower index: each touching pair is met once. */
static void join_with_lower_neighbours(struct forest *forest, size_t i, const size_t shape[3])
{
    size_t voxel = forest->voxel[i];
    size_t at[3] = {voxel / shape[2] / shape[1], voxel / shape[2] % shape[1], voxel % shape[2]};

    for (size_t label = 0; label < VOXLANE_LABEL_CENTER; label++) {
        /* 0, 1, 2 along each axis for the offsets -1, 0, 1. */
        size_t offset[3] = {label / 9, label / 3 % 3, label % 3};
        bool inside = true;
        for (int axis = 0; axis < 3; axis++)
            inside = inside && at[axis] + offset[axis] >= 1 &&
                     at[axis] + offset[axis] <= shape[axis];
        if (!inside)
            continue;

        size_t z = at[0] + offset[0] - 1, y = at[1] + offset[1] - 1, x = at[2] + offset[2] - 1;
        size_t neighbour = (z * shape[1] + y) * shape[2] + x;
        const size_t *found =
            bsearch(&neighbour, forest->voxel, i, sizeof neighbour, compare_voxels);
        if (found != NULL)
            forest->parent[root_of(forest, i)] = root_of(forest, (size_t)(found - forest->voxel));
    }
}

enum exit_status maxima_count(const struct field *field, float threshold, size_t *count)
{
    struct forest forest = {0};
    size_t voxels = field->shape[0] * field->shape[1] * field->shape[2];

    for (size_t voxel = 0; voxel < voxels; voxel++)
        forest.count += is_maximum(field, voxel, threshold);
    *count = 0;
    if (forest.count == 0)
        return DONE;

    forest.voxel = calloc(forest.count, sizeof *forest.voxel);
    forest.parent = calloc(forest.count, sizeof *forest.parent);
    if (forest.voxel == NULL || forest.parent == NULL) {
        free(forest.voxel);
        free(forest.parent);
        return complain(RUN_FAILED, "no memory for %zu maximum voxels", forest.count);
    }

    for (size_t voxel = 0, i = 0; voxel < voxels; voxel++)
        if (is_maximum(field, voxel, threshold)) {
            forest.voxel[i] = voxel;
            forest.parent[i] = i;
            i += 1;
        }
    for (size_t i = 0; i < forest.count; i++)
        join_with_lower_neighbours(&forest, i, field->shape);
    for (size_t i = 0; i < forest.count; i++)
        *count += forest.parent[i] == i;

    free(forest.voxel);
    free(forest.parent);
    return DONE;
}

static bool has_maximum(const struct field *field, float threshold, const double zyx[3])
{
    const double diagonal = sqrt(3); /* in voxels, as everything below */
    double centre[3];
    size_t first[3], last[3];

    for (int axis = 0; axis < 3; axis++) {
        centre[axis] = (zyx[axis] - field->origin[axis]) / field->spacing;
        first[axis] = (size_t)fmax(0, floor(centre[axis] - diagonal));
        last[axis] = (size_t)fmin((double)field->shape[axis] - 1, ceil(centre[axis] + diagonal));
    }
    for (size_t z = first[0]; z <= last[0]; z++)
        for (size_t y = first[1]; y <= last[1]; y++)
            for (size_t x = first[2]; x <= last[2]; x++) {
                double dz = (double)z - centre[0], dy = (double)y - centre[1],
                       dx = (double)x - centre[2];
                if (dz * dz + dy * dy + dx * dx <= diagonal * diagonal &&
                    is_maximum(field, (z * field->shape[1] + y) * field->shape[2] + x, threshold))
                    return true;
            }
    return false;
}

size_t maxima_atoms_served(const struct field *field, float threshold, const struct atoms *atoms)
{
    size_t served = 0;

    for (size_t i = 0; i < atoms->count; i++)
        served += has_maximum(field, threshold, atoms->zyx[i]);
    return served;
}
