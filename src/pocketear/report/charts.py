"""charts: tables -> Matplotlib figures, each drawn once: inline SVG on the page, PNG for MLflow.

Figures are drawn in the light colours of templates/base.css. In an SVG each of them becomes the
CSS variable that it is the value of, so that a picture follows the page in light and dark.
"""

import colorsys
import functools
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from pocketear.contracts.metrics import Metrics
from pocketear.report.tables import count_pairs, read_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_PX = 1 / 72  # inches: an SVG of Matplotlib has 72 units an inch
_DPI = 150  # of a PNG
_FONT_PX, _ROW_PX, _KEY_PX, _LETTER_PX = 11, 17, 36, 6.4  # of a legend's text, row, key, letter
_LONGEST = 40  # letters of a label in a picture
_HUES = ("blue", "amber", "green", "violet", "red")  # of the first series
_DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
_DASHED = (0, (4, 4))  # of a reference
_GOLDEN = (5**0.5 - 1) / 2  # hues a golden angle apart never meet, however many there are
_HEX_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_FONT_FAMILY = re.compile(r"font-family:[^;]*(;|$)")


def confusion_matrix(counts: NDArray[np.int64], labels: Sequence[str]) -> "Figure":
    """counts: (true label, predicted label); shaded by the share of each true label."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names, side = [*map(_printable, labels)], 150 + 44 * len(labels)
    with _styled():
        figure, axes = _plot("predicted", "true", (side + 20, side))
        axes.grid(visible=False)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        for (row, column), count in np.ndenumerate(counts):
            colour = "#ffffff" if shares[row, column] > 0.5 else _theme()["text"]
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure


def reliability(bins: pd.DataFrame) -> "Figure":
    """How often the model is right at each confidence. bins: of `evaluation.metrics.reliability`

    A dot's area grows with the clips in its bin, where the table counts them.
    """
    clips = bins.get("clips", pd.Series(1, bins.index))
    theme = _theme()
    with _styled():
        figure, axes = _plot("confidence", "accuracy", (300, 300))
        axes.plot([0, 1], [0, 1], color=theme["soft"], linestyle=_DASHED, linewidth=1)
        axes.plot(bins["confidence"], bins["accuracy"], color=theme["blue"])
        axes.scatter(
            bins["confidence"], bins["accuracy"], s=30 + 220 * clips / clips.max(), zorder=3,
            color=theme["blue"], edgecolor=theme["card"], clip_on=False,
        )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    return figure


def training_curve(history: pd.DataFrame, figure_name: str) -> "Figure":
    """A figure of training and validation by epoch; dashed: the lowest validation loss.

    history: a row an epoch; figure_name: loss | accuracy
    """
    from matplotlib.ticker import MaxNLocator

    columns = {"training": figure_name, "validation": f"val_{figure_name}"}
    series = {
        side: history[["epoch", column]].to_numpy(float)
        for side, column in columns.items()
        if column in history
    }
    values = np.concatenate([points[:, 1] for points in series.values()])
    if figure_name == "accuracy":
        y_range = (max(0.0, float(np.nanmin(values)) - 0.05), 1.0)
    else:
        # A first epoch may be far above all others: then it leaves the picture.
        y_range = (0.0, max(1e-9, float(np.nanpercentile(values, 98)) * 1.05))
    figure = _curves(series, ("epoch", figure_name), y_range)
    best = int(history["val_loss"].fillna(np.inf).to_numpy(float).argmin())
    epoch, soft = float(history["epoch"].iloc[best]), _theme()["soft"]
    (axes,) = figure.axes
    axes.axvline(epoch, color=soft, linestyle=_DASHED, linewidth=1, zorder=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def alarm_curves(points: pd.DataFrame) -> "Figure":
    """Misses against false alarms an hour: a line a label, from the highest threshold down."""
    sounding = points.dropna(subset=["misses"])
    falling = sounding.sort_values("threshold", ascending=False, kind="stable")
    series = {
        str(label): rows[["false_alarms_per_hour", "misses"]].to_numpy(float) * (1, 100)
        for label, rows in falling.groupby("label", sort=False)
    }
    figure = _curves(series, ("false alarms per hour", "missed, %"), (0.0, 100.0))
    most = falling["false_alarms_per_hour"].max()
    (axes,) = figure.axes
    axes.set_xlim(0, max(1.0, 1.05 * float(most)))
    for line in axes.lines:
        line.set_clip_on(False)  # a model without false alarms is a line on the axis itself
    return figure


def cost_front(
    points: pd.DataFrame, budget: float | None = None, names: Sequence[str] = ()
) -> "Figure":
    """Accuracy against instructions of a listening second: every recipe that was tried, and a line
    through those that no other beats.

    points: accuracy (0 to 1), instructions, on_front, one row a recipe; names: of all of them
    """
    theme = _theme()
    with _styled():
        figure, axes = _plot("million instructions a second", "accuracy, %", (560, 360))
        by_cost = points.assign(name=[*names] or "").sort_values("instructions", kind="stable")
        cost, share = by_cost["instructions"] / 1e6, 100 * by_cost["accuracy"]
        best = by_cost["on_front"]
        axes.plot(cost, share, "o", color=theme["soft"], markersize=5)
        axes.plot(
            cost[best], share[best], "o-", color=theme["blue"], drawstyle="steps-post", markersize=7
        )
        for x, y, name in zip(cost, share, by_cost["name"], strict=True):
            axes.annotate(
                _printable(name), (x, y), xytext=(6, -10), textcoords="offset points",
                color=theme["text"],
            )  # fmt: skip
        if budget:
            axes.axvline(budget / 1e6, color=theme["text"], linestyle=_DASHED, linewidth=1)
        axes.set_xlim(left=0)
    return figure


def save_svg(figure: "Figure", path: Path) -> None:
    """Write a figure to a new file of its own: the same figure gives the same bytes."""
    with _styled({"svg.fonttype": "none", "svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})


def png(figure: "Figure", path: Path) -> None:
    """Write a figure to a new file."""
    with _styled():
        figure.savefig(path, dpi=_DPI)


def accuracy_whisker(metrics: Metrics, start: float, limit: float) -> "Figure":
    """Accuracy with its interval on a line from `start` to 1; a tick at the limit."""
    theme = _theme()
    with _styled():
        figure = _figure((240, 28))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        margin = (1 - start) * 6 / 228  # px, so that a dot at an end is whole
        axes.set(xlim=(start - margin, 1 + margin), ylim=(0, 28))
        ends = [metrics.accuracy_low, metrics.accuracy_high]
        axes.plot([start, 1], [14, 14], color=theme["rule"])
        axes.plot(ends, [14, 14], color=theme["blue"], linewidth=4, alpha=0.4)
        axes.plot(metrics.accuracy, 14, "o", color=theme["blue"], markersize=9)
        axes.plot([limit, limit], [4, 24], color=theme["text"])
    return figure


def svg(figure: "Figure", name: str, title: str) -> Markup:
    """A figure as inline SVG: the same figure gives the same bytes.

    name: another for each picture of a page, so that their ids differ; title: for screen readers
    """
    content = io.StringIO()
    with _styled({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(content, format="svg", transparent=True)
    picture = _for_html(ElementTree.fromstring(content.getvalue()))  # noqa: S314  our own
    picture.set("role", "img")
    picture.set("aria-label", title)
    # ElementTree escapes every text and attribute.
    return Markup(ElementTree.tostring(picture, encoding="unicode"))  # noqa: S704


def draw_all(reports: Path, folder: Path) -> None:
    """Write a PNG to `folder` of each table in `reports` that can be drawn.

    raises: DataError if a table is there and is not what its stage writes
    """
    evaluation, training = reports / "evaluation", reports / "training"
    for path, columns, drawings in (
        (evaluation / "confusion.csv", ("actual", "predicted"), {"confusion": _confusion_of}),
        (evaluation / "calibration.csv", ("confidence", "accuracy"), {"calibration": reliability}),
        (evaluation / "alarms.csv", ("label", "threshold", "misses", "false_alarms_per_hour"),
         {"alarms": alarm_curves}),
        (training / "history.csv", ("epoch", "loss", "accuracy", "val_loss"),
         {name: functools.partial(training_curve, figure_name=name)
          for name in ("loss", "accuracy")}),
    ):  # fmt: skip
        if not path.exists():
            continue
        table = read_table(path, columns)
        for name, draw in drawings.items():
            png(draw(table), folder / f"{name}.png")


def _confusion_of(clips: pd.DataFrame) -> "Figure":
    """clips: actual and predicted label of each"""
    labels = sorted({*clips["actual"], *clips["predicted"]})
    return confusion_matrix(count_pairs(clips["actual"], clips["predicted"], labels), labels)


def _curves(
    series: Mapping[str, NDArray[np.float64]], names: tuple[str, str], y_range: tuple[float, float]
) -> "Figure":
    """A line a series. series: name -> (point, x and y); names: of x and y"""
    labels, width = [*map(_printable, series)], 460
    columns = max(1, int(width // (_KEY_PX + _LETTER_PX * max(map(len, labels), default=1))))
    rows = -(-len(labels) // columns)
    with _styled():
        figure, axes = _plot(*names, (width, 230 + _ROW_PX * rows))
        axes.set_ylim(y_range)
        handles = [_line(axes, points, i) for i, points in enumerate(series.values())]
        if handles:
            keys = figure.legend(
                handles, ["x"] * len(labels), loc="outside lower left",
                ncols=min(columns, len(labels)),
            )  # fmt: skip
            # Set afterwards: Matplotlib leaves out a label that begins with an underscore.
            for key, label in zip(keys.get_texts(), labels, strict=True):
                key.set_text(label)
    return figure


def _line(axes: "Axes", points: NDArray[np.float64], number: int) -> "Line2D":
    style = _DASHES[number // len(_HUES) % len(_DASHES)]
    dot = "o" if len(points) == 1 else ""  # a line of one point is not seen
    colour = _series_colour(number)
    (line,) = axes.plot(*points.T, color=colour, linestyle=style, marker=dot)
    return line


def _series_colour(number: int) -> str:
    if number < len(_HUES):
        return _theme()[_HUES[number]]
    hue = (0.5 + _GOLDEN * (number - len(_HUES))) % 1
    return _hex(colorsys.hls_to_rgb(hue, 0.36, 0.7))


def _plot(x: str, y: str, size: tuple[int, int]) -> tuple["Figure", "Axes"]:
    """Axes with names. size: px"""
    figure = _figure(size)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _figure(size: tuple[int, int]) -> "Figure":
    from matplotlib.figure import Figure

    width, height = size
    return Figure((width * _PX, height * _PX))


@contextmanager
def _styled(also: dict[str, Any] | None = None) -> Iterator[None]:
    """What figures are drawn and written with, whatever this machine's own settings are."""
    import matplotlib.style

    theme = _theme()
    settings: dict[str, Any] = {
        "font.size": _FONT_PX,
        "text.color": theme["text"],
        "text.parse_math": False,  # a label with two dollar signs is no formula
        "axes.labelcolor": theme["text"],
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": theme["rule"],
        "lines.linewidth": 2,
        "lines.solid_capstyle": "round",
        "legend.frameon": False,
        "legend.labelcolor": theme["soft"],
    }
    settings |= {f"axes.spines.{side}": False for side in ("left", "right", "top", "bottom")}
    for axis in ("xtick", "ytick"):
        settings |= {f"{axis}.color": theme["rule"], f"{axis}.labelcolor": theme["soft"]}
        settings |= {f"{axis}.major.size": 0, f"{axis}.major.pad": 7}
    with warnings.catch_warnings(), matplotlib.style.context(["default", settings, also or {}]):
        # A page's own fonts have what Matplotlib's has not, such as Chinese.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        yield


