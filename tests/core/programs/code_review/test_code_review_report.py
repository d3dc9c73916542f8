"""The three forms of the review: complete, strict, and safe whatever the repository holds."""

import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from core.programs.code_review import checker, run
from core.programs.code_review.checker import Checker
from core.programs.code_review.files import Project
from core.programs.code_review.limits import SHOWN_FILES, SHOWN_REFUSED
from core.programs.code_review.rules import IN_TESTS, SELECTED, Severity
from core.programs.shared.events import Events
from tests.core.programs.shared.hostile import HOSTILE, Elements


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    assert run.run(Events(io.StringIO()), "\n".join(HOSTILE), source, folder / "output") == 0
    return folder / "output"


def test_the_page_holds_no_element_of_the_repository_and_loads_nothing(output: Path) -> None:
    elements = Elements((output / "report.html").read_text())
    assert {tag for tag, _ in elements.found} <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "h3", "p", "blockquote", "dl",
        "div", "dt", "dd", "nav", "ul", "li", "a", "span", "section", "table", "thead", "tbody", "tr", "th", "td",
        "pre", "code",
    }  # fmt: skip
    for text in HOSTILE[:6]:
        assert text in elements.text
    ids = {one["id"] for _, one in elements.found if "id" in one}
    for tag, attributes in elements.found:
        assert not {name for name in attributes if name.startswith("on")}
        assert "src" not in attributes and "style" not in attributes
        target = attributes.get("href") or ""
        assert tag == "a" or not target
        assert not target or target.startswith("https://docs.astral.sh/ruff/rules/") or target[1:] in ids, target


def test_the_markdown_holds_no_markup_of_the_repository(output: Path) -> None:
    text = (output / "report.md").read_text()
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    inline = [child for one in tokens for child in one.children or []]
    assert {one.type for one in tokens + inline} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "text_special",
        "blockquote_open", "blockquote_close", "hardbreak", "softbreak", "table_open", "table_close", "thead_open",
        "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
        "strong_open", "strong_close", "link_open", "link_close", "fence",
    }  # fmt: skip
    for one in inline:
        if one.type == "link_open":
            assert str(one.attrs["href"]).startswith("https://docs.astral.sh/ruff/rules/")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_the_sarif_has_what_its_schema_requires(output: Path) -> None:
    text = (output / "review.sarif").read_text()
    assert text.isascii()
    log: dict[str, Any] = json.loads(text)
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (found,) = log["runs"]
    driver = found["tool"]["driver"]
    assert driver["name"] == "ruff"
    assert re.fullmatch(r"\d+\.\d+\.\d+", driver["version"])
    identifiers = [rule["id"] for rule in driver["rules"]]
    assert len(identifiers) == len(set(identifiers))
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"] and rule["fullDescription"]["text"] and rule["help"]["text"]
        assert urlsplit(rule["helpUri"]).scheme == "https"
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    assert found["results"]
    for result in found["results"]:
        assert identifiers[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        parts = urlsplit(place["artifactLocation"]["uri"])
        assert not (parts.scheme or parts.netloc or parts.query or parts.fragment or parts.path.startswith("/"))
        assert unquote(parts.path).endswith(".py")
        assert place["artifactLocation"]["uriBaseId"] in found["originalUriBaseIds"]
        assert all(number >= 1 for number in place["region"].values())
        assert place["region"]["endLine"] >= place["region"]["startLine"]
    (invocation,) = found["invocations"]
    assert invocation["executionSuccessful"] is True
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == [
        "link|<b>.py was not reviewed: It is a symbolic link, and links are not followed."
    ]
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
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three files; ruff dies of the second one."""
    program = tmp_path / "ruff"
    program.write_text(f'#!/bin/sh\ncase "$*" in *two.py*) kill -9 $$;; esac\nexec "{checker.find_ruff_bin()}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(checker, "find_ruff_bin", lambda: str(program))
    monkeypatch.setattr(run, "STEPS", 1)  # so that they are one batch
    source = tmp_path / "source"
    source.mkdir()
    for name in ("one", "two", "three"):
        (source / f"{name}.py").write_text("import os\n")
    return source


def test_a_file_that_ruff_dies_of_is_named_and_the_others_are_reviewed(fragile: Path, tmp_path: Path) -> None:
    said = io.StringIO()
    assert run.run(Events(said), "", fragile, tmp_path / "output") == 0
    assert "two.py: ruff could not check it: it failed or took over 60 s." in said.getvalue()
    assert "Review ready: 2 files, 2 lines, 0 errors, 2 warnings, 0 notes; 1 file not reviewed" in said.getvalue()
    for name in ("report.html", "report.md"):
        assert "ruff could not check it" in (tmp_path / "output" / name).read_text()


def test_a_ruff_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ruff"
    program.write_text(f'#!/bin/sh\ncase "$1" in check) exec sleep 60;; esac\nexec "{checker.find_ruff_bin()}" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "one.py").write_text("import os\n")
    monkeypatch.setattr(checker, "find_ruff_bin", lambda: str(program))
    monkeypatch.setattr(checker, "BATCH_SECONDS", 0.4)
    said = io.StringIO()
    assert run.run(Events(said), "", tmp_path, tmp_path / "output") == 1
    assert "none could be reviewed: one.py: ruff could not check it" in said.getvalue()


def test_without_ruff_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(checker, "find_ruff_bin", absent)
    said = io.StringIO()
    assert run.run(Events(said), "", tmp_path, tmp_path / "output") == 1
    assert "There is no ruff that works on this server" in said.getvalue()


def test_the_worst_files_come_first_and_what_is_not_shown_is_counted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(SHOWN_FILES + 3):
        (source / f"m{number:02}.py").write_text("import os\n")
    (source / "z.py").write_text("x = y\n")  # an error
    for number in range(SHOWN_REFUSED + 4):
        (source / f"link{number:03}.py").symlink_to("z.py")
    said = io.StringIO()
    assert run.run(Events(said), "", source, tmp_path / "output") == 0
    assert "184 more files not reviewed; review.sarif names them." in said.getvalue()
    for name in ("report.html", "report.md"):
        text = (tmp_path / "output" / name).read_text()
        assert text.index("z.py") < text.index("m00.py") < text.index(f"m{SHOWN_FILES - 2:02}.py")
        assert f"m{SHOWN_FILES - 1:02}.py" not in text
        assert "4 more files with 4 findings" in text
        assert "4 more files in review.sarif." in text
    sarif = (tmp_path / "output" / "review.sarif").read_text()
    assert f"m{SHOWN_FILES + 2:02}.py" in sarif
    assert f"link{SHOWN_REFUSED + 3:03}.py was not reviewed" in sarif
