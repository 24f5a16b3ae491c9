/*
 * voxlane for C++17 and later: voxlane.h with types, defaults and exceptions. Nothing to compile; link libvoxlane.
 *
 *     std::vector<float> image(nz * ny * nx);
 *     std::vector<std::uint8_t> labels(image.size());
 *     voxlane::steepest_options options;
 *     options.minima = voxlane::minima::flat;
 *     voxlane::steepest(voxlane::view(image.data(), {nz, ny, nx}), voxlane::view(labels.data(), {nz, ny, nx}), options);
 *
 * AXES      as in voxlane.h: axis 0 is the slowest in the usual order of memory ("z"), axis 2 the fastest ("x").
 * MEMORY    stays the caller's. A view is a pointer with extents and strides; it owns nothing and copies nothing.
 * ERRORS    Functions throw voxlane::error. Those whose name begins with try_ never throw and return the status; the
 *           text is then in voxlane_last_error(). (With a library of another ABI they return VOXLANE_ERR_OPTION and leave
 *           no text.)
 * PROGRESS  A callback that answers true cancels the call. One that throws cancels it too, and the exception arrives at
 *           the caller of steepest or sum_gaussians; of the try_ functions, it arrives as VOXLANE_CANCELLED.
 *
 * What the numbers mean (labels, weights, normalizations, error bounds) is said once, in voxlane.h.
 */

#ifndef VOXLANE_HPP
#define VOXLANE_HPP

#include <voxlane.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif

namespace voxlane {

/* ---------------------------------------------------------------------------------------------------------------
 * Errors
 * --------------------------------------------------------------------------------------------------------------- */

/** A call that failed; what() is the library's text, with the offending numbers. */
class error : public std::runtime_error {
  public:
    error(voxlane_status status, const std::string &text) : std::runtime_error(text), status_(status) {}

    /** VOXLANE_ERR_NULL to VOXLANE_ERR_PANIC, or VOXLANE_CANCELLED. */
    voxlane_status status() const noexcept { return status_; }

