"""What voxlane.py promises. Run with PYTHONPATH=include; needs no test framework."""

import concurrent.futures
import ctypes
import io
import itertools
import math
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from unittest import mock

import numpy

import voxlane

generator = numpy.random.default_rng(1)
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]


def raises(kind, text, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except kind as error:
        assert text in str(error), f"{text!r} is not in {error}"
        return error
    raise AssertionError(f"no {kind.__name__} with {text!r}")


def random_image(shape, dtype):
    dtype = numpy.dtype(dtype)
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    limits = numpy.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def numpy_labels(image):
    """The rule in NumPy: scores in float for small integers and floats, the centre with -100, argmax."""
    wide = image.dtype.str[1:] in ("u4", "i4", "f8")
    values = image.astype(numpy.float64 if wide else numpy.float32)
    offsets = numpy.array(list(itertools.product((-1, 0, 1), repeat=3)))
    with numpy.errstate(divide="ignore"):
        weights = 1 / numpy.linalg.norm(offsets, axis=1)
    inner = tuple(slice(1, n - 1) for n in values.shape)
    scores = numpy.empty((27, *(n - 2 for n in values.shape)))
    for i, offset in enumerate(offsets):
        there = tuple(slice(1 + d, n - 1 + d) for d, n in zip(offset, values.shape))
        scores[i] = -100 if i == 13 else (values[inner] - values[there]).astype(numpy.float64) * weights[i]
    labels = numpy.zeros(image.shape, numpy.uint8)
    labels[inner] = scores.argmax(axis=0)
    return labels


def test_struct_sizes():
    assert [ctypes.sizeof(struct) for struct in voxlane._STRUCTS] == [64, 64, 120, 80, 112, 72]
    for number, struct in enumerate(voxlane._STRUCTS, start=1):
        assert voxlane._library.voxlane_sizeof(number) == ctypes.sizeof(struct)


def test_defaults_are_the_library_s():
    options = voxlane._SteepestOptions()
    voxlane._library.voxlane_steepest_options_init(ctypes.byref(options))
    assert (options.direction, options.minima, list(options.border)) == (0, 0, [0, 0, 0])
    assert options.struct_size == ctypes.sizeof(options) and not options.progress
    gaussians = voxlane._GaussianOptions()
    voxlane._library.voxlane_gaussian_options_init(ctypes.byref(gaussians))
    assert gaussians.eps == 1e-6 and gaussians.struct_size == ctypes.sizeof(gaussians)


def test_every_element_type():
    for dtype in DTYPES:
        image = random_image((6, 7, 41), dtype)
        assert numpy.array_equal(voxlane.steepest(image), numpy_labels(image)), dtype


def test_views_without_a_copy():
    image = random_image((12, 14, 40), "f4")
    views = [
        image.T,
        image[::-1, ::2, ::-3],
        image[1:-1, 2:, 5:30],
        numpy.broadcast_to(image[0], (5, 14, 40)),
        numpy.broadcast_to(image[:, :, :1], (12, 14, 9)),
        numpy.asfortranarray(image),
    ]
    for view in views:
        labels = numpy.full(view.shape[::-1], 99, numpy.uint8).T
        assert voxlane.steepest(view, out=labels) is labels
        assert numpy.array_equal(labels, numpy_labels(view))
    # A field of records: strides that are multiples of the element's size, and such that are not.
    records = numpy.zeros((4, 5, 6), [("id", "i4"), ("value", "f4")])
    records["value"] = random_image((4, 5, 6), "f4")
    assert numpy.array_equal(voxlane.steepest(records["value"]), numpy_labels(records["value"]))
    packed = numpy.zeros((4, 5, 6), [("id", "i1"), ("value", "f4")])
    raises(ValueError, "ascontiguousarray", voxlane.steepest, packed["value"])
    unaligned = numpy.zeros(4 * 60 + 1, numpy.uint8)[1:].view(numpy.float32).reshape(3, 4, 5)
    assert raises(voxlane.Error, "multiple of 4", voxlane.steepest, unaligned).status == -4


def test_options():
    image = random_image((9, 10, 33), "f4")
    flat = voxlane.steepest(image, minima="flat", border="inside")
    assert numpy.array_equal(
        26 - flat, voxlane.steepest(image[::-1, ::-1, ::-1], minima="flat", border="inside")[::-1, ::-1, ::-1]
    )
    assert numpy.array_equal(voxlane.steepest(-image, minima="flat", border="inside", direction="ascent"), flat)
    inverse = [
        0 if i == 13 else 1 / numpy.linalg.norm(numpy.unravel_index(i, (3, 3, 3)) - numpy.ones(3)) for i in range(27)
    ]
    assert numpy.array_equal(voxlane.steepest(image, minima="flat", border="inside", weights=inverse), flat)
    assert numpy.array_equal(voxlane.steepest(image, minima="flat", border="inside", spacing=2.0), flat)
    assert numpy.array_equal(voxlane.steepest(image, minima="flat", border="inside", spacing=[2.0]), flat)
    rolled = numpy.roll(image, (3, 4, 5), (0, 1, 2))
    periodic = voxlane.steepest(image, border=("periodic",) * 3)
    assert numpy.array_equal(numpy.roll(periodic, (3, 4, 5), (0, 1, 2)), voxlane.steepest(rolled, border="periodic"))

    mask = generator.random(image.shape) < 0.8
    labels = voxlane.steepest(image, border="inside", mask=mask)
    assert numpy.array_equal(labels == voxlane.MASKED, ~mask)
    assert numpy.array_equal(labels, voxlane.steepest(image, border="inside", mask=mask.astype(numpy.uint8)))

    labels, slope = voxlane.steepest(image, minima="flat", border="inside", slope=True)
    assert slope.dtype == numpy.float32 and numpy.all(slope[labels != 13] > 0)
    double = numpy.zeros(image.shape)
    labels, given = voxlane.steepest(image, minima="flat", border="inside", slope=double)
    assert given is double and numpy.array_equal(double.astype(numpy.float32), slope)

    part = voxlane.steepest(image, minima="flat", border="inside", planes=(2, 5), threads=1, isa="portable")
    assert numpy.array_equal(part[2:5], flat[2:5]) and not part[:2].any() and not part[5:].any()
    single = voxlane.steepest(image, minima="flat", border="inside", out=numpy.empty(image.shape, numpy.float32))
    assert single.dtype == numpy.float32 and numpy.array_equal(single, flat)


def test_the_question_s_labels():
    image = generator.normal(size=(8, 9, 10)) * 100
    labels = voxlane.create_label(image)
    assert labels.dtype == numpy.float32
    assert numpy.array_equal(labels, numpy_labels(image.astype(numpy.float32)))


def exact_sum(centers, sigma, shape, amplitudes, origin, spacing):
    axes = [origin[a] + numpy.arange(shape[a]) * spacing[a] for a in range(3)]
    total = numpy.zeros(shape)
    for center, widths, amplitude in zip(centers, sigma, amplitudes):
        factors = [numpy.exp(-((axes[a] - center[a]) ** 2) / (2 * widths[a] ** 2)) for a in range(3)]
        total += amplitude * numpy.einsum("i,j,k", *factors)
    return total


def test_sums():
    shape, origin, spacing = (11, 13, 17), (-1.0, 2.0, 0.5), (0.5, 0.25, 0.75)
    centers = origin + generator.random((30, 3)) * numpy.multiply(shape, spacing)
    amplitudes = generator.normal(size=30)
    for sigma in (0.6, [0.5, 0.6, 0.7], 0.5 + generator.random((30, 1)), 0.5 + generator.random((30, 3))):
        exact = exact_sum(centers, numpy.broadcast_to(sigma, (30, 3)), shape, amplitudes, origin, spacing)
        where = {"origin": origin, "spacing": spacing, "amplitudes": amplitudes}
        double = voxlane.sum_gaussians(centers, sigma, shape, eps=0, dtype="f8", **where)
        assert abs(double - exact).max() < 1e-12
        single = voxlane.sum_gaussians(centers, sigma, shape, **where)
        assert single.dtype == numpy.float32 and abs(single - exact).max() < 1e-4
        # Centres and the grid with strides of every kind.
        stored = numpy.zeros((17, 26, 11))
        out = stored.T[::-1, ::2]
        wide = numpy.zeros((60, 4))
        wide[::-2, 2::-1] = centers
        strided = voxlane.sum_gaussians(wide[::-2, 2::-1], sigma, eps=0, out=out, **where)
        assert strided is out and abs(out - double).max() < 1e-12 and not stored.T[:, 1::2].any()
        voxlane.sum_gaussians(centers, sigma, eps=0, out=out, accumulate=True, **where)
        assert abs(out - 2 * exact).max() < 1e-12
    narrow = voxlane.sum_gaussians(centers.astype("f4"), 0.6, shape, **where)
    assert abs(narrow - voxlane.sum_gaussians(centers, 0.6, shape, **where)).max() < 1e-4
    assert not voxlane.sum_gaussians(numpy.zeros((0, 3)), 1.0, shape).any()
    total = voxlane.sum_gaussians(
        [[1, 2, 3]], 0.9, (8, 8, 8), normalization="mass", support="ball", periodic=True, dtype="f8"
    ).sum()
    assert abs(total - 1) < 1e-12


def test_means_over_voxels():
    def means(center, sigma, count):
        edges = (numpy.arange(count + 1) - 0.5 - center) / (sigma * math.sqrt(2))
        return sigma * math.sqrt(math.pi / 2) * numpy.diff([math.erf(edge) for edge in edges])

    center = (4.1, 3.7, 4.4)
    values = voxlane.sum_gaussians([center], 0.4, (9, 9, 9), sampling="voxel", eps=0, dtype="f8")
    exact = numpy.einsum("i,j,k", *(means(coordinate, 0.4, 9) for coordinate in center))
    assert abs(values - exact).max() < 1e-13


def test_the_question_s_sum():
    side, n, sigma = 100.0, 12, 9.0
    ticks = numpy.linspace(-side / 2, side / 2, n)
    grid = numpy.meshgrid(ticks, ticks, ticks, indexing="ij")
    xyz = numpy.column_stack([each.ravel() for each in grid])
    coords = generator.random((20, 3)) * side - side / 2
    squares = ((coords[:, None] - xyz) ** 2).sum(axis=2)
    exact = (numpy.exp(-squares / (2 * sigma**2)) / numpy.sqrt(2 * numpy.pi * sigma**2)).sum(axis=0)
    image = voxlane.sumofgauss(coords, xyz, sigma)
    assert image.dtype == numpy.float64 and image.shape == (n, n, n)
    assert abs(image.ravel() - exact).max() < 1e-13
    for wrong in (xyz[:-1], xyz[::-1], xyz[:, ::-1], xyz**3, numpy.zeros((0, 3)), xyz.ravel()):
        raises(ValueError, "xyz", voxlane.sumofgauss, coords, wrong, sigma)


def test_wrong_arguments():
    image = random_image((4, 5, 6), "f4")
    raises(TypeError, "newbyteorder('=')", voxlane.steepest, image.astype(">f4"))
    raises(TypeError, "astype(numpy.", voxlane.steepest, image.astype("f2"))
    raises(TypeError, "astype(numpy.", voxlane.steepest, image.astype("i8"))
    raises(TypeError, "view(numpy.uint8)", voxlane.steepest, image > 0.5)
    raises(ValueError, "2 axes", voxlane.steepest, image[0])
    raises(ValueError, "'downhill'", voxlane.steepest, image, direction="downhill")
    raises(ValueError, "not 1 or 3", voxlane.steepest, image, spacing=(1, 2))
    raises(ValueError, "spacing is 0", voxlane.steepest, image, spacing=0)
    raises(ValueError, f"threads is {2**32 + 1}", voxlane.steepest, image, threads=2**32 + 1)
    raises(ValueError, "threads is -1", voxlane.steepest, image, threads=-1)
    raises(ValueError, "threads is 2.7", voxlane.steepest, image, threads=2.7)
    raises(TypeError, "masked array", voxlane.steepest, numpy.ma.masked_less(image, 0.5))
    raises(TypeError, "numpy.abs(image)", voxlane.steepest, image.astype("c8"))
    raises(ValueError, "not 27", voxlane.steepest, image, weights=[1.0] * 26)
    raises(TypeError, "mask != 0", voxlane.steepest, image, mask=numpy.ones(image.shape, int))
    raises(TypeError, "not a NumPy array", voxlane.steepest, image, out=image.tolist())
    raises(TypeError, "make it one of these", voxlane.steepest, image, out=numpy.zeros(image.shape, int))
    raises(ValueError, "not (4, 5, 6)", voxlane.steepest, image, out=numpy.zeros((4, 5, 7), numpy.uint8))
    frozen = numpy.zeros(image.shape, numpy.uint8)
    frozen.flags.writeable = False
    raises(ValueError, "read-only", voxlane.steepest, image, out=frozen)
    raises(ValueError, "planes 3:3", voxlane.steepest, image, planes=(3, 3))
    assert raises(voxlane.Error, "spacing", voxlane.steepest, image, spacing=-1).status == -8
    assert raises(voxlane.Error, "", voxlane.steepest, image[:0]).status == -2
    assert raises(voxlane.Error, "", voxlane.steepest, image, out=image).status == -6
    assert raises(voxlane.Error, "", voxlane.steepest, image, mask=numpy.ones((4, 5, 5), bool)).status == -2

    centers = generator.random((4, 3))
    # As errors come back from the processes of a pool.
    error = raises(voxlane.Error, "spacing of axis 0 is -1", voxlane.steepest, image, spacing=-1)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.status, str(again)) == (voxlane.Error, error.status, str(error))
    raises(ValueError, "shape is needed", voxlane.sum_gaussians, centers, 1.0)
    raises(ValueError, "centers has shape", voxlane.sum_gaussians, centers[:, :2], 1.0, (4, 4, 4))
    raises(ValueError, "sigma[:, None]", voxlane.sum_gaussians, centers, numpy.ones(4), (4, 4, 4))
    raises(ValueError, "amplitudes has shape (2,)", voxlane.sum_gaussians, centers, 1.0, (4, 4, 4), amplitudes=[1.0, 2.0])
    raises(ValueError, "accumulate needs out", voxlane.sum_gaussians, centers, 1.0, (4, 4, 4), accumulate=True)
    raises(TypeError, "newbyteorder", voxlane.sum_gaussians, centers.astype(">f8"), 1.0, (4, 4, 4))
    raises(TypeError, "astype(numpy.", voxlane.sum_gaussians, numpy.ones((4, 3), int), 1.0, (4, 4, 4))
    centers[2, 1] = numpy.nan
    assert raises(voxlane.Error, "2", voxlane.sum_gaussians, centers, 1.0, (4, 4, 4)).status == -8


