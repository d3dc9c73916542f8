"""The report as a document: report.md, and report.html with its charts."""

from collections.abc import Callable

from core.programs.shared.document import Document, Drawing, Section
from core.programs.shared.markdown import escaped, grid, text_grid
from core.programs.shared.words import visible
from core.words import count

from . import charts
from .limits import PREVIEW_ROWS, SHOWN_CHARTS_IN_ALL, SHOWN_COLUMNS, SHOWN_UNREADABLE
from .profile import TableProfile
from .report import NUMERIC, SCHEMA, Report, files_left_out, left_out, overview, schema

_SAMPLE_NOTICE = (
    "**Sample data, generated; not yours.** No repository was given, so this report shows what one looks like."
)


def document(report: Report, on_progress: Callable[[int, int], None]) -> Document:
    """Return the report as a document; `on_progress` gets charts drawn and charts in all."""
    made = Document("Data report", report.request, overview(report))
    if report.is_sample:
        made.notice = _SAMPLE_NOTICE
    if files_left_out(report):
        made.notes.append(files_left_out(report))
    drawn = _drawn(report, on_progress)
    for table, findings, drawings in zip(report.shown, report.findings, drawn, strict=False):
        made.sections.append(_table(table, findings, drawings))
    if report.unreadable:
        made.sections.append(_unreadable(report.unreadable))
    return made


def _drawn(report: Report, on_progress: Callable[[int, int], None]) -> list[list[Drawing]]:
    planned: list[list[charts.Chart]] = []
    left = SHOWN_CHARTS_IN_ALL
    for table in report.shown:
        planned.append(charts.of(table)[:left])
        left -= len(planned[-1])
    total, number = sum(map(len, planned)), 0
    drawn: list[list[Drawing]] = []
    for plans in planned:
        drawn.append([])
        for chart in plans:
            drawn[-1].append(Drawing(chart.title, chart.description, chart.svg(f"chart-{number}")))
            number += 1
            on_progress(number, total)
    return drawn


def _table(table: TableProfile, findings: list[str], drawings: list[Drawing]) -> Section:
    section = Section(table.name, count(table.rows, "row"), charts=drawings)
    section.text.append(
        f"{count(table.rows, 'row')}, {count(len(table.columns), 'column')}, "
        f"{count(table.duplicates, 'duplicate row')}."
    )
    if table.notes:
        section.text.append(_items(table.notes))
    if findings:
        section.text += ["### Findings", _items(findings)]
    section.rest += ["### Columns", text_grid(list(SCHEMA), schema(table), set(NUMERIC))]
    if left_out(table):
        section.rest.append(left_out(table))
    names = [escaped(visible(column.name)) for column in table.columns[:SHOWN_COLUMNS]]
    preview = [[_cell(cell) for cell in row[:SHOWN_COLUMNS]] for row in table.preview]
    section.rest += [f"### First {count(min(table.rows, PREVIEW_ROWS), 'row')}", grid(names, preview, set())]
    return section


def _items(sentences: list[str]) -> str:
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def _cell(cell: str | None) -> str:
    return "*empty*" if cell is None else escaped(cell)


def _unreadable(unreadable: list[tuple[str, str]]) -> Section:
    section = Section("Files that could not be read", count(len(unreadable), "file"))
    rows = [[path, reason] for path, reason in unreadable[:SHOWN_UNREADABLE]]
    section.text.append(text_grid(["File", "Reason"], rows, set()))
    if more := len(unreadable) - len(rows):
        section.text.append(f"{count(more, 'more file')} in summary.json.")
    return section
