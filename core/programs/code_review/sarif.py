"""review.sarif: the findings as SARIF 2.1.0, which code hosts and editors read."""

import json
from itertools import islice
from typing import Any
from urllib.parse import quote

from .checker import Finding
from .limits import SARIF_FINDINGS
from .review import Review, Reviewed
from .rules import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def sarif(review: Review) -> str:
    """Return the kept findings, the worst files first; its properties say how many are left out."""
    order = {rule: number for number, rule in enumerate(review.rules)}
    kept = ((file, finding) for file in review.marked for finding in file.tally.kept)
    results = [_result(file, finding, order) for file, finding in islice(kept, SARIF_FINDINGS)]
    run = {
        "tool": {
            "driver": {
                "name": "ruff",
                "version": review.version,
                "informationUri": "https://docs.astral.sh/ruff/",
                "rules": [_rule(rule) for rule in review.rules],
            }
        },
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(review)}],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder of the repository."}}},
        "results": results,
        "properties": {"findings": review.counts.total(), "leftOut": review.counts.total() - len(results)},
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": f"{rule.what} {rule.why}".rstrip()},
        "help": {"text": "\n".join(filter(None, (rule.why or rule.what, rule.instead, rule.fix)))},
        "helpUri": rule.url,
        "defaultConfiguration": {"level": rule.severity.word},
        "properties": {"tags": [rule.family]},
    }


def _result(file: Reviewed, finding: Finding, order: dict[Rule, int]) -> dict[str, Any]:
    region = {
        "startLine": finding.row,
        "startColumn": finding.column,
        "endLine": finding.end_row,
        "endColumn": finding.end_column,
    }
    # Relative, and percent-encoded by its bytes: a name may hold anything.
    place = {"uri": quote(file.source.relative), "uriBaseId": _ROOT}
    return {
        "ruleId": finding.rule.code,
        "ruleIndex": order[finding.rule],
        "level": finding.rule.severity.word,
        "message": {"text": finding.message or finding.rule.what},
        "locations": [{"physicalLocation": {"artifactLocation": place, "region": region}}],
    }


def _notifications(review: Review) -> list[dict[str, Any]]:
    return [
        {"level": "warning", "message": {"text": f"{name} was not reviewed: {reason}"}}
        for name, reason in review.refused[:SARIF_FINDINGS]
    ]
