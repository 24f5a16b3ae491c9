"""Times a contestant and voxlane in turns, each in a process of its own: A B A B, so that a machine that drifts harms
both, and a contestant that dies takes nothing with it."""

import json
import os
import selectors
import statistics
import subprocess
import sys
import tempfile
import time

import build
import check
import data
import environment
import gaussians
import labels
from paths import BUILD, DATA, HERE, ROOT, WORK

CONTESTANTS = {"labels": labels.CONTESTANTS, "sums": gaussians.CONTESTANTS}
#: The B of every comparison: the library from Python, writing to an array that it is given.
REFERENCE = "voxlane"

#: A turn is as many calls as take this long, at least one.
TURN_SECONDS = 0.03
#: Between turns, so that threads that spin while they wait for work have gone to sleep.
PAUSE_SECONDS = 0.01
#: Above this, the quartiles of a ratio lie so far apart that the run warns.
WIDE_SPREAD = 0.25

_DTYPES = {"uint8": 1, "int16": 4, "float32": 7, "float64": 8}


class Failed(Exception):
    """A worker that does not run, and its own words."""

    def __init__(self, worker, text):
        super().__init__(text)
        self.worker = worker


class Worker:
    """A process that runs one contestant on one case."""

    def __init__(self, case, contestant, threads, timeout):
        self.contestant, self.timeout = contestant, timeout
        threads_text = str(threads)
        settings = {
            **os.environ,
            "OMP_NUM_THREADS": threads_text,
            "NUMBA_NUM_THREADS": threads_text,
            "OPENBLAS_NUM_THREADS": threads_text,
            "MKL_NUM_THREADS": threads_text,
            "NUMBA_CACHE_DIR": str(WORK / "numba"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(ROOT / "include"),
            "VOXLANE_LIBRARY": str(build.LIBRARY),
        }
        self.errors = tempfile.TemporaryFile()
        command = list(map(str, _command(case, contestant, threads)))
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                command, bufsize=0, stdin=pipe, stdout=pipe, stderr=self.errors, env=settings
            )
        except OSError as error:
            self.errors.close()
            raise Failed(self, str(error)) from None
        self.buffer = b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        try:
            self.expect("ready")
        except Failed:
            self.close()
            raise

    def _line(self, deadline):
        while b"\n" not in self.buffer:
            if not self.selector.select(max(0, deadline - time.monotonic())):
                raise Failed(self, f"no answer within {self.timeout:.0f} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise Failed(self, self._last_words())
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace").split()

    def _last_words(self):
        status = self.process.wait()
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().decode(errors="replace").splitlines() if line.strip()]
        end = f"signal {-status}" if status < 0 else f"exit status {status}"
        return lines[-1] if lines else end

    def expect(self, *answers):
        """The words after one of the answers; what a library prints in between is passed over."""
        deadline = time.monotonic() + self.timeout
        while True:
            words = self._line(deadline)
            if words and words[0] in answers:
                return words
            if words and words[0] == "error":
                raise Failed(self, " ".join(words[1:]))

    def ask(self, order, *answers):
        try:
            self.process.stdin.write(f"{order}\n".encode())
        except BrokenPipeError:
            raise Failed(self, self._last_words()) from None
        return self.expect(*answers)

    def run(self, calls):
        return [float(word) for word in self.ask(f"run {calls}", "ran")[1:]]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.selector.close()
        self.errors.close()


def _command(case, contestant, threads):
    if contestant.prepare is None:
        shape, dtype = case.shape, _DTYPES[case.dtype]
        if case.kernel == "labels":
            return BUILD / "voxlane_worker", "labels", data.image_file(case, DATA), dtype, *shape, threads, 0
        place = case.origin, case.spacing, case.eps, int(case.kind == "question"), threads, 0
        file = data.centers_file(case, DATA)
        return BUILD / "voxlane_worker", "sums", file, case.count, repr(case.sigma), dtype, *shape, *place
    if case.kernel == "labels":
        data.image_file(case, DATA)
    elif case.kind != "atoms":
        data.centers_file(case, DATA)
    order = {
        "kernel": case.kernel,
        "contestant": contestant.name,
        "case": vars(case),
        "threads": threads,
        "folder": str(DATA),
    }
    python = environment.DEBIAN_PYTHON if contestant.python == "debian" else sys.executable
    return python, HERE / "worker.py", json.dumps(order)


