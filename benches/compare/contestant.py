"""What takes part: a name, and a function that gets ready on a case and answers with a call to be timed."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Contestant:
    name: str
    #: prepare(case, folder, threads) -> (call, result): `call()` is timed, and `result(what call returned)` gives the
    #: labels as uint8 or the grid as peaks. None for a program that measure.py starts by itself.
    prepare: Callable | None
    #: "venv", or "debian": the system's own Python, for what only Debian packages.
    python: str = "venv"
    #: Packages whose version is recorded with the results.
    packages: tuple[str, ...] = ()
    #: In what its result is not the kernel's, in a few words; empty if it is to be the same.
    differs: str = ""
    #: What a reader should know.
    note: str = ""


def index(contestants):
    return {each.name: each for each in contestants}
