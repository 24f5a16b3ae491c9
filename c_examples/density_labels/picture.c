#include "picture.h"

#include "png.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <voxlane.h>

enum { SMALLEST_SIDE = 512 /* pixels */ };

struct picture {
    const float *density; /* of the plane */
    const uint8_t *labels;
    size_t rows, columns, zoom;
    float highest, threshold;
    uint8_t colour[27][3];
};

static struct picture picture_of(const struct field *field, size_t plane)
{
    size_t area = field->shape[1] * field->shape[2];
    struct picture picture = {.density = field->density + plane * area,
                              .labels = field->labels + plane * area,
                              .rows = field->shape[1],
                              .columns = field->shape[2]};
    size_t side = picture.rows > picture.columns ? picture.rows : picture.columns;

    picture.zoom = side < SMALLEST_SIDE ? (SMALLEST_SIDE + side - 1) / side : 1;
    for (size_t i = 0; i < area; i++)
        if (picture.density[i] > picture.highest)
            picture.highest = picture.density[i];
    return picture;
}

static enum exit_status write_picture(const char *path, struct picture *picture, png_row row)
{
    size_t width = picture->columns * picture->zoom, height = picture->rows * picture->zoom;

    if (width > UINT32_MAX || height > UINT32_MAX)
        return complain(RUN_FAILED, "%s: %zu x %zu pixels are too many", path, width, height);
    if (!png_write(path, (uint32_t)width, (uint32_t)height, row, picture))
        return complain(RUN_FAILED, "%s: %s", path, strerror(errno));
    return DONE;
}

/* The voxel in the plane that pixel (x, y) shows. */
static size_t voxel_at(const struct picture *picture, size_t x, size_t y)
{
    size_t row = picture->rows - 1 - y / picture->zoom;
    return row * picture->columns + x / picture->zoom;
}

static uint8_t to_byte(double value)
{
    return (uint8_t)lround(255 * fmin(fmax(value, 0), 1));
}

/* From black over blue, red and yellow to white, in steps of about equal lightness. */
static void density_row(void *user, uint32_t y, uint8_t *rgb)
{
    static const double ramp[6][3] = {{0.00, 0.00, 0.00}, {0.15, 0.12, 0.45}, {0.55, 0.16, 0.50},
                                      {0.90, 0.36, 0.27}, {0.99, 0.72, 0.25}, {1.00, 1.00, 0.92}};
    const struct picture *picture = user;

    for (size_t x = 0; x < picture->columns * picture->zoom; x++) {
        double value = (double)picture->density[voxel_at(picture, x, y)];
        double place = picture->highest > 0 ? 5 * value / (double)picture->highest : 0;
        size_t step = (size_t)fmin(floor(place), 4);
        double part = place - (double)step;
        for (size_t i = 0; i < 3; i++)
            rgb[3 * x + i] = to_byte(ramp[step][i] + part * (ramp[step + 1][i] - ramp[step][i]));
    }
}

enum exit_status picture_density(const char *path, const struct field *field, size_t plane)
{
    struct picture picture = picture_of(field, plane);
    return write_picture(path, &picture, density_row);
}

/* A pure hue brought to the wanted luma, with white or with black: hues of equal strength would
 * differ in lightness, and lightness stands for z here. */
static void colour_of_label(int label, uint8_t rgb[3])
{
    static const double pi = 3.14159265358979323846;
    static const double luma_of_dz[3] = {0.28, 0.50, 0.72};
    const int dz = label / 9 - 1, dy = label / 3 % 3 - 1, dx = label % 3 - 1;
    double colour[3] = {0, 0, 0};

    if (dy != 0 || dx != 0)
        for (int i = 0; i < 3; i++)
            colour[i] = 0.5 + 0.5 * cos(atan2(dy, dx) - i * 2 * pi / 3);
    double luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
    double wanted = label == VOXLANE_LABEL_CENTER ? 1 : luma_of_dz[dz + 1];
    for (int i = 0; i < 3; i++)
        rgb[i] = to_byte(luma < wanted ? 1 - (1 - colour[i]) * (1 - wanted) / (1 - luma)
                                       : colour[i] * wanted / luma);
}

static void labels_row(void *user, uint32_t y, uint8_t *rgb)
{
    const struct picture *picture = user;

    for (size_t x = 0; x < picture->columns * picture->zoom; x++) {
        size_t voxel = voxel_at(picture, x, y);
        float density = picture->density[voxel];
        double light = density > picture->threshold ? 1 : density > 0 ? 0.55 : 0;
        const uint8_t *colour = picture->colour[picture->labels[voxel]];
        for (size_t i = 0; i < 3; i++)
            rgb[3 * x + i] = to_byte(light * colour[i] / 255);
    }
}

enum exit_status picture_labels(const char *path, const struct field *field, size_t plane,
                                float threshold)
{
    struct picture picture = picture_of(field, plane);

    picture.threshold = threshold;
    for (int label = 0; label < 27; label++)
        colour_of_label(label, picture.colour[label]);
    return write_picture(path, &picture, labels_row);
}