# ---------------------------------------------------------------------------------------------------------------
# Statistics
# ---------------------------------------------------------------------------------------------------------------


def spread(values):
    """Distance of the quartiles, relative to the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def summary(mine, theirs):
    """Of the seconds a call of the contestant and of voxlane, turn by turn."""
    ratios = [a / b for a, b in zip(mine, theirs)]
    return {
        "median": statistics.median(mine),
        "minimum": min(mine),
        "spread": spread(mine),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "ratio_spread": spread(ratios),
        "turns": len(mine),
        "samples": mine,
        "voxlane_samples": theirs,
    }


# ---------------------------------------------------------------------------------------------------------------
# One comparison
# ---------------------------------------------------------------------------------------------------------------


def _correctness(entry, worker):
    """How far the result is from the exact one, and whether voxlane's is as promised (None for others)."""
    file = WORK / f"result-{os.getpid()}.raw"
    answer = worker.ask(f"save {file}", "saved", "nothing")
    if answer[0] == "nothing":
        return {}, None
    try:
        if entry.ran.kernel == "labels":
            difference, right = check.check_labels(entry.ran, file, answer[1])
        else:
            difference, right = check.check_sums(entry.ran, file, answer[1], "ball" in entry.contestant)
    except ValueError as error:
        raise Failed(worker, f"its result: {error}") from None
    finally:
        file.unlink()
    return difference, right if entry.contestant.startswith("voxlane") else None


def compare(entry, reference, budget, timeout):
    """One row: the contestant against the reference worker, for `budget` seconds but at least some turns."""
    contestant = CONTESTANTS[entry.case.kernel][entry.contestant]
    worker = Worker(entry.ran, contestant, entry.threads, timeout)
    try:
        first = worker.run(1)[0]
        memory = int(worker.ask("peak", "peak")[1])
        difference, right = _correctness(entry, worker)
        calls = [max(1, min(1000, int(TURN_SECONDS / each))) for each in (first, reference.run(1)[0])]
        mine, theirs = [], []
        start = time.monotonic()
        fewest = 3 if first > 1 else 5
        while len(mine) < fewest or len(mine) < 25 and time.monotonic() - start < budget:
            for samples, each, number in ((mine, worker, calls[0]), (theirs, reference, calls[1])):
                time.sleep(PAUSE_SECONDS)
                samples.append(statistics.median(each.run(number)))
    finally:
        worker.close()
    scale = entry.case.work / entry.ran.work
    row = {
        "first_call": first * scale,
        "memory": memory,
        "difference": difference,
        "right": right,
        **summary([scale * each for each in mine], theirs),
    }
    warnings = []
    if row["ratio_spread"] > WIDE_SPREAD:
        warnings.append(f"the ratio's quartiles lie {row['ratio_spread']:.0%} apart")
    if row["ratio_low"] < 1 < row["ratio_high"] and entry.contestant != REFERENCE:
        warnings.append("which one is faster changed from turn to turn")
    return row | {"warnings": warnings}


def limits(voxels):
    """What the machine allows, for one thread and for all; see c/limits.c."""
    found = {}
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        environment_ = dict(os.environ, OMP_NUM_THREADS=str(threads))
        done = subprocess.run(
            [BUILD / "limits", str(voxels)], env=environment_, capture_output=True, text=True, check=True
        )
        copy, zero, multiply_adds = map(float, done.stdout.split())
        found[str(threads)] = {
            "voxels": voxels,
            "copy_ns_per_voxel": copy,
            "zero_ns_per_voxel": zero,
            "multiply_adds_per_ns": multiply_adds,
        }
    return found
