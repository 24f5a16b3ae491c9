// A C++ program of somebody who has installed voxlane.
#include <cstdio>
#include <vector>
#include <voxlane.hpp>

int main() {
    std::vector<float> image(27);
    std::vector<std::uint8_t> labels(27);
    image[13] = 1;
    image[14] = -1;
    voxlane::steepest(voxlane::view(image.data(), {3, 3, 3}), voxlane::view(labels.data(), {3, 3, 3}));
    std::printf("label: %d\n", static_cast<int>(labels[13]));
    return labels[13] == 14 ? 0 : 1;
}
