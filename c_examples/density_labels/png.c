/* PNG: a signature, then chunks of length, type, content and CRC-32 of the last two. The pixels are
 * one zlib stream cut into IDAT chunks. Deflate allows blocks stored as they are, of up to 65,535
 * bytes, and any decoder reads them; so each row of pixels goes out as stored blocks in one chunk of
 * its own, and nothing but a row is ever held in memory. */
#include "png.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { STORED_MAX = 65535, BLOCK_HEADER = 5, ADLER_PRIME = 65521 };

struct png {
    FILE *file;
    uint32_t crc;                /* of the chunk being written */
    uint32_t crc_of_byte[256];
    uint32_t adler_low, adler_high; /* Adler-32 of all rows so far */
};

static void make_crc_table(uint32_t table[256])
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;
        for (int bit = 0; bit < 8; bit++)
            rest = (rest & 1) != 0 ? rest >> 1 ^ 0xedb88320 : rest >> 1;
        table[byte] = rest;
    }
}

/* Write errors stay set on the stream and are asked for once, at the end. */
static void put(struct png *png, const uint8_t *bytes, size_t count)
{
    fwrite(bytes, 1, count, png->file);
    for (size_t i = 0; i < count; i++)
        png->crc = png->crc >> 8 ^ png->crc_of_byte[(png->crc ^ bytes[i]) & 0xff];
}

static void put_u32(struct png *png, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put(png, bytes, sizeof bytes);
}

static void begin_chunk(struct png *png, const char type[4], uint32_t length)
{
    put_u32(png, length);
    png->crc = 0xffffffff;
    put(png, (const uint8_t *)type, 4);
}

static void end_chunk(struct png *png)
{
    put_u32(png, ~png->crc);
}

static void add_to_adler(struct png *png, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        png->adler_low = (png->adler_low + bytes[i]) % ADLER_PRIME;
        png->adler_high = (png->adler_high + png->adler_low) % ADLER_PRIME;
    }
}

static void put_row(struct png *png, const uint8_t *bytes, uint32_t count, bool first, bool last)
{
    uint32_t blocks = (count + STORED_MAX - 1) / STORED_MAX;
    uint32_t length = count + blocks * BLOCK_HEADER + (first ? 2 : 0) + (last ? 4 : 0);

    begin_chunk(png, "IDAT", length);
    if (first) {
        const uint8_t zlib_header[2] = {0x78, 0x01};
        put(png, zlib_header, sizeof zlib_header);
    }
    add_to_adler(png, bytes, count);
    while (count > 0) {
        uint32_t size = count < STORED_MAX ? count : STORED_MAX;
        const uint8_t header[BLOCK_HEADER] = {last && size == count, (uint8_t)size,
                                              (uint8_t)(size >> 8), (uint8_t)~size,
                                              (uint8_t)(~size >> 8)};
        put(png, header, sizeof header);
        put(png, bytes, size);
        bytes += size;
        count -= size;
    }
    if (last)
        put_u32(png, png->adler_high << 16 | png->adler_low);
    end_chunk(png);
}

static void put_all(struct png *png, uint32_t width, uint32_t height, png_row row, void *user,
                    uint8_t *bytes)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    /* Eight bits, RGB, and the only compression, filter method and (no) interlace there is. */
    static const uint8_t kind[5] = {8, 2, 0, 0, 0};

    put(png, signature, sizeof signature);
    begin_chunk(png, "IHDR", 8 + sizeof kind);
    put_u32(png, width);
    put_u32(png, height);
    put(png, kind, sizeof kind);
    end_chunk(png);
    for (uint32_t y = 0; y < height; y++) {
        bytes[0] = 0; /* this row's filter: none */
        row(user, y, bytes + 1);
        put_row(png, bytes, 1 + 3 * width, y == 0, y + 1 == height);
    }
    begin_chunk(png, "IEND", 0);
    end_chunk(png);
}

bool png_write(const char *path, uint32_t width, uint32_t height, png_row row, void *user)
{
    /* A chunk's length must stay below 2^31. */
    if (width == 0 || height == 0 || width > 700000000 || height > INT32_MAX) {
        errno = EFBIG;
        return false;
    }
    uint8_t *bytes = malloc(1 + 3 * (size_t)width);
    if (bytes == NULL) {
        errno = ENOMEM;
        return false;
    }
    struct png png = {.file = fopen(path, "wb"), .adler_low = 1};
    if (png.file == NULL) {
        free(bytes);
        return false;
    }
    make_crc_table(png.crc_of_byte);
    errno = 0;
    put_all(&png, width, height, row, user, bytes);
    free(bytes);

    bool written = !ferror(png.file);
    int cause = errno;
    if (fclose(png.file) != 0 && written) {
        cause = errno;
        written = false;
    }
    errno = cause != 0 ? cause : EIO;
    return written;
}
