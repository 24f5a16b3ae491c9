"""Who sums Gaussians. The question's own code is written anew after its algorithm."""

import ctypes
import math

import numpy

import data
from contestant import Contestant, index
from paths import BUILD


def as_grid(found):
    return found


def _axes(case):
    return [case.origin + case.spacing * numpy.arange(n) for n in case.shape]


def _in_voxels(case, folder):
    """Centres, sigma and reach in voxels, for code whose grid starts at 0 and has spacing 1; and the peaks' height."""
    centers, _, peaks = data.gaussians(case, folder)
    return (centers - case.origin) / case.spacing, case.sigma / case.spacing, case.width / 2, peaks[0]


# ---------------------------------------------------------------------------------------------------------------
# The question and its answer, on its own grid
# ---------------------------------------------------------------------------------------------------------------


def _points(case):
    return numpy.stack(numpy.meshgrid(*_axes(case), indexing="ij"), axis=-1).reshape(-1, 3)


def sumofgauss(case, folder, threads):
    """The question's function: the distance of every voxel from each centre in turn."""
    from scipy.spatial import distance

    centers, sigmas, _ = data.gaussians(case, folder)
    points, sigma = _points(case), sigmas[0]

    def call():
        values = numpy.zeros(len(points))
        for i in range(len(centers)):
            square = distance.cdist(centers[None, i], points)
            square *= square
            values += 1.0 / numpy.sqrt(2 * numpy.pi * sigma**2) * numpy.exp(-square[0] / (2 * sigma**2))
        return values.reshape(case.shape)

    return call, as_grid


def kd_tree(case, folder, threads):
    """The answer's function, with its two errors: it looks within a squared distance, and exponentiates a plain one."""
    from scipy.spatial import cKDTree

    centers, sigmas, _ = data.gaussians(case, folder)
    points, sigma = _points(case), sigmas[0]
    threshold = -math.log(1e-6) * 2 * sigma**2
    chunk = 1000

    def call():
        tree = cKDTree(centers)
        values = numpy.empty(len(points))
        for first in range(0, len(points), chunk):
            near = cKDTree(points[first : first + chunk]).sparse_distance_matrix(
                tree, threshold, output_type="coo_matrix"
            )
            near.data = 1.0 / numpy.sqrt(2 * numpy.pi * sigma**2) * numpy.exp(-near.data / (2 * sigma**2))
            values[first : first + chunk] = numpy.asarray(near.sum(1)).squeeze()
        return values.reshape(case.shape)

    return call, as_grid


# ---------------------------------------------------------------------------------------------------------------
# NumPy and SciPy
# ---------------------------------------------------------------------------------------------------------------


def einsum(case, folder, threads):
    """Every centre's three factors over the whole axes, and their product by matrix multiplication."""
    centers, sigmas, peaks = data.gaussians(case, folder)
    axes, sigma = _axes(case), sigmas[0]

    def call():
        z, y, x = (
            numpy.exp(-((axis - centers[:, a, None]) ** 2) / (2 * sigma**2)).astype(case.dtype)
            for a, axis in enumerate(axes)
        )
        # The order of the products is given: what optimize=True chooses goes without matrix multiplication.
        return peaks[0] * numpy.einsum("mz,my,mx->zyx", z, y, x, optimize=["einsum_path", (0, 1), (0, 1)])

    return call, as_grid


def deposit_and_filter(case, folder, threads):
    """Each centre shared among the eight voxels around it, and the grid smoothed by a Gaussian filter."""
    from scipy.ndimage import gaussian_filter

    centers, sigma, reach, peak = _in_voxels(case, folder)
    height = peak * (2 * math.pi) ** 1.5 * sigma**3

    def call():
        corner = numpy.floor(centers).astype(numpy.int64)
        part = centers - corner
        grid = numpy.zeros(math.prod(case.shape))
        for z in 0, 1:
            for y in 0, 1:
                for x in 0, 1:
                    near = numpy.minimum(corner + (z, y, x), numpy.array(case.shape) - 1)
                    share = numpy.prod(numpy.where([z, y, x], part, 1 - part), axis=1)
                    flat = numpy.ravel_multi_index(tuple(near.T), case.shape)
                    grid += numpy.bincount(flat, share, len(grid))
        grid = grid.reshape(case.shape).astype(case.dtype)
        return height * gaussian_filter(grid, sigma, mode="constant", truncate=reach / sigma)

    return call, as_grid


# ---------------------------------------------------------------------------------------------------------------
# Compiled loops
# ---------------------------------------------------------------------------------------------------------------


