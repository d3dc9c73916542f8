"""ruff, asked about some files at a time.

Of what stands in the repository only its Python version, its length of line and its noqa marks have a say.
"""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import IO, Any

from ruff import find_ruff_bin

from . import rules
from .files import Project, Source
from .limits import BATCH_SECONDS, KEPT_FINDINGS, MESSAGE_CHARACTERS
from .rules import Rule

#: Settings files, the ones in the repository first of all, are neither read nor searched for; nothing is written.
_ALONE = ("--isolated", "--no-cache")
_RULES = (
    *("--select", ",".join(rules.SELECTED)),
    *("--ignore", ",".join(rules.IGNORED)),
    *(
        "--per-file-ignores",
        ",".join(f"**/{name}:{code}" for code in rules.IN_TESTS for name in ("test*/**", "test_*")),
    ),
)
_UNFORMATTED = re.compile(rb"^(\d+) files? would be reformatted", re.MULTILINE)


class CheckFailed(Exception):
    """ruff could not check these files: it took too long, used too much, or ended on one of them."""


@dataclass(frozen=True)
class Finding:
    """One thing that ruff found; rows and columns count from 1."""

    rule: Rule
    message: str
    row: int
    column: int
    end_row: int
    end_column: int
    fix: str  # how ruff would mend it
    is_safe: bool  # whether that keeps the meaning of the code


@dataclass
class Tally:
    """The findings of one file: all of them counted, the gravest kept."""

    counts: Counter[Rule] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count one more finding."""
        self.counts[finding.rule] += 1
        self.kept.append(finding)
        if len(self.kept) >= 2 * KEPT_FINDINGS:
            self.trim()

    def trim(self) -> None:
        """Keep the gravest, in order of their place."""
        self.kept.sort(key=lambda one: (one.rule.severity, one.row, one.column))
        del self.kept[KEPT_FINDINGS:]


class Checker:
    """The ruff that is installed with this program. Raises OSError or CheckFailed where none works.

    `root` is the repository; what `project` does not say is ruff's own choice.
    """

    def __init__(self, root: Path, project: Project) -> None:
        self._root = root
        self._target = () if project.minor is None else ("--target-version", f"py3{project.minor}")
        self._length = () if project.line_length is None else ("--line-length", str(project.line_length))
        self._program = find_ruff_bin()
        with self._started("--version") as output:
            self.version = output.read().decode().removeprefix("ruff").strip()
        with self._started("rule", "--all", "--output-format", "json") as output:
            self.rules = rules.of(json.load(output))

    def check(self, files: Sequence[Source]) -> list[Tally]:
        """Return what was found in each of the files. Raises CheckFailed."""
        tallies = {str(file.path): Tally() for file in files}
        options = ("check", *_ALONE, *_RULES, *self._target, "--output-format", "json-lines", "--", *tallies)
        with self._started(*options) as output:
            for line in output:
                found = _parsed(line)
                tallies[found["filename"]].add(self._finding(found))
        for tally in tallies.values():
            tally.trim()
        return list(tallies.values())

    def unformatted(self, files: Sequence[Source]) -> int:
        """Return how many of the files are not laid out as ruff's formatter would. Raises CheckFailed."""
        names = (str(file.path) for file in files)
        options = ("format", "--check", *_ALONE, *self._target, *self._length, "--", *names)
        with self._started(*options, accepted=(0, 1, 2)) as output:  # 2: some are not valid Python, which check says
            counted = _UNFORMATTED.findall(output.read())
        return int(counted[-1]) if counted else 0  # the last: before it come names, which may hold anything

    def _finding(self, found: dict[str, Any]) -> Finding:
        code, fix = str(found["code"]), found["fix"]
        rule = self.rules.get(code) or self.rules.setdefault(code, rules.unknown(code, str(found["name"])))
        return Finding(
            rule,
            found["message"][:MESSAGE_CHARACTERS],
            max(1, found["location"]["row"]),
            max(1, found["location"]["column"]),
            max(1, found["end_location"]["row"]),
            max(1, found["end_location"]["column"]),
            (fix["message"] or "")[:MESSAGE_CHARACTERS] if fix else "",
            bool(fix) and fix["applicability"] == "safe",
        )

    @contextmanager
    def _started(self, *arguments: str, accepted: Sequence[int] = (0, 1)) -> Iterator[IO[bytes]]:
        # Exit status 1 is no failure: it found something. Its variables are settings as much as its files are.
        env = {name: value for name, value in os.environ.items() if not name.startswith("RUFF_")}
        process = subprocess.Popen(
            [self._program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._root,  # patterns of paths are meant from here
            env=env,
        )
        limit = Timer(BATCH_SECONDS, process.kill)
        limit.daemon = True
        limit.start()
        try:
            with process:
                assert process.stdout is not None  # noqa: S101  asked for above
                try:
                    yield process.stdout
                finally:
                    process.stdout.close()  # one whose output nobody reads any more ends by itself
        finally:
            limit.cancel()
        if process.returncode not in accepted:
            raise CheckFailed


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:  # cut, as when ruff was killed
        raise CheckFailed from None
    return found
