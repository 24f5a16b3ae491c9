"""Builds the library as users get it, and the C contestants with the flags that their names tell."""

import ctypes
import os
import subprocess
import sys

from paths import BUILD, HERE, ROOT, TARGET

LIBRARY = TARGET / "release" / ("libvoxlane.dylib" if sys.platform == "darwin" else "libvoxlane.so")

_SHARED = ["-std=c11", "-fPIC", "-shared"]
#: Name, compiler, flags, source and what comes after it.
PROGRAMS = [
    *(
        (f"{source}_{name}.so", compiler, [*_SHARED, *flags], f"{source}.c", ["-lm"])
        for source in ("plain_labels", "plain_sums")
        for name, compiler, flags in (
            ("gcc", "gcc", ["-O3"]),
            ("clang", "clang", ["-O3", "-march=native"]),
            ("openmp", "gcc", ["-O3", "-march=native", "-fopenmp"]),
        )
    ),
    ("definition.so", "gcc", [*_SHARED, "-O3", "-fopenmp"], "definition.c", ["-lm"]),
    ("limits", "gcc", ["-O3", "-march=native", "-fopenmp"], "limits.c", []),
    (
        "voxlane_worker",
        "gcc",
        ["-std=c11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT / 'include'}"],
        "voxlane_worker.c",
        [f"-L{LIBRARY.parent}", f"-Wl,-rpath,{LIBRARY.parent}", "-lvoxlane"],
    ),
]
OTHERS = [
    ("vigra_pointers.so", "g++", ["-O3", "-march=native", "-fPIC", "-shared"], "vigra_pointers.cxx", []),
]


def library():
    """By the Makefile of the examples, which also gives the library the name that programs ask for."""
    print("building the library", flush=True)
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET))
    command = ["make", "--no-print-directory", "--quiet", "-C", "c_examples", "library"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def facts():
    """The library's version, and the instruction set that it takes on this machine by itself."""
    loaded = ctypes.CDLL(LIBRARY)
    loaded.voxlane_version_string.restype = loaded.voxlane_isa_name.restype = ctypes.c_char_p
    return {
        "version": loaded.voxlane_version_string().decode(),
        "isa": loaded.voxlane_isa_name(loaded.voxlane_isa_active()).decode(),
    }


def _compile(name, compiler, flags, source, rest):
    BUILD.mkdir(parents=True, exist_ok=True)
    command = [compiler, *flags, HERE / "c" / source, "-o", BUILD / name, *rest]
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def programs():
    for program in PROGRAMS:
        done = _compile(*program)
        if done.returncode != 0:
            sys.exit(f"{program[0]} does not compile:\n{done.stderr.strip()}")


def others():
    """Builds what further contestants need; one that fails will say so when it is asked to run."""
    for program in OTHERS:
        done = _compile(*program)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            print(f"{program[0]} does not compile: {(errors or ['no message'])[0]}", flush=True)


def flags():
    return {
        name: f"{compiler} {' '.join(flag for flag in flags if not flag.startswith('-I'))}"
        for name, compiler, flags, _, _ in PROGRAMS + OTHERS
    }
