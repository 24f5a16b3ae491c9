/*
 * Arrays between two pages that nobody may touch: the first read or write outside ends the process. The element
 * span lies flush against one of them, so there are two placements.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "voxlane.h"

enum { AT_START, AT_END };

struct guarded {
    unsigned char *pages;
    size_t page_bytes;     /* all of it, with the two forbidden pages */
    unsigned char *span;   /* from the lowest element to the end of the highest */
    size_t span_bytes;
    unsigned char *first;  /* element (0, 0, 0) */
    size_t shape[3];
    ptrdiff_t stride[3];
    int32_t dtype;
};

/* A small random number generator, the same everywhere. */
uint32_t random_below(uint32_t n);

size_t element_size(int32_t dtype);

/* Memory for an array; what the span holds is a pattern. Strides of a layout number, from dense to contrived. */
void guarded_new(struct guarded *array, const size_t shape[3], int32_t dtype, uint32_t layout, int placement);
/* As above, with given strides. */
void guarded_strided(struct guarded *array, const size_t shape[3], const ptrdiff_t stride[3], int32_t dtype,
                     int placement);
/* From now on the span may only be read. */
void guarded_freeze(const struct guarded *array);
/* Whether all bytes between the elements still hold the pattern; and elements outside planes [from, to). */
int guarded_gaps_hold(const struct guarded *array, size_t from, size_t to);
void guarded_free(struct guarded *array);

unsigned char *guarded_at(const struct guarded *array, size_t i, size_t j, size_t k);
/* Sets every element to a value of its type made of a random number. */
void guarded_fill(const struct guarded *array, uint32_t values);

voxlane_array guarded_view(const struct guarded *array);
voxlane_array_mut guarded_view_mut(const struct guarded *array);

#endif
