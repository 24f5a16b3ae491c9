// What voxlane.hpp promises, but for what only needs to compile (second_unit.cpp).
#include <voxlane.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#if defined(__cpp_lib_mdspan)
#include <mdspan>
#endif

std::size_t sum_in_second_unit();

namespace {

int failures = 0;

void expect(bool holds, const char *what) {
    if (!holds) {
        std::printf("FAILED: %s\n", what);
        ++failures;
    }
}

// A class of std::mdspan's interface, for compilers that lack it: columns first.
template <class Element> struct column_major {
    Element *values;
    voxlane::extents shape;

    static constexpr std::size_t rank() { return 3; }
    Element *const &data_handle() const { return values; }
    std::size_t extent(std::size_t axis) const { return shape[axis]; }
    std::size_t stride(std::size_t axis) const {
        return axis == 0 ? 1 : axis == 1 ? shape[0] : shape[0] * shape[1];
    }
};

constexpr voxlane::extents shape = {5, 6, 7};
constexpr std::size_t voxels = 5 * 6 * 7;

std::vector<float> image() {
    std::vector<float> values(voxels);
    unsigned state = 12345;
    for (float &value : values) {
        state = state * 1664525U + 1013904223U;
        value = static_cast<float>(state >> 8);
    }
    return values;
}

std::size_t at(std::size_t z, std::size_t y, std::size_t x) { return (z * 6 + y) * 7 + x; }

void labels_as_in_c() {
    const std::vector<float> values = image();
    std::vector<std::uint8_t> bytes(voxels, 99);
    std::vector<float> floats(voxels, 99.0F), from_c(voxels, 77.0F);
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(bytes.data(), shape));
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(floats.data(), shape));
    expect(voxlane_create_label(values.data(), shape.data(), from_c.data()) == VOXLANE_OK, "create_label");
    for (std::size_t i = 0; i < voxels; ++i)
        expect(floats[i] == from_c[i] && static_cast<float>(bytes[i]) == from_c[i], "labels are those of C");
}

void strides_are_followed() {
    const std::vector<float> values = image();
    std::vector<std::uint8_t> plain(voxels), turned(voxels), stored(voxels);
    voxlane::steepest_options options;
    options.minima = voxlane::minima::flat;
    options.border = {voxlane::border::inside, voxlane::border::inside, voxlane::border::inside};
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(plain.data(), shape), options);

    // All axes reversed: labels 26 - i where no two scores are equal, and 13 stays 13.
    voxlane::view<const float> backwards(values.data() + voxels - 1, shape, {-42, -7, -1});
    voxlane::steepest(backwards, voxlane::view(turned.data(), shape), options);
    for (std::size_t i = 0; i < voxels; ++i)
        expect(turned[voxels - 1 - i] == 26 - plain[i], "negative strides");

    column_major<std::uint8_t> span = {stored.data(), shape};
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(span), options);
    for (std::size_t z = 0; z < 5; ++z)
        for (std::size_t y = 0; y < 6; ++y)
            for (std::size_t x = 0; x < 7; ++x)
                expect(stored[z + 5 * (y + 6 * x)] == plain[at(z, y, x)], "an mdspan's layout");
}

void all_options_arrive() {
    const std::vector<float> values = image();
    std::vector<std::uint8_t> labels(voxels, 99), mask(voxels, 1);
    std::vector<double> slope(voxels, 99.0);
    mask[at(2, 3, 4)] = 0;
    voxlane::steepest_options options;
    options.direction = voxlane::direction::ascent;
    options.minima = voxlane::minima::strict;
    options.border = {voxlane::border::periodic, voxlane::border::inside, voxlane::border::skip};
    options.spacing = {2.5, 1, 0.5};
    options.mask = voxlane::view<const std::uint8_t>(mask.data(), shape);
    options.slope = voxlane::view(slope.data(), shape);
    options.planes = {1, 4};
    options.threads = 1;
    options.instruction_set = voxlane::instruction_set::portable;
    double last = -1;
    options.progress = [&last](double fraction) {
        last = fraction;
        return false;
    };
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(labels.data(), shape), options);
    expect(last == 1, "progress ends at 1");
    expect(labels[at(0, 3, 3)] == 99 && labels[at(4, 3, 3)] == 99, "only the planes asked for are written");
    expect(labels[at(2, 3, 4)] == VOXLANE_LABEL_MASKED && slope[at(2, 3, 4)] == 0, "mask");
    expect(labels[at(2, 3, 0)] == 0 && labels[at(2, 3, 6)] == 0, "the skipped axis");
    const std::size_t here = at(2, 2, 2);
    const int label = labels[here];
    expect(label != 13, "this voxel is no maximum");
    const int dz = label / 9 - 1, dy = label / 3 % 3 - 1, dx = label % 3 - 1;
    const std::size_t there = at(static_cast<std::size_t>(2 + dz), static_cast<std::size_t>(2 + dy),
                                 static_cast<std::size_t>(2 + dx));
    const double distance = std::sqrt(6.25 * dz * dz + dy * dy + 0.25 * dx * dx);
    expect(std::fabs(slope[here] - (static_cast<double>(values[there]) - static_cast<double>(values[here])) / distance) <
               1e-6 * slope[here],
           "slope with spacing");

    std::array<double, 27> weights = {};
    weights[14] = 1;
    voxlane::steepest_options one_way;
    one_way.weights = weights;
    one_way.minima = voxlane::minima::flat;
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(labels.data(), shape), one_way);
    expect(labels[here] == (values[here] > values[here + 1] ? 14 : 13), "weights");
}

