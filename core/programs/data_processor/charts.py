"""The charts that suit a table."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.programs.shared.words import coefficient, figure, share, visible
from core.words import count

from . import svg
from .limits import SHOWN_CHARTS
from .profile import TableProfile, categories, informative
from .statistics import ColumnProfile, Histogram, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HISTOGRAMS, _BARS, _GROUPS, _HEAT_COLUMNS = 6, 4, 8, 8
_MIN_ROWS = 8  # fewer are seen as well in the table itself
_LABEL = 16  # characters of a label on an axis


@dataclass(frozen=True)
class Chart:
    """A chart to draw; title and description are not escaped."""

    title: str
    description: str  # what the picture shows, in words
    plot: Callable[["Axes"], None]

    def svg(self, salt: str) -> str:
        """Return the drawing as an <svg> element; `salt` keeps its ids apart on a page."""
        return svg.draw(self.plot, salt)


def of(table: TableProfile) -> list[Chart]:
    """Return the charts that suit a table, none drawn yet, at most SHOWN_CHARTS."""
    if table.rows < _MIN_ROWS:
        return []
    timed = [one for one in table.columns if one.timeline and len(one.timeline.starts) > 1]
    timed.sort(key=lambda one: -(one.distinct or 0))
    drawn = [_over_time(one, one.timeline) for one in timed[:1] if one.timeline]
    shaped = informative(table)[:_HISTOGRAMS]
    drawn += [_distribution(one, one.histogram) for one in shaped if one.histogram]
    drawn += [_groups(one) for one in categories(table)[:_BARS]]
    if table.correlations:
        drawn.append(_correlations(table))
    return drawn[:SHOWN_CHARTS]


def _over_time(column: ColumnProfile, line: Timeline) -> Chart:
    most = max(range(len(line.counts)), key=line.counts.__getitem__)
    return Chart(
        f"Rows per {line.period}, by {visible(column.name)}",
        f"Line of {len(line.counts):,} {line.period}s from {line.starts[0]} to "
        f"{line.starts[-1]}; the most is {count(line.counts[most], 'row')} from "
        f"{line.starts[most]}.",
        partial(_plot_line, line),
    )


def _plot_line(line: Timeline, axes: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    days = np.array(line.starts, "datetime64[D]")
    axes.plot(days, line.counts, color=svg.ACCENT, linewidth=2)
    axes.fill_between(days, line.counts, color=svg.ACCENT, alpha=0.14, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    dates = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(dates)
    _count_rows(axes, max(line.counts))


def _distribution(column: ColumnProfile, bins: Histogram) -> Chart:
    name = visible(column.name)
    highest = max(range(len(bins.counts)), key=bins.counts.__getitem__)
    low, high = bins.edges[highest], bins.edges[highest + 1]
    text = f"Histogram; the highest bar is {figure(low)} to {figure(high)} with {count(bins.counts[highest], 'row')}."
    title = f"Distribution of {name}"
    if bins.beyond:
        text += f" The far {share(bins.beyond, column.present)} of values is left out."
        title += f" (without the far {share(bins.beyond, column.present)})"
    return Chart(title, text, partial(_plot_histogram, bins))


def _plot_histogram(bins: Histogram, axes: "Axes") -> None:
    widths = [high - low for low, high in zip(bins.edges, bins.edges[1:], strict=False)]
    axes.bar(bins.edges[:-1], bins.counts, [0.92 * one for one in widths], align="edge",
             color=svg.ACCENT)  # fmt: skip
    axes.margins(x=0.01)
    axes.xaxis.set_major_formatter(partial(_short, _unit(max(map(abs, bins.edges)))))
    axes.locator_params(axis="x", nbins=7)
    _count_rows(axes, max(bins.counts))


def _groups(column: ColumnProfile) -> Chart:
    shown = column.top[:_GROUPS]
    rest = column.present - sum(rows for _, rows in shown)
    others = (column.distinct or 0) - len(shown)
    names = ", ".join(f"{value or '(blank)'} {share(rows, column.rows)}" for value, rows in shown)
    title = f"Rows by {visible(column.name)}"
    if others > 0:
        title += f" (top {len(shown)} of {column.distinct:,})"
        names += f"; {others:,} others {share(rest, column.rows)}"
    return Chart(title, f"Bars: {names}.", partial(_plot_bars, shown, column.rows))


def _plot_bars(shown: list[tuple[str, int]], rows: int, axes: "Axes") -> None:
    places = range(len(shown))
    bars = axes.barh(places, [one for _, one in shown], height=0.68, color=svg.ACCENT)
    axes.bar_label(bars, [share(one, rows) for _, one in shown], padding=4, color=svg.MUTED)
    axes.set_yticks(places, [visible(value, _LABEL) or "(blank)" for value, _ in shown])
    axes.tick_params(axis="y", labelcolor=svg.INK)
    axes.set_ylim(max(len(shown), 4) - 0.5, -0.5)
    axes.margins(x=0.16)
    axes.grid(False)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)


def _correlations(table: TableProfile) -> Chart:
    strongest = table.correlations[0]
    pairs = {frozenset((one.first, one.second)): one.r for one in table.correlations}
    among = dict.fromkeys(name for one in table.correlations for name in (one.first, one.second))
    names = [one.name for one in table.columns if one.name in [*among][:_HEAT_COLUMNS]]
    text = (
        f"Heat map of {len(names)} numeric columns; the strongest pair is "
        f"{visible(strongest.first)} and {visible(strongest.second)} "
        f"with {coefficient(strongest.r)}."
    )
    return Chart("Correlations", text, partial(_plot_heat_map, names, pairs))


def _plot_heat_map(names: list[str], pairs: dict[frozenset[str], float], axes: "Axes") -> None:
    from matplotlib.patches import Rectangle

    for row, first in enumerate(names):
        for place, second in enumerate(names):
            r = 1.0 if first == second else pairs.get(frozenset((first, second)))
            if r is None:
                continue
            colour = svg.LINE if row == place else svg.ACCENT if r >= 0 else svg.CONTRAST
            tint = 0.5 if row == place else 0.08 + 0.62 * abs(r)
            axes.add_patch(Rectangle((place - 0.47, row - 0.46), 0.94, 0.92, color=colour,
                                     alpha=tint, linewidth=0))  # fmt: skip
            axes.text(place, row, coefficient(r), ha="center", va="center",
                      fontsize=9.5)  # fmt: skip
    places = range(len(names))
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks(places, [visible(one, _LABEL) for one in names])
    if len(names) > 4:
        axes.tick_params(axis="x", rotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    axes.set_yticks(places, [visible(one, _LABEL) for one in names])
    axes.tick_params(length=0, labelcolor=svg.INK)
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)


def _count_rows(axes: "Axes", most: int) -> None:
    axes.locator_params(axis="y", integer=True)
    axes.yaxis.set_major_formatter(partial(_short, _unit(most)))


def _unit(largest: float) -> tuple[float, str]:
    for size, unit in ((1e15, ""), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if largest >= size:
            return (1e3 if unit == "k" else size if unit else 1), unit
    return 1, ""


def _short(unit: tuple[float, str], value: float, _: float) -> str:
    size, sign = unit
    return figure(value / size) + (sign if value else "")
