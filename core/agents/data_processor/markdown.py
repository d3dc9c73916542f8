"""report.md: the report as GitHub Markdown, without charts."""

import re

from .limits import PREVIEW_ROWS, REQUEST_CHARACTERS, SHOWN_COLUMNS, SHOWN_UNREADABLE
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
from .words import count, visible

# All that could start markup, a link, a mention, an entity, a formula or HTML.
_MARKUP = re.compile(
    r"[\\`*\[\]<>#|~@&$]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # inside a word it is only itself
    r"|(?<!\d):(?=\S)|(?<=\d):(?=[^\d\s])"  # as in http://a and :smile:, not as in 9:30
)
_AT_START = re.compile(r"^([0-9]*)([-+=.)])(?![0-9.])")  # would make a list or a heading
_BARE_LINK = re.compile(r"\bwww\.", re.IGNORECASE)
_NUMERIC = ("Missing", "Distinct", "Min", "Mean", "Median", "Max")


def escaped(text: str) -> str:
    """Return text on one line that Markdown shows as it is, whatever it holds."""
    text = _MARKUP.sub(r"\\\g<0>", visible(text, REQUEST_CHARACTERS))
    text = _BARE_LINK.sub(lambda found: found[0][:-1] + "\\.", text)
    return _AT_START.sub(r"\1\\\2", text.strip())


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    parts = [f"# {TITLE}"]
    if report.is_sample:
        parts.append(f"**{SAMPLE_NOTE}** {SAMPLE_HINT}")
    if report.request.strip():
        lines = "\n".join(f"> {escaped(line)}  " for line in report.request.strip().splitlines())
        parts.append(f"## Request\n\n{lines}")
    labels, values = zip(*overview(report), strict=True)
    parts.append("## Overview\n\n" + _table(list(labels), [list(values)], set(labels)))
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
    parts.append("### Columns\n\n" + _table(list(SCHEMA), rows, set(_NUMERIC)))
    if left_out(table):
        parts.append(left_out(table))
    names = [escaped(column.name) for column in table.columns[:SHOWN_COLUMNS]]
    preview = [[escaped(cell or "") for cell in row[:SHOWN_COLUMNS]] for row in table.preview]
    parts.append(f"### First {count(min(table.rows, PREVIEW_ROWS), 'row')}\n\n" + _table(names, preview, set()))
    return parts


def _unreadable(unreadable: list[tuple[str, str]]) -> str:
    rows = [[escaped(path), escaped(reason)] for path, reason in unreadable[:SHOWN_UNREADABLE]]
    table = _table(["File", "Reason"], rows, set())
    more = len(unreadable) - len(rows)
    return f"{table}\n\n{count(more, 'more file')} in summary.json." if more else table


def _table(header: list[str], rows: list[list[str]], right: set[str]) -> str:
    rule = ["---:" if name in right else "---" for name in header]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])
