/* A PNG writer without compression. */
#ifndef PNG_H
#define PNG_H

#include <stdbool.h>
#include <stdint.h>

/* Fills 3 * width bytes: red, green, blue of each pixel of row y, row 0 being the upmost. */
typedef void (*png_row)(void *user, uint32_t y, uint8_t *rgb);

/* Eight bits a channel. False, with errno set, where the file could not be written whole. */
bool png_write(const char *path, uint32_t width, uint32_t height, png_row row, void *user);

#endif
