// Grains in a drill core, imaged with slices further apart than pixels: from every voxel the way to its grain.
//
// The image is a sum of Gaussians, one a grain, on a grid whose planes are 2.5 times as far apart as its rows and
// columns. A mask leaves only the core, a cylinder. Labels then lead uphill, with distances as they are in space; where
// they end, there are the grains, and the voxels on the way there are a grain's volume.
//
//     anisotropic_mask [THREADS]
//
// Exit status: 0 done, 1 the result is not as expected, 2 bad input, 3 the run failed.
#include <voxlane.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

namespace {

enum exit_status { done = 0, check_failed = 1, bad_input = 2, run_failed = 3 };

// Lengths are in micrometres.
constexpr voxlane::extents shape = {40, 112, 112};
constexpr std::array<double, 3> spacing = {2.5, 1, 1};
constexpr double core_radius = 52;
constexpr double grain_distance = 16;
constexpr double grain_sigma = 4.5;
constexpr double jitter = 1.5;

constexpr std::size_t voxels = shape[0] * shape[1] * shape[2];

std::size_t index_of(std::size_t z, std::size_t y, std::size_t x) { return (z * shape[1] + y) * shape[2] + x; }

double from_axis(double y, double x) {
    return std::hypot(y - 0.5 * static_cast<double>(shape[1] - 1), x - 0.5 * static_cast<double>(shape[2] - 1));
}

std::vector<std::uint8_t> core() {
    std::vector<std::uint8_t> mask(voxels);
    for (std::size_t z = 0; z < shape[0]; ++z)
        for (std::size_t y = 0; y < shape[1]; ++y)
            for (std::size_t x = 0; x < shape[2]; ++x)
                mask[index_of(z, y, x)] = from_axis(static_cast<double>(y), static_cast<double>(x)) <= core_radius;
    return mask;
}

// Positions z, y, x of grains on a cubic lattice, each moved a little; only those well inside the core.
std::vector<double> grains() {
    std::vector<double> positions;
    unsigned state = 1;
    const auto moved = [&state](double value) {
        state = state * 1664525U + 1013904223U;
        return value + jitter * (static_cast<double>(state >> 8) / (1 << 23) - 1);
    };
    for (double z = 10; z < 90; z += grain_distance)
        for (double y = 8; y < 112; y += grain_distance)
            for (double x = 8; x < 112; x += grain_distance) {
                const double position[3] = {moved(z), moved(y), moved(x)};
                if (from_axis(position[1], position[2]) < core_radius - grain_sigma)
                    positions.insert(positions.end(), position, position + 3);
            }
    return positions;
}

// In double: the two highest voxels of a grain may well be the same float, and both its maximum.
std::vector<double> image_of(const std::vector<double> &positions, std::int32_t threads) {
    std::vector<double> image(voxels);
    voxlane::gaussians<double> sources;
    sources.count = positions.size() / 3;
    sources.centers = positions.data();
    sources.sigma = grain_sigma;
    voxlane::gaussian_options options;
    options.eps = 1e-7;
    options.threads = threads;
    voxlane::sum_gaussians(sources, {voxlane::view(image.data(), shape), {0, 0, 0}, spacing}, options);
    return image;
}

std::vector<std::uint8_t> labels_of(const std::vector<double> &image, const std::vector<std::uint8_t> &mask,
                                    const std::array<double, 3> &voxel_size, std::int32_t threads) {
    // [readme-begin]
    std::vector<std::uint8_t> labels(image.size());
    voxlane::steepest_options options;
    options.direction = voxlane::direction::ascent;
    options.minima = voxlane::minima::flat;
    options.border.fill(voxlane::border::inside); // no label leads out of the image
    options.spacing = voxel_size;
    options.mask = voxlane::view(mask.data(), shape);
    options.threads = threads;
    voxlane::steepest(voxlane::view(image.data(), shape), voxlane::view(labels.data(), shape), options);
    // [readme-end]
    return labels;
}

// Where a voxel's way ends.
std::size_t end_of(const std::vector<std::uint8_t> &labels, std::size_t voxel) {
    while (labels[voxel] != VOXLANE_LABEL_CENTER && labels[voxel] != VOXLANE_LABEL_MASKED) {
        const std::ptrdiff_t label = labels[voxel];
        const std::ptrdiff_t step = (label / 9 - 1) * static_cast<std::ptrdiff_t>(shape[1] * shape[2]) +
                                    (label / 3 % 3 - 1) * static_cast<std::ptrdiff_t>(shape[2]) + label % 3 - 1;
        voxel = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(voxel) + step);
    }
    return voxel;
}

