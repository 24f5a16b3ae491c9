"""The exact results, and how far a contestant's is from them."""

import ctypes
import functools
import math

import numpy

import data
import labels
from paths import BUILD, DATA

# ---------------------------------------------------------------------------------------------------------------
# Labels
# ---------------------------------------------------------------------------------------------------------------


def _question(volume):
    """The question's labels: by its NumPy answer where that is quick enough, and otherwise by the plain C loop, of
    which the first, a middle and the last labelled plane must be the NumPy answer's."""
    image = data.image(volume, DATA)
    if volume.voxels <= 64**3:
        call, result = labels.slabs(volume, DATA, 1)
        return result(call())
    call, result = labels.plain_c("offset_table", "openmp")(volume, DATA, 0)
    exact = result(call())
    inner = (slice(1, -1), slice(1, -1))
    for plane in 1, volume.shape[0] // 2, volume.shape[0] - 2:
        slab = image[plane - 1 : plane + 2].astype(numpy.float32)
        blocks = numpy.lib.stride_tricks.sliding_window_view(slab, (3, 3, 3))
        expected = labels.vectorized(slab[1][inner], blocks[0])
        if not numpy.array_equal(exact[plane][inner], expected):
            raise RuntimeError(f"{volume.name}: the C definition differs from the question's code in plane {plane}")
    return exact


def _periodic(volume):
    """In float64, every axis wrapped; 13 where no neighbour is lower."""
    image = data.image(volume, DATA).astype(numpy.float64)
    best, label = numpy.zeros(image.shape), numpy.full(image.shape, 13, numpy.uint8)
    for i, (offset, weight) in enumerate(zip(labels.OFFSETS, labels.WEIGHTS)):
        if i != 13:
            score = (image - numpy.roll(image, tuple(-offset), (0, 1, 2))) * weight
            better = score > best
            best[better], label[better] = score[better], i
    return label


@functools.lru_cache(maxsize=2)
def exact_labels(volume):
    return (_periodic if volume.rule == "periodic" else _question)(volume)


def _result(case, path, dtype):
    values = numpy.memmap(path, dtype, mode="r")
    if values.size != case.voxels:
        raise ValueError(f"{values.size} values, not {case.voxels}")
    return values


def check_labels(volume, path, dtype):
    """How many labels differ from the exact ones, and whether none may (voxlane's) does."""
    found = _result(volume, path, dtype).reshape(volume.shape)
    different = found != exact_labels(volume)
    if volume.rule != "periodic":  # the question labels no voxel on a face
        different = different[1:-1, 1:-1, 1:-1]
    number = int(numpy.count_nonzero(different))
    return {"differing": number, "of": int(different.size)}, number == 0


# ---------------------------------------------------------------------------------------------------------------
# Sums
# ---------------------------------------------------------------------------------------------------------------

#: Products of voxels and centres that an exact result may take; sets at how many voxels it is computed.
EXACT_WORK = 4e8


@functools.lru_cache(maxsize=4)
def exact_sums(case, ball=False):
    """At some voxels, half of them near centres: flat indices, exact sums, what the support keeps of them, what is so
    near its edge that rounding decides, and the number of centres kept."""
    centers, sigmas, peaks = data.gaussians(case, DATA)
    shape = numpy.array(case.shape)
    number = int(min(case.voxels, max(200, EXACT_WORK / len(centers))))
    if number == case.voxels:
        chosen = numpy.arange(number)
    else:
        random = numpy.random.default_rng(5)
        near = centers[random.integers(0, len(centers), number // 2)]
        near = numpy.rint((near - case.origin) / case.spacing).astype(int).clip(0, shape - 1)
        anywhere = random.integers(0, shape, (number - len(near), 3))
        chosen = numpy.unique(numpy.ravel_multi_index(tuple(numpy.vstack([near, anywhere]).T), case.shape))
    points = case.origin + case.spacing * numpy.stack(numpy.unravel_index(chosen, case.shape), axis=1).astype(float)
    period = shape * case.spacing * float(case.periodic)
    results = numpy.empty((4, len(chosen)))
    run = ctypes.CDLL(BUILD / "definition.so").exact_sums
    pointer, whole, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
    run.argtypes = [pointer] * 3 + [whole, pointer, real, ctypes.c_int, pointer, whole] + [pointer] * 4
    addresses = [each.ctypes.data for each in (centers, sigmas, peaks)]
    reach = math.sqrt(-2 * math.log(case.eps))
    run(
        *addresses, len(centers), period.ctypes.data, reach, int(ball), points.ctypes.data, len(points),
        *(row.ctypes.data for row in results),
    )  # fmt: skip
    return chosen, *results


def check_sums(case, path, dtype, ball):
    """The largest error relative to the largest sum, and whether the library's promise holds: what its support keeps,
    to within its rounding bound."""
    chosen, exact, kept, unsure, number = exact_sums(case, ball)
    found = _result(case, path, dtype)[chosen].astype(numpy.float64)
    relative = 6e-6 + 6e-8 * number if case.dtype == "float32" else 3e-14 + 1.2e-16 * number
    allowed = relative * (kept + unsure) + unsure + 1e-38 * exact.max()
    error = float(numpy.abs(found - exact).max() / exact.max())
    promised = bool((numpy.abs(found - kept) <= allowed).all())
    return {"error": error, "voxels": int(len(chosen))}, promised
