/* The library that runs is the header's, and works: versions [Cargo.toml's version]. */
#include <string.h>

#include "check.h"
#include "voxlane.h"

int main(int argc, char **argv)
{
    static const size_t sizes[] = {
        0,
        sizeof(voxlane_array),
        sizeof(voxlane_array_mut),
        sizeof(voxlane_steepest_options),
        sizeof(voxlane_gaussians),
        sizeof(voxlane_grid),
        sizeof(voxlane_gaussian_options),
        0,
    };
    /* Only neighbour 22 is lower than the one voxel that is no face. */
    float image[27], labels[27];
    const size_t shape[3] = {3, 3, 3};
    char text[32];
    int32_t i;

    CHECK(voxlane_version() == VOXLANE_VERSION, "version %x, header %x", voxlane_version(), VOXLANE_VERSION);
    CHECK(voxlane_abi_version() == VOXLANE_ABI_VERSION, "ABI %u", voxlane_abi_version());
    snprintf(text, sizeof text, "%d.%d.%d", VOXLANE_VERSION_MAJOR, VOXLANE_VERSION_MINOR, VOXLANE_VERSION_PATCH);
    CHECK(strcmp(voxlane_version_string(), text) == 0, "%s, not %s", voxlane_version_string(), text);
    if (argc > 1)
        CHECK(strcmp(argv[1], text) == 0, "the package is %s, the header %s", argv[1], text);
    for (i = -1; i < 8; ++i)
        CHECK(voxlane_sizeof(i) == (i < 0 ? 0 : sizes[i]), "voxlane_sizeof(%d)", i);

    CHECK(strcmp(voxlane_last_error(), "") == 0, "an error before the first: %s", voxlane_last_error());
    for (i = -110; i < 10; ++i) {
        int known = (i <= VOXLANE_OK && i >= VOXLANE_CANCELLED) || i == VOXLANE_ERR_PANIC;
        CHECK((strcmp(voxlane_status_string(i), "unknown status") != 0) == known, "status %d", i);
    }
    CHECK(strcmp(voxlane_isa_name(VOXLANE_ISA_AVX512), "avx512") == 0, "name");
    CHECK(strcmp(voxlane_isa_name(4), "unknown") == 0, "name");
    CHECK(voxlane_isa_supported(VOXLANE_ISA_AUTO) == 1, "automatic");
    CHECK(voxlane_isa_supported(VOXLANE_ISA_PORTABLE) == 1, "portable");
    CHECK(voxlane_isa_supported(4) == 0 && voxlane_isa_supported(-1) == 0, "unknown tiers");
    CHECK(voxlane_isa_supported(voxlane_isa_active()) == 1, "the active tier");

    for (i = 0; i < 27; ++i)
        image[i] = i == 22 ? -2.0f : 0.0f;
    CHECK(voxlane_create_label(image, shape, labels) == VOXLANE_OK, "%s", voxlane_last_error());
    for (i = 0; i < 27; ++i)
        CHECK(labels[i] == (i == 13 ? 22.0f : 0.0f), "label %d is %g", i, (double)labels[i]);
    return checks_done("versions");
}
