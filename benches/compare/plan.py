"""Who runs on what."""

import dataclasses
import os

import gaussians
import labels
from data import REACH, Centers, Volume

ALL = len(os.sched_getaffinity(0))
BOTH = tuple(sorted({1, ALL}))


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row: a contestant on a case with some threads."""

    case: Volume | Centers
    contestant: str
    threads: int
    #: The smaller case that it really runs on, its time then scaled by the work; or the case itself.
    ran: Volume | Centers

    @property
    def scaled(self):
        return self.ran != self.case


@dataclasses.dataclass(frozen=True)
class Curve:
    """Time against one property of the cases, or against the number of threads."""

    title: str
    axis: str
    #: Pairs of where a case lies on the axis and its name. For threads: one case, at 0.
    cases: tuple[tuple[float, str], ...]
    lines: tuple[tuple[str, int], ...]


def _rows(case, *contestants):
    """Entries from (name, threads) or (name, threads, size that it really runs on)."""
    for name, threads, *smaller in contestants:
        for number in (threads,) if isinstance(threads, int) else threads:
            yield Entry(case, name, number, case.smaller(smaller[0]) if smaller else case)


def _volume(name, kind, n, dtype="float32", rule="question"):
    return Volume(name, kind, (n, n, n), dtype, rule)


def _centers(name, count, n, width, kind="random", dtype="float32"):
    return Centers(name, kind, count, (n, n, n), width, dtype)


# A grid of 64 points over a side of 100, and sigma 1.
QUESTION = Centers(
    "the question's: 10³ centres, 64³", "question", 1000, (64, 64, 64), 2 * REACH * 63 / 100, "float32", 100 / 63, -50.0
)

TIERS = (("voxlane, AVX-512", BOTH), ("voxlane, AVX2", BOTH), ("voxlane, portable", BOTH))
QUICK_LABELS = (
    ("voxlane", BOTH),
    ("voxlane, C", BOTH),
    *TIERS,
    ("numba, parallel", ALL),
    ("numba, serial", 1),
    ("C loop, clang -O3 -march=native", 1),
    ("C loop, gcc -O3", 1),
)
QUICK_SUMS = (
    ("voxlane", BOTH),
    ("voxlane, C", BOTH),
    ("voxlane, ball", ALL),
    *TIERS,
    ("numba, separable, parallel", ALL),
    ("numba, separable, serial", 1),
    ("C, separable, clang -O3 -march=native", 1),
    ("C, exp per voxel, gcc -O3", 1),
)


def quick():
    """Small cases, and only what every run has installed. Answers the same as `full`."""
    entries = [
        *_rows(
            _volume("random f32, 64³", "random", 64),
            *QUICK_LABELS,
            ("answer: slabs", 1, 32),
            ("answer: full array", 1, 32),
            ("question: Python loop", 1, 12),
        ),
        *_rows(_volume("CT-like i16, 96³", "ct", 96, "int16"), ("voxlane", BOTH), ("numba, parallel", ALL)),
        *_rows(Volume("MRI i16, 128×96×24", "mri", (128, 96, 24), "int16"), ("voxlane", BOTH), *TIERS),
        *_rows(_volume("periodic f64, 48³", "random", 48, "float64", "periodic"), ("voxlane", BOTH)),
        *_rows(
            QUESTION,
            *QUICK_SUMS,
            ("NumPy, dense einsum", 1),
            ("SciPy, linear deposit and gaussian_filter", 1),
            ("answer: k-d tree", 1),
            ("question: sumofgauss", 1, 50),
        ),
        *_rows(
            _centers("10⁴ centres, 96³, w 13", 10_000, 96, 13), ("voxlane", BOTH), ("numba, separable, parallel", ALL)
        ),
        *_rows(
            _centers("10⁴ centres, 96³, w 7, f64", 10_000, 96, 7, dtype="float64"),
            ("voxlane", BOTH),
        ),
    ]
    sizes = tuple((float(n**3), f"random f32, {n}³") for n in (32, 64))
    entries += _rows(_volume("random f32, 32³", "random", 32), ("voxlane", BOTH), ("numba, parallel", ALL))
    curves = [
        Curve(
            "Labels: time against voxels", "voxels", sizes, (("voxlane", 1), ("voxlane", ALL), ("numba, parallel", ALL))
        )
    ]
    return _unique(entries), curves, {"labels": {"random f32, 64³": True}, "sums": {QUESTION.name: True}}


def _label_entries():
    plain = (
        ("voxlane", BOTH),
        ("numba, parallel", ALL),
        ("C loop, clang -O3 -march=native", 1),
        ("C loop, gcc -O3 -march=native -fopenmp", ALL),
    )
    yield from _rows(
        _volume("random f32, 256³", "random", 256),
        *QUICK_LABELS,
        ("voxlane, new array each call", ALL),
        ("C loop, gcc -O3 -march=native -fopenmp", ALL),
        ("vigra, watersheds' preparation", 1),
        ("PyTorch max_pool3d", BOTH),
        ("answer: slabs", 1, 96),
        ("answer: full array", 1, 96),
        ("question: Python loop", 1, 24),
    )
    for n in 64, 128, 512:
        yield from _rows(_volume(f"random f32, {n}³", "random", n), *plain)
    yield from _rows(_volume("random u8, 256³", "random", 256, "uint8"), *plain)
    yield from _rows(_volume("CT-like i16, 256³", "ct", 256, "int16"), *plain, *TIERS)
    yield from _rows(_volume("density of atoms f32, 256³", "density", 256), *plain)
    yield from _rows(Volume("MRI i16, 128×96×24", "mri", (128, 96, 24), "int16"), *plain, ("answer: slabs", 1))
    yield from _rows(
        _volume("random f64, 128³, periodic", "random", 128, "float64", "periodic"),
        ("voxlane", BOTH),
        ("baderkit pointers", BOTH),
    )


def _sum_entries():
    plain = (("voxlane", BOTH), ("numba, separable, parallel", ALL), ("C, separable, clang -O3 -march=native", 1))
    yield from _rows(
        QUESTION,
        *QUICK_SUMS,
        ("NumPy, dense einsum", 1),
        ("SciPy, linear deposit and gaussian_filter", 1),
        ("answer: k-d tree", 1),
        ("question: sumofgauss", 1, 100),
        ("powerfit-em blur_points", 1),
        ("voxcov BlurMap", 1),
    )
    yield from _rows(
        _centers("10⁵ centres, 256³, w 27", 100_000, 256, 27),
        ("voxlane", BOTH),
        ("voxlane, C", BOTH),
        ("voxlane, new array each call", ALL),
        ("voxlane, ball", BOTH),
        *TIERS,
        ("numba, separable, serial", 1),
        ("numba, separable, parallel", ALL),
        ("C, separable, gcc -O3", 1),
        ("C, separable, clang -O3 -march=native", 1),
        ("C, separable, gcc -O3 -march=native -fopenmp", ALL),
        ("C, exp per voxel, gcc -O3", 1, 2000),
        ("C, exp per voxel, clang -O3 -march=native", 1, 2000),
        ("SciPy, linear deposit and gaussian_filter", 1),
        ("NumPy, dense einsum", ALL, 500),
        ("powerfit-em blur_points", 1, 5000),
        ("voxcov BlurMap", 1, 1000),
        ("freud GaussianDensity", BOTH, 500),
    )
    spreading = (("FINUFFT spreadinterponly", BOTH), ("ducc0 incremental_nu2u.add_points", BOTH))
    yield from _rows(_centers("10⁶ centres, 128³, w 7", 1_000_000, 128, 7), *plain, *spreading)
    yield from _rows(
        _centers("10⁶ centres, 128³, w 13, f64", 1_000_000, 128, 13, dtype="float64"),
        ("voxlane", BOTH),
        ("numba, separable, parallel", ALL),
        *spreading,
    )
    yield from _rows(_centers("10⁵ clustered centres, 256³, w 27", 100_000, 256, 27, "clustered"), *plain)
    yield from _rows(
        Centers(
            "atoms' X-ray density, 6155 terms, 180³",
            "atoms",
            6155,
            (180, 180, 180),
            0,
            "float32",
            1 / 3,
            eps=1e-5,
            periodic=True,
        ),
        ("voxlane", BOTH),
        ("gemmi DensityCalculatorX", 1),
    )
    line = ("voxlane", BOTH), ("numba, separable, parallel", ALL)
    for power in range(3, 8):
        case = _centers(f"10{'⁰¹²³⁴⁵⁶⁷'[power]} centres, 256³, w 7", 10**power, 256, 7)
        yield from _rows(case, *line, ("FINUFFT spreadinterponly", ALL))
    for n in 64, 128, 512:
        yield from _rows(_centers(f"10⁴ centres, {n}³, w 7", 10_000, n, 7), *line)
    for width in 7, 13, 27, 53:
        yield from _rows(_centers(f"2·10⁴ centres, 256³, w {width}", 20_000, 256, width), *line)


def full():
    """Everything. Answers entries, curves, and for each kernel the cases that the README shows: whether with voxlane's
    further rows (from C, each tier, ball) or the one from Python alone."""
    entries = [*_label_entries(), *_sum_entries()]
    more_threads = [n for n in (2, 4, 8, 16, 32, 64) if n < ALL]
    by_name = {entry.case.name: entry.case for entry in entries}
    labels_case, sums_case = "random f32, 256³", "10⁵ centres, 256³, w 27"
    for number in more_threads:
        entries += _rows(by_name[labels_case], ("voxlane", number), ("numba, parallel", number))
        entries += _rows(by_name[sums_case], ("voxlane", number), ("numba, separable, parallel", number))
    entries += _rows(by_name[labels_case], ("numba, parallel", 1))
    entries += _rows(by_name[sums_case], ("numba, separable, parallel", 1))
    threads = tuple(sorted({*BOTH, *more_threads}))
    voxlane = ("voxlane", 1), ("voxlane", ALL)
    curves = [
        Curve(
            "Labels: time against voxels, random f32",
            "voxels",
            tuple((float(n**3), f"random f32, {n}³") for n in (64, 128, 256, 512)),
            (*voxlane, ("numba, parallel", ALL), ("C loop, clang -O3 -march=native", 1)),
        ),
        Curve(
            "Labels: time against threads, random f32, 256³",
            "threads",
            ((0.0, labels_case),),
            tuple((name, number) for name in ("voxlane", "numba, parallel") for number in threads),
        ),
        Curve(
            "Sums: time against centres, 256³, width 7",
            "centres",
            tuple((10.0**power, f"10{'⁰¹²³⁴⁵⁶⁷'[power]} centres, 256³, w 7") for power in range(3, 8)),
            (*voxlane, ("numba, separable, parallel", ALL), ("FINUFFT spreadinterponly", ALL)),
        ),
        Curve(
            "Sums: time against voxels, 10⁴ centres, width 7",
            "voxels",
            tuple((float(n**3), f"10⁴ centres, {n}³, w 7") for n in (64, 128, 256, 512)),
            (*voxlane, ("numba, separable, parallel", ALL)),
        ),
        Curve(
            "Sums: time against width, 2·10⁴ centres, 256³",
            "voxels along an axis that a Gaussian reaches",
            tuple((float(width), f"2·10⁴ centres, 256³, w {width}") for width in (7, 13, 27, 53)),
            (*voxlane, ("numba, separable, parallel", ALL)),
        ),
        Curve(
            "Sums: time against threads, 10⁵ centres, 256³, width 27",
            "threads",
            ((0.0, sums_case),),
            tuple((name, number) for name in ("voxlane", "numba, separable, parallel") for number in threads),
        ),
    ]
    shown = {
        "labels": {labels_case: True, "random f64, 128³, periodic": False},
        "sums": {
            QUESTION.name: False,
            sums_case: True,
            "10⁶ centres, 128³, w 7": False,
            "atoms' X-ray density, 6155 terms, 180³": False,
        },
    }
    return _unique(entries), curves, shown


def _unique(entries):
    """Each once, and the entries of a case together."""
    order = {name: at for at, name in enumerate(dict.fromkeys(entry.case.name for entry in entries))}
    return sorted(dict.fromkeys(entries), key=lambda entry: order[entry.case.name])


def notes():
    """For each contestant, in what it differs and what to know of it."""
    return {
        kernel: {name: {"differs": each.differs, "note": each.note} for name, each in contestants.items()}
        for kernel, contestants in (("labels", labels.CONTESTANTS), ("sums", gaussians.CONTESTANTS))
    }
