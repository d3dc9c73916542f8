"""What a review says, before it is a document or SARIF; nothing in here is escaped."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.words import count, listed

from .checker import Finding, Tally
from .files import Source
from .limits import SHOWN_FILES, SHOWN_FINDINGS, WORST_FILES
from .rules import Rule, Severity

HOW = (
    "Of the repository’s own settings only its Python version and its length of line in pyproject.toml are used; "
    "lines that it marks with noqa are left out."
)
FORMAT_HINT = "“Unformatted files” differ from the layout of ruff’s formatter."


@dataclass
class Reviewed:
    """A file, and what was found in it."""

    source: Source
    lines: int
    tally: Tally

    @property
    def severities(self) -> Counter[Severity]:
        """Return how many findings there are of each severity."""
        return by_severity(self.tally.counts)

    @property
    def total(self) -> int:
        """Return how many findings there are."""
        return self.tally.counts.total()

    @property
    def shown(self) -> list[Finding]:
        """Return the findings described in detail, the gravest first."""
        return self.tally.kept[:SHOWN_FINDINGS]


@dataclass
class Review:
    """All there is to report on a run."""

    request: str
    version: str
    minor: int | None  # the oldest Python 3 that the repository says it is for
    scope: list[str]
    outside: int
    vendored: list[str]
    files: list[Reviewed]
    refused: list[tuple[str, str]]  # a file's name, and the reason
    unformatted: int
    counts: Counter[Rule] = field(init=False)
    marked: list[Reviewed] = field(init=False)  # the files in which something was found, the worst first

    def __post_init__(self) -> None:
        self.marked = sorted((file for file in self.files if file.total), key=_badness)
        self.counts = Counter()
        for file in self.files:
            self.counts.update(file.tally.counts)

    @property
    def lines(self) -> int:
        """Return the number of lines of all files."""
        return sum(file.lines for file in self.files)

    @property
    def shown(self) -> list[Reviewed]:
        """Return the files described in detail."""
        return self.marked[:SHOWN_FILES]

    @property
    def rules(self) -> list[Rule]:
        """Return the rules that found something, the gravest first, then by their code."""
        return sorted(self.counts, key=lambda rule: (rule.severity, rule.code))


def _badness(file: Reviewed) -> tuple[int, int, int, str]:
    found = file.severities
    return (-found[Severity.ERROR], -found[Severity.WARNING], -found[Severity.NOTE], file.source.relative)


def by_severity(counts: Counter[Rule]) -> Counter[Severity]:
    """Return the findings of each severity."""
    found: Counter[Severity] = Counter()
    for rule, number in counts.items():
        found[rule.severity] += number
    return found


def overview(review: Review) -> list[tuple[str, str]]:
    """Return the headline figures: a label and a value each."""
    found = by_severity(review.counts)
    return [
        ("Files", f"{len(review.files):,}"),
        ("Lines", f"{review.lines:,}"),
        *((f"{severity.name.capitalize()}s", f"{found[severity]:,}") for severity in Severity),
        ("Unformatted files", f"{review.unformatted:,}"),
    ]


def totals(review: Review) -> str:
    """Return the size of the review in words, as the last log entry has it."""
    found = by_severity(review.counts)
    parts = [count(len(review.files), "file"), count(review.lines, "line")]
    parts += [count(found[severity], severity.word) for severity in Severity]
    text = ", ".join(parts)
    return f"{text}; {count(len(review.refused), 'file')} not reviewed" if review.refused else text


def about(review: Review) -> list[str]:
    """Return the sentences that say what was reviewed, by what, and what was not."""
    python = "" if review.minor is None else f" as Python 3.{review.minor} or newer"
    parts = [f"Reviewed with ruff {review.version}{python}. {HOW}", FORMAT_HINT]
    if review.scope:
        left = count(review.outside, "other Python file")
        parts.append(f"The request names {listed(review.scope)}: {left} of the repository left out.")
    if review.vendored:
        parts.append(f"Left out as others’ code: {listed(review.vendored, 10)}.")
    if not review.counts:
        parts.append("Nothing was found.")
    return parts


FAMILIES = ("Rules", "Findings", "Errors", "Warnings", "Notes")


def families(review: Review) -> list[list[str]]:
    """Return the rows of the table of rule families, under FAMILIES; the most findings first."""
    found: dict[str, Counter[Severity]] = {}
    for rule, number in review.counts.items():
        found.setdefault(rule.family, Counter())[rule.severity] += number
    ordered = sorted(found.items(), key=lambda one: (-one[1].total(), one[0]))
    return [[family, *_figures(counts)] for family, counts in ordered]


WORST = ("File", "Findings", "Errors", "Warnings", "Notes")


def worst(review: Review) -> list[list[str]]:
    """Return the rows of the table of the worst files, under WORST."""
    return [[file.source.name, *_figures(file.severities)] for file in review.marked[:WORST_FILES]]


def _figures(counts: Counter[Severity]) -> Iterable[str]:
    return (f"{counts.total():,}", *(f"{counts[severity]:,}" for severity in Severity))


def summary(file: Reviewed) -> str:
    """Return how many findings a file has, in words."""
    found = file.severities
    return ", ".join(count(found[severity], severity.word) for severity in Severity if found[severity])


def remedy(finding: Finding) -> str:
    """Return how ruff would mend it, in words, or ""."""
    if not finding.fix:
        return ""
    return f"Fix: {finding.fix.rstrip('.')}." + ("" if finding.is_safe else " It may change what the code does.")


def hidden(file: Reviewed) -> str:
    """Return a sentence on the findings of a file that are not shown, or ""."""
    more = file.total - len(file.shown)
    return f"{count(more, 'more finding')} in this file." if more else ""


def files_hidden(review: Review) -> str:
    """Return a sentence on the files that are not described in detail, or ""."""
    more = len(review.marked) - SHOWN_FILES
    if more <= 0:
        return ""
    found = sum(file.total for file in review.marked[SHOWN_FILES:])
    return f"{count(more, 'more file')} with {count(found, 'finding')}; review.sarif has them too, as far as its limit."
