"""Who labels steepest neighbours. The question's own code is written anew after its algorithm."""

import ctypes
import itertools

import numpy

import data
from contestant import Contestant, index
from paths import BUILD

OFFSETS = numpy.array(list(itertools.product((-1, 0, 1), repeat=3)))
DISTANCES = numpy.sqrt((OFFSETS**2).sum(axis=1))
WEIGHTS = numpy.divide(1, DISTANCES, out=numpy.zeros(27), where=DISTANCES != 0)


def as_labels(found):
    return found.astype(numpy.uint8)


# ---------------------------------------------------------------------------------------------------------------
# NumPy
# ---------------------------------------------------------------------------------------------------------------


def python_loop(volume, folder, threads):
    """The question's function: a neighbourhood of 27 for each voxel in turn."""
    image = data.image(volume, folder).astype(numpy.float32)

    def call():
        label = numpy.zeros_like(image)
        for i, j, k in itertools.product(*(range(1, n - 1) for n in image.shape)):
            around = [image[a + i, b + j, c + k] for a, b, c in OFFSETS]
            difference = image[i, j, k, None] - numpy.array(around)
            if numpy.all(difference < 0):
                label[i, j, k] = 13
            else:
                score = difference * WEIGHTS
                score[13] = -100
                label[i, j, k] = numpy.argmax(score)
        return label

    return call, as_labels


def vectorized(center, blocks):
    """The answer's expression, for voxels of any number of axes; the last three of `blocks` are the neighbours'."""
    difference = center[..., None, None, None] - blocks
    score = difference * WEIGHTS.reshape(3, 3, 3)
    score[..., 1, 1, 1] = -100
    best = numpy.argmax(score.reshape(*center.shape, 27), axis=-1)
    return numpy.where((difference < 0).all(axis=(-1, -2, -3)), 13, best)


def full_array(volume, folder, threads):
    """The answer's first version: all neighbourhoods at once."""
    image = data.image(volume, folder).astype(numpy.float32)

    def call():
        label = numpy.zeros_like(image)
        blocks = numpy.lib.stride_tricks.sliding_window_view(image, (3, 3, 3))
        label[1:-1, 1:-1, 1:-1] = vectorized(image[1:-1, 1:-1, 1:-1], blocks)
        return label

    return call, as_labels


def slabs(volume, folder, threads):
    """The answer's second version: a plane at a time."""
    image = data.image(volume, folder).astype(numpy.float32)

    def call():
        label = numpy.zeros_like(image)
        blocks = numpy.lib.stride_tricks.sliding_window_view(image, (3, 3, 3))
        for i in range(1, image.shape[0] - 1):
            label[i, 1:-1, 1:-1] = vectorized(image[i, 1:-1, 1:-1], blocks[i - 1])
        return label

    return call, as_labels


# ---------------------------------------------------------------------------------------------------------------
# Compiled loops
# ---------------------------------------------------------------------------------------------------------------


def numba_loop(name):
    def prepare(volume, folder, threads):
        import numba_loops

        function = getattr(numba_loops, name)
        image = data.image(volume, folder)
        labels = numpy.zeros(volume.shape, numpy.uint8)
        function(numpy.zeros((4, 4, 4), image.dtype), WEIGHTS, numpy.zeros((4, 4, 4), numpy.uint8))  # compiles it

        def call():
            function(image, WEIGHTS, labels)
            return labels

        return call, as_labels

    return prepare


def plain_c(way, library):
    def prepare(volume, folder, threads):
        function = getattr(ctypes.CDLL(BUILD / f"plain_labels_{library}.so"), f"{way}_{volume.dtype}")
        image = data.image(volume, folder)
        labels = numpy.empty(volume.shape, numpy.uint8)
        shape = (ctypes.c_int64 * 3)(*volume.shape)

        def call():
            function(ctypes.c_void_p(image.ctypes.data), shape, ctypes.c_void_p(labels.ctypes.data))
            return labels

        return call, as_labels

    return prepare


# ---------------------------------------------------------------------------------------------------------------
# Libraries
# ---------------------------------------------------------------------------------------------------------------


def torch_max_pool(volume, folder, threads):
    """Where the lowest of the 27 is: no weights, and the voxel itself among them."""
    import torch

    torch.set_num_threads(threads)
    image = torch.from_numpy(data.image(volume, folder))

    def call():
        with torch.no_grad():
            return torch.nn.functional.max_pool3d(-image[None, None], 3, 1, 1, return_indices=True)[1]

    def result(found):
        return _labels_of_pointers(found.numpy().reshape(volume.shape), volume.shape)

    return call, result