# Some seconds on one thread.
LONG = {"centers": generator.random((300_000, 3)) * 160, "sigma": 8.0, "shape": (160, 160, 160), "threads": 1}


def test_progress():
    image = random_image((30, 40, 50), "f4")
    seen = []
    voxlane.steepest(image, progress=seen.append)
    assert seen[0] == 0 and seen[-1] == 1 and seen == sorted(seen)
    assert raises(voxlane.Error, "cancel", voxlane.steepest, image, progress=lambda fraction: True).status == -12

    def fail(fraction):
        raise ZeroDivisionError("mine")

    raises(ZeroDivisionError, "mine", voxlane.steepest, image, progress=fail)
    voxlane.steepest(image, progress=True)


class Terminal(io.StringIO):
    """What a progress bar writes, as if it were seen."""

    def isatty(self):
        return True


def test_progress_bar():
    image = random_image((30, 40, 50), "f4")
    for with_tqdm in (True, False):
        hidden = {} if with_tqdm else {"tqdm": None, "tqdm.auto": None}
        with mock.patch.dict(sys.modules, hidden), mock.patch.object(sys, "stderr", Terminal()) as shown:
            voxlane.steepest(image, progress=True)
            voxlane.sum_gaussians([[1.0, 2.0, 3.0]], 1.0, (8, 8, 8), progress=True)
        text = shown.getvalue()
        for title in ("steepest", "sum_gaussians"):
            assert re.search(rf"{title}: +100 ?%", text), f"tqdm {with_tqdm}: {text!r}"
        assert ("|" in text) == with_tqdm and text.endswith("\n")
    # Not on a terminal and without tqdm, nothing is written.
    silent = mock.patch.dict(sys.modules, {"tqdm": None, "tqdm.auto": None})
    with silent, mock.patch.object(sys, "stderr", io.StringIO()) as shown:
        voxlane.steepest(image, progress=True)
    assert shown.getvalue() == ""


