"""A Matplotlib figure as inline SVG whose colours are the page's own, in light and in dark."""

import atexit
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# About as wide as a phone, in inches of 72 units, so that text keeps its size on one.
_SIZE = (4.9, 2.8)

# Stand for the page's colours while Matplotlib, which knows no CSS, draws.
INK, MUTED, LINE, ACCENT, CONTRAST = "#010203", "#010204", "#010205", "#010206", "#010207"
_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    CONTRAST: "var(--contrast)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font and can be searched
    "text.parse_math": False,  # a "$" in a name is a "$"
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "font.size": 10.5,
    "figure.constrained_layout.use": True,
}


def draw(plot: Callable[["Axes"], None], salt: str) -> str:
    """Return what `plot` draws on a pair of axes as an <svg> element, the same on every call.

    `salt` keeps the ids of several drawings on one page apart.
    """
    _prepare()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with (
        rc_context(_STYLE | {"svg.hashsalt": salt}),
        warnings.catch_warnings(),
        StringIO() as file,
    ):
        # Text in a script that no font here has is still drawn, by the reader's browser.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=_SIZE)
        plot(figure.add_subplot())
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
        text = file.getvalue()
    text = re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"<[^<>]+>", _tag, text)


@cache
def _prepare() -> None:
    # Matplotlib keeps a list of fonts; the home folder is not its to write to.
    folder = tempfile.TemporaryDirectory(prefix="matplotlib-")
    atexit.register(folder.cleanup)
    os.environ.setdefault("MPLCONFIGDIR", folder.name)
    os.environ.setdefault("MPLBACKEND", "Agg")
    # It warns when making that list takes long, or when a font is not there.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)


def _tag(found: re.Match[str]) -> str:
    tag = found[0]
    if tag.startswith("<svg"):
        area = re.search(r'viewBox="[^"]*"', tag)
        return f'<svg {area[0] if area else ""} aria-hidden="true" focusable="false">'
    if tag.startswith("<g id="):
        # Such ids are the same in every drawing, and nothing refers to them.
        return "<g/>" if tag.endswith("/>") else "<g>"
    for stand_in, colour in _COLOURS.items():
        tag = tag.replace(stand_in, colour)
    return re.sub(r"font-family: [^;\"]*;?", "", tag).replace("xlink:href", "href")
