"""deployment.md: what ran where, how it ended, and what the health address said."""

from collections import deque
from dataclasses import dataclass, field

from core.programs.shared.markdown import escaped, fenced, grid, quoted
from core.programs.shared.words import visible
from core.words import count

KEPT_LINES = 1_000  # of the output, the last ones
LINE_CHARACTERS = 500


@dataclass
class Report:
    """All there is to report on a run."""

    prompt: str
    environment: str
    is_dry_run: bool
    recipe: str
    access: str
    seconds: float = 0.0
    status: int | None = None
    health: str = "not asked"
    outcome: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    total: int = 0  # lines

    def add(self, line: str) -> None:
        """Keep one more line of the output."""
        self.lines.append(line)
        self.total += 1


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    rows = [
        ("Outcome", report.outcome),
        ("Environment", report.environment),
        ("Recipe", report.recipe),
        ("Ran with", report.access),
        ("Exit status", "none" if report.status is None else str(report.status)),
        ("Duration", f"{report.seconds:.1f} s"),
        ("Health", report.health),
    ]
    parts = ["# Deployment, dry run" if report.is_dry_run else "# Deployment"]
    if report.prompt.strip():
        parts.append(f"## Request\n\n{quoted(report.prompt)}")
    parts.append("## Overview\n\n" + grid(["What", "How"], [[label, escaped(value)] for label, value in rows], set()))
    if report.lines:
        parts.append("## Steps" if report.is_dry_run else "## Output")
        if len(report.lines) < report.total:
            parts.append(f"The last {len(report.lines):,} of {count(report.total, 'line')}.")
        parts.append(fenced([visible(line.expandtabs(), LINE_CHARACTERS) for line in report.lines]))
    return "\n\n".join(parts) + "\n"
