"""The parts of report.html: a page that loads nothing else and holds no element of what it reports on."""

from collections.abc import Collection, Sequence
from html import escape

from .style import CSS
from .words import visible

# Not even what slipped through an escape could load or run anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, body: list[str]) -> str:
    """Return the page whose main part is `body`, which is HTML already; `title` is one of ours."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{title}</title>",
            f"<style>{CSS}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>\n",
        ]
    )


def request(prompt: str) -> list[str]:
    """Return what was asked for, quoted; nothing for an empty prompt."""
    if not prompt.strip():
        return []
    quote = "\n".join(escape(visible(line, len(line))) for line in prompt.strip().splitlines())
    return [f"<h2>Request</h2>\n<blockquote>{quote}</blockquote>"]


def figures(overview: list[tuple[str, str]]) -> str:
    """Return the headline figures: a label and a value each."""
    shown = "\n".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in overview)
    return f'<h2 class="overview">Overview</h2>\n<dl class="figures">\n{shown}\n</dl>'


def table(
    label: str,
    header: list[str],
    rows: Sequence[Sequence[str | None]],
    numbers: Collection[str] = (),
    wide: Collection[str] = (),
    *,
    row_header: bool = False,
) -> str:
    """Return a table of plain text; the columns in `numbers` are set to the right, those in `wide` may wrap.

    With `row_header` the first cell of a row names it; only then are columns set apart.
    """
    kinds = [_kind(name, numbers, wide) if row_header else "" for name in header]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(header, kinds, strict=True))
    lines = []
    for row in rows:
        cells = [_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)]
        if row_header:
            cells[0] = f'<th scope="row"{kinds[0]}>{escape(row[0] or "")}</th>'
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    # Can be focused, so that it can be scrolled without a mouse.
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _kind(name: str, numbers: Collection[str], wide: Collection[str]) -> str:
    return ' class="number"' if name in numbers else ' class="wide"' if name in wide else ""


def _cell(cell: str | None, kind: str) -> str:
    if cell is None:
        return '<td class="empty"><i>empty</i></td>'
    return f"<td{kind}>{escape(cell)}</td>"