def numba_loop(name):
    def prepare(case, folder, threads):
        import numba_loops

        function = getattr(numba_loops, name)
        centers, sigma, reach, peak = _in_voxels(case, folder)
        grid = numpy.zeros(case.shape, case.dtype)
        function(numpy.ones((1, 3)), 1.0, 1.0, numpy.zeros((4, 4, 4), case.dtype))  # compiles it

        def call():
            function(centers, sigma, reach, grid)
            return grid

        return call, lambda found: peak * found

    return prepare


def plain_c(function, library):
    def prepare(case, folder, threads):
        run = getattr(ctypes.CDLL(BUILD / f"plain_sums_{library}.so"), function)
        run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_double] + [ctypes.c_void_p] * 2
        centers, sigma, reach, peak = _in_voxels(case, folder)
        grid = numpy.empty(case.shape, numpy.float32)
        shape = (ctypes.c_int64 * 3)(*case.shape)

        def call():
            run(centers.ctypes.data, len(centers), sigma, reach, ctypes.addressof(shape), grid.ctypes.data)
            return grid

        return call, lambda found: peak * found

    return prepare


# ---------------------------------------------------------------------------------------------------------------
# Libraries
# ---------------------------------------------------------------------------------------------------------------


def powerfit(case, folder, threads):
    from powerfit_em.powerfit_rs import blur_points

    centers, sigma, _, peak = _in_voxels(case, folder)
    columns, weights = numpy.ascontiguousarray(centers.T[::-1]), numpy.ones(len(centers))
    grid = numpy.zeros(case.shape)

    def call():
        grid[:] = 0
        blur_points(columns, weights, sigma, grid, False)
        return grid

    return call, lambda found: peak * found


def voxcov(case, folder, threads):
    import voxcov as package

    centers, sigma, reach, peak = _in_voxels(case, folder)
    height = peak * (2 * math.pi) ** 1.5 * sigma**3
    places = centers[:, ::-1].tolist()

    def call():
        blur = package.BlurMap([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], list(case.shape[::-1]), reach / sigma)
        for place in places:
            blur.add_gaussian(place, 1.0, sigma)
        return blur.to_numpy()

    return call, lambda found: height * found


def freud(case, folder, threads):
    import freud as package

    package.set_num_threads(threads)
    centers, sigma, reach, peak = _in_voxels(case, folder)
    height = peak * (2 * math.pi) ** 1.5 * sigma**3
    shape = numpy.array(case.shape)
    box = package.box.Box(*shape)
    # Its box is centred on 0, and its voxels lie half a voxel from the box's corner.
    points = (centers + 0.5 - shape / 2).astype(numpy.float32)
    values = numpy.ones(len(points), numpy.float32)
    density = package.density.GaussianDensity(tuple(shape), r_max=reach, sigma=sigma)

    def call():
        return density.compute((box, points), values=values).density

    return call, lambda found: height * found