def _labels_of_pointers(pointers, shape):
    """Labels of flat indices of neighbours, which may lie across a periodic edge."""
    labels = numpy.zeros(shape, numpy.int64)
    places = numpy.unravel_index(pointers, shape)
    for axis, n in enumerate(shape):
        own = numpy.arange(n).reshape([-1 if a == axis else 1 for a in range(3)])
        step = (places[axis] - own + 1) % n  # 0, 1, 2 for -1, 0, 1
        labels = 3 * labels + step
    return as_labels(labels)


def baderkit_pointers(volume, folder, threads):
    """Pointers of Bader's charge analysis, downhill: float64, periodic, weighted by distance."""
    from baderkit.bader.methods.ongrid.ongrid_numba import get_steepest_pointers

    image = data.image(volume, folder).astype(numpy.float64)
    transforms = numpy.delete(OFFSETS, 13, axis=0)
    distances = numpy.delete(DISTANCES, 13)

    def arguments(values):
        none = numpy.zeros(values.shape, numpy.bool_)
        pointers = numpy.arange(values.size, dtype=numpy.int64)
        images = numpy.zeros((values.size, 3), numpy.int8)
        return values, pointers, images, transforms, distances, none, none, True

    get_steepest_pointers(*arguments(numpy.zeros((4, 4, 4))))

    def call():
        return get_steepest_pointers(*arguments(image))[0]

    return call, lambda found: _labels_of_pointers(found.reshape(volume.shape), volume.shape)


def vigra_pointers(volume, folder, threads):
    library = ctypes.CDLL(BUILD / "vigra_pointers.so")
    image = data.image(volume, folder)
    pointers = numpy.empty(volume.shape, numpy.uint16)
    shape = (ctypes.c_int64 * 3)(*volume.shape)
    offsets = numpy.zeros((26, 3), numpy.int64)
    library.vigra_offsets(ctypes.c_void_p(offsets.ctypes.data))
    table = numpy.full(65536, 13, numpy.uint8)
    table[:26] = (offsets + 1) @ (9, 3, 1)

    def call():
        library.vigra_pointers(ctypes.c_void_p(image.ctypes.data), shape, ctypes.c_void_p(pointers.ctypes.data))
        return pointers

    return call, lambda found: table[found]


# ---------------------------------------------------------------------------------------------------------------
# voxlane
# ---------------------------------------------------------------------------------------------------------------


def voxlane_python(isa="auto", fresh=False):
    def prepare(volume, folder, threads):
        import voxlane

        image = data.image(volume, folder)
        labels = numpy.empty(volume.shape, numpy.uint8)
        rule = {"minima": "flat", "border": "periodic"} if volume.rule == "periodic" else {}

        def call():
            return voxlane.steepest(image, out=None if fresh else labels, isa=isa, threads=threads, **rule)

        return call, as_labels

    return prepare


UNWEIGHTED = "unweighted"
FASTER = "of two ways to write it, the faster one for this compiler"

CONTESTANTS = index(
    [
        Contestant("question: Python loop", python_loop, packages=("numpy",)),
        Contestant("answer: full array", full_array, packages=("numpy",)),
        Contestant("answer: slabs", slabs, packages=("numpy",)),
        Contestant("numba, serial", numba_loop("labels_serial"), packages=("numba",)),
        Contestant("numba, parallel", numba_loop("labels_parallel"), packages=("numba",)),
        Contestant("C loop, gcc -O3", plain_c("offset_table", "gcc"), note=FASTER),
        Contestant("C loop, clang -O3 -march=native", plain_c("nested_loops", "clang"), note=FASTER),
        Contestant("C loop, gcc -O3 -march=native -fopenmp", plain_c("offset_table", "openmp"), note=FASTER),
        Contestant(
            "PyTorch max_pool3d",
            torch_max_pool,
            python="debian",
            packages=("python3-torch",),
            differs=UNWEIGHTED,
            note="int64 indices; the voxel itself takes part",
        ),
        Contestant(
            "vigra, watersheds' preparation",
            vigra_pointers,
            packages=("libvigraimpex-dev",),
            differs=UNWEIGHTED,
            note="C++, g++ -O3 -march=native; 16-bit indices; minima are told apart from the rest",
        ),
        Contestant(
            "baderkit pointers", baderkit_pointers, packages=("baderkit",), note="int64 indices and periodic images"
        ),
        Contestant("voxlane", voxlane_python(), note="from Python"),
        Contestant("voxlane, new array each call", voxlane_python(fresh=True), note="from Python"),
        Contestant("voxlane, C", None, note="c/voxlane_worker.c"),
        Contestant("voxlane, AVX-512", voxlane_python("avx512"), note="from Python"),
        Contestant("voxlane, AVX2", voxlane_python("avx2"), note="from Python"),
        Contestant("voxlane, portable", voxlane_python("portable"), note="from Python"),
    ]
)