def fork_in_callback(returns):
    """Forks in the middle of a call: the child's exit status, and whether the parent's result is right."""
    arguments = {**LONG, "centers": LONG["centers"][:30_000], "threads": 3}
    expected = voxlane.sum_gaussians(**arguments)
    small = random_image((30, 40, 50), "f4")
    labels = voxlane.steepest(small)
    parent, children = os.getpid(), []

    def fork(fraction):
        if fraction < 0.2 or fraction == 1 or children:
            return
        children.append(os.fork())
        if children[0] == 0:
            signal.alarm(60)
            right = numpy.array_equal(voxlane.steepest(small, threads=3), labels)
            if not (returns and right):
                os._exit(0 if right else 1)

    try:
        found = voxlane.sum_gaussians(**arguments, progress=fork)
    except voxlane.Error as error:
        if os.getpid() == parent:
            raise
        right = error.status == -12 and "forked child" in str(error)
        again = numpy.array_equal(voxlane.sum_gaussians(**arguments), expected)
        os._exit(0 if right and again else 2)
    if os.getpid() != parent:
        os._exit(0 if numpy.array_equal(found, expected) else 3)
    assert numpy.array_equal(found, expected), "the parent's result"
    assert children, "no report in the middle"
    return os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])


def test_fork_in_a_callback():
    assert fork_in_callback(returns=False) == 0
    assert fork_in_callback(returns=True) == 0


