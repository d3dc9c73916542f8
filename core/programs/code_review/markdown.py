"""report.md: the review as GitHub Markdown."""

from core.programs.shared.markdown import escaped, fenced, grid, quoted
from core.words import count

from .code import excerpt, lines_of, numbered
from .limits import SHOWN_REFUSED
from .review import (
    FAMILIES,
    TITLE,
    WORST,
    Review,
    Reviewed,
    about,
    families,
    files_hidden,
    hidden,
    overview,
    remedy,
    summary,
    worst,
)
from .rules import Rule


def markdown(review: Review) -> str:
    """Return the review as Markdown."""
    parts = [f"# {TITLE}"]
    if review.request.strip():
        parts.append(f"## Request\n\n{quoted(review.request)}")
    labels, values = zip(*overview(review), strict=True)
    parts.append("## Overview\n\n" + grid(list(labels), [list(values)], set(labels)))
    parts += map(escaped, about(review))
    if review.counts:
        parts.append("### Findings by rules\n\n" + _table(FAMILIES, families(review)))
        parts.append("### Worst files\n\n" + _table(WORST, worst(review)))
    for file in review.shown:
        parts += _file(file)
    if files_hidden(review):
        parts.append(files_hidden(review))
    if review.rules:
        parts.append("## What the rules mean")
        for rule in review.rules:
            parts += _rule(rule, review.counts[rule])
    if review.refused:
        parts.append("## Files that were not reviewed\n\n" + _refused(review.refused))
    return "\n\n".join(parts) + "\n"


def _table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    return grid(list(header), [[escaped(cell) for cell in row] for row in rows], set(header[1:]))


def _file(file: Reviewed) -> list[str]:
    parts = [f"## {escaped(file.source.name)}", f"{summary(file)} in {count(file.lines, 'line')}."]
    lines = lines_of(file.source)
    for finding in file.shown:
        rule = finding.rule
        where = f"line {finding.row:,}, column {finding.column:,}"
        parts.append(f"**{rule.severity.word.capitalize()}**, {where}: {escaped(finding.message)} ({_link(rule)})")
        parts.append(fenced(numbered(excerpt(lines, finding))))
        if remedy(finding):
            parts.append(escaped(remedy(finding)))
    return [*parts, hidden(file)] if hidden(file) else parts


def _rule(rule: Rule, number: int) -> list[str]:
    parts = [
        f"### {escaped(rule.code)}: {escaped(rule.name)}",
        f"{rule.severity.word.capitalize()}, {escaped(rule.family)}, {count(number, 'finding')}. "
        f"{escaped(rule.what)} {escaped(rule.why)} {_link(rule, 'More')}. {escaped(rule.fix)}".rstrip(),
    ]
    return [*parts, "Use instead:", fenced(rule.instead.splitlines())] if rule.instead else parts


def _link(rule: Rule, text: str = "") -> str:
    return f"[{text or escaped(rule.code)}]({rule.url})"


def _refused(refused: list[tuple[str, str]]) -> str:
    rows = [[escaped(path), escaped(reason)] for path, reason in refused[:SHOWN_REFUSED]]
    table = grid(["File", "Reason"], rows, set())
    more = len(refused) - len(rows)
    return f"{table}\n\n{count(more, 'more file')} in review.sarif." if more else table
