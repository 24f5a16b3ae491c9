/* The command line of density_labels. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "message.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *input; /* NULL: C60 */
    const char *out;   /* folder of the pictures */
    double spacing;    /* angstrom */
    double sigma;      /* angstrom */
    int32_t threads;   /* 0: the library's choice */
    bool help;
};

enum exit_status options_parse(struct options *options, int argc, char **argv);
void options_help(void);

#endif
