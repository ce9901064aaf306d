"""Compute the positions of a chart's marks: plain numbers for an SVG template. Pure.

A chart is drawn in a box of its own units and stretched to the page, so it holds no words;
those are around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 900, 120


@dataclass(frozen=True)
class Bar:
    """One bar: its corner, its size, which series it belongs to."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bars:
    """Bars side by side for each group, and the upper end of the scale."""

    bars: Sequence[Bar]
    top: int  # the value at the upper edge

    @property
    def view_box(self) -> str:
        return f"0 0 {WIDTH} {HEIGHT}"

    @property
    def middle(self) -> float:
        return HEIGHT / 2


def grouped_bars(series: dict[str, Sequence[int]]) -> Bars:
    """Place the bars of ``series``, by name, as many values in each; zero has no bar."""
    longest = max((len(values) for values in series.values()), default=0)
    top = round_up(max((value for values in series.values() for value in values), default=0))
    slot = WIDTH / longest if longest else WIDTH
    width = slot * 0.8 / len(series) if series else slot
    bars = [
        Bar(
            series=name,
            x=round(place * slot + slot * 0.1 + number * width, 2),
            y=round(HEIGHT - value * HEIGHT / top, 2),
            width=round(width * 0.9, 2),
            height=round(value * HEIGHT / top, 2),
        )
        for number, (name, values) in enumerate(series.items())
        for place, value in enumerate(values)
        if value
    ]
    return Bars(bars=bars, top=top)


def round_up(value: int) -> int:
    """Round up to the next of 1, 2, 5, 10, 20, 50 ...: the end of a scale."""
    step = 1
    while True:
        for times in (1, 2, 5):
            if times * step >= value:
                return times * step
        step *= 10


def shares(values: Sequence[int]) -> list[float]:
    """Each value as a percentage of the largest one."""
    most = max(values, default=0)
    return [round(100 * value / most, 1) if most else 0.0 for value in values]
