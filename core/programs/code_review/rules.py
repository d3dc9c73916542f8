"""What ruff looks for, and what it says of its own rules."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

#: Whole families, so that a newer ruff brings its newer rules.
SELECTED = (
    "ASYNC", "B", "BLE", "C4", "DTZ", "E4", "E7", "E9", "EXE", "F", "FLY", "FURB", "G", "INT", "ISC", "LOG", "N",
    "PERF", "PIE", "PLC", "PLE", "PLW", "RET", "RUF", "S", "SIM", "T10", "TRY", "UP", "W6", "YTT",
)  # fmt: skip
IGNORED = (
    "ISC001", "ISC002",  # the formatter's business
    "PLC0415",  # an import inside a function often has its reason
    "RUF001", "RUF002", "RUF003",  # typographic signs and other alphabets are no mistakes
    "RUF100", "RUF102",  # a noqa that no rule of ours needs may be for one of the repository's own
    "S603", "S607",  # every start of a program, however careful
    "TRY003",
)  # fmt: skip
#: What tests may do.
IN_TESTS = ("S101", "S105", "S106", "S107", "S108", "PLW1510")

SYNTAX = "invalid-syntax"

_PARAGRAPH = re.compile(r"\n\s*\n")
_CODE_OR_LINK = re.compile(r"(`[^`]*`)|\[((?:`[^`]*`|[^\]`])+)\](?:\([^)]*\)|\[[^\]]*\])?")
_INSTEAD = re.compile(r"Use instead:\s*```\w*\n(.*?)```", re.DOTALL)
_INSTEAD_LINES = 15


class Severity(IntEnum):
    """How much a finding matters, by ruff's own category of its rule; the gravest first."""

    ERROR = 0  # correctness: the code is wrong, or does not do what it says
    WARNING = 1  # security, suspicious: it may be
    NOTE = 2  # all else: it could be better

    @property
    def word(self) -> str:
        """Return the word for it, as SARIF has it too."""
        return self.name.lower()


_SEVERITIES = {"correctness": Severity.ERROR, "security": Severity.WARNING, "suspicious": Severity.WARNING}


@dataclass(frozen=True)
class Rule:
    """One of ruff's rules, in ruff's words."""

    code: str
    name: str
    family: str
    severity: Severity
    what: str
    why: str = ""
    instead: str = ""  # code
    fix: str = ""

    @property
    def url(self) -> str:
        """Return where ruff explains it."""
        page = "" if self.code == SYNTAX else f"{self.name}/"
        return f"https://docs.astral.sh/ruff/rules/{page}"


_SYNTAX_RULE = Rule(
    SYNTAX,
    SYNTAX,
    "Syntax",
    Severity.ERROR,
    "Checks that the file is valid Python.",
    "A file that is not can be neither imported nor run, and most other rules cannot be checked in it.",
)


def of(entries: list[dict[str, Any]]) -> dict[str, Rule]:
    """Return the rules by their code, from what `ruff rule --all` says."""
    return {SYNTAX: _SYNTAX_RULE} | {entry["code"]: _rule(entry) for entry in entries if entry["code"]}


def unknown(code: str, name: str) -> Rule:
    """Return a rule that ruff reports and does not describe: it could not work on the file."""
    return Rule(code, name, "ruff", Severity.ERROR, "ruff itself reports this and has no rule for it.")


def _rule(entry: dict[str, Any]) -> Rule:
    parts: dict[str, str] = {}
    for section in entry["explanation"].split("## "):
        title, _, text = section.partition("\n")
        parts[title.strip()] = text
    instead = _INSTEAD.search(parts.get("Example", ""))
    code = instead[1].rstrip() if instead else ""
    return Rule(
        entry["code"],
        entry["name"],
        entry["linter"],
        _SEVERITIES.get(entry["category"], Severity.NOTE),
        _first(parts.get("What it does", entry["summary"])),
        _first(parts.get("Why is this bad?", "")),
        code if code.count("\n") < _INSTEAD_LINES else "",
        entry["fix"],
    )


def _first(text: str) -> str:
    """Return the first paragraph on one line, without links."""
    paragraph = " ".join(_PARAGRAPH.split(text.strip(), 1)[0].split())
    return _CODE_OR_LINK.sub(lambda found: found[1] or found[2], paragraph)
