"""The review as a document: report.md and report.html."""

from core.programs.shared.document import Document, Section
from core.programs.shared.markdown import escaped, fenced, text_grid, with_code
from core.words import count

from .checker import Finding
from .code import excerpt, lines_of, numbered
from .limits import SHOWN_REFUSED
from .review import (
    FAMILIES,
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


def document(review: Review) -> Document:
    """Return the review as a document. Raises OSError if a file in it can not be read any more."""
    made = Document("Code review", review.request, overview(review), notes=[escaped(one) for one in about(review)])
    if files_hidden(review):
        made.notes.append(files_hidden(review))
    if review.counts:
        text = [_table(FAMILIES, families(review)), "### Worst files", _table(WORST, worst(review))]
        made.sections.append(Section("Findings by rules", count(review.counts.total(), "finding"), text))
    made.sections += map(_file, review.shown)
    if review.rules:
        rules = [block for rule in review.rules for block in _rule(rule, review.counts[rule])]
        made.sections.append(Section("What the rules mean", count(len(review.rules), "rule"), rules))
    if review.refused:
        made.sections.append(_refused(review.refused))
    return made


def _table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    return text_grid(list(header), rows, set(header[1:]))


def _file(file: Reviewed) -> Section:
    section = Section(file.source.name, summary(file))
    section.text.append(f"{summary(file)} in {count(file.lines, 'line')}.")
    lines = lines_of(file.source)
    for finding in file.shown:
        section.text += _finding(finding, lines)
    if hidden(file):
        section.text.append(hidden(file))
    return section


def _finding(finding: Finding, lines: list[str]) -> list[str]:
    rule = finding.rule
    link = f"[{escaped(rule.code)}]({rule.url})"
    where = f"line {finding.row:,}, column {finding.column:,}"
    return [
        f"{_severity(rule)} {where}: {with_code(finding.message)} ({link})",
        fenced(numbered(excerpt(lines, finding))),
        *([with_code(remedy(finding))] if remedy(finding) else []),
    ]


def _rule(rule: Rule, number: int) -> list[str]:
    return [
        f"### {escaped(_heading(rule))}",
        f"{_severity(rule)} {escaped(rule.family)}, {count(number, 'finding')}.",
        f"{with_code(f'{rule.what} {rule.why}')} [More]({rule.url}). {with_code(rule.fix)}".rstrip(),
        *(["Use instead:", fenced(rule.instead.splitlines())] if rule.instead else []),
    ]


def _heading(rule: Rule) -> str:
    return f"{rule.code}: {rule.name}"


def _severity(rule: Rule) -> str:
    return f"**{rule.severity.word.capitalize()}**"


def _refused(refused: list[tuple[str, str]]) -> Section:
    section = Section("Files that were not reviewed", count(len(refused), "file"))
    rows = [[path, reason] for path, reason in refused[:SHOWN_REFUSED]]
    section.text.append(text_grid(["File", "Reason"], rows, set()))
    if more := len(refused) - len(rows):
        section.text.append(f"{count(more, 'more file')} in review.sarif.")
    return section
