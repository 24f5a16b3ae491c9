"""What the kernels are run on: volumes, and centres with their grid. Made once, from fixed seeds, and kept as files."""

import dataclasses
import math
from pathlib import Path

import numpy

#: Half the width of a Gaussian's support at eps 1e-6, in sigmas.
REACH = math.sqrt(-2 * math.log(1e-6))


@dataclasses.dataclass(frozen=True)
class Volume:
    """An image whose voxels get labels."""

    name: str
    kind: str  # random, ct, density or mri
    shape: tuple[int, int, int]
    dtype: str = "float32"
    #: The question's rule, or "periodic": every axis wraps, and only what is strictly lower is a neighbour to go to.
    rule: str = "question"

    kernel = "labels"

    @property
    def work(self):
        """Voxels that get a label."""
        edge = 0 if self.rule == "periodic" else 2
        return math.prod(n - edge for n in self.shape)

    @property
    def voxels(self):
        return math.prod(self.shape)

    def smaller(self, n):
        return dataclasses.replace(self, name=f"{self.name}, {n}³", shape=(n, n, n))


@dataclasses.dataclass(frozen=True)
class Centers:
    """Gaussians, and the grid that they are summed on. Their boxes lie within the grid, so that no rule for its edges
    changes the work or the result."""

    name: str
    kind: str  # random, clustered, question or atoms
    count: int
    shape: tuple[int, int, int]
    #: Voxels along an axis that a Gaussian reaches at eps 1e-6; fixes sigma.
    width: float
    dtype: str = "float32"
    spacing: float = 1.0
    origin: float = 0.0
    eps: float = 1e-6
    periodic: bool = False

    kernel = "sums"

    @property
    def sigma(self):
        return self.width / 2 / REACH * self.spacing

    @property
    def work(self):
        return self.count

    @property
    def voxels(self):
        return math.prod(self.shape)

    def smaller(self, count):
        return dataclasses.replace(self, name=f"{self.name}, {count} centres", count=count)


def case(fields):
    """A `Volume` or `Centers` from the dictionary that `dataclasses.asdict` made of it."""
    fields = dict(fields, shape=tuple(fields["shape"]))
    return Centers(**fields) if "count" in fields else Volume(**fields)


def _keep(path, make):
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        make().tofile(scratch)
        scratch.rename(path)
    return path


# ---------------------------------------------------------------------------------------------------------------
# Volumes
# ---------------------------------------------------------------------------------------------------------------


def _random(shape, dtype):
    random = numpy.random.default_rng(1)
    if dtype == "uint8":
        return random.integers(0, 256, shape, numpy.uint8)
    return random.random(shape, dtype)


