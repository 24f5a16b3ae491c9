"""`report`: from one file of results, the README's tables, the plots, and a page with everything."""

import json
import os
import re
import sys
from pathlib import Path

import jinja2
import markupsafe
import pandas

import plots
from paths import HERE, RESULTS, ROOT, WORK

README = ROOT / "README.md"
PLOT = RESULTS / "speed.svg"
BEGIN, END = "<!-- benches/compare: begin -->", "<!-- benches/compare: end -->"


# ---------------------------------------------------------------------------------------------------------------
# Words for numbers
# ---------------------------------------------------------------------------------------------------------------


def seconds(value):
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 0.9995:
            return f"{significant(value * factor)} {unit}"
    return f"{significant(value * 1e9)} ns"


def significant(value, digits=3):
    """Without an exponent, and without digits that were not measured."""
    rounded = float(f"{value:.{digits - 1}e}")
    if abs(rounded) >= 10 ** (digits - 1):
        return f"{rounded:,.0f}"
    return f"{rounded:.{digits}g}" if rounded >= 1 else f"{rounded:.{digits - 1}g}"


def memory(value):
    if value < 2**20:
        return "< 1 MiB"
    return f"{significant(value / 2**20)} MiB" if value < 2**30 else f"{significant(value / 2**30)} GiB"


def percent(value):
    return f"{100 * value:.0f} %"


def difference(row):
    """How far a result is from the exact one, and why."""
    found, differs = row["difference"], row["differs"]
    if "differing" in found:
        number = found["differing"]
        text = f"{number:,}" if number == 0 else f"{number:,} ({significant(100 * number / found['of'])} %)"
    elif "error" in found:
        text = f"{found['error']:.1e}"
    else:
        text = ""
    return ", ".join(part for part in (text, differs) if part)


def machine(document):
    """One sentence's worth."""
    about = document["machine"]
    cpu = about["cpu"]
    tier = next(
        (name for flag, name in (("avx512bw", "AVX-512"), ("avx2", "AVX2")) if flag in cpu.get("flags", [])), None
    )
    virtual = "a virtual machine with " if "hypervisor" in cpu.get("flags", []) else ""
    parts = [f"{virtual}{about['cores']} cores of {cpu['model']}"]
    if cpu.get("family"):
        parts.append(f"family {cpu['family']} model {cpu['model_number']}")
    if tier:
        parts.append(tier)
    if about["memory"]:
        parts.append(f"{about['memory'] / 2**30:.0f} GiB")
    compilers = document["compilers"]
    rustc = re.search(r"rustc (\S+)", compilers["rustc"] or "")
    if rustc:
        parts.append(f"rustc {rustc[1]}")
    return ", ".join(parts)


# ---------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------


def frame(document):
    """The rows that were measured, cases in the order of the run and contestants by time."""
    rows = pandas.DataFrame([row for row in document["rows"] if "failed" not in row])
    if rows.empty:
        return rows
    notes = document["notes"]
    for key in "differs", "note":
        rows[key] = [notes[row.kernel][row.contestant][key] for row in rows.itertuples()]
    rows["place"] = rows["case"].map({name: at for at, name in enumerate(document["cases"])})
    return rows.sort_values(["place", "median"], kind="stable")


def failures(document):
    """What did not run, one line each, and in how many rows."""
    found = {}
    for row in document["rows"]:
        if "failed" in row:
            found.setdefault((row["contestant"], row["failed"]), []).append(row)
    lines = [f"{name}: {reason} ({len(rows)} rows)" for (name, reason), rows in found.items()]
    return lines + [f"{name}: {reason}" for name, reason in document["not_installed"].items()]


def _readme_table(document, rows, kernel):
    many = {"labels": "labels that differ", "sums": "error"}[kernel]
    columns = ["case", "contestant", "threads", "median", "minimum", "spread", "÷ voxlane", "memory", many]
    cells = []
    for case, further in document["shown"][kernel].items():
        part = rows[rows["case"] == case]
        if not further:
            part = part[~part["contestant"].str.startswith("voxlane,")]
        for at, row in enumerate(part.to_dict("records")):
            scaled = f" ({row['scaled_from']}, scaled)" if row["scaled_from"] else ""
            cells.append([
                case if at == 0 else "",
                row["contestant"] + scaled,
                str(row["threads"]),
                seconds(row["median"]),
                seconds(row["minimum"]),
                percent(row["spread"]),
                ("~" if row["warnings"] else "") + significant(row["ratio"]),
                "" if scaled else memory(row["memory"]),
                difference(row),
            ])  # fmt: skip
    title = {"labels": "Labels", "sums": "Sums of Gaussians"}[kernel]
    return {"title": title, "columns": columns, "rows": cells}


