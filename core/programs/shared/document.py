"""A report before it is a file: what report.md and report.html both say, with its texts in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .markdown import escaped, grid, quoted


@dataclass(frozen=True)
class Drawing:
    """A chart; only the page shows it."""

    title: str  # plain text
    description: str  # what it shows, in plain words
    svg: str  # markup


@dataclass
class Section:
    """One part of a report; `text`, then the charts, then `rest`."""

    title: str  # plain text
    note: str = ""  # plain text: what the list of contents says of it
    text: list[str] = field(default_factory=list)  # Markdown, a block each
    charts: list[Drawing] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)


@dataclass
class Document:
    """A whole report."""

    title: str  # plain text, one of ours
    request: str  # what was asked for, as it was; empty for nothing
    overview: Sequence[tuple[str, str]]  # the headline figures: a label and a value each, both ours
    notice: str = ""  # Markdown, above all else
    notes: list[str] = field(default_factory=list)  # Markdown, below the overview
    sections: list[Section] = field(default_factory=list)


def markdown(document: Document) -> str:
    """Return report.md: the document as GitHub Markdown, without charts."""
    parts = [f"# {document.title}"]
    if document.notice:
        parts.append(document.notice)
    if document.request.strip():
        parts += ["## Request", quoted(document.request)]
    labels, values = map(list, zip(*document.overview, strict=True))
    parts += ["## Overview", grid(labels, [values], set(labels)), *document.notes]
    for section in document.sections:
        parts += [f"## {escaped(section.title)}", *section.text, *section.rest]
    return "\n\n".join(parts) + "\n"


def write(document: Document, output: Path, others: Mapping[str, str]) -> None:
    """Write report.html, report.md and the other files of a report, by their names; raises OSError."""
    from .page import page  # late: its libraries take time to load, and not every run has a report

    output.mkdir(parents=True, exist_ok=True)
    for name, text in {"report.html": page(document), "report.md": markdown(document), **others}.items():
        (output / name).write_text(text, encoding="utf-8")