void errors_carry_the_status() {
    const std::vector<float> values = image();
    std::vector<float> wrong(voxels);
    voxlane_status status = VOXLANE_OK;
    try {
        voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(wrong.data(), {5, 6, 6}));
    } catch (const voxlane::error &error) {
        status = error.status();
        expect(std::string(error.what()).find("6, 6") != std::string::npos, "the text has the numbers");
    }
    expect(status == VOXLANE_ERR_SHAPE, "error::status");
    static_assert(noexcept(voxlane::try_steepest(voxlane_array{}, voxlane_array_mut{})));
    static_assert(noexcept(voxlane::try_sum_gaussians(voxlane::gaussians<float>{}, voxlane::grid{})));
    expect(voxlane::try_steepest(voxlane::view<const float>(nullptr, shape), voxlane::view(wrong.data(), shape)) ==
               VOXLANE_ERR_NULL,
           "try_steepest returns the status");
    voxlane::steepest_options no_size;
    no_size.spacing = {0, 0, 0};
    expect(voxlane::try_steepest(voxlane::view(values.data(), shape), voxlane::view(wrong.data(), shape), no_size) ==
                   VOXLANE_ERR_VALUE &&
               std::string(voxlane_last_error()).find("spacing of axis 0 is 0") == 0,
           "three zeros are no default");
}

void callbacks_cancel_and_throw() {
    const std::vector<float> values = image();
    std::vector<std::uint8_t> labels(voxels);
    voxlane::steepest_options options;
    options.progress = [](double) { return true; };
    expect(voxlane::try_steepest(voxlane::view(values.data(), shape), voxlane::view(labels.data(), shape), options) ==
               VOXLANE_CANCELLED,
           "true cancels");
    options.progress = [](double) -> bool { throw std::domain_error("out"); };
    expect(voxlane::try_steepest(voxlane::view(values.data(), shape), voxlane::view(labels.data(), shape), options) ==
               VOXLANE_CANCELLED,
           "a throw cancels");
    bool arrived = false;
    try {
        voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(labels.data(), shape), options);
    } catch (const std::domain_error &) {
        arrived = true;
    }
    expect(arrived, "the callback's exception arrives");
}

void gaussians_add_up() {
    const std::vector<double> centers = {2, 3, 4, 1, 1, 1};
    const std::vector<double> amplitudes = {2, -1};
    std::vector<double> values(voxels, 7.0);
    voxlane::gaussians<double> sources;
    sources.count = 2;
    sources.centers = centers.data();
    sources.amplitudes = amplitudes.data();
    sources.sigma = 0.7;
    voxlane::grid grid = {voxlane::view(values.data(), shape)};
    voxlane::gaussian_options options;
    options.eps = 0;
    voxlane::sum_gaussians(sources, grid, options);
    auto exact = [](double z, double y, double x) {
        auto square = [](double v) { return v * v; };
        return 2 * std::exp(-(square(z - 2) + square(y - 3) + square(x - 4)) / 0.98) -
               std::exp(-(square(z - 1) + square(y - 1) + square(x - 1)) / 0.98);
    };
    expect(std::fabs(values[at(2, 3, 4)] - exact(2, 3, 4)) < 1e-12, "a peak");
    expect(std::fabs(values[at(2, 2, 3)] - exact(2, 2, 3)) < 1e-12, "a flank");

    options.accumulate = true;
    voxlane::sum_gaussians(sources, grid, options);
    expect(std::fabs(values[at(2, 3, 4)] - 2 * exact(2, 3, 4)) < 1e-12, "accumulate");

    // Periodic, mass-normalized: the sum over the grid is the sum of the amplitudes.
    const std::vector<float> narrow = {0.9F, 0.8F, 0.7F, 0.6F, 0.5F, 0.6F}, near_edge = {0, 0, 0, 4, 5, 6};
    std::vector<float> singles(voxels);
    voxlane::gaussians<float> both;
    both.count = 2;
    both.centers = near_edge.data();
    both.sigmas = narrow.data();
    both.sigma_stride = {3, 1};
    voxlane::gaussian_options periodic;
    periodic.normalization = voxlane::normalization::mass;
    periodic.support = voxlane::support::ball;
    periodic.sampling = voxlane::sampling::voxel;
    periodic.periodic = {true, true, true};
    expect(voxlane::try_sum_gaussians(both, {voxlane::view(singles.data(), shape)}, periodic) == VOXLANE_OK, "floats");
    double sum = 0;
    for (float value : singles)
        sum += static_cast<double>(value);
    expect(std::fabs(sum - 2) < 1e-4, "mass");

    sources.sigma = -1;
    voxlane_status status = VOXLANE_OK;
    try {
        voxlane::sum_gaussians(sources, grid);
    } catch (const voxlane::error &error) {
        status = error.status();
    }
    expect(status == VOXLANE_ERR_VALUE, "a negative sigma");
}

