/* Atoms from PDB and XYZ files, and the list that holds them. */
#include "atoms.h"

#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_status atoms_add(struct atoms *atoms, const double zyx[3], size_t line)
{
    if (atoms->count == atoms->capacity) {
        size_t capacity = atoms->capacity == 0 ? 64 : 2 * atoms->capacity;
        double(*positions)[3] = NULL;
        size_t *lines = NULL;

        if (capacity <= SIZE_MAX / sizeof *positions) {
            positions = realloc(atoms->zyx, capacity * sizeof *positions);
            if (positions != NULL)
                atoms->zyx = positions;
            lines = realloc(atoms->lines, capacity * sizeof *lines);
            if (lines != NULL)
                atoms->lines = lines;
        }
        if (positions == NULL || lines == NULL)
            return complain(RUN_FAILED, "out of memory after %zu atoms", atoms->count);
        atoms->capacity = capacity;
    }
    memcpy(atoms->zyx[atoms->count], zyx, sizeof atoms->zyx[0]);
    atoms->lines[atoms->count] = line;
    atoms->count += 1;
    return DONE;
}

void atoms_free(struct atoms *atoms)
{
    free(atoms->zyx);
    free(atoms->lines);
    *atoms = (struct atoms){0};
}

/* A text file, line by line. */
struct text {
    FILE *file;
    const char *path;
    size_t line; /* of what `content` holds, counted from 1 */
    bool at_end; /* no line was left; `line` is then one past the last */
    char content[1024];
};

/* The next line without its LF or CRLF. */
static enum exit_status next_line(struct text *text)
{
    size_t length = 0;
    int c = getc(text->file);

    if (!text->at_end)
        text->line += 1;
    text->at_end = c == EOF;
    for (; c != EOF && c != '\n'; c = getc(text->file)) {
        if (c == '\0')
            return complain(BAD_INPUT, "%s:%zu: a NUL byte: not a text file", text->path, text->line);
        if (length + 1 == sizeof text->content)
            return complain(BAD_INPUT, "%s:%zu: longer than %zu characters", text->path, text->line,
                            sizeof text->content - 1);
        text->content[length++] = (char)c;
    }
    if (ferror(text->file))
        return complain(BAD_INPUT, "%s:%zu: %s", text->path, text->line, strerror(errno));
    if (length > 0 && text->content[length - 1] == '\r')
        length -= 1;
    text->content[length] = '\0';
    return DONE;
}

static enum exit_status parse_coordinate(const struct text *text, char name, const char *field,
                                         double *value)
{
    if (parse_decimal(field, value))
        return DONE;
    return complain(BAD_INPUT, "%s:%zu: %c coordinate '%s' is not a finite number", text->path,
                    text->line, name, field);
}

/* ATOM and HETATM records of the first model: x, y and z in columns 31-38, 39-46 and 47-54. The
 * columns decide, since full fields touch. All alternate locations are kept. */
static enum exit_status read_pdb(struct text *text, struct atoms *atoms)
{
    for (;;) {
        enum exit_status status = next_line(text);
        if (status != DONE || text->at_end || strncmp(text->content, "ENDMDL", 6) == 0)
            return status;

        /* Files of 100,000 atoms and more let the serial number run into the record's name. */
        size_t name = strcspn(text->content, " ");
        bool is_atom = name == 4 && strncmp(text->content, "ATOM", 4) == 0;
        if (!is_atom && strncmp(text->content, "HETATM", 6) != 0)
            continue;
        if (strlen(text->content) < 54)
            return complain(BAD_INPUT, "%s:%zu: the record ends at column %zu, coordinates at 54",
                            text->path, text->line, strlen(text->content));

        double zyx[3];
        for (int i = 0; i < 3 && status == DONE; i++) {
            char field[9] = {0};
            memcpy(field, text->content + 30 + 8 * i, 8);
            status = parse_coordinate(text, "xyz"[i], field, &zyx[2 - i]);
        }
        if (status == DONE)
            status = atoms_add(atoms, zyx, text->line);
        if (status != DONE)
            return status;
    }
}

/* The number of atoms, a comment, then "symbol x y z" a line; further columns and frames are left
 * unread. */
static enum exit_status read_xyz(struct text *text, struct atoms *atoms)
{
    static const char blanks[] = " \t";
    uint64_t announced;
    enum exit_status status = next_line(text);

    if (status != DONE)
        return status;
    if (!parse_whole(text->content, SIZE_MAX, &announced) || announced == 0)
        return complain(BAD_INPUT, "%s:1: '%s' is not a number of atoms", text->path, text->content);
    status = next_line(text);

    while (status == DONE && atoms->count < announced) {
        double zyx[3];

        status = next_line(text);
        if (status != DONE)
            break;
        if (text->at_end)
            return complain(BAD_INPUT, "%s:%zu: the file ends after %zu of %ju atoms", text->path,
                            text->line, atoms->count, (uintmax_t)announced);

        char *field = strtok(text->content, blanks);
        for (int i = 0; i < 3 && status == DONE; i++) {
            field = field == NULL ? NULL : strtok(NULL, blanks);
            if (field == NULL)
                return complain(BAD_INPUT, "%s:%zu: expected 'symbol x y z'", text->path,
                                text->line);
            status = parse_coordinate(text, "xyz"[i], field, &zyx[2 - i]);
        }
        if (status == DONE)
            status = atoms_add(atoms, zyx, text->line);
    }
    return status;
}

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path), expected = strlen(suffix);

    if (length < expected)
        return false;
    for (size_t i = 0; i < expected; i++)
        if (tolower((unsigned char)path[length - expected + i]) != suffix[i])
            return false;
    return true;
}

static enum exit_status read_open_file(struct text *text, struct atoms *atoms)
{
    const char *path = text->path;
    int first = getc(text->file);
    enum exit_status status;

    if (ferror(text->file))
        return complain(BAD_INPUT, "%s: %s", path, strerror(errno));
    if (first == EOF)
        return complain(BAD_INPUT, "%s:1: the file is empty", path);
    /* 0x1f opens every gzip file and no text file. */
    if (ends_in(path, ".gz") || first == 0x1f)
        return complain(BAD_INPUT, "%s: gzip files are not read, please decompress it first", path);
    ungetc(first, text->file);

    if (ends_in(path, ".pdb") || ends_in(path, ".ent"))
        status = read_pdb(text, atoms);
    else if (ends_in(path, ".xyz"))
        status = read_xyz(text, atoms);
    else
        return complain(BAD_INPUT, "%s: the name must end in .pdb, .ent or .xyz", path);

    if (status == DONE && atoms->count == 0)
        return complain(BAD_INPUT, "%s:%zu: no ATOM or HETATM record up to here", path, text->line);
    return status;
}

enum exit_status atoms_read(struct atoms *atoms, const char *path)
{
    struct text text = {.file = fopen(path, "rb"), .path = path};

    if (text.file == NULL)
        return complain(BAD_INPUT, "%s: %s", path, strerror(errno));
    enum exit_status status = read_open_file(&text, atoms);
    fclose(text.file);
    return status;
}
