"""report.html: the report as one page that loads nothing else."""

from collections.abc import Callable
from html import escape

from . import charts
from .charts import Chart
from .limits import (
    PREVIEW_ROWS,
    SHOWN_CHARTS_IN_ALL,
    SHOWN_COLUMNS,
    SHOWN_UNREADABLE,
)
from .profile import TableProfile
from .report import (
    SAMPLE_HINT,
    SAMPLE_NOTE,
    SCHEMA,
    TITLE,
    Report,
    files_left_out,
    left_out,
    overview,
    schema,
)
from .style import CSS
from .words import count, visible

# Not even what slipped through an escape could load or run anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_NUMBERS = {"Missing", "Distinct", "Min", "Mean", "Median", "Max"}
_WIDE = {"Top values", "Reason"}


def page(report: Report, told: Callable[[int, int], None]) -> str:
    """Return the report as HTML; `told` hears charts drawn and charts in all."""
    planned = _planned(report)
    total = sum(map(len, planned))
    drawn = 0
    sections: list[str] = []
    for number, (table, findings) in enumerate(zip(report.shown, report.findings, strict=False), 1):
        figures: list[str] = []
        for chart in planned[number - 1]:
            figures.append(_figure(chart, f"chart-{drawn}"))
            drawn += 1
            told(drawn, total)
        sections.append(_file(number, table, findings, figures))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{TITLE}</title>",
            f"<style>{CSS}</style>",
            "</head>",
            "<body>",
            "<main>",
            *_head(report),
            *sections,
            *_unreadable(report),
            "</main>",
            "</body>",
            "</html>\n",
        ]
    )


def _planned(report: Report) -> list[list[Chart]]:
    planned: list[list[Chart]] = []
    left = SHOWN_CHARTS_IN_ALL
    for table in report.shown:
        planned.append(charts.of(table)[:left])
        left -= len(planned[-1])
    return planned


def _head(report: Report) -> list[str]:
    parts = ["<header>", f"<h1>{TITLE}</h1>"]
    if report.is_sample:
        parts.append(f'<p class="note"><strong>{SAMPLE_NOTE}</strong> {SAMPLE_HINT}</p>')
    if report.request.strip():
        quote = "\n".join(escape(visible(line, len(line))) for line in report.request.strip().splitlines())
        parts.append(f"<h2>Request</h2>\n<blockquote>{quote}</blockquote>")
    parts.append("</header>")
    figures = "\n".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in overview(report))
    parts.append(f'<h2 class="overview">Overview</h2>\n<dl class="figures">\n{figures}\n</dl>')
    if len(report.tables) > 1 or report.unreadable:
        parts.append(_contents(report))
    return parts


def _contents(report: Report) -> str:
    links = [
        f'<li><a href="#file-{number}">{escape(table.name)}</a> '
        f'<span class="muted">{count(table.rows, "row")}</span></li>'
        for number, table in enumerate(report.shown, 1)
    ]
    if report.unreadable:
        files = count(len(report.unreadable), "file")
        links.append(f'<li><a href="#unreadable">{files} could not be read</a></li>')
    note = files_left_out(report)
    more = f'<p class="muted">{note}</p>' if note else ""
    return f'<nav aria-label="Files"><h2>Files</h2><ul>{"".join(links)}</ul>{more}</nav>'


def _file(number: int, table: TableProfile, findings: list[str], figures: list[str]) -> str:
    parts = [
        f'<section id="file-{number}">',
        f"<h2>{escape(table.name)}</h2>",
        f'<p class="muted">{count(table.rows, "row")}, {count(len(table.columns), "column")}, '
        f"{count(table.duplicates, 'duplicate row')}</p>",
        *(f'<p class="hint">{escape(note)}</p>' for note in table.notes),
    ]
    if findings:
        items = "\n".join(f"<li>{escape(finding)}</li>" for finding in findings)
        parts.append(f"<h3>Findings</h3>\n<ul>\n{items}\n</ul>")
    if figures:
        parts.append('<h3>Charts</h3>\n<div class="charts">\n' + "\n".join(figures) + "\n</div>")
    parts.append("<h3>Columns</h3>")
    parts.append(_table("Columns", list(SCHEMA), schema(table), row_header=True))
    if left_out(table):
        parts.append(f'<p class="muted">{left_out(table)}</p>')
    shown = count(min(table.rows, PREVIEW_ROWS), "row")
    parts.append(f"<h3>First {shown}</h3>")
    names = [visible(column.name) for column in table.columns[:SHOWN_COLUMNS]]
    preview = [row[:SHOWN_COLUMNS] for row in table.preview]
    parts.append(_table(f"First {shown}", names, preview))
    return "\n".join([*parts, "</section>"])


def _figure(chart: Chart, salt: str) -> str:
    return (
        f"<figure><figcaption>{escape(chart.title)}</figcaption>\n"
        f'<div role="img" aria-label="{escape(chart.description)}">{chart.svg(salt)}</div>'
        "</figure>"
    )


def _unreadable(report: Report) -> list[str]:
    if not report.unreadable:
        return []
    rows: list[list[str | None]] = [[*one] for one in report.unreadable[:SHOWN_UNREADABLE]]
    title = "Files that could not be read"
    more = len(report.unreadable) - len(rows)
    return [
        '<section id="unreadable">',
        f"<h2>{title}</h2>",
        _table(title, ["File", "Reason"], rows, row_header=True),
        *([f'<p class="muted">{count(more, "more file")} in summary.json.</p>'] if more else []),
        "</section>",
    ]


def _table(
    label: str,
    header: list[str],
    rows: list[list[str | None]] | list[list[str]],
    row_header: bool = False,
) -> str:
    styles = [_style(name) if row_header else "" for name in header]
    head = "".join(f'<th scope="col"{style}>{escape(name)}</th>' for name, style in zip(header, styles, strict=True))
    lines = []
    for row in rows:
        cells = [_cell(cell, style) for cell, style in zip(row, styles, strict=True)]
        if row_header:
            cells[0] = f'<th scope="row">{escape(row[0] or "")}</th>'
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    # Can be focused, so that it can be scrolled without a mouse.
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _style(name: str) -> str:
    return ' class="number"' if name in _NUMBERS else ' class="wide"' if name in _WIDE else ""


def _cell(cell: str | None, style: str) -> str:
    if cell is None:
        return '<td class="empty"><i>empty</i></td>'
    return f"<td{style}>{escape(cell)}</td>"
