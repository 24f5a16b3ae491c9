"""The C interface by ctypes, written from the header and from nothing else, and what the Python tests share."""

import ctypes as c
import os
import subprocess
import sys

import numpy as np

DTYPES = {"u1": 1, "i1": 2, "u2": 3, "i2": 4, "u4": 5, "i4": 6, "f4": 7, "f8": 8}
ISA = {"portable": 1, "avx2": 2, "avx512": 3}
PROGRESS = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_double)


class Array(c.Structure):
    _fields_ = [("data", c.c_void_p), ("shape", c.c_size_t * 3), ("stride", c.c_ssize_t * 3), ("dtype", c.c_int32)]

    @classmethod
    def of(cls, array):
        """A view of the array's memory, which must outlive it."""
        assert all(stride % array.itemsize == 0 for stride in array.strides)
        stride = [stride // array.itemsize for stride in array.strides]
        return cls(array.ctypes.data, array.shape, tuple(stride), DTYPES[array.dtype.str[1:]])


class SteepestOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("direction", c.c_int32),
        ("minima", c.c_int32),
        ("border", c.c_int32 * 3),
        ("isa", c.c_int32),
        ("threads", c.c_int32),
        ("reserved", c.c_int32),
        ("spacing", c.c_double * 3),
        ("weights", c.c_void_p),
        ("mask", c.POINTER(Array)),
        ("slope", c.POINTER(Array)),
        ("planes", c.c_size_t * 2),
        ("progress", PROGRESS),
        ("progress_user", c.c_void_p),
    ]


class Gaussians(c.Structure):
    _fields_ = [
        ("count", c.c_size_t),
        ("dtype", c.c_int32),
        ("reserved", c.c_int32),
        ("centers", c.c_void_p),
        ("center_stride", c.c_ssize_t * 2),
        ("amplitudes", c.c_void_p),
        ("amplitude_stride", c.c_ssize_t),
        ("sigmas", c.c_void_p),
        ("sigma_stride", c.c_ssize_t * 2),
    ]


class Grid(c.Structure):
    _fields_ = [("values", Array), ("origin", c.c_double * 3), ("spacing", c.c_double * 3)]


class GaussianOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("normalization", c.c_int32),
        ("support", c.c_int32),
        ("sampling", c.c_int32),
        ("periodic", c.c_int32 * 3),
        ("accumulate", c.c_int32),
        ("isa", c.c_int32),
        ("threads", c.c_int32),
        ("reserved", c.c_int32),
        ("eps", c.c_double),
        ("progress", PROGRESS),
        ("progress_user", c.c_void_p),
    ]


def load():
    """The release build of the shared library, with the structs checked against it."""
    library = c.CDLL(os.path.join(os.environ["VOXLANE_TARGET"], "release", "libvoxlane.so.1"))
    library.voxlane_last_error.restype = c.c_char_p
    library.voxlane_sizeof.restype = c.c_size_t
    library.voxlane_gauss_grid.argtypes = [
        c.c_void_p, c.c_size_t, c.c_double, c.c_double, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p,
    ]
    for which, struct in enumerate((Array, Array, SteepestOptions, Gaussians, Grid, GaussianOptions), 1):
        assert library.voxlane_sizeof(which) == c.sizeof(struct), struct
    return library


def check(library, status):
    """Raises unless a call succeeded."""
    if status != 0:
        raise AssertionError(f"status {status}: {library.voxlane_last_error().decode()}")


def random_view(random, shape, dtype):
    """An uninitialised array of the shape with strides as they come in practice: padded, reversed, transposed."""
    order = random.permutation(3) if random.random() < 0.5 else np.arange(3)
    steps = random.choice([1, 1, 2, 3, -1, -2], size=3)
    pads = random.integers(0, 4, size=3)
    whole = np.zeros([shape[a] * abs(steps[a]) + pads[a] for a in order], dtype)
    view = whole.transpose(np.argsort(order))
    for axis, step in enumerate(steps):
        start = int(random.integers(0, pads[axis] + 1)) if pads[axis] else 0
        stop = start + shape[axis] * abs(int(step))
        part = [slice(None)] * 3
        part[axis] = slice(start, stop, abs(int(step)))
        view = view[tuple(part)]
        if step < 0:
            part[axis] = slice(None, None, -1)
            view = view[tuple(part)]
    assert view.shape == tuple(shape)
    return view


def on_every_tier(script, *arguments):
    """Runs a script once for each tier of VOXLANE_ISA, and fails if one run fails. Says what cannot run."""
    library = load()
    failed = []
    for name, isa in ISA.items():
        if not library.voxlane_isa_supported(isa):
            print(f"SKIPPED: {os.path.basename(script)} on tier {name}, which this machine does not run")
            continue
        environment = dict(os.environ, VOXLANE_ISA=name)
        if subprocess.run([sys.executable, script, "--tier", name, *arguments], env=environment).returncode:
            failed.append(name)
        else:
            print(f"tiers: {os.path.basename(script)} ran on {name}")
    if failed:
        sys.exit(f"failed on {', '.join(failed)}")
