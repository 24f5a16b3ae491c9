/* A program of somebody who has installed voxlane: one call of each kernel. */
#include <stdio.h>
#include <voxlane.h>

int main(void)
{
    const double center[3] = {1, 1, 1};
    const size_t shape[3] = {3, 3, 3};
    const double origin[3] = {0, 0, 0}, spacing[3] = {1, 1, 1};
    float grid[27], labels[27];

    if (voxlane_gauss_grid(center, 1, 0.5, 1e-6, shape, origin, spacing, grid) != VOXLANE_OK ||
        voxlane_create_label(grid, shape, labels) != VOXLANE_OK) {
        fprintf(stderr, "consumer: %s\n", voxlane_last_error());
        return 1;
    }
    if (voxlane_version() != VOXLANE_VERSION || voxlane_abi_version() != VOXLANE_ABI_VERSION) {
        fprintf(stderr, "consumer: the header is not the library's\n");
        return 1;
    }
    printf("label: %d\n", (int)labels[13]);
    return grid[13] > grid[0] ? 0 : 1;
}
