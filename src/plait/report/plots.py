"""Plots as inline SVG that follow the page's colours, light or dark."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # imported where something is drawn: most commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

INK = "#123456"  # stands for the page's text colour until the SVG is in the page
# Of Okabe and Ito: told apart by readers who see few colours, on white and on black.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7f7f7f", "#56b4e9"]
MARKERS = "osD^vPX*"  # shapes besides colours
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "svg.hashsalt": "plait",
}


def lines(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """Curves: name → (x, y) points."""
    from matplotlib.ticker import MaxNLocator

    def draw(axes: "Axes") -> None:
        for colour, shape, (name, points) in zip(COLOURS * 9, MARKERS * 9, series.items(), strict=False):
            x, y = zip(*points, strict=True) if points else ((), ())
            every = max(1, len(x) // 20)  # a mark at each of hundreds of points would hide the curve
            axes.plot(x, y, color=colour, marker=shape, markersize=3.5, markevery=every, linewidth=1.6, label=name)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(True)
        if len(series) > 1:
            _legend_beside(axes)

    return _svg(draw, 5.2, 3.0)


def levels(
    series: Mapping[str, Sequence[float]], steps: Sequence[str], y_label: str, limits: tuple[float, float]
) -> str:
    """Scores step by step, the steps evenly spaced: name → a score a step; `limits` of the scores' axis."""

    def draw(axes: "Axes") -> None:
        for colour, shape, (name, scores) in zip(COLOURS * 9, MARKERS * 9, series.items(), strict=False):
            axes.plot(range(len(steps)), scores, color=colour, marker=shape, markersize=3.5, linewidth=1.6, label=name)
        axes.set_xticks(range(len(steps)), steps)
        axes.set_ylabel(y_label)
        axes.set_ylim(*limits)
        axes.grid(True)
        _legend_beside(axes)

    return _svg(draw, 5.2, 2.6)


def confusion(counts: np.ndarray, classes: Sequence[Any]) -> str:
    """Rows are the truth, columns the answers; shaded by the share of the truth's row."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(axes: "Axes") -> None:
        axes.imshow(share, cmap=_transparent_to(COLOURS[0]), vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        names = [name if len(name) <= 18 else name[:17] + "…" for name in map(str, classes)]
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("answered")
        axes.set_ylabel("true")
        if len(names) <= 16:
            for (row, column), count in np.ndenumerate(counts):
                colour = "white" if share[row, column] > 0.6 else INK
                axes.text(
                    column, row, f"{int(count):,}" if count else "", ha="center", va="center", color=colour, size=8
                )

    side = min(9.0, 2.2 + 0.42 * len(classes))
    return _svg(draw, side * 1.15, side)


def reliability(sure: np.ndarray, right: np.ndarray, rows: np.ndarray) -> str:
    """How often answers are right against how likely they are held; the larger a point, the more rows it stands for."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.5, label="means what it says")
        axes.plot(sure, right, color=COLOURS[0], linewidth=1.2)
        axes.scatter(sure, right, s=12 + 160 * rows / rows.max(), color=COLOURS[0], alpha=0.7, label="answers")
        axes.set_xlabel("probability of the answer")
        axes.set_ylabel("share that is right")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.grid(True)
        _legend_beside(axes)

    return _svg(draw, 4.2, 3.6)


def scatter(truth: np.ndarray, predicted: np.ndarray, most: int = 2000) -> str:
    """Predictions against the truth, with the line where they are equal."""
    chosen = np.linspace(0, len(truth) - 1, min(most, len(truth))).astype(int)

    def draw(axes: "Axes") -> None:
        low, high = float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))
        axes.plot([low, high], [low, high], color=INK, linewidth=0.8, alpha=0.5)
        axes.plot(truth[chosen], predicted[chosen], ".", color=COLOURS[0], alpha=0.5, markersize=4)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
        axes.grid(True)

    return _svg(draw, 4.2, 3.6)