@functools.cache
def _theme() -> dict[str, str]:
    """The light colours of the page: name -> #rrggbb"""
    css = Path(__file__).with_name("templates") / "base.css"
    pattern = r"--([a-z]+): light-dark\((#[0-9a-f]{6}),"
    return dict(re.findall(pattern, css.read_text(encoding="utf-8")))


def _for_html(root: ElementTree.Element) -> ElementTree.Element:
    """An SVG document as part of an HTML page: without namespaces, in its font and colours.

    Only attributes of style are changed, never text, in which a label may look like a colour.
    """
    _, _, width, height = root.attrib["viewBox"].split()
    viewed = {"viewBox": root.attrib["viewBox"], "width": width, "height": height}
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', ElementTree.tostring(root, "unicode")))
    for parent in root.iter():
        for child in list(parent):
            # The date of today, and a style that would be the whole page's.
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        kept = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        if kept.get("id") not in used:
            kept.pop("id", None)
        if "style" in kept:
            style = _FONT_FAMILY.sub("", kept["style"])
            kept["style"] = _HEX_COLOUR.sub(lambda found: _css_colour(found[0]), style).strip()
        element.attrib.clear()
        element.attrib.update(kept)
        element.tail = None
        element.text = element.text if element.tag == "text" else None
    root.attrib.clear()
    root.attrib.update(viewed)
    return root


def _css_colour(light: str) -> str:
    """The page's variable of a colour; of any other, with a lighter one for a dark page."""
    names = {colour: name for name, colour in _theme().items()}
    if light in names:
        return f"var(--{names[light]})"
    red, green, blue = (int(light[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    return f"light-dark({light}, {_hex(colorsys.hls_to_rgb(hue, 0.7, saturation))})"


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def _printable(label: str) -> str:
    """A label as a picture can hold it: in one line, not too long, without control characters."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(label))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
