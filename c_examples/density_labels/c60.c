/* Buckminsterfullerene from the golden ratio and its two bond lengths.
 *
 * Cut the twelve corners off an icosahedron, each by a plane that meets its five edges at distance
 * d from the corner, and the cut points are the 60 atoms: two on each of the 30 edges. Neighbouring
 * edges of a corner enclose 60 degrees, so the pentagon left by the cut has side d, and what remains
 * of an edge has length edge - 2d. Hence d is the bond between a pentagon and a hexagon, 1.46, and
 * the edge is 1.40 + 2 * 1.46 = 4.32. (d = edge/3 would be the uniform solid with one bond length.) */
#include "atoms.h"

#include <math.h>
#include <stdbool.h>

static const double bond_5_6 = 1.46; /* angstrom */
static const double bond_6_6 = 1.40;

static double distance(const double a[3], const double b[3])
{
    double z = a[0] - b[0], y = a[1] - b[1], x = a[2] - b[2];
    return sqrt(z * z + y * y + x * x);
}

static size_t bonds_of_length(const struct atoms *atoms, double length)
{
    size_t bonds = 0;

    for (size_t i = 0; i < atoms->count; i++)
        for (size_t j = 0; j < i; j++)
            if (fabs(distance(atoms->zyx[i], atoms->zyx[j]) - length) < 1e-9)
                bonds += 1;
    return bonds;
}

/* The corners (0, +-1, +-phi) and their cyclic permutations, whose edge is 2, scaled to `edge` and
 * turned so that two opposite corners lie on the z axis: planes of constant z then hold whole rings
 * of five or ten atoms. */
static void icosahedron(double edge, double corner[12][3])
{
    const double phi = (1 + sqrt(5)) / 2;
    const double norm = sqrt(1 + phi * phi); /* the distance of a corner from the centre */

    for (int i = 0; i < 12; i++) {
        double p[3] = {0, 0, 0}; /* x, y, z */
        p[(i / 4 + 1) % 3] = i & 1 ? -1 : 1;
        p[(i / 4 + 2) % 3] = i & 2 ? -phi : phi;

        /* A turn about x that carries (0, 1, phi) to (0, 0, norm). */
        corner[i][0] = (p[1] + phi * p[2]) / norm * edge / 2;
        corner[i][1] = (phi * p[1] - p[2]) / norm * edge / 2;
        corner[i][2] = p[0] * edge / 2;
    }
}

enum exit_status atoms_c60(struct atoms *atoms)
{
    const double edge = bond_6_6 + 2 * bond_5_6;
    double corner[12][3];

    icosahedron(edge, corner);
    for (int i = 0; i < 12; i++) {
        for (int j = 0; j < 12; j++) {
            /* The next larger distance of two corners is phi times the edge. */
            if (i == j || distance(corner[i], corner[j]) > 1.1 * edge)
                continue;
            double zyx[3];
            for (int axis = 0; axis < 3; axis++)
                zyx[axis] = corner[i][axis] + bond_5_6 / edge * (corner[j][axis] - corner[i][axis]);
            enum exit_status status = atoms_add(atoms, zyx, 0);
            if (status != DONE)
                return status;
        }
    }

    /* Twelve pentagons have 60 sides; each atom has one bond more, shared by two atoms. */
    bool is_c60 = atoms->count == 60 && bonds_of_length(atoms, bond_5_6) == 60 &&
                  bonds_of_length(atoms, bond_6_6) == 30;
    return is_c60 ? DONE : complain(RUN_FAILED, "C60: the computed bonds are wrong");
}