  private:
    voxlane_status status_;
};

/* ---------------------------------------------------------------------------------------------------------------
 * Views
 * --------------------------------------------------------------------------------------------------------------- */

/** Voxels along the axes z, y, x. */
using extents = std::array<std::size_t, 3>;
/** Elements from one voxel to the next along z, y, x. */
using strides = std::array<std::ptrdiff_t, 3>;

namespace detail {

/** VOXLANE_U8 to VOXLANE_F64, or 0 for a type that is no element. bool is the U8 that its memory is. */
template <class Element> constexpr std::int32_t element_type() {
    using Plain = std::remove_cv_t<Element>;
    constexpr bool has_sign = std::is_signed_v<Plain>;
    if constexpr (std::is_same_v<Plain, float>)
        return VOXLANE_F32;
    else if constexpr (std::is_same_v<Plain, double>)
        return VOXLANE_F64;
    else if constexpr (!std::is_integral_v<Plain>)
        return 0;
    else if constexpr (sizeof(Plain) == 1)
        return has_sign ? VOXLANE_I8 : VOXLANE_U8;
    else if constexpr (sizeof(Plain) == 2)
        return has_sign ? VOXLANE_I16 : VOXLANE_U16;
    else if constexpr (sizeof(Plain) == 4)
        return has_sign ? VOXLANE_I32 : VOXLANE_U32;
    else
        return 0;
}

/** Strides of a dense array. Sizes that overflow are left to the library, which refuses them by their extents. */
inline strides dense(const extents &shape) noexcept {
    return {static_cast<std::ptrdiff_t>(shape[1] * shape[2]), static_cast<std::ptrdiff_t>(shape[2]), 1};
}

/** Whether a shape has so many voxels, which may be more than a size_t counts. */
inline bool are_voxels(std::size_t count, const extents &shape) noexcept {
    if (shape[0] == 0 || shape[1] == 0 || shape[2] == 0)
        return count == 0;
    return count % shape[0] == 0 && count / shape[0] % shape[1] == 0 && count / shape[0] / shape[1] == shape[2];
}

/* std::mdspan, and any class made like it, is known by what it answers. */
template <class Span>
using handle_of = decltype(static_cast<void>(std::declval<const Span &>().extent(0)),
                           static_cast<void>(std::declval<const Span &>().stride(0)),
                           std::declval<const Span &>().data_handle());
/* data_handle() answers by reference. */
template <class Span> using element_of = std::remove_pointer_t<std::decay_t<handle_of<Span>>>;

} // namespace detail

/**
 * A 3-D array in the caller's memory. `view<const T>` is for reading, `view<T>` for writing and reading.
 *
 * The functions below take voxlane_array and voxlane_array_mut, to which a view converts by itself.
 */
template <class Element> class view {
    static_assert(detail::element_type<Element>() != 0,
                  "voxlane takes integers of 8, 16 and 32 bits, float and double");

  public:
    /** A dense array, the last axis contiguous. */
    view(Element *data, const extents &shape) noexcept : view(data, shape, detail::dense(shape)) {}

    /** An array with any strides, in elements; `data` is element (0, 0, 0). */
    view(Element *data, const extents &shape, const strides &stride) noexcept
        : data_(data), shape_(shape), stride_(stride) {}

#if defined(__cpp_lib_span)
    /** A dense array. Throws voxlane::error, VOXLANE_ERR_SHAPE, if the span has not as many elements. */
    template <std::size_t Size>
    view(std::span<Element, Size> values, const extents &shape) : view(values.data(), shape) {
        if (!detail::are_voxels(values.size(), shape))
            throw error(VOXLANE_ERR_SHAPE, "view: a span of " + std::to_string(values.size()) +
                                               " elements for extents of " + std::to_string(shape[0]) + " x " +
                                               std::to_string(shape[1]) + " x " + std::to_string(shape[2]));
    }
#endif

    /** A std::mdspan of rank 3, or a class of the same interface, with its layout. */
    template <class Span, class = detail::handle_of<Span>>
    view(const Span &span) : view(span.data_handle(), extents_of(span), strides_of(span)) {
        static_assert(Span::rank() == 3, "voxlane takes arrays of three axes");
    }

    Element *data() const noexcept { return data_; }
    const extents &shape() const noexcept { return shape_; }
    const strides &stride() const noexcept { return stride_; }

    operator voxlane_array() const noexcept {
        return {data_,
                {shape_[0], shape_[1], shape_[2]},
                {stride_[0], stride_[1], stride_[2]},
                detail::element_type<Element>()};
    }

    /* A template, so that a view<const T> has no such conversion and cannot be passed as an output. */
    template <class T = Element, std::enable_if_t<!std::is_const_v<T>, int> = 0>
    operator voxlane_array_mut() const noexcept {
        return {data_,
                {shape_[0], shape_[1], shape_[2]},
                {stride_[0], stride_[1], stride_[2]},
                detail::element_type<Element>()};
    }

  private:
    template <class Span> static extents extents_of(const Span &span) {
        return {static_cast<std::size_t>(span.extent(0)), static_cast<std::size_t>(span.extent(1)),
                static_cast<std::size_t>(span.extent(2))};
    }
    template <class Span> static strides strides_of(const Span &span) {
        return {static_cast<std::ptrdiff_t>(span.stride(0)), static_cast<std::ptrdiff_t>(span.stride(1)),
                static_cast<std::ptrdiff_t>(span.stride(2))};
    }

    Element *data_;
    extents shape_;
    strides stride_;
};

template <class Element> view(Element *, const extents &) -> view<Element>;
template <class Element> view(Element *, const extents &, const strides &) -> view<Element>;
#if defined(__cpp_lib_span)
template <class Element, std::size_t Size> view(std::span<Element, Size>, const extents &) -> view<Element>;
#endif
template <class Span, class = detail::handle_of<Span>> view(const Span &) -> view<detail::element_of<Span>>;

/* ---------------------------------------------------------------------------------------------------------------
 * Options
 * --------------------------------------------------------------------------------------------------------------- */

enum class direction : std::int32_t { descent = VOXLANE_DESCENT, ascent = VOXLANE_ASCENT };

enum class minima : std::int32_t {
    reference = VOXLANE_MINIMA_REFERENCE,
    strict = VOXLANE_MINIMA_STRICT,
    flat = VOXLANE_MINIMA_FLAT
};

enum class border : std::int32_t {
    skip = VOXLANE_BORDER_SKIP,
    inside = VOXLANE_BORDER_INSIDE,
    periodic = VOXLANE_BORDER_PERIODIC
};

enum class normalization : std::int32_t {
    peak = VOXLANE_NORM_PEAK,
    reference = VOXLANE_NORM_REFERENCE,
    integral = VOXLANE_NORM_INTEGRAL,
    mass = VOXLANE_NORM_MASS
};

enum class support : std::int32_t { box = VOXLANE_SUPPORT_BOX, ball = VOXLANE_SUPPORT_BALL };

enum class sampling : std::int32_t { point = VOXLANE_SAMPLE_POINT, voxel = VOXLANE_SAMPLE_VOXEL };

enum class instruction_set : std::int32_t {
    automatic = VOXLANE_ISA_AUTO,
    portable = VOXLANE_ISA_PORTABLE,
    avx2 = VOXLANE_ISA_AVX2,
    avx512 = VOXLANE_ISA_AVX512
};

/** Called with the fraction done, on the calling thread only; true cancels. */
using progress_callback = std::function<bool(double fraction)>;

/** Options of steepest; the defaults are those of voxlane_steepest_options_init. */
struct steepest_options {
    voxlane::direction direction = voxlane::direction::descent;
    voxlane::minima minima = voxlane::minima::reference;
    std::array<voxlane::border, 3> border = {voxlane::border::skip, voxlane::border::skip, voxlane::border::skip};
    std::array<double, 3> spacing = {1, 1, 1};             /* voxel size along z, y, x */
    std::optional<std::array<double, 27>> weights = {};    /* in place of 1 / distance */
    std::optional<voxlane_array> mask = {};                /* view of bytes or bools; 0 removes the voxel */
    std::optional<voxlane_array_mut> slope = {};           /* view of float or double; receives the largest score */
    std::array<std::size_t, 2> planes = {0, 0};            /* half-open range of axis 0 to write; {0, 0} is all. A slab with
                                                              a plane of halo on either side has the volume's labels */
    voxlane::instruction_set instruction_set = voxlane::instruction_set::automatic; /* highest to use */
    std::int32_t threads = 0;                              /* 0: VOXLANE_THREADS or all; 1: the caller's */
    progress_callback progress = {};
};

/** Options of sum_gaussians; the defaults are those of voxlane_gaussian_options_init. */
struct gaussian_options {
    voxlane::normalization normalization = voxlane::normalization::peak;
    voxlane::support support = voxlane::support::box;
    voxlane::sampling sampling = voxlane::sampling::point;
    std::array<bool, 3> periodic = {false, false, false};
    bool accumulate = false;                               /* add to what the grid holds */
    double eps = 1e-6;                                     /* cut off below eps of the peak; 0: machine epsilon */
    voxlane::instruction_set instruction_set = voxlane::instruction_set::automatic; /* highest to use */
    std::int32_t threads = 0;                              /* 0: VOXLANE_THREADS or all; 1: the caller's */
    progress_callback progress = {};
};

/** Centres with their amplitudes and widths, all float or all double, in the caller's memory. */
template <class Real> struct gaussians {
    static_assert(std::is_same_v<Real, float> || std::is_same_v<Real, double>, "float or double");

    std::size_t count = 0;
    const Real *centers = nullptr;                         /* coordinates z, y, x of each centre */
    std::array<std::ptrdiff_t, 2> center_stride = {3, 1};  /* between centres, between coordinates */
    const Real *amplitudes = nullptr;                      /* nullptr: all 1 */
    std::ptrdiff_t amplitude_stride = 1;                   /* 0: one for all */
    Real sigma = 0;                                        /* one for all centres and axes, unless: */
    const Real *sigmas = nullptr;
    std::array<std::ptrdiff_t, 2> sigma_stride = {0, 0};   /* between centres, between axes; 0 repeats */
};

/** A regular grid: voxel (i, j, k) lies at origin + (i, j, k) * spacing. */
struct grid {
    voxlane_array_mut values; /* view of float or double */
    std::array<double, 3> origin = {0, 0, 0};
    std::array<double, 3> spacing = {1, 1, 1};
};

/* ---------------------------------------------------------------------------------------------------------------
 * Calls
 * --------------------------------------------------------------------------------------------------------------- */

namespace detail {

static_assert(sizeof(void *) != 8 ||
                  (sizeof(voxlane_array) == 64 && sizeof(voxlane_array_mut) == 64 &&
                   sizeof(voxlane_steepest_options) == 120 && sizeof(voxlane_gaussians) == 80 &&
                   sizeof(voxlane_grid) == 112 && sizeof(voxlane_gaussian_options) == 72),
              "this compiler lays out the structs of voxlane.h otherwise than the library");

/** Whether the library that was found at run time has the structs of this header; looked at once. */
inline bool library_fits() noexcept {
    static const bool fits =
        voxlane_abi_version() == VOXLANE_ABI_VERSION && voxlane_sizeof(1) == sizeof(voxlane_array) &&
        voxlane_sizeof(2) == sizeof(voxlane_array_mut) && voxlane_sizeof(3) == sizeof(voxlane_steepest_options) &&
        voxlane_sizeof(4) == sizeof(voxlane_gaussians) && voxlane_sizeof(5) == sizeof(voxlane_grid) &&
        voxlane_sizeof(6) == sizeof(voxlane_gaussian_options);
    return fits;
}

/** A progress callback on its way through C, where no exception may pass. */
struct progress_call {
    const progress_callback &callback;
    std::exception_ptr thrown = nullptr;