def readme_section(document):
    """What stands between the README's markers."""
    rows = frame(document)
    template = _templates().get_template("readme.md")
    return template.render(
        machine=machine(document),
        date=document["date"].split()[0],
        commit=(document["commit"] or "unknown")[:9],
        plot=os.path.relpath(PLOT, ROOT),
        plot_text="Time against size of both kernels, with what the machine allows",
        tables=[_readme_table(document, rows, kernel) for kernel in ("labels", "sums")],
        failures=failures(document),
    )


def _cell(text, key=None):
    return {"text": text, "key": key}


def _section(document, rows, case):
    labels = document["cases"][case]["kernel"] == "labels"
    columns = ["contestant", "threads", "median", "minimum", "spread", "÷ voxlane", "its range"]
    columns += ["per voxel" if labels else "per centre", "turns", "memory"]
    columns += ["labels that differ" if labels else "error", "notes"]
    work = document["cases"][case]["voxels" if labels else "count"]
    body = []
    for row in rows[rows["case"] == case].to_dict("records"):
        scaled = row["scaled_from"]
        found = row["difference"]
        each = row["median"] / work
        notes = [row["note"]] + ([f"measured on {scaled} and scaled; memory is that of {scaled}"] if scaled else [])
        body.append({
            "voxlane": row["contestant"].startswith("voxlane"),
            "cells": [
                _cell(row["contestant"]),
                _cell(str(row["threads"]), row["threads"]),
                _cell(seconds(row["median"]), row["median"]),
                _cell(seconds(row["minimum"]), row["minimum"]),
                _cell(percent(row["spread"]), row["spread"]),
                _cell(significant(row["ratio"]), row["ratio"]),
                _cell(f"{significant(row['ratio_low'])} to {significant(row['ratio_high'])}", row["ratio_low"]),
                _cell(seconds(each), each),
                _cell(str(row["turns"]), row["turns"]),
                _cell(memory(row["memory"]), row["memory"]),
                _cell(difference(row), found.get("differing", found.get("error", -1))),
                _cell("; ".join(filter(None, [*notes, *(f"warning: {each}" for each in row["warnings"])]))),
            ],
        })  # fmt: skip
    title = {True: "Labels", False: "Sums"}[labels]
    return {"title": f"{title}: {case}", "columns": columns, "rows": body}


def page(document):
    """Everything, as HTML in one file."""
    rows = frame(document)
    drawn = [plots.draw(document, [curve], curve["title"]) for curve in document["curves"]]
    return (
        _templates()
        .get_template("page.html")
        .render(
            document=document,
            machine=machine(document),
            plots=[markupsafe.Markup(each) for each in drawn],
            sections=[_section(document, rows, case) for case in document["cases"]],
            failures=failures(document),
        )
    )


def _templates():
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


# ---------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def newest():
    """The newest file of results by the date in it."""
    found = sorted(RESULTS.glob("*.json"), key=lambda path: (load(path)["date"], path.name))
    if not found:
        sys.exit(f"no results in {RESULTS.relative_to(ROOT)}: python3 benches/compare run")
    return found[-1]


def _with_section(text, section):
    parts = re.split(f"({re.escape(BEGIN)}\n|{re.escape(END)})", text)
    if len(parts) != 5 or not parts[1].startswith(BEGIN) or parts[3] != END:
        sys.exit(f"README.md needs one line {BEGIN} and one line {END}")
    return "".join([*parts[:2], section, *parts[3:]])


def _readme_plot(document):
    """One curve of each kernel."""
    chosen = {}
    for curve in document["curves"]:
        if curve["axis"] != "threads":
            chosen.setdefault(curve["title"].split(":")[0], curve)
    return plots.draw(document, list(chosen.values()), "voxlane: time against size")


def publish(path, readme=True):
    """Writes the page next to the other products of a run; with `readme`, also the README's tables and its plot."""
    document = load(path)
    if readme:
        README.write_text(_with_section(README.read_text(encoding="utf-8"), readme_section(document)), encoding="utf-8")
        PLOT.write_text(_readme_plot(document), encoding="utf-8")
        print(f"wrote the tables of README.md and {PLOT.relative_to(ROOT)}")
    else:  # rendered all the same, so that a fault in it shows
        readme_section(document)
    file = WORK / f"{Path(path).stem}.html"
    file.write_text(page(document), encoding="utf-8")
    print(f"wrote {os.path.relpath(file, ROOT)}")


def main(options):
    path = Path(options.results) if options.results else newest()
    if not options.check:
        publish(path)
        return 0
    text = README.read_text(encoding="utf-8")
    if _with_section(text, readme_section(load(path))) != text:
        print(f"README.md does not show {path.name}: python3 benches/compare report", file=sys.stderr)
        return 1
    print(f"the tables of README.md are those of {path.name}")
    return 0
