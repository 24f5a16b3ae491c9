"""Steepest-neighbour labels and sums of Gaussians on 3-D grids, on NumPy arrays.

The functions of libvoxlane, by ctypes: this file needs NumPy and the shared library, nothing else. The library
is looked for where the environment variable VOXLANE_LIBRARY says, next to this file, where cargo builds it, under
the prefix where this file is installed, and last where the system keeps its libraries.

Arrays are used where they lie: transposed, sliced, reversed or broadcast views are not copied. Axes are NumPy's:
three numbers for three axes (spacing, origin, border, a centre's coordinates) are in the order of the array's axes.

>>> import numpy, voxlane
>>> image = numpy.random.default_rng(0).random((24, 96, 128), numpy.float32)
>>> labels = voxlane.steepest(image, minima="flat", border="inside", spacing=(2.2, 2.0, 2.0))
>>> density = voxlane.sum_gaussians(numpy.argwhere(labels == 13) * 1.0, 1.5, image.shape, normalization="integral")

Calls release the GIL and may run in any number of threads at once. In the main thread, Ctrl-C cancels a call.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union

import numpy
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "CENTER",
    "MASKED",
    "Error",
    "active_isa",
    "create_label",
    "steepest",
    "sum_gaussians",
    "sumofgauss",
    "version",
]

Progress = Union[bool, Callable[[float], Any], None]

#: Label of a voxel that has no better neighbour.
CENTER = 13
#: Label of a voxel that the mask removes.
MASKED = 27

_ABI = 1

# ---------------------------------------------------------------------------------------------------------------
# The C types, as in voxlane.h
# ---------------------------------------------------------------------------------------------------------------

_ProgressFunction = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_double)


class _Array(ctypes.Structure):
    # voxlane_array and voxlane_array_mut: the same layout.
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("shape", ctypes.c_size_t * 3),
        ("stride", ctypes.c_ssize_t * 3),
        ("dtype", ctypes.c_int32),
    ]


class _SteepestOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("direction", ctypes.c_int32),
        ("minima", ctypes.c_int32),
        ("border", ctypes.c_int32 * 3),
        ("isa", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("spacing", ctypes.c_double * 3),
        ("weights", ctypes.POINTER(ctypes.c_double)),
        ("mask", ctypes.POINTER(_Array)),
        ("slope", ctypes.POINTER(_Array)),
        ("planes", ctypes.c_size_t * 2),
        ("progress", _ProgressFunction),
        ("progress_user", ctypes.c_void_p),
    ]


class _Gaussians(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_size_t),
        ("dtype", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("centers", ctypes.c_void_p),
        ("center_stride", ctypes.c_ssize_t * 2),
        ("amplitudes", ctypes.c_void_p),
        ("amplitude_stride", ctypes.c_ssize_t),
        ("sigmas", ctypes.c_void_p),
        ("sigma_stride", ctypes.c_ssize_t * 2),
    ]


class _Grid(ctypes.Structure):
    _fields_ = [("values", _Array), ("origin", ctypes.c_double * 3), ("spacing", ctypes.c_double * 3)]


class _GaussianOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("normalization", ctypes.c_int32),
        ("support", ctypes.c_int32),
        ("sampling", ctypes.c_int32),
        ("periodic", ctypes.c_int32 * 3),
        ("accumulate", ctypes.c_int32),
        ("isa", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("eps", ctypes.c_double),
        ("progress", _ProgressFunction),
        ("progress_user", ctypes.c_void_p),
    ]


# The order is that of the numbers voxlane_sizeof takes, from 1.
_STRUCTS = (_Array, _Array, _SteepestOptions, _Gaussians, _Grid, _GaussianOptions)

# name, result, arguments: applied in a loop, so that no function keeps ctypes' guesses.
_FUNCTIONS = (
    ("voxlane_version_string", ctypes.c_char_p, ()),
    ("voxlane_abi_version", ctypes.c_uint32, ()),
    ("voxlane_sizeof", ctypes.c_size_t, (ctypes.c_int32,)),
    ("voxlane_last_error", ctypes.c_char_p, ()),
    ("voxlane_isa_active", ctypes.c_int32, ()),
    ("voxlane_isa_name", ctypes.c_char_p, (ctypes.c_int32,)),
    ("voxlane_steepest_options_init", None, (ctypes.POINTER(_SteepestOptions),)),
    ("voxlane_gaussian_options_init", None, (ctypes.POINTER(_GaussianOptions),)),
    (
        "voxlane_steepest",
        ctypes.c_int32,
        (ctypes.POINTER(_Array), ctypes.POINTER(_Array), ctypes.POINTER(_SteepestOptions)),
    ),
    (
        "voxlane_sum_gaussians",
        ctypes.c_int32,
        (ctypes.POINTER(_Gaussians), ctypes.POINTER(_Grid), ctypes.POINTER(_GaussianOptions)),
    ),
)

_ELEMENT_TYPES = {
    numpy.dtype(name): number for number, name in enumerate(("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"), start=1)
}

_DIRECTIONS = {"descent": 0, "ascent": 1}
_MINIMA = {"reference": 0, "strict": 1, "flat": 2}
_BORDERS = {"skip": 0, "inside": 1, "periodic": 2}
_NORMALIZATIONS = {"peak": 0, "reference": 1, "integral": 2, "mass": 3}
_SUPPORTS = {"box": 0, "ball": 1}
_SAMPLINGS = {"point": 0, "voxel": 1}
_ISAS = {"auto": 0, "portable": 1, "avx2": 2, "avx512": 3}

# ---------------------------------------------------------------------------------------------------------------
# The library
# ---------------------------------------------------------------------------------------------------------------


class Error(RuntimeError):
    """A call that the library refused or gave up.

    Attributes
    ----------
    status : int
        The library's status: -1 (VOXLANE_ERR_NULL) to -12 (VOXLANE_CANCELLED), or -100 (VOXLANE_ERR_PANIC).
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    def __reduce__(self) -> tuple[type[Error], tuple[int, str], dict[str, Any]]:
        # From a pool's process it comes back by pickle, which would call it with the text alone.
        return (type(self), (self.status, str(self)), self.__dict__)


