"""SVG plots of a run's curves. They read on light and on dark ground: text and axes take the page's own colour, which
is that of the reader's theme where the file stands alone."""

import io
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

#: What is written for the page's colour.
_INK = "#010203"
#: Of enough contrast on white and on black.
_COLORS = ["#1f77d4", "#d9661f", "#2e9e4f", "#a05fd6", "#c9477f", "#1a9aa0"]
_LIMIT = "#808080"

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "voxlane",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _LIMIT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
}

_STYLE = """<style>
svg.plot { color: #1f2328; font-family: system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg.plot { color: #e6edf3 } }
</style>"""


def _threads(number):
    return f"{number} thread" if number == 1 else f"{number} threads"


def _points(document, curve, name, threads):
    """Where a line goes: pairs of place on the axis and seconds, from the rows that were measured."""
    found = {
        row["case"]: row["median"]
        for row in document["rows"]
        if row["contestant"] == name and row["threads"] == threads and "failed" not in row
    }
    return [(x, found[case]) for x, case in curve["cases"] if case in found]


def _lines(document, curve):
    """Labels and points of a curve's lines."""
    if curve["axis"] != "threads":
        for name, threads in curve["lines"]:
            yield f"{name}, {_threads(threads)}", _points(document, curve, name, threads)
        return
    names = dict.fromkeys(name for name, _ in curve["lines"])
    for name in names:
        places = [threads for other, threads in curve["lines"] if other == name]
        points = [(threads, seconds) for threads in places for _, seconds in _points(document, curve, name, threads)]
        yield name, points


def _limits(document, curve):
    """Labels and points of what the machine allows; see c/limits.c."""
    measured = {int(threads): limit for threads, limit in document["limits"].items()}
    cases = [(x, document["cases"][name]) for x, name in curve["cases"] if name in document["cases"]]
    if curve["axis"] == "threads":
        places = [(threads, cases[0][1], limit) for threads, limit in sorted(measured.items())] if cases else []
        suffix = ""
    else:
        most = max(measured)
        places = [(x, case, measured[most]) for x, case in cases]
        suffix = f", {_threads(most)}"
    if not cases:
        return
    if cases[0][1]["kernel"] == "labels":
        points = [(x, 1e-9 * case["voxels"] * limit["copy_ns_per_voxel"]) for x, case, limit in places]
        yield f"limit: read f32, write u8{suffix}", points
        return
    points = [(x, 1e-9 * case["voxels"] * limit["zero_ns_per_voxel"]) for x, case, limit in places]
    yield f"limit: zero the grid{suffix}", points
    points = [
        (x, 1e-9 * case["count"] * case["width"] ** 3 / limit["multiply_adds_per_ns"]) for x, case, limit in places
    ]
    yield f"limit: multiply-adds in registers{suffix}", points


def _draw(axes, document, curve):
    for (label, points), color in zip(_lines(document, curve), _COLORS):
        if points:
            axes.plot(*zip(*points), "o-", color=color, markersize=4, linewidth=1.5, label=label)
    for (label, points), style in zip(_limits(document, curve), ("--", ":")):
        axes.plot(*zip(*points), style, color=_LIMIT, linewidth=1.2, label=label)
    axes.set(xscale="log", yscale="log", xlabel=curve["axis"], ylabel="seconds a call")
    axes.set_title(curve["title"], fontsize=10, loc="left")
    if curve["axis"] not in ("voxels", "centres"):  # a few places, not decades
        ticks = sorted({x for line in axes.lines for x in line.get_xdata()})
        axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    if axes.lines:  # a run of some rows only may have none
        axes.legend()


def _svg(figure, title):
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Title": title})
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    return re.sub(r"<svg ([^>]*)>", lambda match: f'<svg class="plot" role="img" {match[1]}>\n{_STYLE}', text, count=1)


def draw(document, curves, title):
    """An SVG of some curves side by side."""
    with plt.rc_context(_SETTINGS):
        figure, axes = plt.subplots(
            1, len(curves), figsize=(5.2 * len(curves), 3.8), layout="constrained", squeeze=False
        )
        for each, curve in zip(axes[0], curves):
            _draw(each, document, curve)
        return _svg(figure, title)
