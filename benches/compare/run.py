"""`run`: builds, measures row by row, and writes one JSON file."""

import dataclasses
import json
import os
import re
import time

import build
import environment
import measure
import plan
from paths import RESULTS, ROOT, WORK

#: Seconds without an answer after which a contestant is given up.
TIMEOUT = 90


def _selected(entries, texts):
    if not texts:
        return entries
    return [e for e in entries if any(text in e.case.name or text in e.contestant for text in texts)]


def _seconds(value):
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _row(entry):
    row = {
        "case": entry.case.name,
        "kernel": entry.case.kernel,
        "contestant": entry.contestant,
        "threads": entry.threads,
        "scaled_from": None,
    }
    if entry.scaled:
        row["scaled_from"] = f"{entry.ran.shape[0]}³" if entry.case.kernel == "labels" else f"{entry.ran.count} centres"
    return row


class Run:
    def __init__(self, options):
        self.quick = options.quick
        self.budget = options.budget or (0.3 if options.quick else 0.4)
        entries, self.curves, self.shown = (plan.quick if options.quick else plan.full)()
        self.entries = _selected(entries, options.only)
        self.start = time.monotonic()
        self.rows = []
        self.references = {}

    def reference(self, entry):
        """The reference worker of an entry's case, kept while the case lasts."""
        key = entry.case, entry.threads
        if key not in self.references:
            if any(case != entry.case for case, _ in self.references):
                self.close()
            contestant = measure.CONTESTANTS[entry.case.kernel][measure.REFERENCE]
            self.references[key] = measure.Worker(entry.case, contestant, entry.threads, TIMEOUT)
        return self.references[key]

    def close(self):
        for worker in self.references.values():
            worker.close()
        self.references.clear()

    def measure(self, done, entry):
        row = _row(entry)
        spent = time.monotonic() - self.start
        left = f", about {spent / done * (len(self.entries) - done) / 60:.0f} min left" if done > 5 else ""
        head = f"[{done + 1}/{len(self.entries)}, {spent / 60:.1f} min{left}]"
        print(f"{head} {entry.case.name} | {entry.contestant}, {entry.threads} threads: ", end="", flush=True)
        try:
            row |= measure.compare(entry, self.reference(entry), self.budget, TIMEOUT)
        except measure.Failed as failure:
            own = failure.worker.contestant.name == measure.REFERENCE != entry.contestant
            row |= {
                "failed": f"voxlane next to it: {failure}" if own else str(failure),
                "right": False if own else None,
            }
            print(f"FAILED: {row['failed']}", flush=True)
            if failure.worker in self.references.values():
                self.close()
        else:
            marks = [f"scaled from {row['scaled_from']}"] if entry.scaled else []
            marks += row["warnings"] + ([] if row["right"] is not False else ["WRONG"])
            text = f"{_seconds(row['median'])}, {row['ratio']:.3g} times voxlane's"
            print("; ".join([text, *marks]), flush=True)
        self.rows.append(row)

    def document(self, description, reasons):
        packages = {
            package
            for entry in self.entries
            for package in measure.CONTESTANTS[entry.case.kernel][entry.contestant].packages
        }
        cases = {
            entry.case.name: {
                **dataclasses.asdict(entry.case), "kernel": entry.case.kernel, "voxels": entry.case.voxels
            }
            for entry in self.entries
        }  # fmt: skip
        return {
            "quick": self.quick,
            **description,
            "voxlane": build.facts(),
            "packages": environment.versions(packages | {"numpy", "nibabel"}),
            "flags": build.flags(),
            "minutes": (time.monotonic() - self.start) / 60,
            "not_installed": reasons,
            "cases": cases,
            "notes": plan.notes(),
            "curves": [dataclasses.asdict(curve) for curve in self.curves],
            "shown": self.shown,
            "limits": self.limits,
            "rows": self.rows,
        }


def _wrong(rows):
    """Rows of voxlane that failed or whose result is not as promised. A tier that the machine lacks is no failure."""
    return [
        row
        for row in rows
        if (row["right"] is False or row["contestant"].startswith("voxlane") and row["right"] is not True)
        and "not supported by this machine" not in row.get("failed", "")
    ]


def _file(description):
    day = description["date"].split()[0]
    commit = (description["commit"] or "unknown")[:9]
    return RESULTS / f"{day}-{commit}.json"


def main(options):
    # What a caller's shell may hold would change what is measured.
    for name in [name for name in os.environ if name.startswith("VOXLANE_")]:
        del os.environ[name]
    description = environment.describe()
    WORK.mkdir(parents=True, exist_ok=True)
    reasons = {} if options.quick else environment.install_others()
    build.library()
    build.programs()
    if not options.quick:
        build.others()
    run = Run(options)
    if not run.entries:
        print(f"no row holds any of {options.only}")
        return 1
    run.limits = measure.limits(64**3 if options.quick else 256**3)
    try:
        for done, entry in enumerate(run.entries):
            run.measure(done, entry)
    finally:
        run.close()
    partial = options.quick or options.only
    path = WORK / ("quick.json" if options.quick else "partial.json") if partial else _file(description)
    text = json.dumps(run.document(description, reasons), indent=1, ensure_ascii=False)
    # Samples on one line: one file has some thousand of them.
    text = re.sub(r"\[\s+([-\d.e,\s]+?)\s+\]", lambda match: "[" + re.sub(r"\s+", " ", match[1]) + "]", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{len(run.rows)} rows in {(time.monotonic() - run.start) / 60:.1f} min: {os.path.relpath(path, ROOT)}")

    import report

    report.publish(path, readme=not partial)
    wrong = _wrong(run.rows)
    for row in wrong:
        what = row.get("failed") or row.get("difference")
        print(f"WRONG: {row['case']}, {row['contestant']}, {row['threads']} threads: {what}")
    return 1 if wrong else 0
