"""Both kernels as one writes them for numba. A module of their own, so that its cache of compiled code serves all."""

import math

import numba
import numpy


@numba.njit(inline="always")
def _label(image, weights, labels, z, y, x):
    center = numpy.float32(image[z, y, x])
    best, label, i = -numpy.inf, 0, 0
    for dz in range(-1, 2):
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                score = -100.0
                if i != 13:
                    score = numpy.float64(center - numpy.float32(image[z + dz, y + dy, x + dx])) * weights[i]
                if score > best:
                    best, label = score, i
                i += 1
    labels[z, y, x] = label


@numba.njit(cache=True)
def labels_serial(image, weights, labels):
    nz, ny, nx = image.shape
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                _label(image, weights, labels, z, y, x)


@numba.njit(cache=True, parallel=True)
def labels_parallel(image, weights, labels):
    nz, ny, nx = image.shape
    for z in numba.prange(1, nz - 1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                _label(image, weights, labels, z, y, x)


@numba.njit(inline="always")
def _factors(center, sigma, low, high, factors):
    for k in range(low, high):
        d = (k - center) / sigma
        factors[k - low] = math.exp(-0.5 * d * d)


@numba.njit(cache=True, fastmath=True)
def _slab(centers, sigma, reach, grid, first, last):
    """Adds every centre to the planes from first to last; lengths are in voxels."""
    width = int(2 * reach) + 2
    fz, fy, fx = numpy.empty(width, grid.dtype), numpy.empty(width, grid.dtype), numpy.empty(width, grid.dtype)
    _, ny, nx = grid.shape
    for i in range(centers.shape[0]):
        z0, z1 = max(math.ceil(centers[i, 0] - reach), first), min(math.floor(centers[i, 0] + reach) + 1, last)
        if z0 >= z1:
            continue
        y0, y1 = max(math.ceil(centers[i, 1] - reach), 0), min(math.floor(centers[i, 1] + reach) + 1, ny)
        x0, x1 = max(math.ceil(centers[i, 2] - reach), 0), min(math.floor(centers[i, 2] + reach) + 1, nx)
        _factors(centers[i, 0], sigma, z0, z1, fz)
        _factors(centers[i, 1], sigma, y0, y1, fy)
        _factors(centers[i, 2], sigma, x0, x1, fx)
        for z in range(z0, z1):
            for y in range(y0, y1):
                product = fz[z - z0] * fy[y - y0]
                for x in range(x0, x1):
                    grid[z, y, x] += product * fx[x - x0]


@numba.njit(cache=True)
def sums_serial(centers, sigma, reach, grid):
    grid[:] = 0
    _slab(centers, sigma, reach, grid, 0, grid.shape[0])


@numba.njit(cache=True, parallel=True)
def sums_parallel(centers, sigma, reach, grid):
    """Every thread owns some slabs of planes, so that none writes where another does."""
    slabs = 4 * numba.get_num_threads()
    planes = grid.shape[0]
    for slab in numba.prange(slabs):
        first, last = planes * slab // slabs, planes * (slab + 1) // slabs
        grid[first:last] = 0
        _slab(centers, sigma, reach, grid, first, last)