#if defined(__cpp_lib_mdspan)
void mdspans() {
    const std::vector<float> values = image();
    std::vector<std::uint8_t> plain(voxels), rows(voxels), columns(voxels), part(voxels, 99);
    const voxlane::steepest_options options{.minima = voxlane::minima::flat};
    voxlane::steepest(voxlane::view(values.data(), shape), voxlane::view(plain.data(), shape), options);

    const std::mdspan<const float, std::extents<std::size_t, 5, 6, 7>> source(values.data());
    std::mdspan target(rows.data(), 5, 6, 7);
    voxlane::steepest(voxlane::view(source), voxlane::view(target), options);
    expect(rows == plain, "mdspan, the last extent contiguous");

    std::mdspan<std::uint8_t, std::dextents<int, 3>, std::layout_left> left(columns.data(), 5, 6, 7);
    voxlane::steepest(voxlane::view(source), voxlane::view(left), options);
    std::mdspan<std::uint8_t, std::dextents<std::size_t, 3>, std::layout_stride> strided(
        part.data(), std::layout_stride::mapping(std::dextents<std::size_t, 3>(5, 6, 7), std::array{1, 35, 5}));
    voxlane::steepest(voxlane::view(source), voxlane::view(strided), options);
    for (std::size_t z = 0; z < 5; ++z)
        for (std::size_t y = 0; y < 6; ++y)
            for (std::size_t x = 0; x < 7; ++x) {
                expect(columns[z + 5 * (y + 6 * x)] == plain[at(z, y, x)], "mdspan, layout_left");
                expect(part[z + 35 * y + 5 * x] == plain[at(z, y, x)], "mdspan, layout_stride");
            }
}
#endif

#if __cplusplus >= 202002L
void designated_initialisers_and_spans() {
    const std::vector<float> values = image();
    std::vector<std::uint8_t> labels(voxels);
    std::vector<std::uint8_t> mask(voxels, 1);
    voxlane::steepest(voxlane::view(std::span(values), shape), voxlane::view(std::span(labels), shape),
                      {.minima = voxlane::minima::flat,
                       .spacing = {2.5, 1, 1},
                       .mask = voxlane::view(mask.data(), shape),
                       .progress = [](double) { return false; }});
    bool refused = false;
    try {
        voxlane::view(std::span(values), {5, 6, 8});
    } catch (const voxlane::error &error) {
        refused = error.status() == VOXLANE_ERR_SHAPE;
    }
    expect(refused, "a span of another size");
    refused = false;
    try {
        /* As many voxels as a size_t that wraps around has: none. */
        voxlane::view(std::span(values.data(), 0), {std::size_t{1} << 32, std::size_t{1} << 32, 1});
    } catch (const voxlane::error &error) {
        refused = error.status() == VOXLANE_ERR_SHAPE;
    }
    expect(refused, "a span for more voxels than there can be");

    std::vector<double> grid(voxels);
    const double center[3] = {1, 1, 1};
    voxlane::sum_gaussians(voxlane::gaussians<double>{.count = 1, .centers = center, .sigma = 0.5},
                           {.values = voxlane::view(grid.data(), shape), .spacing = {0.5, 0.5, 0.5}},
                           {.normalization = voxlane::normalization::integral});
    expect(std::fabs(grid[at(2, 2, 2)] - 1 / (std::pow(2 * 3.14159265358979, 1.5) * 0.125)) < 1e-9, "integral");
}
#endif

} // namespace

static_assert(std::is_convertible_v<voxlane::view<float>, voxlane_array_mut>);
static_assert(!std::is_convertible_v<voxlane::view<const float>, voxlane_array_mut>);
static_assert(std::is_aggregate_v<voxlane::steepest_options> && std::is_aggregate_v<voxlane::gaussian_options>);

int main() {
    labels_as_in_c();
    strides_are_followed();
    all_options_arrive();
    errors_carry_the_status();
    callbacks_cancel_and_throw();
    gaussians_add_up();
#if defined(__cpp_lib_mdspan)
    mdspans();
#endif
#if __cplusplus >= 202002L
    designated_initialisers_and_spans();
#endif
    expect(sum_in_second_unit() == 27, "the second translation unit");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
