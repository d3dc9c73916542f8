"""The three forms of the review: complete, strict, and safe whatever the repository holds."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import pytest
from pytest import MonkeyPatch

from core.programs.code_review import checker, run
from core.programs.code_review.checker import Checker
from core.programs.code_review.files import Project
from core.programs.code_review.limits import SHOWN_FILES, SHOWN_REFUSED
from core.programs.code_review.rules import IN_TESTS, SELECTED, Severity
from tests.core.programs.code_review.conftest import review, write
from tests.core.programs.shared.hostile import EXPLAINED, HOSTILE, check_markdown, check_page

Ruff = Callable[[str], None]
LEVELS = ("error", "warning", "note")
#: Kept before a test replaces it.
REAL_RUFF = checker.find_ruff_bin()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The review of a repository that is hostile in names, code and request."""
    folder = tmp_path_factory.mktemp("review")
    source = folder / "source"
    source.mkdir()
    lines = [f"x = 1; # {text}" for text in HOSTILE if "\n" not in text] + ['y = """', "```", "</pre><script>", '""";']
    (source / "code.py").write_text("\n".join(lines) + "\nfrom `x` import <b>\n")
    for number, text in enumerate(HOSTILE):
        name = text.replace("/", "∕").replace("\x00", "")
        (source / f"{number}{name}.py").write_text("import os\nimport <script>alert(1)</script>\n")
    (source / "link|<b>.py").symlink_to("/etc/passwd")
    assert review(source, folder / "output", "\n".join(HOSTILE)).code == 0
    return folder / "output"


@pytest.mark.attack(102)
def test_neither_the_page_nor_the_markdown_holds_markup_of_the_repository(hostile: Path) -> None:
    elements = check_page((hostile / "report.html").read_text())
    for text in HOSTILE[:6]:
        assert text in elements.text
    links = [one["href"] for one in elements.named("a")]
    assert EXPLAINED in links
    check_markdown((hostile / "report.md").read_text())


def test_the_sarif_has_what_its_schema_requires(hostile: Path) -> None:
    text = (hostile / "review.sarif").read_text()
    assert text.isascii()
    log: dict[str, Any] = json.loads(text)
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (found,) = log["runs"]
    driver = found["tool"]["driver"]
    assert driver["name"] == "ruff" and re.fullmatch(r"\d+\.\d+\.\d+", driver["version"])
    identifiers = [rule["id"] for rule in driver["rules"]]
    assert len(identifiers) == len(set(identifiers))
    for rule in driver["rules"]:
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help"))
        assert urlsplit(rule["helpUri"]).scheme == "https"
        assert rule["defaultConfiguration"]["level"] in LEVELS
    assert found["results"]
    for result in found["results"]:
        assert identifiers[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in LEVELS and result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        parts = urlsplit(place["artifactLocation"]["uri"])
        assert not (parts.scheme or parts.netloc or parts.query or parts.fragment or parts.path.startswith("/"))
        assert unquote(parts.path).endswith(".py")
        assert place["artifactLocation"]["uriBaseId"] in found["originalUriBaseIds"]
        assert min(place["region"].values()) >= 1
        assert place["region"]["endLine"] >= place["region"]["startLine"]
    (invocation,) = found["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is True
    assert notification["message"]["text"].startswith("link|<b>.py was not reviewed: It is a symbolic link, and")
    assert found["properties"] == {"findings": len(found["results"]), "leftOut": 0}


def test_every_family_that_is_looked_for_is_known_to_this_ruff_and_has_words() -> None:
    known = Checker(Path("/"), Project()).rules
    for code in (*SELECTED, *IN_TESTS):
        assert any(rule.startswith(code) for rule in known), code
    assert {rule.severity for rule in known.values()} == set(Severity)
    assert all(rule.what and rule.name and rule.family for rule in known.values())
    assert not [rule.code for rule in known.values() if "](" in rule.what + rule.why]
    assert "`" not in known["F401"].url


@pytest.fixture
def ruff_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a line of shell before the real ruff."""

    def replaced(line: str) -> None:
        program = tmp_path / "ruff"
        program.write_text(f'#!/bin/sh\n{line}\nexec "{REAL_RUFF}" "$@"\n')
        program.chmod(0o755)
        monkeypatch.setattr(checker, "find_ruff_bin", lambda: str(program))

    return replaced


def test_a_file_that_ruff_dies_of_is_named(
    ruff_that: Ruff, repository: Path, output: Path, monkeypatch: MonkeyPatch
) -> None:
    ruff_that('case "$*" in *two.py*) kill -9 $$;; esac')
    monkeypatch.setattr(run, "STEPS", 1)  # so that they are one batch
    write(repository, dict.fromkeys(("one.py", "two.py", "three.py"), "import os\n"))
    done = review(repository, output)
    assert done.messages("error") == ["two.py: ruff could not check it: it failed or took over 60 s."]
    assert done.messages("success") == [
        "Review ready: 2 files, 2 lines, 0 errors, 2 warnings, 0 notes; 1 file not reviewed"
    ]
    for name in ("report.html", "report.md"):
        assert "ruff could not check it" in done.text(name)


def test_ruff_is_ended_in_time_and_missed(
    ruff_that: Ruff, repository: Path, output: Path, monkeypatch: MonkeyPatch
) -> None:
    ruff_that('case "$1" in check) exec sleep 60;; esac')
    write(repository, {"one.py": "import os\n"})
    monkeypatch.setattr(checker, "BATCH_SECONDS", 0.2)
    done = review(repository, output)
    assert "none could be reviewed: one.py: ruff could not check it" in done.messages("error")[-1]
    monkeypatch.setattr(checker, "find_ruff_bin", mock.Mock(side_effect=FileNotFoundError))
    assert "There is no ruff that works on this server" in review(repository, output).messages("error")[0]


def test_the_worst_files_come_first_and_what_is_not_shown_is_counted(repository: Path, output: Path) -> None:
    write(repository, {f"m{number:02}.py": "import os\n" for number in range(SHOWN_FILES + 3)} | {"z.py": "x = y\n"})
    for number in range(SHOWN_REFUSED + 4):
        (repository / f"link{number:03}.py").symlink_to("z.py")
    done = review(repository, output)
    assert done.messages("error")[-1] == "184 more files not reviewed; review.sarif names them."
    for name in ("report.html", "report.md"):
        text = done.text(name)
        assert text.index("z.py") < text.index("m00.py") < text.index(f"m{SHOWN_FILES - 2:02}.py")
        assert f"m{SHOWN_FILES - 1:02}.py" not in text and "4 more files with 4 findings" in text
        assert "4 more files in review.sarif." in text
    assert f"m{SHOWN_FILES + 2:02}.py" in done.text("review.sarif")
    assert f"link{SHOWN_REFUSED + 3:03}.py was not reviewed" in done.text("review.sarif")
