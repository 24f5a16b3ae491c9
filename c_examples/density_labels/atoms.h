/* Atom positions: computed, or read from a file. */
#ifndef ATOMS_H
#define ATOMS_H

#include "message.h"

#include <stddef.h>

struct atoms {
    size_t count, capacity;
    double (*zyx)[3]; /* angstrom, in the library's axis order */
    size_t *lines;    /* where in the file each atom stands; 0 for computed ones */
};

/* Both start from an empty `atoms` ({0}) and complain in one line where they fail. */
enum exit_status atoms_c60(struct atoms *atoms);
enum exit_status atoms_read(struct atoms *atoms, const char *path);

enum exit_status atoms_add(struct atoms *atoms, const double zyx[3], size_t line);
void atoms_free(struct atoms *atoms);

#endif
