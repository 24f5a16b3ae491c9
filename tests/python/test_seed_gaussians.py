"""voxlane_sum_gaussians and voxlane_gauss_grid agree with the question's sumofgauss."""

import ctypes as c
import os
import sys
import tempfile

import numpy as np

import abi

NORM_REFERENCE = 1


def sumofgauss(coords, axes, sigma):
    """The question's function on the grid of three coordinate axes: every centre at every voxel, no cutoff."""
    xyz = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.zeros(len(xyz))
    for center in coords:
        distance = np.sqrt(((xyz - center) ** 2).sum(axis=1))
        distance *= distance
        values += 1.0 / np.sqrt(2 * np.pi * sigma**2) * np.exp(-distance / (2 * sigma**2))
    return values.reshape([len(axis) for axis in axes])


def bound(dtype, coords, axes, sigma, eps, exact):
    """The error that the header allows at each voxel."""
    support = sigma * np.sqrt(-2 * np.log(eps)) * (1 + 1e-12)
    near = [(abs(axis[None, :] - coords[:, a, None]) <= support).astype(float) for a, axis in enumerate(axes)]
    reaching = np.einsum("cz,cy,cx->zyx", *near, optimize=True)
    relative = 6e-6 + 6e-8 * reaching if dtype == np.float32 else 3e-14 + 1.2e-16 * reaching
    return eps * len(coords) / np.sqrt(2 * np.pi * sigma**2) + relative * exact


def sum_gaussians(library, coords, sigma, origin, spacing, values, isa=0, threads=0, **changes):
    """One call; coordinates, sigma and grid as they lie in memory."""
    gaussians = abi.Gaussians()
    gaussians.count, gaussians.dtype = len(coords), abi.DTYPES[coords.dtype.str[1:]]
    gaussians.centers = coords.ctypes.data
    gaussians.center_stride[:] = [stride // coords.itemsize for stride in coords.strides]
    one = np.array([sigma], coords.dtype)
    gaussians.sigmas = one.ctypes.data
    grid = abi.Grid(abi.Array.of(values), tuple(origin), tuple(spacing))
    options = abi.GaussianOptions()
    library.voxlane_gaussian_options_init(c.byref(options))
    options.normalization, options.isa, options.threads = NORM_REFERENCE, isa, threads
    for name, value in changes.items():
        setattr(options, name, value)
    abi.check(library, library.voxlane_sum_gaussians(c.byref(gaussians), c.byref(grid), c.byref(options)))


def gauss_grid(library, coords, sigma, eps, shape, origin, spacing):
    values = np.full(shape, np.nan, np.float32)
    three = c.c_double * 3
    status = library.voxlane_gauss_grid(
        coords.ctypes.data, len(coords), sigma, eps, (c.c_size_t * 3)(*shape), three(*origin), three(*spacing),
        values.ctypes.data,
    )
    abi.check(library, status)
    return values


def question():
    """The question's own input."""
    side, n = 100.0, 64
    coords = np.random.default_rng(1).random((1000, 3)) * side - side / 2
    return coords, np.linspace(-side / 2, side / 2, n), [-side / 2] * 3, [side / (n - 1)] * 3


def expect_within(found, exact, allowed, what):
    error = abs(found - exact)
    if not (error <= allowed).all():
        at = np.unravel_index(np.nanargmax(np.nan_to_num(error, nan=np.inf) - allowed), error.shape)
        raise AssertionError(f"{what}: {found[at]!r}, not {exact[at]!r} at {at}")


def one_tier(tier, exact_file):
    library, random = abi.load(), np.random.default_rng(7)
    assert library.voxlane_isa_active() == abi.ISA[tier]
    isas = [0] + [isa for isa in abi.ISA.values() if isa <= abi.ISA[tier]]

    coords, axis, origin, spacing = question()
    exact = np.load(exact_file)
    worst = 0.0
    for isa in isas:
        values = np.full(exact.shape, np.nan)
        sum_gaussians(library, coords, 1.0, origin, spacing, values, isa=isa, eps=0.0)
        expect_within(values, exact, 1e-12, f"the question's input, isa {isa}")
        worst = max(worst, abs(values - exact).max())
    print(f"the question's input on {tier}: at most {worst:.1e} off a peak of {exact.max():.2f}")
    for eps in (0.0, 1e-6, 1e-3):
        single = gauss_grid(library, coords, 1.0, eps, exact.shape, origin, spacing)
        cut = eps or np.finfo(np.float32).eps
        allowed = bound(np.float32, coords, [axis] * 3, 1.0, cut, exact)
        expect_within(single, exact, allowed, f"voxlane_gauss_grid, eps {eps}")

    for case in range(60):
        shape = [int(n) for n in random.integers(1, 41, 3)]
        origin, spacing = random.uniform(-5, 5, 3), random.uniform(0.2, 2, 3)
        axes = [o + np.arange(n) * h for o, n, h in zip(origin, shape, spacing)]
        count, sigma = int(random.integers(0, 40)), float(np.float32(random.uniform(0.1, 3)))
        kind = random.choice(["f4", "f8"])
        # A table of records in which the coordinates are some of the columns, or reversed, or transposed.
        table = random.uniform(-8, 40, (count, 5)).astype(kind)
        layouts = (table[:, 1:4], table[:, 4:1:-1], table[::-1, :3], np.asfortranarray(table)[:, ::2])
        coords = layouts[case % len(layouts)]
        exact = sumofgauss(coords.astype(np.float64), axes, sigma)
        values = abi.random_view(random, shape, random.choice(["f4", "f8"]))
        eps = float(random.choice([0.0, 1e-8, 1e-4]))
        isa, threads = int(random.choice(isas)), int(random.integers(0, 4))
        sum_gaussians(library, coords, sigma, origin, spacing, values, isa=isa, threads=threads, eps=eps)
        cut = eps or np.finfo(values.dtype).eps
        allowed = bound(values.dtype, coords.astype(np.float64), axes, sigma, cut, exact)
        expect_within(values, exact, allowed, f"case {case}: {shape} {values.dtype} {values.strides} isa {isa}")
    print(f"60 random grids on {tier} are within the bound")


def main():
    coords, axis, _, _ = question()
    with tempfile.TemporaryDirectory() as folder:
        exact_file = os.path.join(folder, "exact.npy")
        np.save(exact_file, sumofgauss(coords, [axis] * 3, 1.0))
        abi.on_every_tier(__file__, exact_file)


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] == "--tier":
        one_tier(sys.argv[2], sys.argv[3])
    else:
        main()
