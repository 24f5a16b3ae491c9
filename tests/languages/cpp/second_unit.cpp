// The header once more, and twice, in another translation unit of the same program.
#include <voxlane.hpp>
#include <voxlane.hpp>

#include <array>

std::size_t sum_in_second_unit();

// One peak in the middle of 3 x 3 x 3: with all borders inside, every voxel climbs to the same one.
std::size_t sum_in_second_unit() {
    std::array<std::int16_t, 27> image = {};
    std::array<std::uint8_t, 27> labels = {};
    image[13] = 1;
    voxlane::steepest_options options;
    options.direction = voxlane::direction::ascent;
    options.minima = voxlane::minima::flat;
    options.border = {voxlane::border::inside, voxlane::border::inside, voxlane::border::inside};
    voxlane::steepest(voxlane::view(image.data(), {3, 3, 3}), voxlane::view(labels.data(), {3, 3, 3}), options);
    std::size_t arrived = 0;
    for (std::size_t i = 0; i < 27; ++i)
        arrived += labels[i] == 26 - i ? 1U : 0U;
    return arrived;
}
