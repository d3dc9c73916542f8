"""The folders of a review, and a review in this process, with the real ruff."""

import json
from functools import partial
from pathlib import Path

import pytest

from core.programs.code_review.run import run
from tests.core.programs.shared.running import Run, run_here

FILES = ["report.html", "report.md", "review.sarif"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


def review(source: Path | None, output: Path, prompt: str = "") -> Run:
    """Review a folder; every event must be sound."""
    return run_here(partial(run, request=prompt, source=source, output=output), output)


def found(done: Run) -> dict[str, set[str]]:
    """The codes that each file has in the SARIF."""
    codes: dict[str, set[str]] = {}
    for result in json.loads(done.text("review.sarif"))["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        codes.setdefault(place, set()).add(result["ruleId"])
    return codes


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files by their paths inside the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
