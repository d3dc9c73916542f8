"""report.html: the report as one page that loads nothing else."""

from collections.abc import Callable
from html import escape

from core.programs.shared import elements
from core.programs.shared.words import visible
from core.words import count

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
    return elements.document(TITLE, [*_head(report), *sections, *_unreadable(report)])


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
    parts += [*elements.request(report.request), "</header>", elements.figures(overview(report))]
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
    parts.append(elements.table("Columns", list(SCHEMA), schema(table), _NUMBERS, _WIDE, row_header=True))
    if left_out(table):
        parts.append(f'<p class="muted">{left_out(table)}</p>')
    shown = count(min(table.rows, PREVIEW_ROWS), "row")
    parts.append(f"<h3>First {shown}</h3>")
    names = [visible(column.name) for column in table.columns[:SHOWN_COLUMNS]]
    preview = [row[:SHOWN_COLUMNS] for row in table.preview]
    parts.append(elements.table(f"First {shown}", names, preview))
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
    rows = report.unreadable[:SHOWN_UNREADABLE]
    title = "Files that could not be read"
    more = len(report.unreadable) - len(rows)
    return [
        '<section id="unreadable">',
        f"<h2>{title}</h2>",
        elements.table(title, ["File", "Reason"], rows, wide=_WIDE, row_header=True),
        *([f'<p class="muted">{count(more, "more file")} in summary.json.</p>'] if more else []),
        "</section>",
    ]
