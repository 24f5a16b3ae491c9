"""One contestant on one case in a process of its own, under the orders of measure.py.

Its argument is a JSON object with kernel, contestant, case and threads. It answers orders from its standard input, a
line each, as c/voxlane_worker.c does: `run N`, `peak`, `save FILE`.
"""

import json
import sys
import time
from pathlib import Path

import data


def resident(name):
    """VmHWM or VmRSS in bytes: the highest and the present resident memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {name}")


def main():
    order = json.loads(sys.argv[1])
    if order["kernel"] == "labels":
        from labels import CONTESTANTS
    else:
        from gaussians import CONTESTANTS
    call, result = CONTESTANTS[order["contestant"]].prepare(
        data.case(order["case"]), Path(order["folder"]), order["threads"]
    )
    # The highest memory from here on is the call's: getting ready, with a compiler perhaps, is forgotten.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS:")
    found = None
    print("ready", flush=True)
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        if word == "run":
            seconds = []
            for _ in range(int(argument)):
                found = None  # what the last call made must not add to this one's memory
                start = time.perf_counter()
                found = call()
                seconds.append(time.perf_counter() - start)
            print("ran", *(f"{each:.9f}" for each in seconds), flush=True)
        elif word == "peak":
            print("peak", resident("VmHWM:") - before, flush=True)
        elif word == "save":
            if result is None:
                print("nothing", flush=True)
            else:
                values = result(found)
                values.tofile(argument)
                print("saved", values.dtype, flush=True)
        else:
            raise ValueError(f"unknown order {line!r}")


if __name__ == "__main__":
    main()
