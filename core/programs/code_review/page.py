"""report.html: the review as one page that loads nothing else."""

import re
from html import escape

from core.programs.shared import elements
from core.programs.shared.words import visible
from core.words import count

from .checker import Finding
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

_CODE = re.compile(r"`([^`]+)`")
_NUMBERS = FAMILIES[1:]


def page(review: Review) -> str:
    """Return the review as HTML. Raises OSError if a file in it can not be read any more."""
    body = ["<header>", f"<h1>{TITLE}</h1>", *elements.request(review.request), "</header>"]
    body.append(elements.figures(overview(review)))
    body += (f'<p class="muted">{escape(sentence)}</p>' for sentence in about(review))
    if review.counts:
        body += ['<section id="findings">', "<h2>Findings by rules</h2>"]
        body += [elements.table("Findings by rules", list(FAMILIES), families(review), _NUMBERS, row_header=True)]
        body += ["<h3>Worst files</h3>"]
        body += [elements.table("Worst files", list(WORST), worst(review), _NUMBERS, row_header=True), "</section>"]
        body.append(_contents(review))
    body += (_file(number, file) for number, file in enumerate(review.shown, 1))
    if review.rules:
        body += ['<section id="rules">', "<h2>What the rules mean</h2>"]
        body += [_rule(rule, review.counts[rule]) for rule in review.rules]
        body.append("</section>")
    return elements.document(TITLE, [*body, *_refused(review.refused)])


def _contents(review: Review) -> str:
    links = [
        f'<li><a href="#file-{number}">{escape(file.source.name)}</a> <span class="muted">{summary(file)}</span></li>'
        for number, file in enumerate(review.shown, 1)
    ]
    links.append('<li><a href="#rules">What the rules mean</a></li>')
    if review.refused:
        links.append(f'<li><a href="#refused">{count(len(review.refused), "file")} not reviewed</a></li>')
    more = f'<p class="muted">{files_hidden(review)}</p>' if files_hidden(review) else ""
    return f'<nav aria-label="Files"><h2>Files</h2><ul>{"".join(links)}</ul>{more}</nav>'


def _file(number: int, file: Reviewed) -> str:
    lines = lines_of(file.source)
    return "\n".join(
        [
            f'<section id="file-{number}">',
            f"<h2>{escape(file.source.name)}</h2>",
            f'<p class="muted">{summary(file)} in {count(file.lines, "line")}</p>',
            *(_finding(finding, lines) for finding in file.shown),
            *([f'<p class="muted">{hidden(file)}</p>'] if hidden(file) else []),
            "</section>",
        ]
    )


def _finding(finding: Finding, lines: list[str]) -> str:
    rule = finding.rule
    code = escape("\n".join(numbered(excerpt(lines, finding))))
    hint = remedy(finding)
    return (
        f"<h3>{_badge(rule)} line {finding.row:,}: "
        f'{_worded(finding.message)} <a href="#rule-{escape(rule.code)}">{escape(rule.code)}</a></h3>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-label="Code"><pre>{code}</pre></div>'
        + (f'\n<p class="hint">{_worded(hint)}</p>' if hint else "")
    )


def _rule(rule: Rule, number: int) -> str:
    instead = f"\n<p>Use instead:</p>\n<pre>{escape(rule.instead)}</pre>" if rule.instead else ""
    code, link = escape(rule.code), f'<a href="{escape(rule.url)}">{escape(rule.name)}</a>'
    return (
        f'<h3 id="rule-{code}">{code}: {link}</h3>'
        f'\n<p class="muted">{_badge(rule)} {escape(rule.family)}, '
        f"{count(number, 'finding')}</p>"
        f"\n<p>{_worded(f'{rule.what} {rule.why}')}</p>{instead}" + (f"\n<p>{escape(rule.fix)}</p>" if rule.fix else "")
    )


def _badge(rule: Rule) -> str:
    word = rule.severity.word
    return f'<span class="{"note-level" if word == "note" else word}">{word}</span>'


def _worded(text: str) -> str:
    """Return text as HTML, with what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(visible(text, len(text))))


def _refused(refused: list[tuple[str, str]]) -> list[str]:
    if not refused:
        return []
    title = "Files that were not reviewed"
    rows = refused[:SHOWN_REFUSED]
    more = len(refused) - len(rows)
    return [
        '<section id="refused">',
        f"<h2>{title}</h2>",
        elements.table(title, ["File", "Reason"], rows, wide=("Reason",), row_header=True),
        *([f'<p class="muted">{count(more, "more file")} in review.sarif.</p>'] if more else []),
        "</section>",
    ]