def _candidates() -> Iterator[str]:
    if sys.platform == "win32":
        names = ["voxlane.dll"]
    elif sys.platform == "darwin":
        names = [f"libvoxlane.{_ABI}.dylib", "libvoxlane.dylib"]
    else:
        names = [f"libvoxlane.so.{_ABI}", "libvoxlane.so"]
    here = Path(__file__).resolve().parent
    # ../lib is for a file in <prefix>/include, ../../lib for one in <prefix>/share/voxlane. Debian has a folder for
    # each architecture.
    debian = f"../../lib/{platform.machine()}-linux-gnu"
    for folder in (".", "../target/release", "../lib", "../lib64", "../../lib", "../../lib64", debian):
        for name in names:
            path = os.path.normpath(here / folder / name)
            if os.path.exists(path):
                yield path
    found = ctypes.util.find_library("voxlane")
    if found is not None:
        yield found


def _load() -> ctypes.CDLL:
    # CDLL, not PyDLL: it releases the GIL during calls.
    chosen = os.environ.get("VOXLANE_LIBRARY")
    if chosen:
        library = ctypes.CDLL(chosen)
    else:
        path = next(_candidates(), None)
        if path is None:
            raise ImportError(
                "libvoxlane was not found: build it with `cargo build --release`, install it, or set the "
                "environment variable VOXLANE_LIBRARY to its file"
            )
        library = ctypes.CDLL(path)
    for name, result, arguments in _FUNCTIONS:
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    abi = library.voxlane_abi_version()
    if abi != _ABI:
        raise ImportError(f"voxlane.py is for ABI {_ABI}, the library {library._name} has ABI {abi}")
    for number, struct in enumerate(_STRUCTS, start=1):
        size = library.voxlane_sizeof(number)
        if size != ctypes.sizeof(struct):
            raise ImportError(
                f"struct {number} has {ctypes.sizeof(struct)} bytes in voxlane.py and {size} in {library._name}"
            )
    return library


_library = _load()


def _last_error() -> str:
    """The text of this thread's last failure."""
    text: bytes = _library.voxlane_last_error()
    return text.decode(errors="replace")


def version() -> str:
    """Version of the library that runs, as "major.minor.patch"."""
    text: bytes = _library.voxlane_version_string()
    return text.decode()


def active_isa() -> str:
    """Name of the instruction set that calls take by themselves: "portable", "avx2" or "avx512".

    Raises
    ------
    Error
        If the environment variable VOXLANE_ISA is misspelt or asks for more than this machine has.
    """
    isa = _library.voxlane_isa_active()
    if isa < 0:
        raise Error(isa, _last_error())
    name: bytes = _library.voxlane_isa_name(isa)
    return name.decode()


