/* guard_works before|inside|after: reads one byte there. Only "inside" may succeed. */
#include <string.h>

#include "guard.h"

int main(int argc, char **argv)
{
    const size_t shape[3] = {3, 5, 7};
    struct guarded start, end;
    volatile unsigned char byte;
    guarded_new(&start, shape, VOXLANE_F32, 0, AT_START);
    guarded_new(&end, shape, VOXLANE_F32, 0, AT_END);
    if (argc > 1 && strcmp(argv[1], "before") == 0)
        byte = start.span[-1];
    else if (argc > 1 && strcmp(argv[1], "after") == 0)
        byte = end.span[end.span_bytes];
    else
        byte = (unsigned char)(start.span[start.span_bytes] + end.span[-1]);
    (void)byte;
    return 0;
}
