#include "options.h"

#include "number.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "density_labels: density of a molecule on a voxel grid, and each voxel's way uphill\n"
    "\n"
    "usage: density_labels [--input FILE] [--spacing A] [--sigma A] [--threads N] [--out DIR]\n"
    "\n"
    "  --input FILE   atoms from a .pdb, .ent or .xyz file; without it, the 60 atoms of C60\n"
    "  --spacing A    voxel edge in angstrom (0.1)\n"
    "  --sigma A      standard deviation of every atom's Gaussian in angstrom (0.35)\n"
    "  --threads N    0: VOXLANE_THREADS, or all processors (0)\n"
    "  --out DIR      existing folder for density.png and labels.png (.)\n"
    "  --help         this text\n"
    "\n"
    "All atoms have the same Gaussian, of peak 1. From a PDB file come the ATOM and HETATM records\n"
    "of the first model, all alternate locations among them; from an XYZ file the first frame.\n"
    "\n"
    "stdout, one \"key: value\" a line, lengths in angstrom:\n"
    "  voxlane                 version of the library\n"
    "  tier                    instruction set in use\n"
    "  threads                 as asked for; auto for 0\n"
    "  input, atoms            the file, or C60, and its number of atoms\n"
    "  spacing, sigma          as given\n"
    "  grid_zyx                voxels along z, y and x\n"
    "  sum_seconds             wall time of voxlane_sum_gaussians; each step runs once, so that the\n"
    "                          start of threads and the first touch of memory are in it\n"
    "  sum_updates             voxels in the support box of each atom, added up\n"
    "  sum_updates_per_second  their quotient\n"
    "  label_seconds           wall time of voxlane_steepest\n"
    "  label_voxels_per_second\n"
    "  threshold               half the peak of one atom\n"
    "  local_maxima            voxels above it without a higher neighbour; touching ones, which are\n"
    "                          equal by definition, count as one\n"
    "  atoms_with_maximum      \"n of N\": atoms with such a voxel within one voxel diagonal\n"
    "  slice_z                 plane of the pictures: among those with the most maximum voxels,\n"
    "                          the one with the largest sum of density\n"
    "  density_png             that plane's density; x to the right, y up\n"
    "  labels_png              hue: way uphill in the plane; darker: towards -z, lighter: towards +z;\n"
    "                          white: a maximum; dimmed: below the threshold; black: no density\n"
    "\n"
    "exit status: 0 done, 1 some atom of C60 has no maximum of its own, 2 wrong option or input,\n"
    "             3 out of memory, output not written or library call refused\n";

void options_help(void)
{
    fputs(help, stdout);
}

/* The value of option `name` where `argv[*at]` is that option, as "--name value" or "--name=value";
 * NULL where it is another option. A missing value is the empty text, which no option accepts. */
static const char *value_of(const char *name, int argc, char **argv, int *at)
{
    size_t length = strlen(name);
    const char *argument = argv[*at];

    if (strncmp(argument, name, length) != 0)
        return NULL;
    if (argument[length] == '=')
        return argument + length + 1;
    if (argument[length] != '\0')
        return NULL;
    if (*at + 1 == argc)
        return "";
    *at += 1;
    return argv[*at];
}

static enum exit_status parse_length(const char *name, const char *text, double *value)
{
    if (parse_decimal(text, value) && *value > 0)
        return DONE;
    return complain(BAD_INPUT, "%s '%s': expected a positive number of angstrom", name, text);
}

static enum exit_status parse_threads(const char *text, int32_t *value)
{
    uint64_t number;

    if (!parse_whole(text, INT32_MAX, &number))
        return complain(BAD_INPUT, "--threads '%s': expected a whole number from 0 to %ld", text,
                        (long)INT32_MAX);
    *value = (int32_t)number;
    return DONE;
}

static enum exit_status parse_path(const char *name, const char *text, const char **value)
{
    if (*text == '\0')
        return complain(BAD_INPUT, "%s: expected a path after it", name);
    *value = text;
    return DONE;
}

enum exit_status options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.out = ".", .spacing = 0.1, .sigma = 0.35};

    for (int i = 1; i < argc; i++) {
        enum exit_status status = DONE;
        const char *value;

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            options->help = true;
        else if ((value = value_of("--input", argc, argv, &i)) != NULL)
            status = parse_path("--input", value, &options->input);
        else if ((value = value_of("--out", argc, argv, &i)) != NULL)
            status = parse_path("--out", value, &options->out);
        else if ((value = value_of("--spacing", argc, argv, &i)) != NULL)
            status = parse_length("--spacing", value, &options->spacing);
        else if ((value = value_of("--sigma", argc, argv, &i)) != NULL)
            status = parse_length("--sigma", value, &options->sigma);
        else if ((value = value_of("--threads", argc, argv, &i)) != NULL)
            status = parse_threads(value, &options->threads);
        else
            status = complain(BAD_INPUT, "'%s': unknown option, see --help", argv[i]);
        if (status != DONE)
            return status;
    }
    return DONE;
}