# ---------------------------------------------------------------------------------------------------------------
# Arguments
# ---------------------------------------------------------------------------------------------------------------


def _element_type(array: NDArray[Any], name: str, allowed: Sequence[str]) -> int:
    """The element type's number, or a TypeError that says what to do."""
    kind = array.dtype
    if not kind.isnative:
        raise TypeError(
            f"{name} has the foreign byte order of dtype {kind.str!r}: "
            f"convert it, {name}.astype({name}.dtype.newbyteorder('='))"
        )
    if kind not in map(numpy.dtype, allowed):
        names = [numpy.dtype(each).name for each in allowed]
        if kind == numpy.bool_:
            advice = f"take its bytes, {name}.view(numpy.uint8)"
        elif name in ("out", "slope"):
            advice = "make it one of these"
        elif kind.kind == "c":
            advice = f"take what is to be compared, for example numpy.abs({name})"
        else:
            exact = "float32" if kind == numpy.float16 else "float64"
            advice = f"convert it, for example {name}.astype(numpy.{exact})"
        raise TypeError(f"{name} has dtype {kind.name}, not {', '.join(names)}: {advice}")
    return _ELEMENT_TYPES[kind]


def _element_strides(array: NDArray[Any], name: str) -> list[int]:
    if any(stride % array.itemsize for stride in array.strides):
        raise ValueError(
            f"{name} has strides of {array.strides} bytes, no multiples of its elements' {array.itemsize}: "
            f"copy it, numpy.ascontiguousarray({name})"
        )
    return [stride // array.itemsize for stride in array.strides]


def _describe(array: NDArray[Any], name: str, allowed: Sequence[str]) -> _Array:
    """The C description of a 3-D array. Valid as long as the array lives."""
    if array.ndim != 3:
        raise ValueError(f"{name} has {array.ndim} axes, not 3")
    dtype = _element_type(array, name, allowed)
    # NumPy may put arrays without elements anywhere; the library refuses them by their shape, not their address.
    return _Array(array.ctypes.data or 1, array.shape, tuple(_element_strides(array, name)), dtype)


def _output(array: Any, name: str, shape: Sequence[int], allowed: Sequence[str]) -> _Array:
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"{name} is {type(array).__name__}, not a NumPy array")
    if array.shape != tuple(shape):
        raise ValueError(f"{name} has shape {array.shape}, not {tuple(shape)}")
    if not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return _describe(array, name, allowed)


def _choice(value: str, name: str, choices: dict[str, int]) -> int:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(repr, choices))}")
    return choices[value]


def _threads(value: Any) -> int:
    """The number as C has it: ctypes would cut off what does not fit."""
    if not (0 <= value < 2**31 and value == int(value)):
        raise ValueError(f"threads is {value!r}, not a whole number from 0 to {2**31 - 1}")
    return int(value)


def _spacing(value: Any) -> tuple[float, float, float]:
    """Three spacings. To C, three zeros would mean the default."""
    spacing = _per_axis(value, "spacing")
    if not any(spacing):
        raise ValueError(f"spacing is {value!r}, not above 0")
    return spacing


