"""charts: numbers -> small SVG pictures that take their colours from the page, in light and dark.

Coordinates are rounded to a tenth of a pixel, so the same numbers give the same bytes.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 34  # px around a plot


class Axis:
    """Values -> pixels, linear, with ticks at round numbers."""

    def __init__(self, low: float, high: float, first: float, last: float, count: int = 5) -> None:
        self._low, self._high = low, high if high > low else low + 1
        self._first, self._last = first, last
        step = _round_step((self._high - self._low) / count)
        start = math.ceil(self._low / step - 1e-9)
        stop = math.floor(self._high / step + 1e-9)
        self.ticks = [round(i * step, 10) for i in range(start, stop + 1)]

    def __call__(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(self._first + min(1.0, max(0.0, share)) * (self._last - self._first), 1)


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_name: str,
    y_name: str,
    y_range: tuple[float, float],
    mark: float | None = None,
    size: tuple[int, int] = (460, 240),
) -> Markup:
    """Named lines through points. mark: an x to draw a dashed line at."""
    points = [point for line in series.values() for point in line]
    width, height = size
    x = Axis(min(p[0] for p in points), max(p[0] for p in points), _LEFT, width - _RIGHT, 6)
    y = Axis(*y_range, height - _BOTTOM, _TOP)
    parts = [_frame(x, y, x_name, y_name, size)]
    if mark is not None:
        parts.append(
            f'<line class="mark" x1="{x(mark)}" x2="{x(mark)}" y1="{_TOP}" y2="{y._first}"/>'
        )
    for i, line in enumerate(series.values()):
        path = " ".join(f"{x(px)},{y(py)}" for px, py in line)
        parts.append(f'<polyline class="line s{i}" points="{path}"/>')
    return _picture(parts, size, f"{y_name} over {x_name}", list(series))


def reliability(bins: Sequence[tuple[float, float, int]]) -> Markup:
    """A reliability diagram. bins: (mean confidence, accuracy, clips)"""
    size = (300, 300)
    x, y = Axis(0, 1, _LEFT, size[0] - _RIGHT), Axis(0, 1, size[1] - _BOTTOM, _TOP)
    most = max(count for _, _, count in bins)
    parts = [
        _frame(x, y, "confidence", "share that is right", size),
        f'<line class="mark" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>',
    ]
    path = " ".join(f"{x(confidence)},{y(right)}" for confidence, right, _ in bins)
    parts.append(f'<polyline class="line s0" points="{path}"/>')
    for confidence, right, count in bins:
        radius = round(3 + 7 * math.sqrt(count / most), 1)
        title = f"{count} clips: confidence {confidence:.2f}, right {right:.2f}"
        parts.append(
            f'<circle class="dot s0" cx="{x(confidence)}" cy="{y(right)}" r="{radius}">'
            f"<title>{title}</title></circle>"
        )
    return _picture(parts, size, "Share that is right over confidence", [])


def whisker(low: float, value: float, high: float, start: float, limit: float | None) -> Markup:
    """A value with its interval on a line from `start` to 1, and the limit as a tick."""
    x = Axis(start, 1, 6, 234)
    parts = [
        f'<line class="axis" x1="{x(start)}" x2="{x(1)}" y1="14" y2="14"/>',
        f'<line class="interval" x1="{x(low)}" x2="{x(high)}" y1="14" y2="14"/>',
        f'<circle class="dot s0" cx="{x(value)}" cy="14" r="5"/>',
    ]
    if limit is not None and limit >= start:
        parts.append(f'<line class="limit" x1="{x(limit)}" x2="{x(limit)}" y1="4" y2="24"/>')
    name = f"{value:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    return _picture(parts, (240, 28), name, [])


def _frame(x: Axis, y: Axis, x_name: str, y_name: str, size: tuple[int, int]) -> str:
    width, height = size
    bottom = height - _BOTTOM
    rows = [
        f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text x="{_LEFT - 7}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>'
        for tick in y.ticks
    ]
    columns = [
        f'<text x="{x(tick)}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
        for tick in x.ticks
    ]
    names = (
        f'<text class="name" x="{width - _RIGHT}" y="{height - 3}" text-anchor="end">'
        f"{escape(x_name)}</text>"
        f'<text class="name" transform="translate(11 {_TOP}) rotate(-90)" text-anchor="end">'
        f"{escape(y_name)}</text>"
    )
    return "".join([*rows, *columns, names])


def _picture(parts: list[str], size: tuple[int, int], title: str, legend: list[str]) -> Markup:
    width, height = size
    keys = "".join(
        f'<span class="key"><i class="s{i}"></i>{escape(name)}</span>'
        for i, name in enumerate(legend)
    )
    # every text above is a number or escaped
    return Markup(  # noqa: S704
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
        + (f'<div class="legend">{keys}</div>' if legend else "")
    )


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 × 10ⁿ."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