def _ct(shape, dtype):
    """Integers like a tomogram's: air at -1000, an elliptic body of 40 with bones of 700 in it, noise of 20."""
    random = numpy.random.default_rng(2)
    z, y, x = (numpy.linspace(-1, 1, n, dtype=numpy.float32) for n in shape)
    z, y, x = z[:, None, None], y[None, :, None], x[None, None, :]
    image = numpy.where(y * y / 0.5 + x * x / 0.8 + 0 * z < 1, numpy.float32(40), numpy.float32(-1000))
    for _ in range(12):
        a, b, c = random.uniform(-0.6, 0.6, 3)
        r = random.uniform(0.05, 0.2)
        image[(z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 < r * r] = 700
    image += random.standard_normal(shape, numpy.float32) * 20
    return numpy.rint(image).astype(dtype)


def _density(shape, dtype):
    """The density of the atoms of `atoms()`, 0 below a millionth of the largest value."""
    positions, _ = atoms()
    extent = numpy.ptp(positions, axis=0).max() + 6
    axes = [numpy.linspace(0, extent, n) for n in shape]
    gz, gy, gx = (
        numpy.exp(-((axis[None, :] - 3 - (positions[:, a, None] - positions[:, a].min())) ** 2) / (2 * 0.5**2)).astype(
            numpy.float32
        )
        for a, axis in enumerate(axes)
    )
    image = numpy.empty(shape, numpy.float32)
    for plane in range(shape[0]):
        image[plane] = (gy * gz[:, plane, None]).T @ gx
    image[image < 1e-6 * image.max()] = 0
    return image.astype(dtype)


def mri():
    """The first volume of the magnetic resonance image that comes with nibabel."""
    import nibabel

    path = Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    return numpy.ascontiguousarray(numpy.asarray(nibabel.load(path).dataobj)[..., 0].astype(numpy.int16))


_VOLUMES = {"random": _random, "ct": _ct, "density": _density, "mri": lambda shape, dtype: mri().astype(dtype)}


def image_file(volume, folder):
    """The file of a volume's voxels, made if it is not there."""
    size = "x".join(map(str, volume.shape))
    return _keep(
        folder / f"{volume.kind}-{size}-{volume.dtype}.raw", lambda: _VOLUMES[volume.kind](volume.shape, volume.dtype)
    )


def image(volume, folder):
    return numpy.fromfile(image_file(volume, folder), volume.dtype).reshape(volume.shape)


# ---------------------------------------------------------------------------------------------------------------
# Centres
# ---------------------------------------------------------------------------------------------------------------

#: Atoms of ubiquitin, 76 residues: what it is made of. Their places are random here.
UBIQUITIN = {"C": 378, "H": 629, "N": 105, "O": 118, "S": 1}


def atoms():
    """Places in ångström and elements of as many atoms as ubiquitin has, random in a ball of a protein's density (an
    atom in 10 Å³), no two nearer than 1 Å."""
    random = numpy.random.default_rng(3)
    elements = [element for element, number in UBIQUITIN.items() for _ in range(number)]
    random.shuffle(elements)
    radius = (10 * len(elements) * 3 / (4 * math.pi)) ** (1 / 3)
    places = numpy.empty((0, 3))
    while len(places) < len(elements):
        place = random.uniform(-radius, radius, 3)
        if place @ place < radius**2 and (((places - place) ** 2).sum(axis=1) > 1).all():
            places = numpy.vstack([places, place])
    return places + 30.0, elements


def form_factors(elements, blur):
    """For each atom, the integrals and sigmas of the Gaussians of its X-ray form factor (International Tables, 1992),
    of an atom with the displacement factor `blur`; (atoms, 5) each."""
    import gemmi

    integrals, sigmas = [], []
    for element in elements:
        table = gemmi.Element(element).it92
        integrals.append([*table.a, table.c])
        sigmas.append([math.sqrt((b + blur) / (8 * math.pi**2)) for b in (*table.b, 0.0)])
    return numpy.array(integrals), numpy.array(sigmas)


def _centers(case):
    random = numpy.random.default_rng(4)
    n = numpy.array(case.shape)
    if case.kind == "question":  # its own line
        side = case.spacing * (n[0] - 1)
        return random.random(size=(case.count, 3)) * side - side / 2
    margin = case.width / 2 + 0.5
    low, high = margin, n - 1 - margin
    if case.kind == "clustered":  # in a hundredth of the volume
        half = (high - low) * 0.01 ** (1 / 3) / 2
        low, high = (n - 1) / 2 - half, (n - 1) / 2 + half
    return case.origin + case.spacing * random.uniform(low, high, (case.count, 3))


def centers_file(case, folder):
    """The file of the centres' coordinates, made if it is not there."""
    size = "x".join(map(str, case.shape))
    name = f"{case.kind}-{case.count}-{size}-{case.width:.3f}.raw"
    return _keep(folder / name, lambda: _centers(case))


def gaussians(case, folder):
    """Centres (n, 3), sigmas (n,) and amplitudes (n,), the height of each peak."""
    if case.kind == "atoms":
        places, elements = atoms()
        integrals, sigmas = form_factors(elements, BLUR)
        sigma = sigmas.ravel()
        peaks = integrals.ravel() / ((2 * math.pi) ** 1.5 * sigma**3)
        return numpy.repeat(places, integrals.shape[1], axis=0), sigma, peaks
    centers = numpy.fromfile(centers_file(case, folder), numpy.float64).reshape(-1, 3)
    # The question's function scales each Gaussian by 1/sqrt(2 pi sigma²).
    peak = 1 / math.sqrt(2 * math.pi * case.sigma**2) if case.kind == "question" else 1.0
    return centers, numpy.full(case.count, case.sigma), numpy.full(case.count, peak)


#: Displacement factor of every atom, in Å².
BLUR = 20.0
