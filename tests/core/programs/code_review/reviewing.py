"""A review in this process, with the real ruff."""

import io
import json
from pathlib import Path

from core.programs.code_review.run import run
from core.programs.shared.events import Events
from tests.core.programs.shared.running import Run, check

FILES = ["report.html", "report.md", "review.sarif"]


def review(source: Path | None, output: Path, prompt: str = "") -> Run:
    """Review a folder; every event must be sound."""
    stream = io.StringIO()
    code = run(Events(stream), prompt, source, output)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    check(events)
    return Run(code, events, "", output)


def check_is_complete(done: Run) -> None:
    """It ended well, with all files, all progress, and entries for people."""
    assert (done.code, done.errors) == (0, "")
    assert sorted(path.name for path in done.output.iterdir()) == FILES
    steps = [one for one in done.events if one["type"] == "progress"]
    assert (steps[0]["done"], steps[-1]["done"]) == (0, steps[-1]["total"])
    assert done.events[-1]["type"] == "success"
    for event in done.events:
        assert event["type"] == "progress" or (event["message"] and event["message"].isprintable())


def found(done: Run) -> dict[str, set[str]]:
    """The codes that each file has in the SARIF."""
    codes: dict[str, set[str]] = {}
    for result in json.loads(done.text("review.sarif"))["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        codes.setdefault(place, set()).add(result["ruleId"])
    return codes
