"""report.md: the report as GitHub Markdown, without charts."""

from core.programs.shared.markdown import escaped, grid, quoted
from core.words import count

from .limits import PREVIEW_ROWS, SHOWN_COLUMNS, SHOWN_UNREADABLE
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

_NUMERIC = ("Missing", "Distinct", "Min", "Mean", "Median", "Max")


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    parts = [f"# {TITLE}"]
    if report.is_sample:
        parts.append(f"**{SAMPLE_NOTE}** {SAMPLE_HINT}")
    if report.request.strip():
        parts.append(f"## Request\n\n{quoted(report.request)}")
    labels, values = zip(*overview(report), strict=True)
    parts.append("## Overview\n\n" + grid(list(labels), [list(values)], set(labels)))
    if files_left_out(report):
        parts.append(files_left_out(report))
    for table, findings in zip(report.shown, report.findings, strict=False):
        parts += _file(table, findings)
    if report.unreadable:
        parts.append("## Files that could not be read\n\n" + _unreadable(report.unreadable))
    return "\n\n".join(parts) + "\n"


def _file(table: TableProfile, findings: list[str]) -> list[str]:
    parts = [
        f"## {escaped(table.name)}",
        f"{count(table.rows, 'row')}, {count(len(table.columns), 'column')}, "
        f"{count(table.duplicates, 'duplicate row')}.",
    ]
    if table.notes:
        parts.append("\n".join(f"- {escaped(note)}" for note in table.notes))
    if findings:
        lines = "\n".join(f"- {escaped(finding)}" for finding in findings)
        parts.append(f"### Findings\n\n{lines}")
    rows = [[escaped(cell) for cell in row] for row in schema(table)]
    parts.append("### Columns\n\n" + grid(list(SCHEMA), rows, set(_NUMERIC)))
    if left_out(table):
        parts.append(left_out(table))
    names = [escaped(column.name) for column in table.columns[:SHOWN_COLUMNS]]
    preview = [[escaped(cell or "") for cell in row[:SHOWN_COLUMNS]] for row in table.preview]
    parts.append(f"### First {count(min(table.rows, PREVIEW_ROWS), 'row')}\n\n" + grid(names, preview, set()))
    return parts


def _unreadable(unreadable: list[tuple[str, str]]) -> str:
    rows = [[escaped(path), escaped(reason)] for path, reason in unreadable[:SHOWN_UNREADABLE]]
    table = grid(["File", "Reason"], rows, set())
    more = len(unreadable) - len(rows)
    return f"{table}\n\n{count(more, 'more file')} in summary.json." if more else table
