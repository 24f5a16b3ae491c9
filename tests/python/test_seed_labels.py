"""voxlane_create_label and voxlane_steepest give the labels of the question's NumPy code, bit for bit."""

import ctypes as c
import itertools
import sys

import numpy as np

import abi

LOCATIONS = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
DISTANCES = np.linalg.norm(LOCATIONS, axis=1)
WEIGHTS = np.divide(1, DISTANCES, out=np.zeros_like(DISTANCES), where=DISTANCES != 0)


def labels_by_loop(image):
    """The question's function: voxel by voxel."""
    image = image.astype(np.float32)
    label = np.zeros_like(image)
    for i, j, k in itertools.product(*(range(1, n - 1) for n in image.shape)):
        around = np.array([image[i + di, j + dj, k + dk] for di, dj, dk in LOCATIONS])
        difference = image[i, j, k, None] - around
        if np.all(difference < 0):
            label[i, j, k] = 13
        else:
            score = difference * WEIGHTS
            score[13] = -100
            label[i, j, k] = np.argmax(score)
    return label


def labels_and_slopes(image, kind=np.float32):
    """The answer's function, which is the same but vectorised, in `kind`; and the largest scores of neighbours."""
    image = image.astype(kind)
    label, slope = np.zeros(image.shape, np.float32), np.zeros(image.shape)
    if min(image.shape) < 3:
        return label, slope
    inner = (slice(1, -1),) * 3
    blocks = np.lib.stride_tricks.sliding_window_view(image, (3, 3, 3))
    difference = (image[inner + (None,) * 3] - blocks).reshape(-1, 27)
    score = difference * WEIGHTS
    score[:, 13] = -100
    best = np.argmax(score, axis=1)
    found = np.where((difference < 0).all(axis=1), 13, best)
    label[inner] = found.reshape(label[inner].shape)
    score[:, 13] = -np.inf
    best = np.argmax(score, axis=1)
    slope[inner] = np.take_along_axis(score, best[:, None], 1).reshape(slope[inner].shape)
    return label, slope


def around_one_hundred(random, shape):
    """Differences that times their weight are -100 exactly, or next to it."""
    steps = np.array([0, 50, 100, 100 * 2**0.5, 100 * 3**0.5, 200, 1e4])
    return random.choice(steps, shape) * random.choice([1, 1 - 1e-7, 1 + 1e-7, -1], shape)