def _radians(case, folder):
    centers, *_ = _in_voxels(case, folder)
    # A grid of n voxels is the period; voxel n/2 lies at 0.
    return [
        numpy.ascontiguousarray((centers[:, a] - n // 2) * (2 * math.pi / n)).astype(case.dtype)
        for a, n in enumerate(case.shape)
    ]


def finufft(case, folder, threads):
    import finufft as package

    complex_type = {"float32": "complex64", "float64": "complex128"}[case.dtype]
    width = round(case.width)
    plan = package.Plan(
        1, case.shape, eps=10.0 ** (1 - width), spreadinterponly=1, upsampfac=2.0, nthreads=threads, dtype=complex_type
    )
    z, y, x = _radians(case, folder)
    strengths = numpy.ones(case.count, complex_type)
    grid = numpy.empty(case.shape, complex_type)

    def call():
        plan.setpts(z, y, x)
        return plan.execute(strengths, out=grid)

    return call, None


def ducc0(case, folder, threads):
    from ducc0.nufft.experimental import incremental_nu2u

    # Its kernels of width 7 in single and 13 in double precision are those it takes for these tolerances.
    single = case.dtype == "float32"
    spreader = incremental_nu2u(
        npoints_estimate=case.count,
        grid_shape=tuple(n // 2 for n in case.shape),
        forward=True,
        epsilon=1e-5 if single else 1e-11,
        nthreads=threads,
        sigma_min=1.99,
        sigma_max=2.01,
        singleprec=single,
    )
    points = numpy.stack(_radians(case, folder), axis=1)
    strengths = numpy.ones(case.count, numpy.complex64 if single else numpy.complex128)

    def call():
        spreader.add_points(coord=points, points=strengths)

    return call, None


def gemmi(case, folder, threads):
    """X-ray density of atoms, from their elements."""
    import gemmi as package

    places, elements = data.atoms()
    length = case.spacing * case.shape[0]
    model, chain, residue = package.Model(1), package.Chain("A"), package.Residue()
    residue.name, residue.seqid = "UNK", package.SeqId("1")
    for place, element in zip(places, elements):
        atom = package.Atom()
        atom.name, atom.element = element, package.Element(element)
        atom.pos, atom.b_iso, atom.occ = package.Position(*place), data.BLUR, 1.0
        residue.add_atom(atom)
    chain.add_residue(residue)
    model.add_chain(chain)
    calculator = package.DensityCalculatorX()
    calculator.grid.unit_cell = package.UnitCell(length, length, length, 90, 90, 90)
    calculator.grid.spacegroup = package.SpaceGroup("P1")
    # The grid's spacing is d_min / (2 rate).
    calculator.d_min, calculator.rate, calculator.cutoff = 2 * case.spacing, 1.0, 1e-5

    def call():
        calculator.put_model_density_on_grid(model)
        return calculator.grid.array

    return call, as_grid


# ---------------------------------------------------------------------------------------------------------------
# voxlane
# ---------------------------------------------------------------------------------------------------------------


def voxlane_python(isa="auto", support="box", fresh=False):
    def prepare(case, folder, threads):
        import voxlane

        centers, sigmas, peaks = data.gaussians(case, folder)
        out = None if fresh else numpy.empty(case.shape, case.dtype)
        one = case.kind != "atoms"
        how = {
            "sigma": sigmas[0] if one else sigmas[:, None],
            "amplitudes": None if one else peaks,
            "normalization": "reference" if case.kind == "question" else "peak",
            "shape": case.shape if fresh else None,
            "dtype": case.dtype if fresh else None,
            "origin": case.origin,
            "spacing": case.spacing,
            "periodic": case.periodic,
            "eps": case.eps,
            "support": support,
            "isa": isa,
            "threads": threads,
        }

        def call():
            return voxlane.sum_gaussians(centers, out=out, **how)

        return call, as_grid

    return prepare


CONTESTANTS = index(
    [
        Contestant("question: sumofgauss", sumofgauss, packages=("numpy", "scipy"), note="float64, no cutoff"),
        Contestant("answer: k-d tree", kd_tree, packages=("scipy",), differs="wrong", note="float64, eps 1e-6"),
        Contestant("NumPy, dense einsum", einsum, packages=("numpy",), note="no cutoff"),
        Contestant(
            "SciPy, linear deposit and gaussian_filter",
            deposit_and_filter,
            packages=("scipy",),
            differs="approximate",
        ),
        Contestant("numba, separable, serial", numba_loop("sums_serial"), packages=("numba",)),
        Contestant("numba, separable, parallel", numba_loop("sums_parallel"), packages=("numba",)),
        Contestant("C, exp per voxel, gcc -O3", plain_c("plain_sums_exp", "gcc")),
        Contestant("C, exp per voxel, clang -O3 -march=native", plain_c("plain_sums_exp", "clang")),
        Contestant("C, separable, gcc -O3", plain_c("plain_sums_separable", "gcc")),
        Contestant("C, separable, clang -O3 -march=native", plain_c("plain_sums_separable", "clang")),
        Contestant("C, separable, gcc -O3 -march=native -fopenmp", plain_c("plain_sums_separable", "openmp")),
        Contestant("powerfit-em blur_points", powerfit, packages=("powerfit-em",), note="Rust, float64, 4 sigmas"),
        Contestant("voxcov BlurMap", voxcov, packages=("voxcov",), note="Rust, float64, one Python call a centre"),
        Contestant("freud GaussianDensity", freud, packages=("freud-analysis",), note="C++, periodic"),
        Contestant(
            "FINUFFT spreadinterponly",
            finufft,
            packages=("finufft",),
            differs="another kernel, complex values",
            note="C++, periodic, equal width; setpts and execute",
        ),
        Contestant(
            "ducc0 incremental_nu2u.add_points",
            ducc0,
            packages=("ducc0",),
            differs="another kernel, complex values",
            note="C++, periodic, equal width; adds to a grid of its own, which is not zeroed",
        ),
        Contestant("gemmi DensityCalculatorX", gemmi, packages=("gemmi",), note="C++, periodic, cutoff 1e-5 e/Å³"),
        Contestant("voxlane", voxlane_python(), note="from Python"),
        Contestant("voxlane, ball", voxlane_python(support="ball"), note="from Python"),
        Contestant("voxlane, new array each call", voxlane_python(fresh=True), note="from Python"),
        Contestant("voxlane, C", None, note="c/voxlane_worker.c"),
        Contestant("voxlane, AVX-512", voxlane_python("avx512"), note="from Python"),
        Contestant("voxlane, AVX2", voxlane_python("avx2"), note="from Python"),
        Contestant("voxlane, portable", voxlane_python("portable"), note="from Python"),
    ]
)