def test_multiprocessing():
    image = random_image((30, 40, 50), "f4")
    labels = voxlane.steepest(image, threads=3)
    for method in ("fork", "spawn"):
        # A pool's workers that die would be waited for without end.
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            for found in pool.map(voxlane.steepest, [image] * 6, timeout=60):
                assert numpy.array_equal(found, labels), method


def test_control_c():
    pressed = []

    def press():
        time.sleep(0.3)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    # (Where a shell has started this in the background, Ctrl-C is ignored.)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGINT)
    for _ in range(3):
        finger = threading.Thread(target=press)
        finger.start()
        try:
            voxlane.sum_gaussians(**LONG)
        except KeyboardInterrupt:
            delay = time.monotonic() - pressed[-1]
        else:
            raise AssertionError("the call was over before Ctrl-C, or did not see it")
        finger.join()
        print(f"cancelled after: {1000 * delay:.0f} ms")
        # 0.2 s on a machine of one's own; a shared one may be elsewhere for a while.
        assert delay < 2
    assert signal.getsignal(signal.SIGINT) is before
    # A handler that raises nothing lets the call go on.
    counted = []
    signal.signal(signal.SIGINT, lambda number, frame: counted.append(number))
    voxlane.steepest(random_image((4, 5, 6), "f4"), progress=lambda fraction: os.kill(os.getpid(), signal.SIGINT))
    signal.signal(signal.SIGINT, before)
    assert counted