def plateaus(random, shape):
    """Flat regions several voxels wide."""
    coarse = random.integers(0, 4, [(n + 2) // 3 for n in shape])
    return np.kron(coarse, np.ones((3, 3, 3)))[tuple(slice(n) for n in shape)]


IMAGES = {
    "random": lambda random, shape: random.random(shape),
    "integers": lambda random, shape: random.integers(0, 256, shape),
    "few integers": lambda random, shape: random.integers(-1, 2, shape),
    "plateaus": plateaus,
    "constant": lambda random, shape: np.full(shape, random.normal()),
    "NaN": lambda random, shape: np.where(random.random(shape) < 0.02, np.nan, random.random(shape)),
    "mostly NaN": lambda random, shape: np.where(random.random(shape) < 0.7, np.nan, random.random(shape)),
    "infinite": lambda random, shape: random.choice([0.0, 1.0, -0.0, np.inf, -np.inf, 7.0], shape),
    "infinite and NaN": lambda random, shape: random.choice([0.0, 1.0, np.inf, -np.inf, np.nan], shape),
    "3e38": lambda random, shape: random.choice([3e38, -3e38, 1e38, 0.0, 1.0], shape),
    "large": lambda random, shape: random.uniform(-3e38, 3e38, shape),
    "denormal": lambda random, shape: random.integers(-20, 20, shape) * 1e-45,
    "around 100": around_one_hundred,
    "pits": lambda random, shape: np.where(random.random(shape) < 0.05, -1e4, random.normal(size=shape)),
    "waves": lambda random, shape: sum(np.sin(x * (0.3 + axis)) for axis, x in enumerate(np.indices(shape))),
    "rounding": lambda random, shape: random.choice([2.0**24, 0.5, 0.25, 1e-3, 1.0], shape) + random.random(shape),
}
# Of the second float's range, which differences in float would not survive.
WIDE_IMAGES = {
    "double": lambda random, shape: 1.0 + 1e-12 * random.random(shape),
    "1e308": lambda random, shape: random.choice([1e308, -1e308, 0.0], shape),
}


def expect_equal(found, expected, what):
    """Same numbers and same bits, but for the bits of NaN, of which IEEE 754 leaves a choice."""
    same = (found == expected) & (np.signbit(found) == np.signbit(expected)) | np.isnan(found) & np.isnan(expected)
    if not same.all():
        at = tuple(int(i) for i in np.argwhere(~same)[0])
        raise AssertionError(f"{what}: {(~same).sum()} differ, first at {at}: {found[at]!r}, not {expected[at]!r}")


def create_label(library, image):
    labels = np.full(image.shape, 77, np.float32)
    shape = (c.c_size_t * 3)(*image.shape)
    status = library.voxlane_create_label(
        c.c_void_p(image.ctypes.data), shape, c.c_void_p(labels.ctypes.data)
    )
    abi.check(library, status)
    return labels


def steepest(library, random, image, isa):
    """Labels and slopes on memory of random strides and types."""
    labels = abi.random_view(random, image.shape, random.choice(["u1", "f4"]))
    slope = abi.random_view(random, image.shape, random.choice(["f4", "f8"]))
    options = abi.SteepestOptions()
    library.voxlane_steepest_options_init(c.byref(options))
    slope_array = abi.Array.of(slope)
    options.slope = c.pointer(slope_array)
    options.isa, options.threads = isa, int(random.integers(0, 4))
    status = library.voxlane_steepest(
        c.byref(abi.Array.of(image)), c.byref(abi.Array.of(labels)), c.byref(options)
    )
    abi.check(library, status)
    return labels, slope


def compare(library, random, name, make, shape, dtype, isas):
    image = abi.random_view(random, shape, dtype)
    with np.errstate(all="ignore"):
        values = make(random, shape)
        if dtype in ("f4", "f8"):
            image[...] = values
        else:
            information = np.iinfo(dtype)
            image[...] = np.clip(np.nan_to_num(values), information.min, information.max)
        single = dtype not in ("u4", "i4", "f8")
        expected, expected_slope = labels_and_slopes(image, np.float32 if single else np.float64)
        if dtype == "f4":
            expect_equal(create_label(library, np.ascontiguousarray(image)), expected, f"{name} {shape}")
        for isa in isas:
            labels, slope = steepest(library, random, image, isa)
            what = f"{name} {shape} {dtype}, isa {isa}, labels {labels.dtype}, strides {image.strides}"
            expect_equal(labels.astype(np.float32), expected, what)
            expect_equal(slope, expected_slope.astype(slope.dtype), "slope of " + what)


def one_tier(tier):
    library, random = abi.load(), np.random.default_rng(7)
    assert library.voxlane_isa_active() == abi.ISA[tier]
    isas = [0] + [isa for isa in abi.ISA.values() if isa <= abi.ISA[tier]]
    cases = 0
    for name, make in IMAGES.items():
        for turn in range(24):
            shape = tuple(int(n) for n in random.integers(1, 41, 3))
            compare(library, random, name, make, shape, "f4", isas if turn % 4 == 0 else [0])
            cases += 1
        for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "f8"):
            shape = tuple(int(n) for n in random.integers(3, 41, 3))
            compare(library, random, name, make, shape, dtype, [0])
            cases += 1
    for name, make in WIDE_IMAGES.items():
        compare(library, random, name, make, (9, 14, 37), "f8", isas)
    # Every length of a row, at every place where a vector can end.
    for n in range(1, 41):
        shape = [4, 5, 6]
        for axis in range(3):
            shape[axis], before = n, shape[axis]
            compare(library, random, "few integers", IMAGES["few integers"], tuple(shape), "f4", [0])
            shape[axis] = before
            cases += 1
    print(f"{cases} images on {tier} have the labels of the question's code")


def main():
    random = np.random.default_rng(3)
    for name, make in IMAGES.items():
        with np.errstate(all="ignore"):
            image = make(random, (6, 7, 8)).astype(np.float32)
            expect_equal(labels_and_slopes(image)[0], labels_by_loop(image), f"loop and vectors, {name}")
    abi.on_every_tier(__file__)


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--tier":
        one_tier(sys.argv[2])
    else:
        main()