def _per_axis(value: Any, name: str) -> tuple[Any, Any, Any]:
    """Three values; one stands for all axes."""
    if isinstance(value, str) or numpy.ndim(value) == 0:
        return (value, value, value)
    if len(value) not in (1, 3):
        raise ValueError(f"{name} has {len(value)} values, not 1 or 3")
    return (value[0], value[len(value) // 2], value[-1])


# ---------------------------------------------------------------------------------------------------------------
# Progress and Ctrl-C
# ---------------------------------------------------------------------------------------------------------------


class _Bar:
    """A progress bar: tqdm's if it is there, else a percentage, on a terminal only."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.percent = -1
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]

            self.bar = tqdm(
                total=100, desc=title, unit="%", bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
            )
        except ImportError:
            self.bar = None

    def show(self, fraction: float) -> None:
        percent = int(100 * fraction)
        if percent == self.percent:
            return
        if self.bar is not None:
            self.bar.update(percent - max(self.percent, 0))
        elif sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write(f"\r{self.title}: {percent} %")
            sys.stderr.flush()
        self.percent = percent

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.percent >= 0 and sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\n")


class _Call:
    """One call into the library: shows progress, and carries exceptions past C, where none may pass."""

    def __init__(self, progress: Progress, title: str) -> None:
        self.exception: BaseException | None = None
        self.bar = _Bar(title) if progress is True else None
        self.show = self.bar.show if self.bar is not None else progress if callable(progress) else None

    def step(self, user: int | None, fraction: float) -> int:
        # Between Python's signal handlers having run and this line, self.exception may have been set.
        try:
            if self.exception is None and self.show is not None and self.show(fraction) and self.bar is None:
                return 1
        except BaseException as exception:  # whatever it is, it belongs to the caller
            self.exception = exception
        return 0 if self.exception is None else 1

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Keeps what a SIGINT's handler raises until the call has stopped.

        Python runs signal handlers in the main thread, at the earliest in the next progress callback. An exception
        raised there at the wrong instruction would be printed and lost by ctypes. So the handler runs inside one
        that keeps its exception.
        """
        previous = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None

        def keep(number: int, frame: Any) -> None:
            try:
                previous(number, frame)  # type: ignore[misc, operator]
            except BaseException as exception:
                self.exception = exception

        if callable(previous):
            try:
                signal.signal(signal.SIGINT, keep)
            except ValueError:  # a subinterpreter's main thread gets no signals
                previous = None
        try:
            yield
        finally:
            if callable(previous):
                signal.signal(signal.SIGINT, previous)

    def run(self, function: Callable[..., int], *arguments: Any, options: Any) -> None:
        callback = _ProgressFunction(self.step)
        if self.show is not None or threading.current_thread() is threading.main_thread():
            options.progress = callback
        try:
            with self.interruptible():
                status = function(*map(ctypes.byref, arguments), ctypes.byref(options))
        finally:
            if self.bar is not None:
                self.bar.close()
        if self.exception is not None:
            raise self.exception
        if status != 0:
            raise Error(status, _last_error())


# ---------------------------------------------------------------------------------------------------------------
# Steepest neighbour
# ---------------------------------------------------------------------------------------------------------------


def steepest(
    image: ArrayLike,
    *,
    direction: str = "descent",
    minima: str = "reference",
    border: str | Sequence[str] = "skip",
    spacing: float | Sequence[float] = 1.0,
    weights: ArrayLike | None = None,
    mask: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
    slope: NDArray[Any] | bool | None = None,
    planes: tuple[int, int] | None = None,
    isa: str = "auto",
    threads: int = 0,
    progress: Progress = None,
) -> Any:
    """Label every voxel with the index of its steepest neighbour.

    Neighbour ``9*(dz+1) + 3*(dy+1) + (dx+1)`` lies at offset (dz, dy, dx) along axes 0, 1, 2; ``numpy.unravel_index(
    label, (3, 3, 3))`` minus 1 is that offset. A neighbour's score is the difference of the two values divided by the
    distance; the label is the lowest index among the largest scores. Labels are the same bits on every machine, for any
    strides and number of threads.

    Parameters
    ----------
    image : array_like, 3-D
        uint8, int8, uint16, int16, uint32, int32, float32 or float64.
    direction : {"descent", "ascent"}
        Whether labels lead to lower values or to higher ones.
    minima : {"reference", "strict", "flat"}
        "flat": label 13 (`CENTER`) where no neighbour is better, so that the labels of neighbours lead strictly downhill
        (uphill for ascent) and can be followed. "strict": 13 where every neighbour is worse. "reference":
        the rule of `create_label`, where the centre takes part with score -100.
    border : {"skip", "inside", "periodic"} or three of them
        What voxels on an axis' faces do: get label 0, use the neighbours that exist, or wrap around. (To follow
        labels take one of the latter: the 0 of a face looks like that of neighbour 0.)
    spacing : float or three floats
        Voxel size along each axis.
    weights : array_like of 27 floats, optional
        In place of 1 / distance, in the order of the labels, (3, 3, 3) or flat.
    mask : array of bool or uint8, optional
        A voxel where it is false gets label 27 (`MASKED`) and is nobody's neighbour.
    out : array of uint8 or float32, optional
        Receives the labels; by default a new array of uint8.
    slope : array of float32 or float64, or True, optional
        Receives the largest score of each voxel; True makes a new array of float32.
    planes : (int, int), optional
        Half-open range of axis 0 to compute. Nothing else of `out` and `slope` is written; new arrays hold 0 there.
        Neighbours outside of it are read: a slab with a plane of halo on either side has the whole volume's labels.
    isa : {"auto", "portable", "avx2", "avx512"}
        Highest instruction set to use.
    threads : int
        0: the environment variable VOXLANE_THREADS or all processors; 1: the calling thread only.
    progress : bool or callable, optional
        True shows a progress bar (tqdm's if it is installed). A callable gets the fraction done; if it answers
        anything true the call is cancelled with an `Error`, and if it raises, that exception arrives here.

    Returns
    -------
    labels : ndarray
        `out`, or the new array.
    slope : ndarray
        Only if `slope` was given and not False.

    Raises
    ------
    TypeError
        A dtype that the library does not take; the text says how to convert.
    ValueError
        A wrong number of axes or values, a shape that differs, an unknown name, a read-only output.
    Error
        Everything the library itself refuses, with its status.
    """
    if isinstance(image, numpy.ma.MaskedArray):
        raise TypeError("image is a masked array: give image.data and mask=~numpy.ma.getmaskarray(image)")
    image = numpy.asarray(image)
    view = _describe(image, "image", tuple(each.str for each in _ELEMENT_TYPES))
    options = _SteepestOptions()
    _library.voxlane_steepest_options_init(ctypes.byref(options))
    options.direction = _choice(direction, "direction", _DIRECTIONS)
    options.minima = _choice(minima, "minima", _MINIMA)
    options.border[:] = [_choice(each, "border", _BORDERS) for each in _per_axis(border, "border")]
    options.spacing[:] = _spacing(spacing)
    options.isa = _choice(isa, "isa", _ISAS)
    options.threads = _threads(threads)
    if weights is not None:
        weight_values = numpy.ascontiguousarray(weights, dtype=numpy.float64).ravel()
        if weight_values.size != 27:
            raise ValueError(f"weights has {weight_values.size} values, not 27")
        options.weights = weight_values.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    if mask is not None:
        mask = numpy.asarray(mask)
        if mask.dtype == numpy.bool_:
            mask = mask.view(numpy.uint8)
        if mask.dtype != numpy.uint8:
            raise TypeError(f"mask has dtype {mask.dtype.name}, not bool or uint8: compare it, mask != 0")
        options.mask = ctypes.pointer(_describe(mask, "mask", ["u1"]))
    if planes is not None:
        first, last = planes
        if not 0 <= first < last <= image.shape[0]:
            raise ValueError(f"planes {first}:{last} are no range within {image.shape[0]} planes")
        options.planes[:] = (first, last)
    fresh = numpy.empty if planes is None else numpy.zeros
    if out is None:
        out = fresh(image.shape, numpy.uint8)
    labels = _output(out, "out", image.shape, ["u1", "f4"])
    if slope is True:
        slope = fresh(image.shape, numpy.float32)
    if slope is None or slope is False:
        slope = None
    else:
        options.slope = ctypes.pointer(_output(slope, "slope", image.shape, ["f4", "f8"]))
    _Call(progress, "steepest").run(_library.voxlane_steepest, view, labels, options=options)
    return out if slope is None else (out, slope)


def create_label(image_input: ArrayLike) -> NDArray[numpy.float32]:
    """Label the steepest neighbours as the NumPy code does that this library began with: the same bits, as float32.

    Parameters
    ----------
    image_input : array_like, 3-D
        Converted to float32.

    Returns
    -------
    label : ndarray of float32
        0 on the faces.
    """
    image = numpy.asarray(image_input, dtype=numpy.float32)
    labels: NDArray[numpy.float32] = steepest(image, out=numpy.empty(image.shape, numpy.float32))
    return labels


# ---------------------------------------------------------------------------------------------------------------
# Sum of Gaussians
# ---------------------------------------------------------------------------------------------------------------


def _sources(centers: Any, sigma: Any, amplitudes: Any) -> tuple[list[NDArray[Any]], numpy.dtype[Any]]:
    """Centres, sigmas and amplitudes as arrays of one dtype, and this dtype."""
    given = []
    for value, name in ((centers, "centers"), (sigma, "sigma"), (amplitudes, "amplitudes")):
        if isinstance(value, numpy.ndarray) and value.ndim > 0:
            _element_type(value, name, ["f4", "f8"])
            given.append(value.dtype)
    # Numbers and lists are taken in the arrays' precision, as NumPy does.
    dtype = numpy.result_type(*given) if given else numpy.dtype(numpy.float64)
    centers = numpy.asarray(centers, dtype)
    if centers.ndim != 2 or centers.shape[1] != 3:
        raise ValueError(f"centers has shape {centers.shape}, not (number of centres, 3)")
    count = centers.shape[0]
    try:
        sigma = numpy.broadcast_to(numpy.asarray(sigma, dtype), (count, 3))
    except ValueError:
        raise ValueError(
            f"sigma has shape {numpy.shape(sigma)}: one number, (3,) for the axes, ({count}, 1) for the centres "
            f"(sigma[:, None]) or ({count}, 3) for both"
        ) from None
    arrays = [centers, sigma]
    if amplitudes is not None:
        shape = numpy.shape(amplitudes)
        if shape not in ((), (1,), (count,)):
            raise ValueError(f"amplitudes has shape {shape}: one number, or ({count},) for the centres")
        arrays.append(numpy.broadcast_to(numpy.asarray(amplitudes, dtype), (count,)))
    return arrays, dtype


def sum_gaussians(
    centers: ArrayLike,
    sigma: ArrayLike,
    shape: Sequence[int] | None = None,
    *,
    amplitudes: ArrayLike | None = None,
    origin: float | Sequence[float] = 0.0,
    spacing: float | Sequence[float] = 1.0,
    normalization: str = "peak",
    support: str = "box",
    sampling: str = "point",
    periodic: bool | Sequence[bool] = False,
    eps: float = 1e-6,
    accumulate: bool = False,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
    isa: str = "auto",
    threads: int = 0,
    progress: Progress = None,
) -> NDArray[Any]:
    """Sum Gaussians on a regular grid.

    Voxel (i, j, k) lies at ``origin + (i, j, k) * spacing``, in the unit of `centers` and `sigma`. Memory and time grow
    with the voxels that the Gaussians reach, not with centres times voxels.

    Parameters
    ----------
    centers : array_like, (n, 3)
        Coordinates along axes 0, 1, 2; float32 or float64, with any strides.
    sigma : array_like
        Standard deviations, broadcast to (n, 3) by NumPy's rules: one number, three for the axes, (n, 1) for the
        centres, or (n, 3).
    shape : three ints, optional
        Of the grid; may be left out if `out` is given.
    amplitudes : array_like, (n,), optional
        Of any sign; by default 1.
    origin, spacing : float or three floats
        Position of voxel (0, 0, 0), and distance between voxels.
    normalization : {"peak", "reference", "integral", "mass"}
        Each Gaussian's peak is A; is A / sqrt(2 pi sigma**2), the factor of `sumofgauss`; its integral is A; or its
        samples add up to A.
    support : {"box", "ball"}
        Shape of the neighbourhood in which a Gaussian is summed.
    sampling : {"point", "voxel"}
        The Gaussian's value at the voxel's position, or its mean over the voxel.
    periodic : bool or three bools
        Whether an axis wraps around, with period ``shape * spacing``.
    eps : float
        What is cut off is below eps of a Gaussian's peak; 0 is the machine epsilon of the grid's dtype.
    accumulate : bool
        Add to what `out` holds instead of overwriting it.
    out : array of float32 or float64, optional
        The grid, with any strides.
    dtype : {float32, float64}, optional
        Of the new grid if `out` is not given; by default float32.
    isa, threads, progress
        As for `steepest`.

    Returns
    -------
    ndarray
        `out`, or the new grid.

    Raises
    ------
    TypeError, ValueError, Error
        As for `steepest`.

    Notes
    -----
    If `centers`, `sigma` and `amplitudes` are arrays of different dtypes, those of float32 are copied to float64;
    otherwise nothing is copied.
    """
    if out is None:
        if shape is None:
            raise ValueError("shape is needed if out is not given")
        if accumulate:
            raise ValueError("accumulate needs out")
        out = numpy.empty(tuple(shape), numpy.float32 if dtype is None else dtype)
    elif dtype is not None and isinstance(out, numpy.ndarray) and out.dtype != numpy.dtype(dtype):
        raise ValueError(f"out has dtype {out.dtype.name}, dtype is {numpy.dtype(dtype).name}")
    if shape is None:
        shape = numpy.shape(out)
    grid = _Grid()
    grid.values = _output(out, "out", shape, ["f4", "f8"])
    grid.origin[:] = _per_axis(origin, "origin")
    grid.spacing[:] = _per_axis(spacing, "spacing")

    arrays, source_dtype = _sources(centers, sigma, amplitudes)
    gaussians = _Gaussians()
    gaussians.count = len(arrays[0])
    gaussians.dtype = _ELEMENT_TYPES[source_dtype]
    gaussians.centers = arrays[0].ctypes.data
    gaussians.center_stride[:] = _element_strides(arrays[0], "centers")
    gaussians.sigmas = arrays[1].ctypes.data
    gaussians.sigma_stride[:] = _element_strides(arrays[1], "sigma")
    if amplitudes is not None:
        gaussians.amplitudes = arrays[2].ctypes.data
        (gaussians.amplitude_stride,) = _element_strides(arrays[2], "amplitudes")

    options = _GaussianOptions()
    _library.voxlane_gaussian_options_init(ctypes.byref(options))
    options.normalization = _choice(normalization, "normalization", _NORMALIZATIONS)
    options.support = _choice(support, "support", _SUPPORTS)
    options.sampling = _choice(sampling, "sampling", _SAMPLINGS)
    options.periodic[:] = [int(bool(each)) for each in _per_axis(periodic, "periodic")]
    options.accumulate = int(bool(accumulate))
    options.eps = eps
    options.isa = _choice(isa, "isa", _ISAS)
    options.threads = _threads(threads)
    _Call(progress, "sum_gaussians").run(_library.voxlane_sum_gaussians, gaussians, grid, options=options)
    return out


def _regular_axes(grid: NDArray[Any]) -> tuple[list[float], list[float]]:
    """Origin and spacing of a grid of positions, (n, n, n, 3), or a ValueError."""
    n = grid.shape[0]
    first, last = grid[0, 0, 0], grid[-1, -1, -1]
    spacing = (last - first) / (n - 1) if n > 1 else numpy.ones(3)
    if not numpy.all(numpy.isfinite(spacing)) or not numpy.all(spacing > 0):
        raise ValueError("xyz is no regular grid: its coordinates must increase from the first row to the last")
    tolerance = 1e-6 * spacing
    ticks = first + numpy.arange(n)[:, None] * spacing
    # Plane by plane, so that no second array of xyz's size is made.
    for i in range(n):
        expected = (ticks[i, 0], ticks[:, None, 1], ticks[None, :, 2])
        for axis in range(3):
            if not numpy.all(numpy.abs(grid[i, :, :, axis] - expected[axis]) <= tolerance[axis]):
                raise ValueError(
                    "xyz is no regular grid: expected the flattened numpy.meshgrid(x, y, z, indexing='ij') of "
                    f"evenly spaced x, y, z; coordinate {axis} differs at index {i} of the first axis"
                )
    return list(first), list(spacing)


def sumofgauss(coords: ArrayLike, xyz: ArrayLike, sigma: float) -> NDArray[numpy.float64]:
    """Sum Gaussians as the NumPy code does that this library began with: the same call, in float64.

    Each Gaussian is 1 / sqrt(2 pi sigma**2) * exp(-distance**2 / (2 sigma**2)), cut off where it falls below the
    machine epsilon of its peak.

    Parameters
    ----------
    coords : array_like, (m, 3)
        Centres.
    xyz : array_like, (n**3, 3)
        The positions of a regular grid: ``numpy.meshgrid(x, y, z, indexing="ij")`` of evenly spaced x, y, z, as
        columns.
    sigma : float
        Standard deviation.

    Returns
    -------
    values : ndarray of float64, (n, n, n)

    Raises
    ------
    ValueError
        If `xyz` is no such grid.
    """
    positions = numpy.asarray(xyz, dtype=numpy.float64)
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise ValueError(f"xyz has shape {positions.shape}, not (n**3, 3)")
    n = round(len(positions) ** (1 / 3))
    if n == 0 or n**3 != len(positions):
        raise ValueError(f"xyz has {len(positions)} rows, which is no cube of a whole number")
    origin, spacing = _regular_axes(positions.reshape(n, n, n, 3))
    return sum_gaussians(
        numpy.asarray(coords, dtype=numpy.float64), sigma, (n, n, n), origin=origin, spacing=spacing,
        normalization="reference", eps=0.0, dtype=numpy.float64,
    )  # fmt: skip