def test_threads_run_while_a_call_does():
    ticks, over = [], threading.Event()

    def cancel(fraction):
        return over.is_set()

    def call():
        raises(voxlane.Error, "cancel", voxlane.sum_gaussians, **LONG, progress=cancel)

    calling = threading.Thread(target=call)
    calling.start()
    start = time.monotonic()
    while time.monotonic() < start + 0.3:
        ticks.append(time.monotonic())
        time.sleep(0.001)
    assert calling.is_alive(), "the call was over too early"
    over.set()
    calling.join()
    assert len(ticks) > 30, "the GIL was held"


def test_the_search_for_the_library():
    program = "import voxlane; print(voxlane.version())"
    folder = os.path.dirname(voxlane.__file__)
    environment = {**os.environ, "PYTHONPATH": folder, "VOXLANE_LIBRARY": "/nowhere/libvoxlane.so"}
    missing = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert missing.returncode != 0 and "/nowhere/libvoxlane.so" in missing.stderr


# A process that multiprocessing spawns imports this file, too.
if __name__ == "__main__":
    tests = [value for name, value in list(globals().items()) if name.startswith("test_")]
    for test in tests:
        try:
            test()
        except BaseException:
            print(f"FAILED: {test.__name__}")
            raise
    print(f"voxlane.py: {len(tests)} tests passed")
