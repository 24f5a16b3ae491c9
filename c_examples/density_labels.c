/* The density of a molecule on a voxel grid, and from every voxel the way to its atom.
 *
 * Each atom is a Gaussian of peak 1; voxlane_sum_gaussians adds them up on a grid around the
 * molecule. voxlane_steepest then gives each voxel the number of the neighbour to which the density
 * rises most steeply, and the centre's own number where none is higher: there are the atoms.
 * Followed from voxel to voxel, the labels lead from anywhere to the atom one belongs to.
 *
 * This file holds the calls into the library, and what is printed; the folder beside it reads atoms,
 * counts maxima and draws. Build and run it by `make run`; --help explains options and output. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime, isatty */

#include "density_labels/atoms.h"
#include "density_labels/field.h"
#include "density_labels/maxima.h"
#include "density_labels/message.h"
#include "density_labels/options.h"
#include "density_labels/picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <voxlane.h>

#ifdef _WIN32
#include <io.h>
#define isatty _isatty
#else
#include <unistd.h>
#endif

static const double eps = 1e-6;      /* Gaussians end where they fall below this part of the peak */
static const float threshold = 0.5F; /* half of one atom's peak */

static double seconds(void)
{
#ifdef _WIN32
    return (double)clock() / CLOCKS_PER_SEC; /* wall time there */
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#endif
}

struct step {
    const char *name;
    int percent; /* as last shown */
};

/* Progress of a long step, on a terminal only. The library calls it on this thread. */
static int show_progress(void *user, double fraction)
{
    struct step *step = user;
    int percent = (int)(100 * fraction);

    if (percent != step->percent) {
        fprintf(stderr, "\r%s %d %%", step->name, percent);
        fflush(stderr);
        step->percent = percent;
    }
    return 0; /* go on */
}

static voxlane_progress_fn progress_wanted(void)
{
    return isatty(2) ? show_progress : NULL;
}

static void end_progress(void)
{
    if (progress_wanted() != NULL)
        fprintf(stderr, "\r%-40s\r", "");
}

static enum exit_status check(voxlane_status status, const char *call)
{
    if (status == VOXLANE_OK)
        return DONE;
    return complain(RUN_FAILED, "%s: %s: %s", call, voxlane_status_string(status),
                    voxlane_last_error());
}

static enum exit_status sum_gaussians(const struct atoms *atoms, const struct options *options,
                                      const struct field *field)
{
    const size_t *shape = field->shape;
    const ptrdiff_t row = (ptrdiff_t)shape[2], plane = (ptrdiff_t)shape[1] * row;
    struct step step = {.name = "sum of Gaussians"};

    const voxlane_gaussians gaussians = {
        .count = atoms->count,
        .dtype = VOXLANE_F64,
        .centers = atoms->zyx,
        .center_stride = {3, 1},
        .amplitudes = NULL, /* all 1 */
        .sigmas = &options->sigma,
        .sigma_stride = {0, 0}, /* one for all atoms and axes */
    };
    const voxlane_grid grid = {
        .values = {field->density, {shape[0], shape[1], shape[2]}, {plane, row, 1}, VOXLANE_F32},
        .origin = {field->origin[0], field->origin[1], field->origin[2]},
        .spacing = {field->spacing, field->spacing, field->spacing},
    };
    voxlane_gaussian_options how;
    voxlane_gaussian_options_init(&how);
    how.normalization = VOXLANE_NORM_PEAK;
    how.support = VOXLANE_SUPPORT_BOX;
    how.eps = eps;
    how.threads = options->threads;
    how.progress = progress_wanted();
    how.progress_user = &step;

    voxlane_status status = voxlane_sum_gaussians(&gaussians, &grid, &how);
    end_progress();
    return check(status, "voxlane_sum_gaussians");
}

static enum exit_status label_uphill(const struct options *options, const struct field *field)
{
    const size_t *shape = field->shape;
    const ptrdiff_t row = (ptrdiff_t)shape[2], plane = (ptrdiff_t)shape[1] * row;
    struct step step = {.name = "labels"};

    /* [readme-begin] */
    const voxlane_array image = {
        field->density, {shape[0], shape[1], shape[2]}, {plane, row, 1}, VOXLANE_F32};
    const voxlane_array_mut labels = {
        field->labels, {shape[0], shape[1], shape[2]}, {plane, row, 1}, VOXLANE_U8};
    voxlane_steepest_options how;
    voxlane_steepest_options_init(&how);
    how.direction = VOXLANE_ASCENT;
    how.minima = VOXLANE_MINIMA_FLAT; /* the centre's label where no neighbour is strictly higher */
    for (int axis = 0; axis < 3; axis++)
        how.border[axis] = VOXLANE_BORDER_INSIDE;
    how.threads = options->threads;
    how.progress = progress_wanted();
    how.progress_user = &step;
    voxlane_status status = voxlane_steepest(&image, &labels, &how);
    /* [readme-end] */
    end_progress();
    return check(status, "voxlane_steepest");
}