    static int run(void *user, double fraction) noexcept {
        progress_call &call = *static_cast<progress_call *>(user);
        try {
            return call.callback(fraction) ? 1 : 0;
        } catch (...) {
            call.thrown = std::current_exception();
            return 1;
        }
    }
};

inline void throw_unless_ok(voxlane_status status, const progress_call &progress) {
    if (status == VOXLANE_OK)
        return;
    if (progress.thrown != nullptr)
        std::rethrow_exception(progress.thrown);
    if (!library_fits())
        throw error(status, std::string("voxlane.hpp is for ABI ") + std::to_string(VOXLANE_ABI_VERSION) +
                                ", the library is version " + voxlane_version_string() + " of ABI " +
                                std::to_string(voxlane_abi_version()));
    throw error(status, voxlane_last_error());
}

inline voxlane_status steepest(const voxlane_array &image, const voxlane_array_mut &labels,
                               const steepest_options &options, progress_call &progress) noexcept {
    if (!library_fits())
        return VOXLANE_ERR_OPTION;
    voxlane_steepest_options raw;
    voxlane_steepest_options_init(&raw);
    raw.direction = static_cast<std::int32_t>(options.direction);
    raw.minima = static_cast<std::int32_t>(options.minima);
    for (std::size_t axis = 0; axis < 3; ++axis) {
        raw.border[axis] = static_cast<std::int32_t>(options.border[axis]);
        raw.spacing[axis] = options.spacing[axis];
    }
    /* Three zeros mean the default in C. One zero is refused, with a text. */
    if (options.spacing == std::array<double, 3>{})
        raw.spacing[2] = 1;
    raw.isa = static_cast<std::int32_t>(options.instruction_set);
    raw.threads = options.threads;
    raw.weights = options.weights ? options.weights->data() : nullptr;
    raw.mask = options.mask ? &*options.mask : nullptr;
    raw.slope = options.slope ? &*options.slope : nullptr;
    raw.planes[0] = options.planes[0];
    raw.planes[1] = options.planes[1];
    if (options.progress) {
        raw.progress = progress_call::run;
        raw.progress_user = &progress;
    }
    return voxlane_steepest(&image, &labels, &raw);
}

template <class Real>
voxlane_status sum_gaussians(const gaussians<Real> &sources, const grid &target, const gaussian_options &options,
                             progress_call &progress) noexcept {
    if (!library_fits())
        return VOXLANE_ERR_OPTION;
    voxlane_gaussians raw_sources = {};
    raw_sources.count = sources.count;
    raw_sources.dtype = element_type<Real>();
    raw_sources.centers = sources.centers;
    raw_sources.amplitudes = sources.amplitudes;
    raw_sources.amplitude_stride = sources.amplitude_stride;
    raw_sources.sigmas = &sources.sigma;
    for (std::size_t i = 0; i < 2; ++i)
        raw_sources.center_stride[i] = sources.center_stride[i];
    if (sources.sigmas != nullptr) {
        raw_sources.sigmas = sources.sigmas;
        for (std::size_t i = 0; i < 2; ++i)
            raw_sources.sigma_stride[i] = sources.sigma_stride[i];
    }
    voxlane_grid raw_target = {};
    raw_target.values = target.values;
    voxlane_gaussian_options raw;
    voxlane_gaussian_options_init(&raw);
    raw.normalization = static_cast<std::int32_t>(options.normalization);
    raw.support = static_cast<std::int32_t>(options.support);
    raw.sampling = static_cast<std::int32_t>(options.sampling);
    for (std::size_t axis = 0; axis < 3; ++axis) {
        raw_target.origin[axis] = target.origin[axis];
        raw_target.spacing[axis] = target.spacing[axis];
        raw.periodic[axis] = options.periodic[axis] ? 1 : 0;
    }
    raw.accumulate = options.accumulate ? 1 : 0;
    raw.isa = static_cast<std::int32_t>(options.instruction_set);
    raw.threads = options.threads;
    raw.eps = options.eps;
    if (options.progress) {
        raw.progress = progress_call::run;
        raw.progress_user = &progress;
    }
    return voxlane_sum_gaussians(&raw_sources, &raw_target, &raw);
}

} // namespace detail

/**
 * Labels every voxel with the index 9*(dz+1) + 3*(dy+1) + (dx+1) of its steepest neighbour, as voxlane_steepest.
 * `labels` is a view of std::uint8_t or float. Never throws.
 */
inline voxlane_status try_steepest(const voxlane_array &image, const voxlane_array_mut &labels,
                                   const steepest_options &options = {}) noexcept {
    detail::progress_call progress{options.progress};
    return detail::steepest(image, labels, options, progress);
}

/** The same; throws voxlane::error. */
inline void steepest(const voxlane_array &image, const voxlane_array_mut &labels,
                     const steepest_options &options = {}) {
    detail::progress_call progress{options.progress};
    detail::throw_unless_ok(detail::steepest(image, labels, options, progress), progress);
}

/** Sums Gaussians on a grid, as voxlane_sum_gaussians. Never throws. */
template <class Real>
voxlane_status try_sum_gaussians(const gaussians<Real> &sources, const grid &target,
                                 const gaussian_options &options = {}) noexcept {
    detail::progress_call progress{options.progress};
    return detail::sum_gaussians(sources, target, options, progress);
}

/** The same; throws voxlane::error. */
template <class Real>
void sum_gaussians(const gaussians<Real> &sources, const grid &target, const gaussian_options &options = {}) {
    detail::progress_call progress{options.progress};
    detail::throw_unless_ok(detail::sum_gaussians(sources, target, options, progress), progress);
}

} // namespace voxlane

#endif // VOXLANE_HPP
