#include "guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint32_t random_below(uint32_t n)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % n);
}

size_t element_size(int32_t dtype)
{
    static const size_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 4, 8};
    return sizes[dtype];
}

static unsigned char pattern(size_t i)
{
    return (unsigned char)(0xA5 ^ (i * 13));
}

void guarded_strided(struct guarded *array, const size_t shape[3], const ptrdiff_t stride[3], int32_t dtype,
                     int placement)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = element_size(dtype);
    ptrdiff_t low = 0, high = 0;
    size_t inner, i;
    int axis;

    for (axis = 0; axis < 3; ++axis) {
        ptrdiff_t reach = ((ptrdiff_t)shape[axis] - 1) * stride[axis];
        *(reach < 0 ? &low : &high) += reach;
        array->shape[axis] = shape[axis];
        array->stride[axis] = stride[axis];
    }
    array->dtype = dtype;
    array->span_bytes = (size_t)(high - low + 1) * size;
    inner = (array->span_bytes + page - 1) / page * page;
    array->page_bytes = inner + 2 * page;
    array->pages = mmap(NULL, array->page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (array->pages == MAP_FAILED || mprotect(array->pages, page, PROT_NONE) != 0 ||
        mprotect(array->pages + page + inner, page, PROT_NONE) != 0)
        abort();
    array->span = array->pages + page + (placement == AT_START ? 0 : inner - array->span_bytes);
    array->first = array->span + (size_t)-low * size;
    for (i = 0; i < array->span_bytes; ++i)
        array->span[i] = pattern(i);
}

void guarded_new(struct guarded *array, const size_t shape[3], int32_t dtype, uint32_t layout, int placement)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}};
    const int *order = orders[layout % 6];
    ptrdiff_t stride[3], step = layout % 6 == 1 ? 1 + (ptrdiff_t)random_below(3) : 1;
    int i;
    for (i = 2; i >= 0; --i) {
        int axis = order[i];
        stride[axis] = layout > 0 && random_below(3) == 0 ? -step : step;
        step *= (ptrdiff_t)shape[axis];
        step += layout > 0 ? (ptrdiff_t)random_below(4) : 0;
    }
    guarded_strided(array, shape, stride, dtype, placement);
}

void guarded_freeze(const struct guarded *array)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (mprotect(array->pages + page, array->page_bytes - 2 * page, PROT_READ) != 0)
        abort();
}

unsigned char *guarded_at(const struct guarded *array, size_t i, size_t j, size_t k)
{
    ptrdiff_t offset = (ptrdiff_t)i * array->stride[0] + (ptrdiff_t)j * array->stride[1] +
                       (ptrdiff_t)k * array->stride[2];
    return array->first + offset * (ptrdiff_t)element_size(array->dtype);
}

int guarded_gaps_hold(const struct guarded *array, size_t from, size_t to)
{
    unsigned char *owned = calloc(array->span_bytes, 1);
    size_t i, j, k, b, changed = 0;
    if (owned == NULL)
        abort();
    for (i = from; i < to; ++i)
        for (j = 0; j < array->shape[1]; ++j)
            for (k = 0; k < array->shape[2]; ++k)
                memset(owned + (guarded_at(array, i, j, k) - array->span), 1, element_size(array->dtype));
    for (b = 0; b < array->span_bytes; ++b)
        changed += !owned[b] && array->span[b] != pattern(b);
    free(owned);
    return changed == 0;
}

void guarded_free(struct guarded *array)
{
    munmap(array->pages, array->page_bytes);
}

void guarded_fill(const struct guarded *array, uint32_t values)
{
    size_t i, j, k;
    for (i = 0; i < array->shape[0]; ++i)
        for (j = 0; j < array->shape[1]; ++j)
            for (k = 0; k < array->shape[2]; ++k) {
                unsigned char *at = guarded_at(array, i, j, k);
                uint32_t value = random_below(values);
                float single = (float)value;
                double twice = value;
                uint16_t half = (uint16_t)value;
                switch (array->dtype) {
                case VOXLANE_U8:
                case VOXLANE_I8:
                    *at = (unsigned char)value;
                    break;
                case VOXLANE_U16:
                case VOXLANE_I16:
                    memcpy(at, &half, sizeof half);
                    break;
                case VOXLANE_U32:
                case VOXLANE_I32:
                    memcpy(at, &value, sizeof value);
                    break;
                case VOXLANE_F32:
                    memcpy(at, &single, sizeof single);
                    break;
                default:
                    memcpy(at, &twice, sizeof twice);
                }
            }
}

voxlane_array guarded_view(const struct guarded *array)
{
    voxlane_array view = {array->first, {0, 0, 0}, {0, 0, 0}, array->dtype};
    memcpy(view.shape, array->shape, sizeof view.shape);
    memcpy(view.stride, array->stride, sizeof view.stride);
    return view;
}

voxlane_array_mut guarded_view_mut(const struct guarded *array)
{
    voxlane_array_mut view = {array->first, {0, 0, 0}, {0, 0, 0}, array->dtype};
    memcpy(view.shape, array->shape, sizeof view.shape);
    memcpy(view.stride, array->stride, sizeof view.stride);
    return view;
}