/* Writes both pictures into the output folder. */
static enum exit_status draw(const struct options *options, const struct field *field)
{
    static const char *const names[2] = {"density", "labels"};
    size_t plane = maxima_richest_plane(field, threshold);
    size_t room = strlen(options->out) + sizeof "/density.png";
    char *path = malloc(room);
    enum exit_status status = DONE;

    if (path == NULL)
        return complain(RUN_FAILED, "out of memory");
    printf("slice_z: %.6g\n", field->origin[0] + (double)plane * field->spacing);
    for (int i = 0; i < 2 && status == DONE; i++) {
        snprintf(path, room, "%s/%s.png", options->out, names[i]);
        status = i == 0 ? picture_density(path, field, plane)
                        : picture_labels(path, field, plane, threshold);
        if (status == DONE)
            printf("%s_png: %s\n", names[i], path);
    }
    free(path);
    return status;
}

static enum exit_status report_maxima(const struct options *options, const struct atoms *atoms,
                                      const struct field *field)
{
    size_t maxima;
    enum exit_status status = maxima_count(field, threshold, &maxima);

    if (status != DONE)
        return status;
    size_t served = maxima_atoms_served(field, threshold, atoms);
    printf("threshold: %g\n", (double)threshold);
    printf("local_maxima: %zu\n", maxima);
    printf("atoms_with_maximum: %zu of %zu\n", served, atoms->count);
    status = draw(options, field);

    /* Of a molecule from a file nothing is demanded: its Gaussians may merge. */
    if (status == DONE && options->input == NULL && (served != atoms->count || maxima != served))
        status = complain(CHECK_FAILED,
                          "C60: %zu of %zu atoms have a maximum within one voxel diagonal, among %zu "
                          "maxima; spacing %g or sigma %g is too coarse to tell the atoms apart",
                          served, atoms->count, maxima, options->spacing, options->sigma);
    return status;
}

static enum exit_status measure(const struct options *options, const struct atoms *atoms,
                                const struct field *field, double reach)
{
    double start = seconds();
    enum exit_status status = sum_gaussians(atoms, options, field);
    double sum_time = seconds() - start;

    if (status != DONE)
        return status;
    double updates = field_voxels_within(field, atoms, reach);
    printf("sum_seconds: %.6f\n", sum_time);
    printf("sum_updates: %.0f\n", updates);
    printf("sum_updates_per_second: %.3e\n", updates / sum_time);

    start = seconds();
    status = label_uphill(options, field);
    double label_time = seconds() - start;

    if (status != DONE)
        return status;
    double voxels = (double)field->shape[0] * (double)field->shape[1] * (double)field->shape[2];
    printf("label_seconds: %.6f\n", label_time);
    printf("label_voxels_per_second: %.3e\n", voxels / label_time);
    return report_maxima(options, atoms, field);
}

static enum exit_status run(const struct options *options, const char *name,
                            const struct atoms *atoms)
{
    const double reach = sqrt(-2 * log(eps)) * options->sigma; /* of the box support */
    struct field field = {0};
    enum exit_status status = field_around(&field, atoms, name, options->spacing, reach);

    if (status != DONE)
        return status;
    printf("voxlane: %s\n", voxlane_version_string());
    printf("tier: %s\n", voxlane_isa_name(voxlane_isa_active()));
    if (options->threads == 0)
        printf("threads: auto\n");
    else
        printf("threads: %ld\n", (long)options->threads);
    printf("input: %s\n", name);
    printf("atoms: %zu\n", atoms->count);
    printf("spacing: %g\n", options->spacing);
    printf("sigma: %g\n", options->sigma);
    printf("grid_zyx: %zu %zu %zu\n", field.shape[0], field.shape[1], field.shape[2]);
    status = measure(options, atoms, &field, reach);
    field_free(&field);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct atoms atoms = {0};
    enum exit_status status = options_parse(&options, argc, argv);

    if (status != DONE)
        return (int)status;
    if (options.help) {
        options_help();
    } else {
        status = options.input == NULL ? atoms_c60(&atoms) : atoms_read(&atoms, options.input);
        if (status == DONE)
            status = run(&options, options.input == NULL ? "C60" : options.input, &atoms);
        atoms_free(&atoms);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == DONE)
        status = complain(RUN_FAILED, "standard output could not be written");
    return (int)status;
}
