// A CT that does not fit in memory, labelled in slabs.
//
// Voxels of 16 bits come from a raw file, x fastest, and a byte for each goes to another. A slab is read with a plane more
// on either side, its halo, so that its labels are those that the whole volume has; where the volume ends there is none.
//
//     slabs [THREADS]                         a made-up CT in temporary files, then compared with the whole at once
//     slabs IN.raw NZ NY NX OUT.raw [THREADS]
//
// Exit status: 0 done, 1 the labels are not those of the whole, 2 bad input, 3 the run failed.
#include <voxlane.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

enum exit_status { done = 0, check_failed = 1, bad_input = 2, run_failed = 3 };

struct closer {
    void operator()(std::FILE *file) const { std::fclose(file); }
};
using file = std::unique_ptr<std::FILE, closer>;

// Labels to be made at a time, in planes: two more of the image are in memory. Thick slabs read less twice.
constexpr std::size_t thickness = 64;

voxlane::steepest_options rule(std::int32_t threads) {
    voxlane::steepest_options options;
    options.minima = voxlane::minima::flat;
    options.border.fill(voxlane::border::inside);
    options.threads = threads;
    return options;
}

void label_in_slabs(std::FILE *image, std::FILE *labels, const voxlane::extents &shape, std::int32_t threads) {
    const std::size_t nz = shape[0], plane = shape[1] * shape[2];
    voxlane::steepest_options options = rule(threads);
    // [readme-begin]
    std::vector<std::int16_t> slab((thickness + 2) * plane);
    std::vector<std::uint8_t> slab_labels(slab.size());
    std::size_t held = 0; // planes of the image that the slab before has left here: the last two
    for (std::size_t first = 0; first < nz; first += thickness) {
        const std::size_t last = std::min(first + thickness, nz); // planes first to last are to be labelled,
        const std::size_t from = first > 0 ? first - 1 : 0;       // and from to end are here: a plane more on
        const std::size_t end = std::min(last + 1, nz);           // either side, but where the volume ends
        const std::size_t planes = end - from;
        if (std::fread(&slab[held * plane], 2 * plane, planes - held, image) != planes - held)
            throw std::runtime_error("the image ends before plane " + std::to_string(end));
        const voxlane::extents slab_shape = {planes, shape[1], shape[2]};
        options.planes = {first - from, last - from}; // nothing else is written
        voxlane::steepest(voxlane::view(slab.data(), slab_shape), voxlane::view(slab_labels.data(), slab_shape), options);
        if (std::fwrite(&slab_labels[(first - from) * plane], plane, last - first, labels) != last - first)
            throw std::runtime_error("the labels of plane " + std::to_string(first) + " could not be written");
        held = std::min<std::size_t>(planes, 2);
        std::copy(slab.begin() + static_cast<std::ptrdiff_t>((planes - held) * plane),
                  slab.begin() + static_cast<std::ptrdiff_t>(planes * plane), slab.begin());
    }
    // [readme-end]
    if (std::fflush(labels) != 0)
        throw std::runtime_error("the labels could not be written");
}

exit_status made_up(std::int32_t threads) {
    constexpr voxlane::extents shape = {3 * thickness + 5, 40, 48};
    std::vector<std::int16_t> image(shape[0] * shape[1] * shape[2]);
    unsigned state = 1;
    for (std::int16_t &voxel : image) {
        state = state * 1664525U + 1013904223U;
        voxel = static_cast<std::int16_t>(static_cast<int>(state >> 20) - 1024); // Hounsfield units
    }
    std::vector<std::uint8_t> whole(image.size()), in_slabs(image.size());
    voxlane::steepest(voxlane::view(image.data(), shape), voxlane::view(whole.data(), shape), rule(threads));

    const file input(std::tmpfile()), output(std::tmpfile());
    if (!input || !output || std::fwrite(image.data(), sizeof image[0], image.size(), input.get()) != image.size())
        throw std::runtime_error("a temporary file could not be written");
    std::rewind(input.get());
    label_in_slabs(input.get(), output.get(), shape, threads);
    std::rewind(output.get());
    if (std::fread(in_slabs.data(), 1, in_slabs.size(), output.get()) != in_slabs.size())
        throw std::runtime_error("a temporary file could not be read");

    std::size_t other = 0;
    for (std::size_t voxel = 0; voxel < whole.size(); ++voxel)
        other += whole[voxel] != in_slabs[voxel];
    std::printf("slabs: %zu\n", (shape[0] + thickness - 1) / thickness);
    std::printf("labels_other_than_of_the_whole: %zu\n", other);
    return other == 0 ? done : check_failed;
}

exit_status from_file(char **arguments, const voxlane::extents &shape, std::int32_t threads) {
    const file input(std::fopen(arguments[0], "rb"));
    if (!input) {
        std::fprintf(stderr, "slabs: %s cannot be read\n", arguments[0]);
        return bad_input;
    }
    const file output(std::fopen(arguments[4], "wb"));
    if (!output)
        throw std::runtime_error(std::string(arguments[4]) + " cannot be written");
    label_in_slabs(input.get(), output.get(), shape, threads);
    return done;
}

// A whole number up to `most`, or -1.
long number(const char *text, long most) {
    char *end = nullptr;
    const long value = std::strtol(text, &end, 10);
    return end == text || *end != '\0' || value < 0 || value > most ? -1 : value;
}

} // namespace

int main(int argc, char **argv) {
    const bool files = argc >= 6;
    voxlane::extents shape = {};
    bool good = argc <= 2 || argc == 6 || argc == 7;
    for (std::size_t axis = 0; files && good && axis < 3; ++axis) {
        const long extent = number(argv[2 + axis], 1L << 20);
        good = extent > 0;
        shape[axis] = static_cast<std::size_t>(extent);
    }
    const int at = files ? 6 : 1;
    const long threads = good && argc > at ? number(argv[at], 4096) : 0;
    if (!good || threads < 0) {
        std::fprintf(stderr, "slabs: expected [THREADS], or IN.raw NZ NY NX OUT.raw [THREADS]\n");
        return bad_input;
    }
    try {
        const auto count = static_cast<std::int32_t>(threads);
        exit_status status = files ? from_file(argv + 1, shape, count) : made_up(count);
        if (std::fflush(stdout) != 0 && status == done) {
            std::fprintf(stderr, "slabs: standard output could not be written\n");
            status = run_failed;
        }
        return status;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "slabs: %s\n", error.what());
        return run_failed;
    }
}
