/* Prints the names of the instruction-set tiers that this machine runs, lowest first, and says which it lacks. */
#include <stdio.h>

#include "voxlane.h"

int main(void)
{
    int32_t isa;
    for (isa = VOXLANE_ISA_PORTABLE; isa <= VOXLANE_ISA_AVX512; ++isa)
        if (voxlane_isa_supported(isa))
            puts(voxlane_isa_name(isa));
        else
            fprintf(stderr, "SKIPPED: tier %s, which this machine does not run\n", voxlane_isa_name(isa));
    return 0;
}