bool has_grain_near(const std::vector<double> &positions, std::size_t voxel) {
    const double z = spacing[0] * static_cast<double>(voxel / (shape[1] * shape[2]));
    const double y = static_cast<double>(voxel / shape[2] % shape[1]), x = static_cast<double>(voxel % shape[2]);
    for (std::size_t i = 0; i < positions.size(); i += 3)
        if (std::fabs(positions[i] - z) <= spacing[0] && std::fabs(positions[i + 1] - y) <= 1 &&
            std::fabs(positions[i + 2] - x) <= 1)
            return true;
    return false;
}

exit_status run(std::int32_t threads) {
    const std::vector<double> positions = grains();
    const std::vector<std::uint8_t> mask = core();
    const std::vector<double> image = image_of(positions, threads);
    const std::vector<std::uint8_t> labels = labels_of(image, mask, spacing, threads);
    const std::vector<std::uint8_t> as_if_cubic = labels_of(image, mask, {1, 1, 1}, threads);

    std::vector<std::size_t> volume(voxels);
    std::size_t removed = 0, changed = 0, ends = 0, near = 0, largest = 0;
    for (std::size_t voxel = 0; voxel < voxels; ++voxel) {
        removed += labels[voxel] == VOXLANE_LABEL_MASKED;
        changed += labels[voxel] != as_if_cubic[voxel];
        ++volume[end_of(labels, voxel)];
    }
    for (std::size_t voxel = 0; voxel < voxels; ++voxel)
        if (labels[voxel] == VOXLANE_LABEL_CENTER) {
            ++ends;
            near += has_grain_near(positions, voxel);
            largest = std::max(largest, volume[voxel]);
        }
    std::printf("voxlane: %s\n", voxlane_version_string());
    std::printf("tier: %s\n", voxlane_isa_name(voxlane_isa_active()));
    std::printf("grid_zyx: %zu %zu %zu\n", shape[0], shape[1], shape[2]);
    std::printf("spacing_zyx: %g %g %g\n", spacing[0], spacing[1], spacing[2]);
    std::printf("voxels_removed: %zu\n", removed);
    std::printf("grains: %zu\n", positions.size() / 3);
    std::printf("local_maxima: %zu\n", ends);
    std::printf("maxima_at_grains: %zu\n", near);
    std::printf("largest_grain: %.1f\n", spacing[0] * spacing[1] * spacing[2] * static_cast<double>(largest));
    std::printf("labels_changed_by_spacing: %zu\n", changed);
    if (near == positions.size() / 3 && ends == near)
        return done;
    std::fprintf(stderr, "anisotropic_mask: %zu of %zu grains found, among %zu maxima\n", near, positions.size() / 3, ends);
    return check_failed;
}

} // namespace

int main(int argc, char **argv) {
    char *end = nullptr;
    const long threads = argc == 2 ? std::strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (argc == 2 && (end == argv[1] || *end != '\0' || threads < 0 || threads > 4096))) {
        std::fprintf(stderr, "anisotropic_mask: expected at most one argument, the number of threads\n");
        return bad_input;
    }
    try {
        exit_status status = run(static_cast<std::int32_t>(threads));
        if (std::fflush(stdout) != 0 && status == done) {
            std::fprintf(stderr, "anisotropic_mask: standard output could not be written\n");
            status = run_failed;
        }
        return status;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "anisotropic_mask: %s\n", error.what());
        return run_failed;
    }
}