def histogram(values: np.ndarray, label: str) -> str:
    """How often."""

    def draw(axes: "Axes") -> None:
        low, high = float(values.min()), float(values.max())
        apart = high - low > 1e-9 * max(1.0, abs(low))  # numbers that differ by rounding only are one
        bins = min(50, max(10, len(values) // 20))
        axes.hist(values, bins=bins, range=None if apart else (low - 0.5, low + 0.5), color=COLOURS[0])
        axes.set_xlabel(label)
        axes.set_ylabel("rows")
        axes.grid(True, axis="y")

    return _svg(draw, 4.2, 3.6)


def bars(values: Mapping[str, float], x_label: str, low: float = 0.0) -> str:
    """Horizontal bars with their numbers."""

    def draw(axes: "Axes") -> None:
        names = list(values)[::-1]
        drawn = axes.barh(names, [values[name] for name in names], color=COLOURS[0], height=0.62)
        axes.bar_label(drawn, fmt="%.3f", padding=4, color=INK)
        axes.set_xlabel(x_label)
        axes.set_xlim(low, max(max(values.values()) * 1.15, low + 0.01))  # all may be zero

    return _svg(draw, 5.6, 0.8 + 0.42 * len(values))


Span = tuple[float, float, str, float]


def timelines(recordings: Sequence[tuple[list[Span], list[Span]]], labels: Sequence[str]) -> str:
    """What happens when, above the line what is true and below what is found, the paler the less certain.

    Args:
        recordings: true and found events: start, end, label, score.
        labels: all of them.
    """

    def draw(axes: "Axes") -> None:
        colour = {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(labels)}
        last = max((end for sides in recordings for side in sides for _, end, _, _ in side), default=1.0) or 1.0
        for lane, sides in enumerate(recordings):
            axes.axhline(-lane, color=INK, linewidth=0.6)
            for side, base in zip(sides, (0.04, -0.34), strict=True):
                for start, end, label, score in side:
                    width = max(end - start, 0.006 * last)  # a moment is seen, too
                    bar = [(start - (width - (end - start)) / 2, width)]
                    axes.broken_barh(bar, (base - lane, 0.3), color=colour[label], alpha=0.25 + 0.75 * score)
        for label in labels if 1 < len(labels) <= 12 else ():
            axes.plot([], [], color=colour[label], linewidth=6, label=label)
        if 1 < len(labels) <= 12:
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
        axes.set_ylim(0.5 - len(recordings), 0.5)
        axes.set_yticks([])
        axes.set_xlabel("seconds: above the line true, below found")

    return _svg(draw, 6.4, 0.9 + 0.34 * len(recordings))


KINDS = {  # kind of a compared model → colour, shape
    "single": (COLOURS[1], "s"),
    "subset": (COLOURS[6], "P"),
    "fusion": (COLOURS[0], "o"),
    "closed_form": (COLOURS[3], "D"),
    "boosted": (COLOURS[2], "^"),
    "ensemble": (COLOURS[4], "*"),
    "baseline": (COLOURS[5], "X"),
}


def intervals(
    values: Mapping[str, tuple[float, float, float, str]], x_label: str, reference: tuple[str, float] | None = None
) -> str:
    """Scores with their intervals, the first on top: name → (score, low, high, kind); a line at a named score."""

    def draw(axes: "Axes") -> None:
        names = list(values)[::-1]
        for height, name in enumerate(names):
            score, low, high, kind = values[name]
            colour, shape = KINDS[kind]
            axes.plot([low, high], [height, height], color=colour, linewidth=2.0, solid_capstyle="round")
            axes.plot(score, height, shape, color=colour, markersize=7 if shape == "*" else 5)
        if reference is not None:
            axes.axvline(reference[1], color=INK, linewidth=0.8, linestyle=":", alpha=0.7, label=reference[0])
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.set_xlabel(x_label)
        axes.grid(True, axis="x")
        _legend_of_kinds(axes, {kind for *_, kind in values.values()})

    return _svg(draw, 6.4, 1.6 + 0.25 * len(values))


def cost(values: Mapping[str, tuple[float, float, str]], x_label: str, y_label: str, named: Sequence[str]) -> str:
    """Score against cost on a logarithmic scale: name → (cost, score, kind); only some points are `named`."""

    def draw(axes: "Axes") -> None:
        placed: list[tuple[float, float]] = []  # of names, in shares of the axes
        widest = np.ptp(np.log([spent for spent, *_ in values.values()])) or 1.0
        highest = np.ptp([score for _, score, _ in values.values()]) or 1.0
        for name, (spent, score, kind) in values.items():
            colour, shape = KINDS[kind]
            axes.plot(spent, score, shape, color=colour, markersize=8 if shape == "*" else 6)
            at = (float(np.log(spent) / widest), score / highest)
            crowded = any(abs(at[0] - x) < 0.3 and abs(at[1] - y) < 0.05 for x, y in placed)
            if name in named and not crowded:
                placed.append(at)
                axes.annotate(name, (spent, score), xytext=(5, 5), textcoords="offset points", fontsize=8)
        axes.set_xscale("log")
        for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            formatter("{x:g}")
        axes.tick_params(axis="x", which="minor", labelsize=7)
        axes.margins(x=0.14, y=0.1)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(True)
        _legend_of_kinds(axes, {kind for *_, kind in values.values()})

    return _svg(draw, 6.4, 4.4)


def knowledge(alone: Mapping[str, float], together: float, ceiling: float | None, x_label: str) -> str:
    """What each modality knows, laid end to end above what all know together; a line at the most there is to know."""

    def draw(axes: "Axes") -> None:
        begun = 0.0
        for number, (name, bits) in enumerate(alone.items()):
            colour, width = COLOURS[number % len(COLOURS)], max(bits, 0.0)
            hatch = ["", "///", "...", "xxx"][number % 4]
            label = f"{name} {bits:.2f}"
            axes.barh("each alone", width, left=begun, color=colour, hatch=hatch, height=0.55, label=label)
            begun += width
        axes.barh("together", max(together, 0.0), color=COLOURS[5], height=0.55, label=f"together {together:.2f}")
        if ceiling is not None:
            axes.axvline(ceiling, color=INK, linewidth=0.9, linestyle=":", label=f"all there is {ceiling:.2f}")
        axes.invert_yaxis()
        axes.set_xlabel(x_label)
        axes.set_xlim(0, max(begun, together, ceiling or 0.0, 0.01) * 1.04)
        axes.grid(True, axis="x")
        _legend_beside(axes)

    return _svg(draw, 6.4, 2.3)


def _legend_of_kinds(axes: "Axes", kinds: set[str]) -> None:
    for kind, (colour, shape) in KINDS.items():
        if kind in kinds:
            axes.plot([], [], shape, color=colour, label=kind.replace("_", " "))
    _legend_beside(axes)


def _legend_beside(axes: "Axes") -> None:
    """A legend above the plot, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, min(len(labels), int(70 / (6 + max((len(label) for label in labels), default=1)))))
    box: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "frameon": False, "borderaxespad": 0.2}
    axes.legend(handles, labels, ncols=columns, fontsize=8, **box)


def _svg(draw: Callable[["Axes"], None], width: float, height: float) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.subplots()
        axes.patch.set_alpha(0)
        draw(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)  # links to vocabularies
    return svg[svg.index("<svg") :].replace(INK, "currentColor")


def _transparent_to(colour: str) -> "Colormap":
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    red, green, blue = to_rgb(colour)
    return LinearSegmentedColormap.from_list("ink", [(red, green, blue, 0), (red, green, blue, 1)])
