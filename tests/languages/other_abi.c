/*
 * Stands between a program and libvoxlane, and answers as a library of another ABI would: with another ABI number, or
 * (OTHER_SIZE) with one struct that is larger than the header's. Every binding must refuse to work with it.
 */
#include "voxlane.h"

#ifdef OTHER_SIZE
size_t voxlane_sizeof(int32_t which)
{
    static const size_t sizes[] = {
        0,
        sizeof(voxlane_array),
        sizeof(voxlane_array_mut),
        sizeof(voxlane_steepest_options),
        sizeof(voxlane_gaussians),
        sizeof(voxlane_grid),
        sizeof(voxlane_gaussian_options),
    };
    return which == OTHER_SIZE ? 4096 : sizes[which];
}
#else
uint32_t voxlane_abi_version(void)
{
    return VOXLANE_ABI_VERSION + 1;
}
#endif
